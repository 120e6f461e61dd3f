/* Which field of a body a value of an event comes from, and what is taken for one. */
#include "parsing.h"

static void identities_come_in_order(void **state)
{
    static const struct {
        const char *fields;
        const char *text;
    } cases[] = {
        {"\"drop_id\":\"a\",\"data\":{\"drop_id\":\"b\",\"message_id\":\"c\",\"id\":\"d\"}", "a"},
        {"\"drop_id\":\"\",\"data\":{\"drop_id\":\"b\",\"message_id\":\"c\",\"id\":\"d\"}", "b"},
        {"\"drop_id\":null,\"data\":{\"drop_id\":\"b\"}", "b"},
        {"\"data\":{\"message_id\":\"c\",\"id\":\"d\"}", "c"},
        {"\"data\":{\"id\":\"d\"}", "d"},
        {"\"data\":{\"id\":17}", "17"},
        {"\"drop_id\":-17", "-17"},
        {"\"drop_id\":9223372036854775807", "9223372036854775807"},
        {"\"drop_id\":18446744073709551614", "18446744073709551614"},
        /* past 64 bits, too */
        {"\"drop_id\":99999999999999999999", "99999999999999999999"},
        {"\"drop_id\":-99999999999999999999", "-99999999999999999999"},
        {"\"drop_id\":-0", "0"},
        {"\"drop_id\":1.5", ""},
        {"\"drop_id\":[\"a\"]", ""},
        {"\"message_id\":\"c\",\"id\":\"d\"", ""},
        {"\"event_id\":\"e\"", ""},
        {"\"data\":[{\"id\":\"d\"}]", ""},
        {"\"drop_id\":\"a\\u0000b\"", "a\xef\xbf\xbd"
                                      "b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        struct event event = parsed(body);
        assert_string_equal(event.id.text, cases[i].text);
        if (cases[i].text[0] == '\0') {
            assert_int_equal(event.id.packed_len, 33);
            assert_int_equal(event.id.packed[0], 'h');
        }
    }
    assert_string_equal(parsed("{\"type\":\"x\",\"event_id\":\"E\",\"drop_id\":\"d\",\"data\":{\"id\":\"i\"}}").id.text,
                        "E");
    assert_string_equal(parsed("{\"type\":\"campaign.paused\",\"data\":{\"id\":\"i\"}}").id.text, "");
}

static void times_fall_back_to_the_receipt(void **state)
{
    static const struct {
        const char *fields;
        int64_t ms;
    } cases[] = {
        {"\"attempt_date\":\"2026-05-31\"", INT64_C(1780185600000)},
        {"\"attempt_date\":\"x\",\"event_at\":1780185600", INT64_C(1780185600000)},
        {"\"attempt_date\":\"2026-02-30\",\"created_at\":\"2026-05-31\"", INT64_C(1780185600000)},
        {"\"event_at\":\"1780185600000\"", INT64_C(1780185600000)},
        {"\"timestamp\":1780185600.25", INT64_C(1780185600250)},
        {"\"data\":{\"attempt_date\":\"2026-05-31\"},\"event_at\":1", INT64_C(1780185600000)},
        {"\"attempt_date\":\"2026-05-31\",\"data\":{\"attempt_date\":\"2026-05-30\"}", INT64_C(1780185600000)},
        {"\"attempt_date\":null,\"data\":{\"attempt_date\":\"2026-05-31\"}", INT64_C(1780185600000)},
        {"\"attempt_date\":\"0000-01-01\"", RECEIVED},
        {"\"attempt_date\":\"1999-12-31T23:59:59Z\"", RECEIVED},
        {"\"attempt_date\":\"2000-01-01\"", INT64_C(946684800000)},
        {"\"attempt_date\":\"9999-12-31\"", RECEIVED},
        {"\"attempt_date\":\"2026-06-02T12:00:00Z\"", RECEIVED + 86400000},
        {"\"attempt_date\":\"2026-06-02T12:00:00.001Z\"", RECEIVED},
        {"\"attempt_date\":\"2026-06-03\"", RECEIVED},
        {"\"event_at\":99999999999", RECEIVED},
        {"\"event_at\":1e11", RECEIVED},
        {"\"event_at\":1e999", RECEIVED},
        {"\"event_at\":-5", RECEIVED},
        {"\"event_at\":99999999999999999999999", RECEIVED},
        {"\"event_at\":true", RECEIVED},
        {"\"attempt_date\":\"\",\"data\":{\"attempt_date\":\"2026-05-31\"}", INT64_C(1780185600000)},
        {"\"attempt_date\":\"2026-05-30t23:59:60z\"", INT64_C(1780185600000)},
        {"\"attempt_date\":\"2026-05-31 00:00:00 UTC\"", INT64_C(1780185600000)},
        {"\"x\":1", RECEIVED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        int64_t ms = parsed(body).time_ms;
        if (ms != cases[i].ms)
            fail_msg("%s: %lld", body, (long long)ms);
    }
}

static void money_is_taken_or_ignored_with_a_remark(void **state)
{
    static const struct {
        const char *value;
        int64_t micros; /* -1: ignored */
    } cases[] = {
        {"0.0123", 12300}, {"\"0.0123\"", 12300},
        {"0", 0},          {"10000", INT64_C(10000000000)},
        {"-0.01", -1},     {"10000.01", -1},
        {"1e999", -1},     {"\"abc\"", -1},
        {"\" \"", -1},     {"99999999999999999999", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[128];
        char detail[PARSE_DETAIL];
        struct event event;
        int len = snprintf(body, sizeof body, "{\"status\":\"success\",\"tts_fee\":%s}", cases[i].value);
        assert_int_equal(parse_bytes(body, (size_t)len, "", &plain, &event, detail), PARSE_OK);
        assert_int_equal(event.has_costs, cases[i].micros >= 0);
        assert_int_equal(event.tts_fee_micros, cases[i].micros >= 0 ? cases[i].micros : 0);
        assert_int_equal(event.product_cost_micros, 0);
        assert_int_equal(detail[0] != '\0', cases[i].micros < 0);
    }
    assert_false(parsed("{\"status\":\"success\",\"tts_fee\":null}").has_costs);
    /* an empty text is absent */
    char detail[PARSE_DETAIL];
    struct event in_data =
        parsed_with("{\"status\":\"success\",\"tts_fee\":\"\",\"data\":{\"tts_fee\":\"2\"}}", detail);
    assert_int_equal(in_data.tts_fee_micros, 2000000);
    assert_string_equal(detail, "");
    struct event mixed = parsed("{\"status\":\"success\",\"tts_fee\":-1,\"product_cost\":null,"
                                "\"data\":{\"product_cost\":0.5}}");
    assert_true(mixed.has_costs);
    assert_int_equal(mixed.product_cost_micros, 500000);
}

static void phones_come_from_the_first_usable_field(void **state)
{
    static const struct {
        const char *fields;
        const char *phone;
    } cases[] = {
        {"\"phone_number\":\"5550000001\",\"to\":\"5550000002\"", "+15550000001"},
        {"\"phone_number\":\"none\",\"to\":\"5550000002\"", "+15550000002"},
        {"\"phone_number\":null,\"data\":{\"phone_number\":\"5550000003\"},\"to\":\"5550000002\"", "+15550000003"},
        {"\"to\":15550000002", "+15550000002"},
        {"\"to\":5550000002", "+15550000002"},
        {"\"data\":{\"phone\":\"5550000004\"}", "+15550000004"},
        {"\"contact\":{\"phone_number\":\"5550000005\",\"main_phone\":\"5550000006\"}", "+15550000005"},
        {"\"contact\":{\"main_phone\":\"5550000006\"},\"data\":{\"contact\":{\"phone_number\":\"5550000007\"}}",
         "+15550000007"},
        {"\"contact\":\"5550000008\"", ""},
        {"\"to\":5550000002.0", ""},
        {"\"to\":99999999999999999999999", ""},
        {"\"to\":\"12345678901234567\"", ""},
        {"\"phone_number\":\"\",\"to\":\"+4791234567\"", "+4791234567"},
        {"\"to\":\"jane2024@example.com\",\"data\":{\"phone\":\"(312) 555-0161 ext. 22\"}", "+13125550161"},
        {"\"mobile_phone\":\"5550000009\",\"number\":\"5550000009\"", ""},
        {"\"from\":\"5550000009\"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        assert_string_equal(parsed(body).phone, cases[i].phone);
    }
}

static void campaigns_by_rank(void **state)
{
    static const struct {
        const char *url;
        const char *fields;
        const char *campaign;
        enum campaign_rank rank;
    } cases[] = {
        {"url", "\"campaign_id\":\"body\",\"foreign_id\":\"part/1\"", "url", CAMPAIGN_FROM_URL},
        {"", "\"campaign_id\":\"body\",\"foreign_id\":\"part/1\"", "part", CAMPAIGN_FROM_FOREIGN},
        {"", "\"campaign_id\":\"body\",\"foreign_id\":\"part\"", "body", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":null,\"foreign_id\":\"part/1\"", "part", CAMPAIGN_FROM_FOREIGN},
        {"", "\"campaign_id\":\"\",\"data\":{\"campaign_id\":\"data\"}", "data", CAMPAIGN_FROM_BODY},
        {"", "\"data\":{\"campaign\":{\"id\":4711}}", "4711", CAMPAIGN_FROM_BODY},
        {"", "\"data\":{\"campaign\":\"text\"}", "text", CAMPAIGN_FROM_BODY},
        {"", "\"data\":{\"campaign\":{\"name\":\"x\"},\"campaign_name\":\"named\"}", "named", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_name\":\"named\"", "named", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_name\":\"named\",\"data\":{\"campaign_id\":\"id\"}", "id", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_name\":\"named\",\"data\":{\"campaign\":\"text\"}", "text", CAMPAIGN_FROM_BODY},
        {"", "\"campaign\":{\"id\":4711}", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"data\":{\"id\":\"x\"}", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"part\"", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"/part\"", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"a b/c/d\"", "a%20b", CAMPAIGN_FROM_FOREIGN},
        {"unassigned", "\"campaign_id\":\"body\"", "body", CAMPAIGN_FROM_BODY},
        {"unassigned", "\"x\":1", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"campaign_id\":\"body\",\"foreign_id\":\"unassigned/1\"", "body", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":\"unassigned\",\"campaign_name\":\"named\"", "named", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":\"..\"", "%2E%2E", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":\"a\\u0000b\"", "a%00b", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":\"../../etc\"", "..%2F..%2Fetc", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":\"\xe2\x82\xac\"", "%E2%82%AC", CAMPAIGN_FROM_BODY},
    };
    static const struct parse_settings slash = {.campaign_separator = "/"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        char detail[PARSE_DETAIL];
        struct event event;
        int len = snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        assert_int_equal(parse_bytes(body, (size_t)len, cases[i].url, &slash, &event, detail), PARSE_OK);
        assert_string_equal(event.campaign, cases[i].campaign);
        assert_int_equal(event.campaign_rank, cases[i].rank);
    }
    assert_string_equal(parsed("{\"status\":\"success\",\"foreign_id\":\"part/1\"}").campaign, "unassigned");
}

static void campaign_events_need_a_campaign_and_do_not_happen_when_it_was_made(void **state)
{
    static const struct {
        const char *fields;
        int64_t ms;
    } cases[] = {
        {"\"event_at\":1780315000000,\"data\":{\"id\":\"c\",\"created_at\":1780185600000}", INT64_C(1780315000000)},
        {"\"data\":{\"id\":\"c\",\"created_at\":\"2026-05-31\",\"timestamp\":1780315000}", INT64_C(1780315000000)},
        {"\"created_at\":\"2026-05-31\",\"data\":{\"id\":\"c\"}", RECEIVED},
        {"\"data\":{\"id\":\"c\",\"created_at\":\"2026-05-31\"}", RECEIVED},
        {"\"data\":{\"campaign_name\":\"c\"}", RECEIVED},
        {"\"data\":{\"campaign\":\"c\"}", RECEIVED},
    };
    static const char *const unnamed[] = {
        "{\"type\":\"campaign.paused\"}",
        "{\"type\":\"campaign.completed\",\"data\":{\"name\":\"Spring\"}}",
        "{\"type\":\"campaign.paused\",\"id\":\"c\"}",
        "{\"type\":\"campaign.scheduled\",\"data\":{\"id\":\"\",\"campaign_id\":null}}",
        "{\"type\":\"campaign.resumed\",\"campaign_id\":\"unassigned\"}",
    };
    char detail[PARSE_DETAIL];
    struct event event;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"type\":\"campaign.paused\",%s}", cases[i].fields);
        event = parsed_with(body, detail);
        CHECK_CASE(cases[i].fields, event.kind == EVENT_CAMPAIGN && event.time_ms == cases[i].ms);
        CHECK_CASE(cases[i].fields, strcmp(event.campaign, "c") == 0 && detail[0] == '\0');
    }
    for (size_t i = 0; i < COUNT(unnamed); i++)
        CHECK_CASE(unnamed[i], parse_bytes(unnamed[i], strlen(unnamed[i]), "", &plain, &event, detail) ==
                                   PARSE_CAMPAIGN_UNNAMED);
    assert_int_equal(parse_bytes(unnamed[0], strlen(unnamed[0]), "spring", &plain, &event, detail), PARSE_OK);
    assert_string_equal(event.campaign, "spring");
    assert_int_equal(parsed("{\"type\":\"campaign.archived\"}").kind, EVENT_OTHER);
}

static void a_separator_of_several_bytes_and_a_foreign_id_with_nul(void **state)
{
    static const struct parse_settings colons = {.campaign_separator = "::"};
    static const char body[] = "{\"status\":\"success\",\"foreign_id\":\"sp:ring\\u0000::7\"}";
    struct event event;
    char detail[PARSE_DETAIL];
    (void)state;
    assert_int_equal(parse_bytes(body, strlen(body), "", &colons, &event, detail), PARSE_OK);
    assert_string_equal(event.campaign, "sp%3Aring%00");
    assert_int_equal(event.foreign_id_len, 11);
    assert_memory_equal(event.foreign_id, "sp:ring\0::7", 11);
}

static void a_foreign_id_past_1024_bytes_is_ignored(void **state)
{
    (void)state;
    for (size_t len = 1023; len <= 1025; len++) {
        char body[1200];
        char detail[PARSE_DETAIL];
        struct event event;
        size_t at = (size_t)sprintf(body, "{\"status\":\"success\",\"foreign_id\":\"");
        memset(body + at, 'f', len);
        snprintf(body + at + len, sizeof body - at - len, "\"}");
        assert_int_equal(parse_bytes(body, strlen(body), "", &plain, &event, detail), PARSE_OK);
        assert_int_equal(event.foreign_id_len, len <= 1024 ? len : 0);
        assert_int_equal(detail[0] != '\0', len > 1024);
    }
}

static void the_same_body_gives_the_same_identity_and_another_another(void **state)
{
    (void)state;
    struct event a = parsed("{\"type\":\"x\"}");
    struct event b = parsed("{\"type\":\"x\"}");
    struct event c = parsed("{\"type\":\"x\" }");
    assert_memory_equal(a.id.packed, b.id.packed, 33);
    assert_memory_not_equal(a.id.packed, c.id.packed, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_come_in_order),
        cmocka_unit_test(times_fall_back_to_the_receipt),
        cmocka_unit_test(money_is_taken_or_ignored_with_a_remark),
        cmocka_unit_test(phones_come_from_the_first_usable_field),
        cmocka_unit_test(campaigns_by_rank),
        cmocka_unit_test(campaign_events_need_a_campaign_and_do_not_happen_when_it_was_made),
        cmocka_unit_test(a_separator_of_several_bytes_and_a_foreign_id_with_nul),
        cmocka_unit_test(a_foreign_id_past_1024_bytes_is_ignored),
        cmocka_unit_test(the_same_body_gives_the_same_identity_and_another_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
