/* The bytes of a publish, frame by frame (AMQP 0-9-1, 2.3.5 and 4.2.6). */
#include "bridge/broker/publish_frames.h"

#include "cases.h"
#include "common/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 8 * 1024 * 1024, FRAME_MAX = 131072 };

static const amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

static void one_publish_is_a_method_a_header_and_a_body(void **state)
{
    static const uint8_t expected[] = {
        1, 0, 1, 0, 0, 0, 12, 0, 60, 0, 40, 0, 0, 1, 'e', 2, 'q', 'q', 1, 0xce,                /* basic.publish, mandatory */
        2, 0, 1, 0, 0, 0, 15, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x10, 0, 2, 0xce,           /* delivery-mode 2 */
        3, 0, 1, 0, 0, 0, 3,  'a', 'b', 'c', 0xce,
    };
    const struct publish_frames publish = {.channel = 1,
                                           .frame_max = FRAME_MAX,
                                           .exchange = "e",
                                           .routing_key = "qq",
                                           .mandatory = true,
                                           .properties = &persistent,
                                           .body = bytes_of_text("abc")};
    struct buf out;

    (void)state;
    buf_init(&out, LIMIT);
    assert_true(publish_frames_append(&publish, &out));
    assert_int_equal(out.len, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    buf_clear(&out);
}

/* Walks over the frames. Returns the bytes of body in them; *frames: how many of body there are. */
static size_t body_bytes(const struct buf *out, size_t frame_max, size_t *frames)
{
    const uint8_t *at = (const uint8_t *)out->data, *end = at + out->len;
    size_t bytes = 0;

    for (*frames = 0; at < end;) {
        const size_t size = (size_t)at[3] << 24 | (size_t)at[4] << 16 | (size_t)at[5] << 8 | at[6];

        assert_true(size + 8 <= frame_max);
        assert_int_equal(at[7 + size], 0xce);
        if (at[0] == AMQP_FRAME_BODY) {
            bytes += size;
            ++*frames;
        }
        at += size + 8;
    }
    assert_ptr_equal(at, end);
    return bytes;
}

static void a_body_takes_as_many_frames_as_were_negotiated(void **state)
{
    static const struct {
        const char *name;
        size_t body, frames;
        int frame_max;
    } cases[] = {
        {"no body", 0, 0, FRAME_MAX},
        {"one byte", 1, 1, FRAME_MAX},
        {"all that one frame takes", FRAME_MAX - 8, 1, FRAME_MAX},
        {"one byte more", FRAME_MAX - 7, 2, FRAME_MAX},
        {"a mebibyte", 1024 * 1024, 9, FRAME_MAX},
        {"small frames", 5000, 2, 4096},
    };
    uint8_t *body = calloc(1, 1024 * 1024);

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct publish_frames publish = {.channel = 2,
                                               .frame_max = cases[i].frame_max,
                                               .exchange = "",
                                               .routing_key = "",
                                               .properties = &persistent,
                                               .body = bytes_of(body, cases[i].body)};
        struct buf out;
        size_t frames;

        buf_init(&out, LIMIT);
        CHECK_CASE(cases[i].name, publish_frames_append(&publish, &out));
        CHECK_CASE(cases[i].name, body_bytes(&out, (size_t)cases[i].frame_max, &frames) == cases[i].body);
        CHECK_CASE(cases[i].name, frames == cases[i].frames);
        buf_clear(&out);
    }
    free(body);
}

static void what_does_not_fit_is_told(void **state)
{
    struct publish_frames publish = {.channel = 1,
                                     .frame_max = FRAME_MAX,
                                     .exchange = "e",
                                     .routing_key = "q",
                                     .properties = &persistent,
                                     .body = bytes_of_text("abc")};
    struct buf out;

    (void)state;
    buf_init(&out, 80);
    assert_true(publish_frames_append(&publish, &out));
    assert_false(publish_frames_append(&publish, &out));
    buf_clear(&out);
}

static void the_properties_of_any_envelope_fit(void **state)
{
    struct envelope envelope = {.type = ENVELOPE_CALLBACK, .scheme = ENVELOPE_TOKEN, .received_at_ms = 1774000000000};
    static char detail[ENVELOPE_REJECT_DETAIL];
    struct envelope_properties properties;
    struct publish_frames publish = {
        .channel = 1, .frame_max = FRAME_MAX, .exchange = "e", .routing_key = "q", .body = bytes_of_text("{}")};
    struct buf out;

    (void)state;
    memset(envelope.message_id, 'm', sizeof envelope.message_id - 1);
    memset(envelope.campaign, 'c', sizeof envelope.campaign - 1);
    memset(envelope.event_id, 'e', sizeof envelope.event_id - 1);
    memset(envelope.attempt, '9', sizeof envelope.attempt - 1);
    memset(detail, 'd', sizeof detail - 1);
    envelope_to_properties(&envelope, &properties);
    envelope_add_rejection(&properties, "invalid_json", detail);
    publish.properties = &properties.basic;
    buf_init(&out, LIMIT);
    assert_true(publish_frames_append(&publish, &out));
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_publish_is_a_method_a_header_and_a_body),
        cmocka_unit_test(a_body_takes_as_many_frames_as_were_negotiated),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(the_properties_of_any_envelope_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
