/* What an event carries of its body and what it does not, and what the log is told. */
#include "parsing.h"

static void an_event_of_another_kind_carries_nothing_of_its_data(void **state)
{
    char detail[PARSE_DETAIL];
    struct event event = parsed_with("{\"type\":\"contact.tag.added\",\"status\":\"no status at all\",\"dnc\":true,"
                                     "\"reason\":\"Opted out\",\"phone\":\"5550001111\",\"foreign_id\":\"f\","
                                     "\"tts_fee\":-1}",
                                     detail);
    (void)state;
    assert_int_equal(event.kind, EVENT_OTHER);
    assert_false(event.opts_out || event.has_flags || event.has_costs);
    assert_string_equal(event.phone, "");
    assert_int_equal(event.foreign_id_len, 0);
    assert_string_equal(detail, "");
}

static void an_opt_out_event_carries_phone_and_foreign_id_but_no_outcome(void **state)
{
    char detail[PARSE_DETAIL];
    struct event event = parsed_with("{\"type\":\"contact.opted_out\",\"event_id\":\"e\",\"data\":{\"drop_id\":\"d\","
                                     "\"phone\":\"5550001111\",\"foreign_id\":\"f\",\"reason_code\":4002}}",
                                     detail);
    (void)state;
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
    for (size_t i = 0; i < COUNT(received); i++) {
        struct envelope envelope = {.received_at_ms = received[i]};
        char detail[PARSE_DETAIL];
        struct event event;
        assert_int_equal(event_parse(bytes_of_text("{\"type\":\"x\",\"event_at\":1.7e12}"), &envelope, NULL, &event,
                                     detail),
                         PARSE_OK);
        assert_int_equal(event.time_ms, received[i] > INT64_C(1700000000000) ? INT64_C(1700000000000) : received[i]);
    }
}

static void numbers_past_all_bounds_are_no_times_and_no_money(void **state)
{
    char detail[PARSE_DETAIL];
    struct event event = parsed_with("{\"status\":\"success\",\"attempt_date\":1e999,\"event_at\":-1e999,"
                                     "\"product_cost\":1e999,\"compliance_fee\":-1e999,\"tts_fee\":-0.0}",
                                     detail);
    (void)state;
    assert_int_equal(event.time_ms, RECEIVED);
    assert_true(event.has_costs); /* minus zero is zero */
    assert_int_equal(event.product_cost_micros + event.compliance_fee_micros + event.tts_fee_micros, 0);
    assert_true(strlen(detail) > 0);
}

static void a_remark_never_repeats_a_phone_number(void **state)
{
    char detail[PARSE_DETAIL];
    parsed_with("{\"status\":\"success\",\"to\":\"12345678901234567890\"}", detail);
    (void)state;
    assert_null(strstr(detail, "1234567890"));
    assert_true(strlen(detail) > 0);
}

static void detail_is_empty_when_nothing_was_ignored(void **state)
{
    char detail[PARSE_DETAIL] = "old";
    parsed_with("{\"status\":\"success\"}", detail);
    (void)state;
    assert_string_equal(detail, "");
}

/* However a body writes them. */
static void texts_with_escapes_are_what_they_say(void **state)
{
    static const char body[] =
        "{\"st\\u0061tus\":\"f\\u0061ilure\",\"drop_id\":\"\\u0064\\/1\",\"reason\":\"Opted\\u0020out\",\"x\":\"\\\\\","
        "\"data\":{\"foreign_id\":\"\\ud83d\\ude00\",\"contact\":{\"phone\\u005fnumber\":\"\\u002b13125550146\"},"
        "\"campaign\":{\"\\u0069d\":\"\\u0063\"},\"campaign_session\":{\"dispo\":{\"dnc\":\"y\\u0065s\"}}}}";
    (void)state;
    struct event event = parsed(body);
    assert_string_equal(event.id.text, "d/1");
    assert_string_equal(slug_of(&event), "opted_out");
    assert_memory_equal(event.foreign_id, "\xf0\x9f\x98\x80", 4);
    assert_string_equal(event.phone, "+13125550146");
    assert_string_equal(event.campaign, "c");
    assert_true(event.dnc);
    /* a name ends at a NUL */
    assert_string_equal(parsed("{\"type\":\"x\",\"type\\u0000z\":\"y\"}").name, "y");
}

/* Of a name that is given twice the last one counts, with all that stands in it. */
static void what_is_given_twice_counts_as_the_last_one_says(void **state)
{
    (void)state;
    struct event event = parsed("{\"status\":\"failure\",\"data\":{\"drop_id\":\"a\",\"to\":\"3125550146\"},"
                                "\"data\":{\"drop_id\":\"b\"},\"status\":\"success\"}");
    assert_string_equal(event.id.text, "b");
    assert_string_equal(event.phone, "");
    assert_int_equal(event.outcome, OUTCOME_SUCCESS);
    event = parsed("{\"status\":\"success\",\"data\":{\"drop_id\":\"a\"},\"data\":null,\"drop_id\":\"b\",\"drop_id\":7}");
    assert_string_equal(event.id.text, "7");
    event = parsed("{\"status\":\"success\",\"contact\":{\"phone_number\":\"3125550146\"},"
                   "\"contact\":{\"phone_number\":\"none\",\"phone_number\":\"3125550147\"}}");
    assert_string_equal(event.phone, "+13125550147");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_of_another_kind_carries_nothing_of_its_data),
        cmocka_unit_test(an_opt_out_event_carries_phone_and_foreign_id_but_no_outcome),
        cmocka_unit_test(extreme_times_of_receipt_do_not_overflow),
        cmocka_unit_test(numbers_past_all_bounds_are_no_times_and_no_money),
        cmocka_unit_test(a_remark_never_repeats_a_phone_number),
        cmocka_unit_test(detail_is_empty_when_nothing_was_ignored),
        cmocka_unit_test(texts_with_escapes_are_what_they_say),
        cmocka_unit_test(what_is_given_twice_counts_as_the_last_one_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
