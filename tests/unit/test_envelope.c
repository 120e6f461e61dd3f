#include "common/envelope.h"

#include "cases.h"

#include <string.h>

static const struct envelope full = {
    .type = ENVELOPE_CALLBACK,
    .scheme = ENVELOPE_TOKEN,
    .message_id = "0123456789abcdef",
    .received_at_ms = 1774041960123,
    .campaign = "spring-2026",
    .event_id = "2694f968-93fd-44ca-9b92-2110ed1ee61e",
    .attempt = "2",
};

static amqp_field_value_t *header(struct envelope_properties *properties, const char *name)
{
    for (int i = 0; i < properties->basic.headers.num_entries; i++) {
        amqp_table_entry_t *entry = &properties->basic.headers.entries[i];
        if (entry->key.len == strlen(name) && memcmp(entry->key.bytes, name, entry->key.len) == 0)
            return &entry->value;
    }
    return NULL;
}

static bool is_text(amqp_bytes_t bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static void writes_every_documented_property(void **state)
{
    (void)state;
    struct envelope_properties properties;
    envelope_to_properties(&full, &properties);
    assert_int_equal(properties.basic.delivery_mode, 2);
    assert_true(properties.basic._flags & AMQP_BASIC_DELIVERY_MODE_FLAG);
    assert_true(is_text(properties.basic.type, "callback"));
    assert_true(is_text(properties.basic.app_id, "dropbridge"));
    assert_true(is_text(properties.basic.message_id, full.message_id));
    assert_int_equal(properties.basic.timestamp, 1774041960);
    assert_int_equal(header(&properties, "x-received-at")->kind, AMQP_FIELD_KIND_I64);
    assert_int_equal(header(&properties, "x-received-at")->value.i64, 1774041960123);

    static const struct {
        const char *name, *text;
    } texts[] = {{"x-scheme", "token"},
                 {"x-campaign", "spring-2026"},
                 {"x-event-id", "2694f968-93fd-44ca-9b92-2110ed1ee61e"},
                 {"x-attempt", "2"}};
    for (size_t i = 0; i < COUNT(texts); i++) {
        const amqp_field_value_t *value = header(&properties, texts[i].name);
        CHECK_CASE(texts[i].name, value && value->kind == AMQP_FIELD_KIND_UTF8);
        CHECK_CASE(texts[i].name, is_text(value->value.bytes, texts[i].text));
    }
}

static void leaves_out_what_was_not_given(void **state)
{
    (void)state;
    const struct envelope bare = {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_GUIDE};
    struct envelope_properties properties;
    envelope_to_properties(&bare, &properties);
    assert_int_equal(properties.basic.headers.num_entries, 1);
    assert_non_null(header(&properties, "x-scheme"));
    assert_false(properties.basic._flags & (AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG));
}

static void adds_a_rejection(void **state)
{
    (void)state;
    struct envelope_properties properties;
    char longer[ENVELOPE_REJECT_DETAIL + 10];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer + ENVELOPE_REJECT_DETAIL - 1, "\xc3\xa9", 2);
    envelope_to_properties(&full, &properties);
    envelope_add_rejection(&properties, "invalid_json", longer);
    assert_true(is_text(header(&properties, "x-reject-reason")->value.bytes, "invalid_json"));
    assert_int_equal(header(&properties, "x-reject-detail")->value.bytes.len, ENVELOPE_REJECT_DETAIL - 1);
    for (int i = 0; i < 20; i++) /* what does not fit is left out */
        envelope_add_rejection(&properties, "invalid_json", "again");
    assert_int_equal(properties.basic.headers.num_entries, COUNT(properties.headers));
}

static void comes_back_as_it_went(void **state)
{
    (void)state;
    for (int scheme = ENVELOPE_GUIDE; scheme <= ENVELOPE_OFF; scheme++) {
        struct envelope in = full;
        struct envelope out;
        struct envelope_properties properties;
        in.scheme = (enum envelope_scheme)scheme;
        in.type = scheme % 2 ? ENVELOPE_WEBHOOK : ENVELOPE_CALLBACK;
        envelope_to_properties(&in, &properties);
        envelope_from_properties(&properties.basic, &out);
        assert_int_equal(out.type, in.type);
        assert_int_equal(out.scheme, in.scheme);
        assert_int_equal(out.received_at_ms, in.received_at_ms);
        assert_string_equal(out.message_id, in.message_id);
        assert_string_equal(out.campaign, in.campaign);
        assert_string_equal(out.event_id, in.event_id);
        assert_string_equal(out.attempt, in.attempt);
    }
}

static void takes_a_message_without_properties(void **state)
{
    (void)state;
    const amqp_basic_properties_t none = {0};
    struct envelope out;
    envelope_from_properties(&none, &out);
    assert_int_equal(out.type, ENVELOPE_WEBHOOK);
    assert_int_equal(out.scheme, ENVELOPE_OFF);
    assert_int_equal(out.received_at_ms, 0);
    assert_string_equal(out.message_id, "");
    assert_string_equal(out.campaign, "");
    assert_string_equal(out.event_id, "");
    assert_string_equal(out.attempt, "");
}

/* One header of any kind, as another publisher may write it. */
static struct envelope read_one(const char *name, amqp_field_value_t value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name), .value = value};
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG,
                                                .headers = {.num_entries = 1, .entries = &entry}};
    struct envelope out;
    envelope_from_properties(&properties, &out);
    return out;
}

static amqp_field_value_t text_value(const char *text, size_t len)
{
    union {
        const char *given;
        void *wanted;
    } pointer = {.given = text};
    return (amqp_field_value_t){.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = {.len = len, .bytes = pointer.wanted}};
}

static void reads_a_time_of_any_width(void **state)
{
    (void)state;
    const struct {
        const char *name;
        amqp_field_value_t value;
        int64_t ms;
    } cases[] = {
        {"64 bits", {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 1774041960123}, 1774041960123},
        {"64 bits without sign", {.kind = AMQP_FIELD_KIND_U64, .value.u64 = 1774041960123}, 1774041960123},
        {"32 bits", {.kind = AMQP_FIELD_KIND_I32, .value.i32 = 5}, 5},
        {"32 bits without sign", {.kind = AMQP_FIELD_KIND_U32, .value.u32 = 4000000000}, 4000000000},
        {"past 63 bits", {.kind = AMQP_FIELD_KIND_U64, .value.u64 = UINT64_MAX}, 0},
        {"negative", {.kind = AMQP_FIELD_KIND_I64, .value.i64 = -1}, 0},
        {"a float", {.kind = AMQP_FIELD_KIND_F64, .value.f64 = 5}, 0},
        {"a text", text_value("1774041960123", 13), 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, read_one("x-received-at", cases[i].value).received_at_ms == cases[i].ms);

    amqp_basic_properties_t stamped = {._flags = AMQP_BASIC_TIMESTAMP_FLAG, .timestamp = 1774041960};
    struct envelope out;
    envelope_from_properties(&stamped, &out);
    assert_int_equal(out.received_at_ms, 1774041960000);
    stamped.timestamp = UINT64_MAX;
    envelope_from_properties(&stamped, &out);
    assert_int_equal(out.received_at_ms, 0);
}

static void takes_no_text_that_does_not_fit(void **state)
{
    (void)state;
    char longer[LIMIT_EVENT_ID + 2];
    memset(longer, 'a', sizeof longer);
    const struct {
        const char *name, *text;
        size_t len;
        bool campaign, event_id, attempt;
    } cases[] = {
        {"short", "abc", 3, true, true, true},
        {"empty", "", 0, false, false, false},
        {"15 long", longer, 15, true, true, true},
        {"16 long", longer, 16, true, true, false},
        {"64 long", longer, 64, true, true, false},
        {"65 long", longer, 65, false, true, false},
        {"128 long", longer, 128, false, true, false},
        {"129 long", longer, 129, false, false, false},
        {"a NUL inside", "a\0b", 3, false, false, false},
        {"no campaign's letters", "a/b", 3, false, true, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const amqp_field_value_t value = text_value(cases[i].text, cases[i].len);
        CHECK_CASE(cases[i].name, (read_one("x-campaign", value).campaign[0] != '\0') == cases[i].campaign);
        CHECK_CASE(cases[i].name, (read_one("x-event-id", value).event_id[0] != '\0') == cases[i].event_id);
        CHECK_CASE(cases[i].name, (read_one("x-attempt", value).attempt[0] != '\0') == cases[i].attempt);
    }
    const amqp_field_value_t number = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = 2};
    assert_string_equal(read_one("x-attempt", number).attempt, "");
    assert_int_equal(read_one("x-scheme", text_value("V1", 2)).scheme, ENVELOPE_OFF);
    assert_int_equal(read_one("x-scheme", text_value("v1", 2)).scheme, ENVELOPE_V1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_documented_property),
        cmocka_unit_test(leaves_out_what_was_not_given),
        cmocka_unit_test(adds_a_rejection),
        cmocka_unit_test(comes_back_as_it_went),
        cmocka_unit_test(takes_a_message_without_properties),
        cmocka_unit_test(reads_a_time_of_any_width),
        cmocka_unit_test(takes_no_text_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
