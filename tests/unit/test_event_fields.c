/* Which field of a body a value of an event comes from, and what is taken for one. */
#include "parsing.h"
#include "workers/event/fields.h"

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
        {"\"drop_id\":-9223372036854775807", "-9223372036854775807"},
        /* digits that are lost name no drop */
        {"\"drop_id\":99999999999999999999", ""},
        {"\"drop_id\":-99999999999999999999", ""},
        {"\"drop_id\":99999999999999999999,\"data\":{\"drop_id\":\"b\"}", "b"},
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
        assert_int_equal(parse_bytes(body, (size_t)len, "", NULL, &event, detail), PARSE_OK);
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
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        char detail[PARSE_DETAIL];
        struct event event;
        int len = snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        assert_int_equal(parse_bytes(body, (size_t)len, cases[i].url, "/", &event, detail), PARSE_OK);
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
        CHECK_CASE(unnamed[i], parse_bytes(unnamed[i], strlen(unnamed[i]), "", NULL, &event, detail) ==
                                   PARSE_CAMPAIGN_UNNAMED);
    assert_int_equal(parse_bytes(unnamed[0], strlen(unnamed[0]), "spring", NULL, &event, detail), PARSE_OK);
    assert_string_equal(event.campaign, "spring");
    assert_int_equal(parsed("{\"type\":\"campaign.archived\"}").kind, EVENT_OTHER);
}

static void a_separator_of_several_bytes_and_a_foreign_id_with_nul(void **state)
{
    static const char body[] = "{\"status\":\"success\",\"foreign_id\":\"sp:ring\\u0000::7\"}";
    struct event event;
    char detail[PARSE_DETAIL];
    (void)state;
    assert_int_equal(parse_bytes(body, strlen(body), "", "::", &event, detail), PARSE_OK);
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
        assert_int_equal(parse_bytes(body, strlen(body), "", NULL, &event, detail), PARSE_OK);
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

static void escapes_say_what_they_stand_for(void **state)
{
    static const struct {
        const char *text, *says;
        size_t len;
    } rows[] = {
        {"plain", "plain", 5},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\\u007f\\u0080\\u07ff\\u0800\\uffff", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
        {"\\ud83d\\uDE00x", "\xf0\x9f\x98\x80x", 5},
        {"\\ud800\\udc00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
        {"a\\u0000b", "a\0b", 3},
        /* half a pair */
        {"\\ud83d", "\xef\xbf\xbd", 3},
        {"\\ude00", "\xef\xbf\xbd", 3},
        {"\\ud83dx", "\xef\xbf\xbdx", 4},
        {"\\ud83d\\n", "\xef\xbf\xbd\n", 4},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
        {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"\\ud83d\\u0041", "\xef\xbf\xbd"
                            "A", 4},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"success\",\"foreign_id\":\"%s\"}", rows[i].text);
        const struct event event = parsed(body);
        CHECK_CASE(rows[i].text, event.foreign_id_len == rows[i].len);
        CHECK_CASE(rows[i].text, memcmp(event.foreign_id, rows[i].says, rows[i].len) == 0);
    }
}

/* A copy of exactly its length, so that a sanitizer sees a read past the end. */
static void check_that_both_agree(const char *name, const char *text, size_t len)
{
    uint8_t *copy = test_malloc(len > 0 ? len : 1);
    struct fields fields;
    memcpy(copy, text, len);
    const enum json_verdict checked = strict_json_check(bytes_of(copy, len));
    const enum json_verdict read = fields_read(bytes_of(copy, len), &fields);
    CHECK_CASE(name, checked == read);
    if (read == JSON_OK)
        fields_clear(&fields);
    test_free(copy);
}

/* A sample cut everywhere, and with each byte changed to some others: whatever the check lets by, json-c takes. */
static void never_disagrees_with_the_parser(void **state)
{
    static const char sample[] =
        "{\"a\":[-1.5e+3,true,null,\"\\u00e9\xc3\xa9\\n\"],\"b\":{\"c\":\"\",\"d\":[]},\"e\":0}";
    static const char bytes[] = "\"\\{}[]:,0129-+.eEtfnu/ \t\n\v\f\r'aN\xc3\x80\xff\x7f\x1f";
    static const char *const bodies[] = {
        "\xef\xbb\xbf {} ", "{\"a\":1e999,\"b\":-1e999,\"c\":-0,\"d\":-0.0}",
        "{\"a\":\"\\ud800\",\"\\udc00\":\"\\u0000\"}",
        "{\"a\":99999999999999999999,\"b\":-99999999999999999999}", "{\"a\":1,\"a\":{\"a\":2},\"\":null}"};
    char text[sizeof sample];
    (void)state;
    for (size_t at = 0; at < sizeof sample - 1; at++) {
        memcpy(text, sample, sizeof sample);
        check_that_both_agree("cut", text, at);
        for (size_t i = 0; i < sizeof bytes; i++) {
            text[at] = bytes[i];
            check_that_both_agree("changed", text, sizeof sample - 1);
        }
    }
    for (size_t i = 0; i < COUNT(bodies); i++)
        check_that_both_agree(bodies[i], bodies[i], strlen(bodies[i]));
}

/* Two levels fewer than json-c is told of, and as many values as the check lets by. */
static void the_deepest_and_the_fullest_body_are_read(void **state)
{
    static char text[2 * LIMIT_JSON_VALUES + 16];
    size_t len = 0;
    (void)state;
    for (int i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "{\"a\":");
    len += (size_t)snprintf(text + len, sizeof text - len, "{}");
    memset(text + len, '}', LIMIT_JSON_DEPTH - 1);
    check_that_both_agree("deep", text, len + LIMIT_JSON_DEPTH - 1);
    len = (size_t)snprintf(text, sizeof text, "{\"a\":[1");
    for (int i = 3; i < LIMIT_JSON_VALUES; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ",1");
    len += (size_t)snprintf(text + len, sizeof text - len, "]}");
    check_that_both_agree("full", text, len);
}

/* json-c without memory: the linker puts these in place of its own. */
static enum { NOTHING_FAILS, TOKENER_FAILS, PARSING_FAILS, DIGITS_FAIL } failing;

struct json_tokener *__real_json_tokener_new_ex(int depth);
struct json_tokener *__wrap_json_tokener_new_ex(int depth);
struct json_object *__real_json_tokener_parse_ex(struct json_tokener *tokener, const char *text, int len);
struct json_object *__wrap_json_tokener_parse_ex(struct json_tokener *tokener, const char *text, int len);
int json_object_get_string_len(const struct json_object *object); /* 0 of what is no text */
const char *__real_json_object_get_string(struct json_object *object);
const char *__wrap_json_object_get_string(struct json_object *object);

struct json_tokener *__wrap_json_tokener_new_ex(int depth)
{
    return failing == TOKENER_FAILS ? NULL : __real_json_tokener_new_ex(depth);
}

struct json_object *__wrap_json_tokener_parse_ex(struct json_tokener *tokener, const char *text, int len)
{
    return failing == PARSING_FAILS ? NULL : __real_json_tokener_parse_ex(tokener, text, len);
}

const char *__wrap_json_object_get_string(struct json_object *object)
{
    const bool text = json_object_get_string_len(object) > 0;
    return failing == DIGITS_FAIL && !text ? NULL : __real_json_object_get_string(object);
}

static void a_body_for_which_memory_is_short_is_tried_again(void **state)
{
    static const struct {
        const char *name, *body;
        int failing;
    } rows[] = {
        {"no tokener", "{\"type\":\"x\"}", TOKENER_FAILS},
        {"no tree", "{\"type\":\"x\"}", PARSING_FAILS},
        {"no digits", "{\"drop_id\":7}", DIGITS_FAIL},
        {"no digits of data", "{\"data\":{\"drop_id\":7}}", DIGITS_FAIL},
        {"no digits of a contact", "{\"status\":\"success\",\"contact\":{\"phone_number\":3125550146}}", DIGITS_FAIL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char detail[PARSE_DETAIL];
        struct event event;
        failing = rows[i].failing;
        const enum parse_verdict verdict =
            parse_bytes(rows[i].body, strlen(rows[i].body), "", NULL, &event, detail);
        failing = NOTHING_FAILS;
        CHECK_CASE(rows[i].name, verdict == PARSE_NO_MEMORY && strcmp(detail, "out of memory") == 0);
    }
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
        cmocka_unit_test(escapes_say_what_they_stand_for),
        cmocka_unit_test(never_disagrees_with_the_parser),
        cmocka_unit_test(the_deepest_and_the_fullest_body_are_read),
        cmocka_unit_test(a_body_for_which_memory_is_short_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
