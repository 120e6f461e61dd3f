/* The part of the classification that does not see JSON: edges that a body cannot easily make. */
#include "workers/event/classify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct parse_settings plain;

static struct event classified(const struct raw_event *raw, int64_t received_ms, char *detail)
{
    struct envelope envelope = {.received_at_ms = received_ms};
    struct event event;
    assert_int_equal(classify(raw, &envelope, &plain, &event, detail), PARSE_OK);
    return event;
}

static void an_event_of_another_kind_carries_nothing_of_its_data(void **state)
{
    (void)state;
    char detail[PARSE_DETAIL];
    struct raw_event raw = {.body = bytes_of_text("{}"),
                            .name = bytes_of_text("contact.tag.added"),
                            .meaning = NAME_OTHER,
                            .status = bytes_of_text("no status at all"),
                            .reason = bytes_of_text("Opted out"),
                            .dnc = RAW_FLAG_TRUE,
                            .phones = {bytes_of_text("5550001111")},
                            .foreign_ids = {bytes_of_text("f")}};
    struct event event = classified(&raw, 1000, detail);
    assert_int_equal(event.kind, EVENT_OTHER);
    assert_false(event.opts_out || event.has_flags || event.has_costs);
    assert_string_equal(event.phone, "");
    assert_int_equal(event.foreign_id_len, 0);
}

static void an_opt_out_event_carries_phone_and_foreign_id_but_no_outcome(void **state)
{
    (void)state;
    char detail[PARSE_DETAIL];
    struct raw_event raw = {.body = bytes_of_text("{}"),
                            .name = bytes_of_text("contact.opted_out"),
                            .meaning = NAME_OPT_OUT,
                            .event_id = bytes_of_text("e"),
                            .drop_id = bytes_of_text("d"),
                            .phones = {{0}, bytes_of_text("5550001111")},
                            .foreign_ids = {{0}, bytes_of_text("f")}};
    struct event event = classified(&raw, 1000, detail);
    assert_int_equal(event.kind, EVENT_OPT_OUT);
    assert_true(event.opts_out && event.told);
    assert_string_equal(event.phone, "+15550001111");
    assert_string_equal(event.id.text, "e");
    assert_string_equal(event.drop.text, "d");
    assert_null(event.rejected_as);
    assert_int_equal(event.foreign_id_len, 1);
    assert_int_equal(event.reason, 0);
    assert_string_equal(detail, "");
}

static void extreme_times_of_receipt_do_not_overflow(void **state)
{
    static const int64_t received[] = {1, 0, -1, INT64_MAX, INT64_MIN, INT64_MAX - 86400000};
    (void)state;
    for (size_t i = 0; i < sizeof received / sizeof received[0]; i++) {
        char detail[PARSE_DETAIL];
        struct raw_event raw = {
            .name = bytes_of_text("x"), .meaning = NAME_OTHER, .times = {{RAW_NUMBER, 1.7e12, {0}}}};
        struct event event = classified(&raw, received[i], detail);
        assert_int_equal(event.time_ms, received[i] > INT64_C(1700000000000) ? INT64_C(1700000000000) : received[i]);
    }
}

static void numbers_that_are_not_finite_are_no_times_and_no_money(void **state)
{
    (void)state;
    char detail[PARSE_DETAIL] = "";
    struct raw_event raw = {
        .status = bytes_of_text("success"),
        .times = {{RAW_NUMBER, HUGE_VAL, {0}}, {RAW_NUMBER, -HUGE_VAL, {0}}, {RAW_NUMBER, nan(""), {0}}},
        .costs = {{RAW_NUMBER, nan(""), {0}}, {RAW_NUMBER, HUGE_VAL, {0}}, {RAW_NUMBER, -0.0, {0}}}};
    struct event event = classified(&raw, 5000, detail);
    assert_int_equal(event.time_ms, 5000);
    assert_true(event.has_costs); /* minus zero is zero */
    assert_int_equal(event.product_cost_micros + event.compliance_fee_micros + event.tts_fee_micros, 0);
    assert_true(strlen(detail) > 0);
}

static void a_remark_never_repeats_a_phone_number(void **state)
{
    (void)state;
    char detail[PARSE_DETAIL] = "";
    struct raw_event raw = {
        .status = bytes_of_text("success"), .phones = {bytes_of_text("12345678901234567890")}};
    classified(&raw, 5000, detail);
    assert_null(strstr(detail, "1234567890"));
    assert_true(strlen(detail) > 0);
}

static void detail_is_empty_when_nothing_was_ignored(void **state)
{
    (void)state;
    char detail[PARSE_DETAIL] = "old";
    struct raw_event raw = {.status = bytes_of_text("success")};
    classified(&raw, 5000, detail);
    assert_string_equal(detail, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_of_another_kind_carries_nothing_of_its_data),
        cmocka_unit_test(an_opt_out_event_carries_phone_and_foreign_id_but_no_outcome),
        cmocka_unit_test(extreme_times_of_receipt_do_not_overflow),
        cmocka_unit_test(numbers_that_are_not_finite_are_no_times_and_no_money),
        cmocka_unit_test(a_remark_never_repeats_a_phone_number),
        cmocka_unit_test(detail_is_empty_when_nothing_was_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
