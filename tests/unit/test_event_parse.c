/* Bodies in the vendor's shapes, and hostile ones → events. */
#include "workers/event_parse.h"
#include "workers/reasons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-06-01T12:00:00Z */
#define RECEIVED INT64_C(1780315200000)

static const struct parse_settings plain;

static enum parse_verdict parse_bytes(const void *body, size_t len, const char *campaign,
                                      const struct parse_settings *settings, struct event *event, char *detail)
{
    struct envelope envelope = {.received_at_ms = RECEIVED};
    snprintf(envelope.campaign, sizeof envelope.campaign, "%s", campaign);
    detail[0] = '\0';
    return event_parse(bytes_of(body, len), &envelope, settings, event, detail);
}

static struct event parsed(const char *body)
{
    struct event event;
    char detail[PARSE_DETAIL];
    enum parse_verdict verdict = parse_bytes(body, strlen(body), "", &plain, &event, detail);
    if (verdict != PARSE_OK)
        fail_msg("%s: verdict %d, %s", body, (int)verdict, detail);
    return event;
}

static const char *slug_of(const struct event *event)
{
    return reason_by_number(event->reason)->slug;
}

static void a_callback_of_dialect_b_becomes_a_result(void **state)
{
    (void)state;
    struct event event = parsed("{\"drop_id\":\"65F0A1B2C3D4E5F60718293A\",\"phone_number\":\"+15550001234\","
                                "\"attempt_date\":\"2026-05-31T10:20:30.456Z\",\"status\":\"success\",\"reason\":\"\","
                                "\"dnc\":false,\"spam\":false,\"product_cost\":0.05,\"compliance_fee\":0.0031,"
                                "\"tts_fee\":0,\"network\":{\"name\":\"Carrier:1\",\"type\":\"wireless\"},"
                                "\"foreign_id\":\"order-17\"}");
    assert_int_equal(event.kind, EVENT_RESULT);
    assert_int_equal(event.outcome, OUTCOME_SUCCESS);
    assert_int_equal(event.reason, 0);
    assert_false(event.receipt);
    assert_string_equal(event.id.text, "65f0a1b2c3d4e5f60718293a");
    assert_int_equal(event.id.packed_len, 12);
    assert_int_equal(event.time_ms, INT64_C(1780222830456));
    assert_int_equal(event.received_ms, RECEIVED);
    assert_string_equal(event.phone, "+15550001234");
    assert_true(event.has_costs);
    assert_int_equal(event.product_cost_micros, 50000);
    assert_int_equal(event.compliance_fee_micros, 3100);
    assert_int_equal(event.tts_fee_micros, 0);
    assert_true(event.has_flags);
    assert_false(event.dnc || event.spam || event.opts_out);
    assert_memory_equal(event.foreign_id, "order-17", 8);
    assert_int_equal(event.foreign_id_len, 8);
    assert_string_equal(event.campaign, "unassigned");
    assert_int_equal(event.campaign_rank, CAMPAIGN_UNASSIGNED);
    assert_string_equal(event.name, "");
}

static void a_status_webhook_of_dialect_c_becomes_a_result(void **state)
{
    (void)state;
    struct event event = parsed(
        "{\"event_id\":\"11111111-2222-4333-8444-555555555555\",\"event\":\"contact.rvm.status\","
        "\"event_at\":1780315000000,\"data\":{\"drop_id\":\"AAAAAAAA-bbbb-4ccc-8ddd-eeeeeeeeeeee\","
        "\"campaign_id\":\"Mai Aktion\",\"campaign_type\":\"rvm\",\"status\":\"failure\","
        "\"reason\":\"whatever it says\",\"reason_code\":4002,\"to\":\"+15550004321\",\"from\":\"+15550009999\"}}");
    assert_int_equal(event.kind, EVENT_RESULT);
    assert_int_equal(event.outcome, OUTCOME_FAILURE);
    assert_string_equal(slug_of(&event), "voicemail_full");
    assert_string_equal(event.unknown_reason, "");
    assert_string_equal(event.id.text, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    assert_int_equal(event.id.packed_len, 16);
    assert_int_equal(event.time_ms, INT64_C(1780315000000));
    assert_string_equal(event.phone, "+15550004321");
    assert_string_equal(event.campaign, "Mai%20Aktion");
    assert_int_equal(event.campaign_rank, CAMPAIGN_FROM_BODY);
    assert_false(event.has_costs || event.has_flags);
    assert_string_equal(event.name, "contact.rvm.status");
}

static void a_receipt_is_a_result_that_only_fills_in(void **state)
{
    (void)state;
    struct event event = parsed("{\"event_id\":\"e1\",\"event\":\"contact.rvm.receipt\",\"event_at\":1780315000000,"
                                "\"data\":{\"contact\":{\"main_phone\":\"555 000 4321\"},\"drop_id\":\"d1\","
                                "\"campaign\":{\"id\":\"c 1\"},\"status\":\"Success \"}}");
    assert_int_equal(event.kind, EVENT_RESULT);
    assert_true(event.receipt);
    assert_int_equal(event.outcome, OUTCOME_SUCCESS);
    assert_string_equal(event.phone, "+15550004321");
    assert_string_equal(event.campaign, "c%201");
    assert_string_equal(event.id.text, "d1");
}

static void dashboard_webhooks_of_dialect_a(void **state)
{
    static const struct {
        const char *type;
        enum event_kind kind;
        int detail; /* outcome or state */
    } cases[] = {
        {"message.delivered", EVENT_RESULT, OUTCOME_SUCCESS},
        {"message.failed", EVENT_RESULT, OUTCOME_FAILURE},
        {"contact.opted_out", EVENT_OPT_OUT, 0},
        {"campaign.scheduled", EVENT_CAMPAIGN, CAMPAIGN_SCHEDULED},
        {"campaign.paused", EVENT_CAMPAIGN, CAMPAIGN_PAUSED},
        {"campaign.stopped", EVENT_CAMPAIGN, CAMPAIGN_PAUSED},
        {"campaign.started", EVENT_CAMPAIGN, CAMPAIGN_RUNNING},
        {"campaign.resumed", EVENT_CAMPAIGN, CAMPAIGN_RUNNING},
        {"campaign.completed", EVENT_CAMPAIGN, CAMPAIGN_COMPLETED},
        {"campaign.renamed", EVENT_OTHER, 0},
        {"campaign.", EVENT_OTHER, 0},
        {"Campaign.paused", EVENT_OTHER, 0},
        {"campaign.paused ", EVENT_OTHER, 0},
        {"contact.tag.added", EVENT_OTHER, 0},
        {"contact.status", EVENT_OTHER, 0},
        {"contact..status", EVENT_OTHER, 0},
        {"contact.receipt", EVENT_OTHER, 0},
        {"message.delivered.x", EVENT_OTHER, 0},
        {"contact.sms.status", EVENT_RESULT, OUTCOME_FAILURE},
        {"contact.a.b.status", EVENT_RESULT, OUTCOME_FAILURE},
        {"contact.sms.receipt", EVENT_RESULT, OUTCOME_FAILURE},
        {"contact.sms.status.x", EVENT_OTHER, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        /* The status contradicts message.delivered: the name decides. */
        snprintf(body, sizeof body,
                 "{\"type\":\"%s\",\"data\":{\"id\":\"x-%zu\",\"phone\":\"5550001111\",\"status\":\"failed\"}}",
                 cases[i].type, i);
        struct event event = parsed(body);
        if (event.kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].type, (int)event.kind);
        if (event.kind == EVENT_RESULT)
            assert_int_equal(event.outcome, cases[i].detail);
        if (event.kind == EVENT_CAMPAIGN)
            assert_int_equal(event.state, cases[i].detail);
        if (strncmp(cases[i].type, "campaign.", 9) == 0) {
            char campaign[16];
            snprintf(campaign, sizeof campaign, "x-%zu", i);
            assert_string_equal(event.campaign, campaign);
        } else {
            assert_string_equal(event.campaign, "unassigned");
        }
        assert_string_equal(event.name, cases[i].type);
        assert_int_equal(event.opts_out, event.kind == EVENT_OPT_OUT);
    }
}

static void contact_dot_dot_status_needs_a_character_between(void **state)
{
    (void)state;
    assert_int_equal(parsed("{\"type\":\"contact..status\",\"status\":\"success\"}").kind, EVENT_OTHER);
    assert_int_equal(parsed("{\"type\":\"contact.x.status\",\"status\":\"success\"}").kind, EVENT_RESULT);
}

static void the_name_comes_from_type_then_event_and_strings_only(void **state)
{
    static const struct {
        const char *body;
        const char *name;
    } cases[] = {
        {"{\"type\":\"a\",\"event\":\"b\"}", "a"},
        {"{\"type\":\"\",\"event\":\"b\"}", "b"},
        {"{\"type\":5,\"event\":\"b\"}", "b"},
        {"{\"type\":null,\"event\":\"b\"}", "b"},
        {"{\"type\":{\"a\":1},\"event\":\"b\"}", "b"},
        {"{\"event\":\"b\"}", "b"},
        {"{\"type\":\"a\\u0000b\"}", "a\xef\xbf\xbd"
                                     "b"},
        {"{\"type\":\"a\",\"type\":\"z\"}", "z"},
        {"{\"type\":\"campaign.paused\\u0000\"}", "campaign.paused\xef\xbf\xbd"},
        {"{\"type\":\"x\",\"data\":{\"type\":\"y\"}}", "x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = parsed(cases[i].body);
        assert_int_equal(event.kind, EVENT_OTHER);
        assert_string_equal(event.name, cases[i].name);
    }
}

static void what_cannot_be_counted_is_rejected_with_its_slug(void **state)
{
    static const struct {
        const char *body;
        const char *slug;
    } cases[] = {
        {"", "invalid_json"},
        {"  ", "invalid_json"},
        {"nope", "invalid_json"},
        {"[]", "invalid_json"},
        {"\"text\"", "invalid_json"},
        {"{\"a\":1", "invalid_json"},
        {"{}{}", "invalid_json"},
        {"{\"a\":\"\xff\"}", "invalid_json"},
        {"{\"a\":NaN}", "invalid_json"},
        {"{}", "unrecognized_shape"},
        {"{\"data\":{}}", "unrecognized_shape"},
        {"{\"data\":{\"type\":\"message.delivered\"}}", "unrecognized_shape"},
        {"{\"type\":\"\",\"event\":\"\"}", "unrecognized_shape"},
        {"{\"type\":7}", "unrecognized_shape"},
        {"{\"status\":null}", "unrecognized_shape"},
        {"{\"status\":true}", "unrecognized_shape"},
        {"{\"status\":{}}", "unrecognized_shape"},
        {"{\"status\":\"\"}", "unusable_status"},
        {"{\"status\":\"pending\"}", "unusable_status"},
        {"{\"status\":1}", "unusable_status"},
        {"{\"status\":\"success\\u0000\"}", "unusable_status"},
        {"{\"status\":\"pending\",\"data\":{\"status\":\"success\"}}", "unusable_status"},
        {"{\"event\":\"contact.sms.status\",\"data\":{}}", "unusable_status"},
        {"{\"event\":\"contact.sms.status\",\"data\":[{\"status\":\"success\"}]}", "unusable_status"},
        {"{\"event\":\"contact.rvm.receipt\"}", "unusable_status"},
        {"{\"type\":\"contact.opted_out\"}", "optout_without_phone"},
        {"{\"type\":\"contact.opted_out\",\"data\":{\"phone\":\"none\"}}", "optout_without_phone"},
        {"{\"type\":\"contact.opted_out\",\"phone\":\"1234567890123456\"}", "optout_without_phone"},
        {"{\"type\":\"contact.opted_out\",\"data\":{\"phone\":5552224444.5}}", "optout_without_phone"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event;
        char detail[PARSE_DETAIL];
        memset(&event, 0x5a, sizeof event);
        enum parse_verdict verdict = parse_bytes(cases[i].body, strlen(cases[i].body), "", &plain, &event, detail);
        if (verdict == PARSE_OK || strcmp(parse_verdict_slug(verdict), cases[i].slug) != 0)
            fail_msg("%s: verdict %d", cases[i].body, (int)verdict);
        assert_true(strlen(detail) > 0);
        assert_int_equal(((const uint8_t *)&event)[0], 0x5a); /* untouched */
        assert_int_equal(((const uint8_t *)&event)[sizeof event - 1], 0x5a);
    }
    assert_null(parse_verdict_slug(PARSE_OK));
    assert_null(parse_verdict_slug(PARSE_NO_MEMORY));
}

static void statuses_are_compared_without_case_and_outer_spaces(void **state)
{
    static const struct {
        const char *status;
        enum outcome outcome;
    } cases[] = {
        {"success", OUTCOME_SUCCESS}, {"SUCCESS", OUTCOME_SUCCESS},     {" Delivered\\t", OUTCOME_SUCCESS},
        {"failure", OUTCOME_FAILURE}, {"\\n FaIlEd ", OUTCOME_FAILURE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"status\":\"%s\"}", cases[i].status);
        assert_int_equal(parsed(body).outcome, cases[i].outcome);
        snprintf(body, sizeof body, "{\"data\":{\"status\":\"%s\"}}", cases[i].status);
        assert_int_equal(parsed(body).outcome, cases[i].outcome);
    }
}

static void the_code_decides_then_the_text_then_other(void **state)
{
    static const struct {
        const char *fields;
        const char *slug;
        const char *unknown;
    } cases[] = {
        {"\"reason\":\"No Funds\"", "no_funds", ""},
        {"\"reason\":\"No Funds\",\"reason_code\":4002", "voicemail_full", ""},
        {"\"reason\":\"No Funds\",\"reason_code\":4999", "no_funds", ""},
        {"\"reason\":\"No Funds\",\"reason_code\":0", "no_funds", ""},
        {"\"reason\":\"No Funds\",\"reason_code\":null", "no_funds", ""},
        {"\"reason\":\"Solar flare\",\"reason_code\":4999", "other", "Solar flare"},
        {"\"reason\":\"\",\"reason_code\":4999", "other", "reason_code 4999"},
        {"\"reason_code\":-7", "other", "reason_code -7"},
        {"\"reason_code\":0", "other", "reason_code 0"},
        {"\"reason_code\":4002.0", "voicemail_full", ""},
        {"\"reason_code\":\"4002\"", "voicemail_full", ""},
        {"\"reason_code\":4002.5", "other", "(none)"},
        {"\"reason_code\":1e999", "other", "(none)"},
        {"\"reason_code\":\"x\"", "other", "(none)"},
        {"\"reason_code\":99999999999999999999", "other", "(none)"},
        {"\"reason\":null", "other", "(none)"},
        {"\"reason\":[\"No Funds\"]", "other", "(none)"},
        {"\"reason\":17", "other", "17"},
        {"\"reason\":\"a\\u0000b\"", "other",
         "a\xef\xbf\xbd"
         "b"},
        {"\"reason\":\"Solar\",\"reason\":\"No Funds\"", "no_funds", ""},
        {"\"reason\":\"\",\"data\":{\"reason\":\"Too Many\"}", "too_many", ""},
        {"\"data\":{\"reason_code\":4005}", "no_answer", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"failure\",%s}", cases[i].fields);
        struct event event = parsed(body);
        assert_string_equal(slug_of(&event), cases[i].slug);
        assert_string_equal(event.unknown_reason, cases[i].unknown);
        snprintf(body, sizeof body, "{\"status\":\"success\",%s}", cases[i].fields);
        event = parsed(body);
        assert_int_equal(event.reason, 0);
        assert_string_equal(event.unknown_reason, "");
    }
}

static void a_reason_of_10_kb_is_cut_for_the_list_of_unknown_ones(void **state)
{
    (void)state;
    char *body = malloc(12000);
    assert_non_null(body);
    size_t len = (size_t)sprintf(body, "{\"status\":\"failed\",\"reason\":\"");
    memset(body + len, 'r', 127);
    len += 127;
    for (int i = 0; i < 5000; i++) {
        body[len++] = '\xc3';
        body[len++] = '\xa4';
    }
    snprintf(body + len, 12000 - len, "\"}");
    struct event event = parsed(body);
    assert_string_equal(slug_of(&event), "other");
    assert_int_equal(strlen(event.unknown_reason), 127); /* the character of two bytes does not fit */
    free(body);
}

static void opting_out_by_every_path(void **state)
{
    static const struct {
        const char *fields;
        bool opts_out;
    } cases[] = {
        {"\"status\":\"failure\",\"reason\":\"Opted out\"", true},
        {"\"status\":\"failure\",\"reason\":\" OPTED   OUT\"", true},
        {"\"status\":\"failure\",\"reason\":\"Internal DNC\"", true},
        {"\"status\":\"failure\",\"reason\":\"Opt-out\"", true},
        {"\"status\":\"failure\",\"reason\":\"Recipient replied STOP\"", true},
        {"\"status\":\"failure\",\"reason\":\"Number not opted out\"", false},
        {"\"status\":\"failure\",\"reason_code\":4016", true},
        {"\"status\":\"failure\",\"reason_code\":6005", true},
        {"\"status\":\"failure\",\"reason\":\"opt-in revoked\"", true},
        {"\"status\":\"failure\",\"dnc\":true", true},
        {"\"status\":\"success\",\"dnc\":true", true},
        {"\"status\":\"success\",\"reason\":\"Opted out\"", true},
        {"\"status\":\"success\",\"reason_code\":6005", true},
        {"\"status\":\"failure\",\"reason_code\":4002,\"reason\":\"Opted out\"", true},
        {"\"status\":\"failure\",\"reason_code\":4016,\"reason\":\"No Funds\"", true},
        {"\"status\":\"failure\",\"dnc\":false", false},
        {"\"status\":\"failure\",\"dnc\":\"true\"", false},
        {"\"status\":\"failure\",\"dnc\":1", false},
        {"\"status\":\"failure\",\"spam\":true", false},
        {"\"status\":\"failure\",\"reason\":\"No Funds\"", false},
        {"\"status\":\"failure\",\"reason_code\":6006", false},
        {"\"status\":\"failure\",\"dnc\":null,\"data\":{\"dnc\":true}", true},
        {"\"status\":\"failure\",\"dnc\":false,\"data\":{\"dnc\":true}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{%s}", cases[i].fields);
        if (parsed(body).opts_out != cases[i].opts_out)
            fail_msg("%s", body);
    }
}

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
        /* digits that are lost name no drop */
        {"\"drop_id\":99999999999999999999", ""},
        {"\"drop_id\":-99999999999999999999", ""},
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
        {"\"\"", -1},      {"99999999999999999999", -1},
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
        {"", "\"campaign_id\":\"body\",\"foreign_id\":\"part/1\"", "body", CAMPAIGN_FROM_BODY},
        {"", "\"campaign_id\":null,\"foreign_id\":\"part/1\"", "part", CAMPAIGN_FROM_FOREIGN},
        {"", "\"campaign_id\":\"\",\"data\":{\"campaign_id\":\"data\"}", "data", CAMPAIGN_FROM_BODY},
        {"", "\"data\":{\"campaign\":{\"id\":4711}}", "4711", CAMPAIGN_FROM_BODY},
        {"", "\"campaign\":{\"id\":4711}", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"data\":{\"id\":\"x\"}", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"part\"", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"/part\"", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"foreign_id\":\"a b/c/d\"", "a%20b", CAMPAIGN_FROM_FOREIGN},
        {"unassigned", "\"campaign_id\":\"body\"", "body", CAMPAIGN_FROM_BODY},
        {"unassigned", "\"x\":1", "unassigned", CAMPAIGN_UNASSIGNED},
        {"", "\"campaign_id\":\"unassigned\",\"foreign_id\":\"part/1\"", "part", CAMPAIGN_FROM_FOREIGN},
        {"", "\"foreign_id\":\"unassigned/1\"", "unassigned", CAMPAIGN_UNASSIGNED},
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

static void every_documented_reason_goes_through_a_whole_body(void **state)
{
    static const char *const texts[] = {"Invalid message",
                                        "Spam detected",
                                        "Invalid caller ID or not SMS enabled",
                                        "No Funds",
                                        "Known Litigator",
                                        "Prohibited by carrier or not SMS enabled",
                                        "Message too long",
                                        "Opted out",
                                        "Internal DNC",
                                        "Temporarily unreachable",
                                        "Too Many",
                                        "Unregistered Brand"};
    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"drop_id\":\"d%u\",\"status\":\"failure\",\"reason\":\"%s\"}", i, texts[i]);
        struct event event = parsed(body);
        assert_int_equal(event.reason, i + 2); /* reasons.def numbers them in the vendor's order */
        assert_string_equal(event.unknown_reason, "");
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
        cmocka_unit_test(a_callback_of_dialect_b_becomes_a_result),
        cmocka_unit_test(a_status_webhook_of_dialect_c_becomes_a_result),
        cmocka_unit_test(a_receipt_is_a_result_that_only_fills_in),
        cmocka_unit_test(dashboard_webhooks_of_dialect_a),
        cmocka_unit_test(contact_dot_dot_status_needs_a_character_between),
        cmocka_unit_test(the_name_comes_from_type_then_event_and_strings_only),
        cmocka_unit_test(what_cannot_be_counted_is_rejected_with_its_slug),
        cmocka_unit_test(statuses_are_compared_without_case_and_outer_spaces),
        cmocka_unit_test(the_code_decides_then_the_text_then_other),
        cmocka_unit_test(a_reason_of_10_kb_is_cut_for_the_list_of_unknown_ones),
        cmocka_unit_test(opting_out_by_every_path),
        cmocka_unit_test(identities_come_in_order),
        cmocka_unit_test(times_fall_back_to_the_receipt),
        cmocka_unit_test(money_is_taken_or_ignored_with_a_remark),
        cmocka_unit_test(phones_come_from_the_first_usable_field),
        cmocka_unit_test(campaigns_by_rank),
        cmocka_unit_test(a_separator_of_several_bytes_and_a_foreign_id_with_nul),
        cmocka_unit_test(a_foreign_id_past_1024_bytes_is_ignored),
        cmocka_unit_test(every_documented_reason_goes_through_a_whole_body),
        cmocka_unit_test(the_same_body_gives_the_same_identity_and_another_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
