/* Who opted out, and in, by which body. */
#include "parsing.h"

enum { NO, BLOCKED, TOLD };

static int opt_out_of(const struct event *event)
{
    if (!event->opts_out)
        return NO;
    return event->told ? TOLD : BLOCKED;
}

static const struct {
    const char *fields;
    int opt_out;
} results[] = {
    {"\"status\":\"failure\",\"reason\":\"Opted out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\" OPTED   OUT\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Opt-out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"opted_out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"STOP\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"\\u201cOpted\\u2011out\\u201d\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Opted\\u00a0out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Recipient has opted out (STOP)\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Cannot send: opted-out recipient\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"STOP requested by recipient\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Number is on the INTERNAL_DNC\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Opt-In Revoked by contact\"", TOLD},
    {"\"status\":\"failure\",\"reason\":\"Internal DNC\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"Internal DNC list\",\"dnc\":true", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":4016", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":4016,\"dnc\":true", BLOCKED},
    {"\"status\":\"failure\",\"status_code\":4016", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":6005", TOLD},
    {"\"status\":\"failure\",\"reason_code\":6005,\"reason\":\"Opted out\"", TOLD},
    {"\"status\":\"failure\",\"reason_code\":4016,\"reason\":\"opt-in revoked\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"opt-in revoked\"", TOLD},
    {"\"status\":\"failure\",\"reason_code\":4002,\"reason\":\"Opted out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":4016,\"reason\":\"No Funds\"", BLOCKED},
    {"\"status\":\"success\",\"reason\":\"Opted out\"", BLOCKED},
    {"\"status\":\"success\",\"reason_code\":6005", TOLD},
    {"\"status\":\"failure\",\"dnc\":true", TOLD},
    {"\"status\":\"success\",\"dnc\":true", TOLD},
    {"\"status\":\"failure\",\"dnc\":\"true\"", TOLD},
    {"\"status\":\"failure\",\"dnc\":\" TRUE \"", TOLD},
    {"\"status\":\"failure\",\"dnc\":\"Yes\"", TOLD},
    {"\"status\":\"failure\",\"dnc\":\"1\"", TOLD},
    {"\"status\":\"failure\",\"dnc\":1", TOLD},
    {"\"status\":\"failure\",\"dnc\":1.0", TOLD},
    {"\"status\":\"failure\",\"dnc\":null,\"data\":{\"dnc\":\"yes\"}", TOLD},
    {"\"status\":\"failure\",\"dnc\":\"maybe\",\"data\":{\"dnc\":true}", TOLD},
    {"\"status\":\"success\",\"data\":{\"campaign_session\":{\"dispo\":{\"dnc\":true}}}", TOLD},
    {"\"status\":\"success\",\"dnc\":false,\"data\":{\"campaign_session\":{\"dispo\":{\"dnc\":\"true\"}}}", TOLD},
    {"\"status\":\"success\",\"campaign_session\":{\"dispo\":{\"dnc\":true}}", TOLD},
    {"\"status\":\"success\",\"data\":{\"campaign_session\":{\"dispo\":{\"dnc\":false}}}", NO},
    {"\"status\":\"success\",\"data\":{\"campaign_session\":{\"dnc\":true}}", NO},
    {"\"status\":\"success\",\"data\":{\"campaign_session\":{\"dispo\":true}}", NO},
    {"\"status\":\"failure\",\"dnc\":false", NO},
    {"\"status\":\"failure\",\"dnc\":\"false\"", NO},
    {"\"status\":\"failure\",\"dnc\":\"no\"", NO},
    {"\"status\":\"failure\",\"dnc\":0", NO},
    {"\"status\":\"failure\",\"dnc\":2", NO},
    {"\"status\":\"failure\",\"dnc\":[true]", NO},
    {"\"status\":\"failure\",\"dnc\":false,\"data\":{\"dnc\":true}", NO},
    {"\"status\":\"failure\",\"spam\":true", NO},
    {"\"status\":\"failure\",\"reason\":\"No Funds\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Number not opted out\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Campaign stopped\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Opt-out language missing\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Opt-out pending\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Never opted out\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Must include STOP wording\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Non-stop service\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Recipient hasn't opted out\"", NO},
    {"\"status\":\"failure\",\"reason\":\"User isn\\u2019t opted out\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Opt-out rate exceeded\"", NO},
    {"\"status\":\"failure\",\"reason\":\"Invalid opt-out keyword\"", NO},
    {"\"status\":\"failure\",\"reason\":\"On your internal do not call list\"", BLOCKED},
    {"\"status\":\"failure\",\"reason\":\"DNC\"", BLOCKED},
    {"\"type\":\"message.failed\",\"status\":\"opted_out\"", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":0,\"status_code\":4016", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":9999,\"status_code\":\"4016\"", BLOCKED},
    {"\"status\":\"failure\",\"reason_code\":6006", NO},
    {"\"status\":\"failure\",\"reason_code\":4.016e3", BLOCKED},
    {"\"status\":\"failure\",\"data\":{\"status_code\":\"4016\"}", BLOCKED},
    {"\"status\":\"failure\",\"dnc\":\"\\u0031\"", TOLD},
    {"\"status\":\"failure\",\"dnc\":\"YES\\n\"", TOLD},
    {"\"status\":\"failure\",\"dnc\":1e0", TOLD},
};

static void a_result_opts_out_by_code_text_or_flag_whatever_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(results); i++) {
        char body[256];
        snprintf(body, sizeof body, "{%s}", results[i].fields);
        struct event event = parsed(body);
        CHECK_CASE(results[i].fields, event.kind == EVENT_RESULT);
        CHECK_CASE(results[i].fields, opt_out_of(&event) == results[i].opt_out);
    }
}

/* A flag is a flag, however it is written, and one that cannot be read is none. */
static void flags_are_read_as_they_are_written(void **state)
{
    static const struct {
        const char *fields;
        bool has, dnc, spam;
    } rows[] = {
        {"\"dnc\":\"Yes\",\"spam\":0", true, true, false},
        {"\"spam\":\"true\"", true, false, true},
        {"\"dnc\":\"no\"", true, false, false},
        {"\"dnc\":\"\",\"data\":{\"dnc\":1}", true, true, false},
        {"\"data\":{\"campaign_session\":{\"dispo\":{\"dnc\":true}}}", true, true, false},
        {"\"dnc\":false,\"data\":{\"campaign_session\":{\"dispo\":{\"dnc\":true}}}", true, false, false},
        {"\"dnc\":\"perhaps\",\"spam\":null", false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"status\":\"success\",%s}", rows[i].fields);
        struct event event = parsed(body);
        CHECK_CASE(rows[i].fields, event.has_flags == rows[i].has);
        CHECK_CASE(rows[i].fields, event.dnc == rows[i].dnc && event.spam == rows[i].spam);
    }
}

static void a_reason_that_speaks_of_opting_out_in_vain_is_told_to_the_log(void **state)
{
    static const struct {
        const char *reason;
        bool warned;
    } rows[] = {
        {"Number not opted out", true}, {"Campaign stopped", true}, {"Message lacks STOP instructions", true},
        {"Opt-in missing", false},      {"Opted out", false},       {"Solar flare", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[256];
        char detail[PARSE_DETAIL];
        snprintf(body, sizeof body, "{\"status\":\"failure\",\"reason\":\"%s\"}", rows[i].reason);
        parsed_with(body, detail);
        CHECK_CASE(rows[i].reason, (strstr(detail, "dc:unknown_reasons") != NULL) == rows[i].warned);
    }
}

#define OURS "\"to\":\"+12125550100\""

static const struct {
    const char *name, *data;
    enum event_kind kind;
    const char *phone; /* of who opted out or in */
    bool warned;
} contacts[] = {
    {"contact.msg.opt_out", "\"contact_id\":\"c\",\"from\":\"+13125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"contact_id\":\"c\",\"from\":\"+13125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.consent.revoked", "\"from\":\"+13125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.unsubscribed", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.opted-out", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"CONTACT.Opted_Out ", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.opted_out", "\"from\":\"+13125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"action\":\"out\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"opted_in\":false", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"subscribed\":0", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"body\":\"yes, stop it\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.opt", "\"from\":\"3125550146\",\"action\":\"IN\"," OURS, EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"opt\":\"opt_in\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"status\":\"Opt-In\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"keyword\":\"UNSTOP\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"body\":\"Start.\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"body\":\" yes \"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"opted_in\":true", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt", "\"phone\":\"3125550146\",\"subscribed\":\"yes\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.consent.granted", "\"from\":\"3125550146\"," OURS, EVENT_OPT_IN, "+13125550146", 0},
    {"contact.opted_in", "\"phone\":\"3125550146\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.msg.opt_in", "\"phone\":\"3125550146\"", EVENT_OPT_IN, "+13125550146", 0},
    {"contact.opted_in", "\"x\":1", EVENT_OPT_IN, "", 0},
    {"contact.msg.received", "\"from\":\"3125550146\",\"body\":\"STOP\"," OURS, EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.received", "\"from\":\"3125550146\",\"body\":\"Opt-out!\"", EVENT_OPT_OUT, "+13125550146", 0},
    {"contact.msg.received", "\"from\":\"3125550146\",\"body\":\"please stop\"", EVENT_OTHER, "", 0},
    {"contact.msg.received", "\"from\":\"3125550146\",\"body\":\"start\"", EVENT_OTHER, "", 0},
    {"contact.msg.received", "\"from\":\"3125550146\"", EVENT_OTHER, "", 0},
    {"contact.msg.sent", "\"from\":\"3125550146\",\"body\":\"STOP\"", EVENT_OTHER, "", 0},
    /* names that no rule knows */
    {"contact.sms.optout", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"list.opt_out", "\"from\":\"3125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 1},
    {"contact.Opt-Out.added", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"contact.sms.opted_out", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"contact.opted.out", "\"from\":\"3125550146\"," OURS, EVENT_OPT_OUT, "+13125550146", 1},
    {"contact.dnc.added", "\"phone\":\"3125550146\"", EVENT_OTHER, "", 1},
    {"subscriber.unsub", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"consent.revoke", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"campaign.optout", "\"phone\":\"3125550146\"", EVENT_OPT_OUT, "+13125550146", 1},
    {"contact.sms.optout", "\"phone\":\"none\"", EVENT_OTHER, "", 1},
    {"contact.sms.optout", "\"x\":1", EVENT_OTHER, "", 1},
    {"contact.optin", "\"phone\":\"3125550146\"", EVENT_OTHER, "", 1},
    {"contact.consent.updated", "\"phone\":\"3125550146\"", EVENT_OTHER, "", 1},
    {"contact.stop", "\"phone\":\"3125550146\"", EVENT_OTHER, "", 1},
    {"contact.tag.added", "\"phone\":\"3125550146\",\"dnc\":true,\"reason\":\"Opted out\"", EVENT_OTHER, "", 0},
};

static void contacts_opt_out_and_in_by_the_names_of_their_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(contacts); i++) {
        char body[256];
        char detail[PARSE_DETAIL];
        snprintf(body, sizeof body, "{\"event_id\":\"e\",\"event\":\"%s\",\"data\":{%s}}", contacts[i].name,
                 contacts[i].data);
        struct event event = parsed_with(body, detail);
        CHECK_CASE(body, event.kind == contacts[i].kind);
        CHECK_CASE(body, strcmp(event.phone, contacts[i].phone) == 0);
        CHECK_CASE(body, opt_out_of(&event) == (event.kind == EVENT_OPT_OUT ? TOLD : NO));
        CHECK_CASE(body, event.kind != EVENT_OTHER || event.phone[0] == '\0');
        CHECK_CASE(body, (strstr(detail, "the event \"") != NULL) == contacts[i].warned);
        CHECK_CASE(body, strcmp(event.id.text, "e") == 0);
    }
}

static void an_opt_in_of_nobody_is_told(void **state)
{
    static const struct {
        const char *data;
        bool told;
    } cases[] = {
        {"\"phone\":\"3125550146\"", false},
        {"\"drop_id\":\"d\"", true},
        {"\"phone\":\"none\"", true},
        {"", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[256], detail[PARSE_DETAIL];
        snprintf(body, sizeof body, "{\"event\":\"contact.opted_in\",\"data\":{%s}}", cases[i].data);
        struct event event = parsed_with(body, detail);
        CHECK_CASE(body, event.kind == EVENT_OPT_IN && (detail[0] != '\0') == cases[i].told);
        CHECK_CASE(body, !cases[i].told == (event.phone[0] != '\0'));
    }
}

static const struct {
    const char *data, *phone; /* "": none, and rejected; NULL: none, but a drop */
} numbers[] = {
    {"\"phone_number\":\"3125550101\",\"phone\":\"3125550102\"", "+13125550101"},
    {"\"phone\":\"3125550102\",\"contact\":{\"phone\":\"3125550103\"}", "+13125550102"},
    {"\"contact\":{\"phone\":\"3125550103\"},\"mobile_phone\":\"3125550104\"", "+13125550103"},
    {"\"contact\":{\"mobile_phone\":\"3125550103\"}", "+13125550103"},
    {"\"contact\":{\"main_phone\":\"3125550103\",\"phone_number\":\"3125550104\"}", "+13125550104"},
    {"\"contact\":{\"phone_type\":\"mobile\",\"homePhone\":\"3125550103\"}", "+13125550103"},
    {"\"contact\":{\"phone_verified\":1,\"work_phone\":3125550103}", "+13125550103"},
    {"\"contact\":{\"fax\":\"3125550103\"}", ""},
    {"\"mobile_phone\":\"3125550104\",\"main_phone\":\"3125550105\"", "+13125550104"},
    {"\"main_phone\":\"3125550105\",\"number\":\"3125550106\"", "+13125550105"},
    {"\"number\":\"3125550106\",\"contact_phone\":\"3125550107\"", "+13125550106"},
    {"\"contact_phone\":\"3125550107\",\"phoneNumber\":\"3125550108\"", "+13125550107"},
    {"\"phoneNumber\":\"3125550108\",\"contact\":\"3125550109\"", "+13125550108"},
    {"\"contact\":\"3125550109\",\"from\":\"3125550110\"", "+13125550109"},
    {"\"from\":\"3125550110\",\"to\":\"3125550111\"", "+13125550110"},
    {"\"from\":13125550110,\"to\":\"3125550111\"", "+13125550110"},
    {"\"to\":\"3125550111\"", "+13125550111"},
    {"\"from\":\"\",\"to\":\"3125550111\"", "+13125550111"},
    {"\"phone\":\"unknown\",\"to\":\"3125550111\"", "+13125550111"},
    {"\"contact\":\"Jane Doe\",\"from\":\"3125550110\"", "+13125550110"},
    /* whoever wrote, it was not our own number */
    {"\"from\":\"jane@example.com\",\"to\":\"3125550111\"", ""},
    {"\"from\":\"anonymous\",\"to\":\"3125550111\"", ""},
    {"\"contact\":\"Jane Doe\"", ""},
    {"\"message_id\":\"d\"", ""},
    /* a drop will tell */
    {"\"drop_id\":\"d\"", NULL},
    {"\"drop_id\":\"d\",\"from\":\"jane@example.com\",\"to\":\"3125550111\"", NULL},
    {"\"drop_id\":\"\"", ""},
};

static void the_phone_of_an_opt_out_is_the_contacts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char body[256];
        char detail[PARSE_DETAIL];
        struct event event;
        const char *phone = numbers[i].phone ? numbers[i].phone : "";
        bool taken = !numbers[i].phone || phone[0] != '\0';
        /* in data, and in the body itself */
        for (int flat = 0; flat < 2; flat++) {
            int len = snprintf(body, sizeof body, "{\"type\":\"contact.opted_out\"%s%s%s", flat ? "," : ",\"data\":{",
                               numbers[i].data, flat ? "}" : "}}");
            enum parse_verdict verdict = parse_bytes(body, (size_t)len, "", NULL, &event, detail);
            CHECK_CASE(body, verdict == (taken ? PARSE_OK : PARSE_OPTOUT_WITHOUT_PHONE));
            CHECK_CASE(body, !taken || strcmp(event.phone, phone) == 0);
            CHECK_CASE(body, !taken || (event.kind == EVENT_OPT_OUT && event.opts_out && event.told));
            CHECK_CASE(body, !taken || (event.drop.packed_len > 0) == !numbers[i].phone);
        }
    }
}

static void a_contact_of_a_thousand_phones_and_as_many_integers_is_read(void **state)
{
    static char body[65536];
    size_t len = (size_t)snprintf(body, sizeof body, "{\"type\":\"contact.opted_out\",\"data\":{\"contact\":{");
    (void)state;
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(body + len, sizeof body - len, "\"phone_%d\":%d,", i, i % 10);
    snprintf(body + len, sizeof body - len, "\"x\":1},\"from\":3125550146}}");
    assert_string_equal(parsed(body).phone, "+13125550146"); /* the last name of all */
}

/* What counts no send may opt somebody out all the same. */
static void the_opt_out_of_what_cannot_be_counted_is_taken(void **state)
{
    static const struct {
        const char *body, *rejected_as, *phone, *drop; /* "": none */
        bool told;
    } rows[] = {
        {"{\"drop_id\":\"d\",\"status\":\"opted_out\",\"dnc\":true,\"to\":\"3125550146\"}", "unusable_status",
         "+13125550146", "d", true},
        {"{\"event\":\"contact.sms.status\",\"data\":{\"reason_code\":4016,\"to\":\"3125550146\"}}", "unusable_status",
         "+13125550146", "", false},
        {"{\"event\":\"contact.sms.status\",\"data\":{\"status\":\"maybe\",\"reason\":\"STOP\",\"to\":\"3125550146\"}}",
         "unusable_status", "+13125550146", "", false},
        {"{\"phone_number\":\"3125550146\",\"dnc\":true}", "unrecognized_shape", "+13125550146", "", true},
        {"{\"event\":\"contact.optout.status\",\"data\":{\"to\":\"3125550146\"}}", "unusable_status", "+13125550146", "",
         true},
        {"{\"type\":\"sms.optout\",\"drop_id\":\"d\",\"status\":\"maybe\",\"to\":\"3125550146\"}", "unusable_status",
         "+13125550146", "d", true},
        {"{\"drop_id\":\"d\",\"status\":\"queued\",\"dnc\":true,\"to\":\"3125550146\"}", NULL, "+13125550146", "d", true},
        /* whom the drop went to */
        {"{\"drop_id\":\"d\",\"status\":\"opted_out\",\"dnc\":true}", "unusable_status", "", "d", true},
        {"{\"event\":\"contact.sms.status\",\"data\":{\"message_id\":\"m\",\"reason_code\":4016}}", "unusable_status",
         "", "m", false},
        {"{\"drop_id\":\"d\",\"status\":\"queued\",\"dnc\":true}", NULL, "", "d", true},
    };
    char detail[PARSE_DETAIL];
    struct event event;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        event = parsed_with(rows[i].body, detail);
        CHECK_CASE(rows[i].body, event.kind == EVENT_OPT_OUT && event.opts_out);
        CHECK_CASE(rows[i].body, event.told == rows[i].told);
        CHECK_CASE(rows[i].body, strcmp(event.phone, rows[i].phone) == 0);
        CHECK_CASE(rows[i].body, strcmp(event.drop.text, rows[i].drop) == 0);
        CHECK_CASE(rows[i].body, (event.drop.packed_len > 0) == (rows[i].drop[0] != '\0'));
        CHECK_CASE(rows[i].body, (event.rejected_as == NULL) == (rows[i].rejected_as == NULL));
        if (rows[i].rejected_as)
            CHECK_CASE(rows[i].body, strcmp(event.rejected_as, rows[i].rejected_as) == 0 && detail[0] != '\0');
        CHECK_CASE(rows[i].body, event.id.packed[0] == 'h'); /* of the body: the drop's own id is the drop's */
    }
    static const char nobody[] = "{\"status\":\"opted_out\",\"dnc\":true}";
    assert_int_equal(parse_bytes(nobody, sizeof nobody - 1, "", NULL, &event, detail), PARSE_UNUSABLE_STATUS);
    event = parsed("{\"status\":\"queued\",\"dnc\":true}");
    assert_string_equal(event.name, "status:queued");
    assert_false(event.opts_out || event.told);
}

static void an_opt_out_event_names_its_drop_by_drop_id_alone(void **state)
{
    (void)state;
    struct event event = parsed("{\"type\":\"contact.opted_out\",\"data\":{\"phone\":\"3125550146\",\"id\":\"i\","
                                "\"message_id\":\"m\",\"drop_id\":\"65F0A1B2C3D4E5F60718293A\"}}");
    assert_string_equal(event.drop.text, "65f0a1b2c3d4e5f60718293a");
    assert_int_equal(event.drop.packed_len, 12);
    event = parsed("{\"type\":\"contact.opted_out\",\"data\":{\"phone\":\"3125550146\",\"id\":\"i\","
                   "\"message_id\":\"m\"}}");
    assert_int_equal(event.drop.packed_len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_opts_out_by_code_text_or_flag_whatever_its_status),
        cmocka_unit_test(flags_are_read_as_they_are_written),
        cmocka_unit_test(a_reason_that_speaks_of_opting_out_in_vain_is_told_to_the_log),
        cmocka_unit_test(contacts_opt_out_and_in_by_the_names_of_their_events),
        cmocka_unit_test(an_opt_in_of_nobody_is_told),
        cmocka_unit_test(the_phone_of_an_opt_out_is_the_contacts),
        cmocka_unit_test(a_contact_of_a_thousand_phones_and_as_many_integers_is_read),
        cmocka_unit_test(the_opt_out_of_what_cannot_be_counted_is_taken),
        cmocka_unit_test(an_opt_out_event_names_its_drop_by_drop_id_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
