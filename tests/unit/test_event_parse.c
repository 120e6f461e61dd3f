/* Bodies in the vendor's shapes, and hostile ones → events: what they are and what they say of their send. */
#include "parsing.h"

#include <stdlib.h>

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
        {"Campaign.Paused", EVENT_CAMPAIGN, CAMPAIGN_PAUSED},
        {"MESSAGE.DELIVERED", EVENT_RESULT, OUTCOME_SUCCESS},
        {"Contact.Opted_Out", EVENT_OPT_OUT, 0},
        {"Contact.SMS.Status", EVENT_RESULT, OUTCOME_FAILURE},
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
        if (strncmp(cases[i].type + 1, "ampaign.", 8) == 0) {
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

static void letter_case_and_outer_spaces_of_a_name_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(parsed("{\"type\":\" Message.Failed\\n\"}").outcome, OUTCOME_FAILURE);
    assert_int_equal(parsed("{\"event\":\"\\tCONTACT.RVM.RECEIPT \",\"status\":\"success\"}").receipt, true);
    struct event event = parsed("{\"event\":\" CAMPAIGN.Stopped \",\"data\":{\"id\":\"c\"}}");
    assert_int_equal(event.kind, EVENT_CAMPAIGN);
    assert_int_equal(event.state, CAMPAIGN_PAUSED);
    assert_string_equal(event.campaign, "c");
    assert_string_equal(event.name, "CAMPAIGN.Stopped");
    assert_string_equal(parsed("{\"type\":\" Contact.Tagged \"}").name, "Contact.Tagged");
}

/* A callback's own `type` may say what was sent. */
static void a_flat_callback_is_a_result_whatever_its_type(void **state)
{
    static const struct {
        const char *body;
        enum event_kind kind;
    } cases[] = {
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"failure\"}", EVENT_RESULT},
        {"{\"event\":\"callback\",\"drop_id\":7,\"status\":\"success\"}", EVENT_RESULT},
        {"{\"type\":\"campaign.archived\",\"drop_id\":\"d\",\"status\":\"success\"}", EVENT_RESULT},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"success\",\"data\":null}", EVENT_RESULT},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"success\",\"data\":{}}", EVENT_OTHER},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"data\":{\"status\":\"success\"}}", EVENT_OTHER},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"\"}", EVENT_OTHER},
        {"{\"type\":\"sms\",\"drop_id\":\"\",\"status\":\"success\"}", EVENT_OTHER},
        {"{\"type\":\"sms\",\"drop_id\":\"d\"}", EVENT_OTHER},
        {"{\"type\":\"sms\",\"status\":\"success\"}", EVENT_OTHER},
        {"{\"type\":\"campaign.paused\",\"campaign_id\":\"c\",\"drop_id\":\"d\",\"status\":\"success\"}",
         EVENT_CAMPAIGN},
        {"{\"type\":\"contact.msg.received\",\"drop_id\":\"d\",\"status\":\"success\"}", EVENT_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].body, parsed(cases[i].body).kind == cases[i].kind);
    struct event event = parsed("{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"failure\",\"dnc\":true,"
                                "\"to\":\"5550001111\",\"reason\":\"No Funds\"}");
    assert_int_equal(event.outcome, OUTCOME_FAILURE);
    assert_string_equal(slug_of(&event), "no_funds");
    assert_string_equal(event.id.text, "d");
    assert_string_equal(event.phone, "+15550001111");
    assert_true(event.opts_out && event.dnc);
}

static void an_interim_status_is_counted_by_its_word(void **state)
{
    static const struct {
        const char *body, *name;
    } cases[] = {
        {"{\"status\":\"queued\",\"drop_id\":\"d\"}", "status:queued"},
        {"{\"event\":\"contact.sms.status\",\"data\":{\"status\":\" Sent. \"}}", "status:sent"},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"PENDING\"}", "status:pending"},
        {"{\"status\":\"accepted\"}", "status:accepted"},
        {"{\"status\":\"scheduled\"}", "status:scheduled"},
        {"{\"status\":\"processing\"}", "status:processing"},
        {"{\"status\":\"sending\"}", "status:sending"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event event = parsed(cases[i].body);
        CHECK_CASE(cases[i].body, event.kind == EVENT_OTHER);
        CHECK_CASE(cases[i].body, strcmp(event.name, cases[i].name) == 0);
    }
    struct event event = parsed("{\"event\":\"contact.sms.status\",\"event_id\":\"e\",\"event_at\":1780315000000,"
                                "\"data\":{\"status\":\"queued\",\"drop_id\":\"d\",\"to\":\"5550001111\","
                                "\"campaign_id\":\"c\",\"product_cost\":1,\"foreign_id\":\"f\"}}");
    assert_string_equal(event.id.text, "e");
    assert_string_equal(event.campaign, "c");
    assert_int_equal(event.time_ms, INT64_C(1780315000000));
    assert_string_equal(event.phone, "");
    assert_false(event.has_costs || event.has_flags || event.opts_out);
    assert_int_equal(event.foreign_id_len, 0);
}

static void the_name_comes_from_type_then_event_and_strings_only(void **state)
{
    static const struct {
        const char *body;
        const char *name;
    } cases[] = {
        {"{\"type\":\"a\",\"event\":\"b\"}", "a"},
        {"{\"type\":\"\",\"event\":\"b\"}", "b"},
        {"{\"type\":\" \\n\",\"event\":\"b\"}", "b"},
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
        {"{\"status\":\"\"}", "unrecognized_shape"},
        {"{\"status\":\" \"}", "unrecognized_shape"},
        {"{\"type\":\" \"}", "unrecognized_shape"},
        {"{\"status\":\"maybe\"}", "unusable_status"},
        {"{\"status\":1}", "unusable_status"},
        {"{\"status\":\"success\\u0000\"}", "unusable_status"},
        {"{\"status\":\"maybe\",\"data\":{\"status\":\"success\"}}", "unusable_status"},
        {"{\"event\":\"contact.sms.status\",\"data\":{}}", "unusable_status"},
        {"{\"event\":\"contact.sms.status\",\"status\":\"\",\"data\":{\"status\":\"\"}}", "unusable_status"},
        {"{\"type\":\"sms\",\"drop_id\":\"d\",\"status\":\"maybe\"}", "unusable_status"},
        {"{\"type\":\"campaign.paused\",\"data\":{}}", "campaign_unnamed"},
        {"{\"type\":\"contact.msg.received\",\"data\":{\"body\":\"stop\",\"from\":\"jane@example.com\"}}",
         "optout_without_phone"},
        {"{\"type\":\"contact.opted_out\",\"data\":{\"drop_id\":\"\"}}", "optout_without_phone"},
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
        enum parse_verdict verdict = parse_bytes(cases[i].body, strlen(cases[i].body), "", NULL, &event, detail);
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
        {"failure", OUTCOME_FAILURE}, {"\\n FaIlEd ", OUTCOME_FAILURE},   {"undelivered", OUTCOME_FAILURE},
        {"busy", OUTCOME_FAILURE},    {"No-Answer", OUTCOME_FAILURE},       {"expired", OUTCOME_FAILURE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"status\":\"%s\"}", cases[i].status);
        assert_int_equal(parsed(body).outcome, cases[i].outcome);
        snprintf(body, sizeof body, "{\"data\":{\"status\":\"%s\"}}", cases[i].status);
        assert_int_equal(parsed(body).outcome, cases[i].outcome);
        snprintf(body, sizeof body, "{\"status\":\"\",\"data\":{\"status\":\"%s\"}}", cases[i].status);
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
        {"\"reason_code\":0", "other", "(none)"},
        {"\"reason_code\":0,\"status_code\":4002", "voicemail_full", ""},
        {"\"reason_code\":9999,\"status_code\":\"4002\"", "voicemail_full", ""},
        {"\"reason\":\" \"", "other", "(none)"},
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
        {"\"status_code\":4002", "voicemail_full", ""},
        {"\"data\":{\"status_code\":\"4002\"},\"reason\":\"No Funds\"", "voicemail_full", ""},
        {"\"reason_code\":\"\",\"status_code\":4002", "voicemail_full", ""},
        {"\"reason_code\":4005,\"status_code\":4002", "no_answer", ""},
        {"\"status_code\":4002,\"data\":{\"reason_code\":4005}", "no_answer", ""},
        {"\"reason\":\"no_funds.\"", "no_funds", ""},
        {"\"reason\":\"Recipient replied STOP\"", "opted_out", ""},
        {"\"reason\":\"Number not opted out\"", "other", "Number not opted out"},
        {"\"reason\":\"Campaign stopped\"", "other", "Campaign stopped"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_of_dialect_b_becomes_a_result),
        cmocka_unit_test(a_status_webhook_of_dialect_c_becomes_a_result),
        cmocka_unit_test(a_receipt_is_a_result_that_only_fills_in),
        cmocka_unit_test(dashboard_webhooks_of_dialect_a),
        cmocka_unit_test(letter_case_and_outer_spaces_of_a_name_do_not_matter),
        cmocka_unit_test(a_flat_callback_is_a_result_whatever_its_type),
        cmocka_unit_test(an_interim_status_is_counted_by_its_word),
        cmocka_unit_test(the_name_comes_from_type_then_event_and_strings_only),
        cmocka_unit_test(what_cannot_be_counted_is_rejected_with_its_slug),
        cmocka_unit_test(statuses_are_compared_without_case_and_outer_spaces),
        cmocka_unit_test(the_code_decides_then_the_text_then_other),
        cmocka_unit_test(a_reason_of_10_kb_is_cut_for_the_list_of_unknown_ones),
        cmocka_unit_test(every_documented_reason_goes_through_a_whole_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
