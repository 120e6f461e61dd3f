#include "drops.h"

#include "common/strict_json.h"
#include "tests/unit/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DROPS = 1000, AT_MS = 1750010400 };

/* What stands behind `name` in the body. */
static const char *value_of(const struct buf *body, const char *name)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *found = strstr(body->data, quoted);
    return found ? found + strlen(quoted) : NULL;
}

static bool says(const struct buf *body, const char *name, const char *value)
{
    const char *found = value_of(body, name);
    return found && strncmp(found, value, strlen(value)) == 0;
}

static uint64_t micros_of(const struct buf *body, const char *name)
{
    const char *found = value_of(body, name);
    assert_non_null(found);
    return (uint64_t)(strtod(found, NULL) * 1e6 + 0.5);
}

static void make(struct drop_copy copy, struct envelope *envelope, struct buf *body)
{
    *envelope = (struct envelope){.received_at_ms = (int64_t)AT_MS * 1000};
    buf_reset(body);
    assert_true(drop_message(copy, envelope, body));
    assert_int_equal(strict_json_check((struct bytes){.data = (const uint8_t *)body->data, .len = body->len}), JSON_OK);
}

static void add_body(const struct envelope *envelope, const struct buf *body, struct drop_sums *sums)
{
    unsigned campaign = (unsigned)strtoul(strrchr(envelope->campaign, '-') + 1, NULL, 10);
    bool failed = says(body, "status", "\"failure\"");

    assert_true(campaign < DROP_CAMPAIGNS);
    assert_true(failed || says(body, "status", "\"success\""));
    sums->drops++;
    sums->success += !failed;
    sums->failure += failed;
    sums->opted_out += says(body, "reason", "\"Opted out\"") || says(body, "reason", "\"Internal DNC\"");
    sums->product_cost_micros += micros_of(body, "product_cost");
    sums->compliance_fee_micros += micros_of(body, "compliance_fee");
    sums->tts_fee_micros += micros_of(body, "tts_fee");
    sums->campaigns[campaign].success += !failed;
    sums->campaigns[campaign].failure += failed;
}

static void the_sums_are_those_of_the_bodies(void **state)
{
    (void)state;
    struct drop_sums told = {0}, found = {0};
    struct envelope envelope;
    struct buf body;

    buf_init(&body, 2048);
    for (uint64_t drop = 0; drop < DROPS; drop++) {
        drop_add(drop, &told);
        make((struct drop_copy){.drop = drop}, &envelope, &body);
        assert_in_range(body.len, 320, 380);
        add_body(&envelope, &body, &found);
    }
    buf_clear(&body);
    assert_memory_equal(&told, &found, sizeof told);
    assert_int_equal(told.failure, DROPS * 8 / 100);
    assert_int_equal(told.opted_out, DROPS * 2 / 100);
    for (int i = 0; i < DROP_CAMPAIGNS; i++)
        assert_true(told.campaigns[i].success > 0 && told.campaigns[i].failure > 0);
}

static void a_status_webhook_says_what_the_callback_says_but_no_campaign(void **state)
{
    (void)state;
    static const char *const same[] = {"drop_id", "status", "reason"};
    struct envelope of_callback, of_status;
    struct buf callback, status;

    buf_init(&callback, 2048);
    buf_init(&status, 2048);
    for (uint64_t drop = 0; drop < DROPS; drop++) {
        make((struct drop_copy){.drop = drop}, &of_callback, &callback);
        make((struct drop_copy){.drop = drop, .status = true}, &of_status, &status);
        for (size_t i = 0; i < COUNT(same); i++) {
            const char *value = value_of(&callback, same[i]);
            size_t len = strcspn(value + 1, "\"") + 2;
            CHECK_CASE(same[i], strncmp(value, value_of(&status, same[i]), len) == 0);
        }
        assert_memory_equal(value_of(&callback, "phone_number"), value_of(&status, "to"), 14);
        assert_string_equal(of_status.campaign, "");
        assert_true(says(&status, "campaign_id", "null"));
        assert_int_equal(of_callback.type, ENVELOPE_CALLBACK);
        assert_int_equal(of_status.type, ENVELOPE_WEBHOOK);
    }
    buf_clear(&callback);
    buf_clear(&status);
}

struct row {
    const char *name;
    uint64_t drops, apart;
};

static const struct row rows[] = {
    {"a copy behind its drop", 10, 1},
    {"groups that come out even", 12, 4},
    {"a last group that is smaller", 14, 4},
    {"one group, smaller than it may be", 3, 256},
};

static void each_drop_has_two_copies_as_far_apart_as_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t callback_at[16] = {0}, copies[16] = {0};
        for (uint64_t place = 0; place < 2 * rows[i].drops; place++) {
            struct drop_copy copy = drop_copy_at(place, rows[i].drops, rows[i].apart);
            CHECK_CASE(rows[i].name, copy.drop < rows[i].drops && copy.status == (copies[copy.drop]++ == 1));
            uint64_t rest = rows[i].drops - copy.drop / rows[i].apart * rows[i].apart;
            uint64_t apart = rest < rows[i].apart ? rest : rows[i].apart;
            if (copy.status)
                CHECK_CASE(rows[i].name, place - callback_at[copy.drop] == apart);
            callback_at[copy.drop] = place;
        }
        for (uint64_t drop = 0; drop < rows[i].drops; drop++)
            CHECK_CASE(rows[i].name, copies[drop] == 2);
    }
}

static void a_body_without_room_is_refused(void **state)
{
    (void)state;
    struct envelope envelope = {.received_at_ms = (int64_t)AT_MS * 1000};
    struct buf body;

    buf_init(&body, 100);
    assert_false(drop_message((struct drop_copy){.drop = 1}, &envelope, &body));
    assert_false(drop_message((struct drop_copy){.drop = 1, .status = true}, &envelope, &body));
    buf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums_are_those_of_the_bodies),
        cmocka_unit_test(a_status_webhook_says_what_the_callback_says_but_no_campaign),
        cmocka_unit_test(each_drop_has_two_copies_as_far_apart_as_asked),
        cmocka_unit_test(a_body_without_room_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
