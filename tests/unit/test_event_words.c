/* Event names, statuses and texts of contacts against the vendor's documents. The rows are written out here, not taken
   from the table. */
#include "workers/event/words.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum name_meaning meaning;
} names[] = {
    {"message.delivered", NAME_DELIVERED},
    {"message.failed", NAME_FAILED},
    {"contact.rvm.status", NAME_STATUS},
    {"contact.sms.status", NAME_STATUS},
    {"contact.a.b.status", NAME_STATUS},
    {"contact.rvm.receipt", NAME_RECEIPT},
    {"contact.opted_out", NAME_OPT_OUT},
    {"contact.opted-out", NAME_OPT_OUT},
    {"contact.msg.opt_out", NAME_OPT_OUT},
    {"contact.consent.revoked", NAME_OPT_OUT},
    {"contact.unsubscribed", NAME_OPT_OUT},
    {"contact.opted_in", NAME_OPT_IN},
    {"contact.msg.opt_in", NAME_OPT_IN},
    {"contact.consent.granted", NAME_OPT_IN},
    {"contact.msg.opt", NAME_SUBSCRIPTION},
    {"contact.msg.received", NAME_TEXT_RECEIVED},
    {"campaign.scheduled", NAME_SCHEDULED},
    {"campaign.started", NAME_RUNNING},
    {"campaign.resumed", NAME_RUNNING},
    {"campaign.paused", NAME_PAUSED},
    {"campaign.stopped", NAME_PAUSED},
    {"campaign.completed", NAME_COMPLETED},
    {"", NAME_NONE},
    {"contact.created", NAME_OTHER},
    {"contact.msg.sent", NAME_OTHER},
    {"contact.opted.out", NAME_OTHER},
    {"contact.status", NAME_OTHER},
    {"contact..status", NAME_OTHER},
    {"contact.receipt", NAME_OTHER},
    {"contact.sms.status.x", NAME_OTHER},
    {"message.delivered.x", NAME_OTHER},
    {"campaign.", NAME_OTHER},
    {"campaign.archived", NAME_OTHER},
    {"campaign paused", NAME_OTHER},
    {"sms", NAME_OTHER},
};

static void each_name_means_what_it_says_in_any_case_and_between_spaces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char spelled[64];
        CHECK_CASE(names[i].name, name_meaning(bytes_of_text(names[i].name)) == names[i].meaning);
        snprintf(spelled, sizeof spelled, " \t%s\n", names[i].name);
        for (char *at = spelled; *at; at++)
            *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
        CHECK_CASE(names[i].name, name_meaning(bytes_of_text(spelled)) == names[i].meaning);
    }
    assert_int_equal(name_meaning(bytes_of("campaign.paused\0", 16)), NAME_OTHER);
}

static void names_sound_like_an_opt_out_or_like_consent(void **state)
{
    static const struct {
        const char *name;
        enum name_sound sound;
    } rows[] = {
        {"contact.sms.optout", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.OptOut", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.opt_out.added", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.opt-out", NAME_SOUNDS_LIKE_OPT_OUT},
        {"subscriber.unsubscribe", NAME_SOUNDS_LIKE_OPT_OUT},
        {"consent.revoke", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.revoked", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.sms.opted_out", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.Opted-Out.sms", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.opted.out", NAME_SOUNDS_LIKE_OPT_OUT},
        {"list.opt.out", NAME_SOUNDS_LIKE_OPT_OUT},
        {"Contact Opted Out", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contactOptedOut", NAME_SOUNDS_LIKE_OPT_OUT},
        {"contact.sms.opted_in", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.dnc.added", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.opt.changed", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.optin", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.consent.updated", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.STOP", NAME_SOUNDS_LIKE_CONSENT},
        {"contact.tag.added", NAME_SOUNDS_LIKE_NOTHING},
        {"contact.subscribed", NAME_SOUNDS_LIKE_NOTHING},
        {"", NAME_SOUNDS_LIKE_NOTHING},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_CASE(rows[i].name, name_sound(bytes_of_text(rows[i].name)) == rows[i].sound);
}

static void names_of_campaigns_begin_with_it(void **state)
{
    (void)state;
    assert_true(name_is_of_campaign(bytes_of_text("campaign.archived")));
    assert_true(name_is_of_campaign(bytes_of_text(" Campaign.Paused")));
    assert_false(name_is_of_campaign(bytes_of_text("campaign")));
    assert_false(name_is_of_campaign(bytes_of_text("contact.campaign.joined")));
}

static const struct {
    const char *status;
    enum status_meaning meaning;
} statuses[] = {
    {"success", STATUS_SUCCESS},
    {"delivered", STATUS_SUCCESS},
    {"failure", STATUS_FAILURE},
    {"failed", STATUS_FAILURE},
    {"undelivered", STATUS_FAILURE},
    {"undeliverable", STATUS_FAILURE},
    {"rejected", STATUS_FAILURE},
    {"expired", STATUS_FAILURE},
    {"blocked", STATUS_FAILURE},
    {"busy", STATUS_FAILURE},
    {"no-answer", STATUS_FAILURE},
    {"error", STATUS_FAILURE},
    {"queued", STATUS_INTERIM},
    {"pending", STATUS_INTERIM},
    {"accepted", STATUS_INTERIM},
    {"scheduled", STATUS_INTERIM},
    {"processing", STATUS_INTERIM},
    {"sending", STATUS_INTERIM},
    {"sent", STATUS_INTERIM},
    {"SUCCESS", STATUS_SUCCESS},
    {" Delivered\t", STATUS_SUCCESS},
    {"No Answer", STATUS_FAILURE},
    {"no_answer", STATUS_FAILURE},
    {"", STATUS_NONE},
    {" \n", STATUS_NONE},
    {"maybe", STATUS_UNKNOWN},
    {"opted_out", STATUS_UNKNOWN},
    {"successful delivery", STATUS_UNKNOWN},
    {"-", STATUS_UNKNOWN},
    {"1", STATUS_UNKNOWN},
};

static void each_status_is_a_success_a_failure_or_on_its_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        const char *word = NULL;
        CHECK_CASE(statuses[i].status, status_meaning(bytes_of_text(statuses[i].status), &word) == statuses[i].meaning);
        CHECK_CASE(statuses[i].status, word != NULL);
        if (statuses[i].meaning == STATUS_INTERIM)
            CHECK_CASE(statuses[i].status, strcmp(word, statuses[i].status) == 0);
    }
    const char *word = NULL;
    char long_status[1000];
    assert_int_equal(status_meaning(bytes_of("success\0", 8), &word), STATUS_UNKNOWN);
    memset(long_status, 'x', sizeof long_status);
    assert_int_equal(status_meaning(bytes_of(long_status, sizeof long_status), &word), STATUS_UNKNOWN);
}

static void a_text_is_a_stop_or_an_opt_in_as_a_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        bool stop, opt_in;
    } rows[] = {
        {"stop", true, false},        {"STOP!", true, false},
        {" Stop. ", true, false},     {"Stop all", true, false},
        {"STOPALL", true, false},     {"quit", true, false},
        {"End", true, false},         {"revoke", true, false},
        {"opt out", true, false},     {"OPT-OUT", true, false},
        {"opt_out", true, false},     {"optout", true, false},
        {"cancel", true, false},      {"unsubscribe", true, false},
        {"\"Unsubscribe\"", true, false},
        {"in", false, true},          {"OPT_IN", false, true},
        {"opt-in", false, true},      {"Start", false, true},
        {"UNSTOP", false, true},      {"yes.", false, true},
        /* as telephones write */
        {"\xe2\x80\x9cStop\xe2\x80\x9d", true, false},
        {"STOP\xc2\xa0", true, false},
        {"Stop\xe2\x80\xa6", true, false},
        {"Opt\xe2\x80\x91out", true, false},
        {"\xe2\x80\x98quit\xe2\x80\x99", true, false},
        {"Opt\xe2\x80\x93in", false, true},
        {"don\xe2\x80\x99t stop", false, false},
        {"st\xc3\xb6p", false, false},
        {"stop it", false, false},    {"please stop", false, false},
        {"don't stop", false, false}, {"nonstop", false, false},
        {"stopp", false, false},      {"cancel my order", false, false},
        {"yes please", false, false}, {"opt", false, false},
        {"out", false, false},        {"", false, false},
        {".", false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_CASE(rows[i].text, (text_meaning(bytes_of_text(rows[i].text)) == TEXT_STOP) == rows[i].stop);
        CHECK_CASE(rows[i].text, (text_meaning(bytes_of_text(rows[i].text)) == TEXT_OPT_IN) == rows[i].opt_in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_means_what_it_says_in_any_case_and_between_spaces),
        cmocka_unit_test(names_sound_like_an_opt_out_or_like_consent),
        cmocka_unit_test(names_of_campaigns_begin_with_it),
        cmocka_unit_test(each_status_is_a_success_a_failure_or_on_its_way),
        cmocka_unit_test(a_text_is_a_stop_or_an_opt_in_as_a_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
