/* The table of failure reasons against the vendor's documents. */
#include "common/drops/reasons.h"

#include "cases.h"

#include <stdlib.h>
#include <string.h>

static const char *slug_of(int number)
{
    return number < 0 ? "(unknown)" : reason_by_number((unsigned)number)->slug;
}

static const struct {
    const char *text;
    const char *slug;
} documented_texts[] = {
    {"Invalid message", "invalid_message"},
    {"Spam detected", "spam_detected"},
    {"Invalid caller ID or not SMS enabled", "invalid_caller_id"},
    {"No Funds", "no_funds"},
    {"Known Litigator", "known_litigator"},
    {"Prohibited by carrier or not SMS enabled", "prohibited_by_carrier"},
    {"Message too long", "message_too_long"},
    {"Opted out", "opted_out"},
    {"Internal DNC", "internal_dnc"},
    {"Temporarily unreachable", "temporarily_unreachable"},
    {"Too Many", "too_many"},
    {"Unregistered Brand", "unregistered_brand"},
    {"No Caller ID", "no_caller_id"},
    {"TTS too long", "tts_body_too_long"},
    {"Not authorized", "not_authorized"},
    {"Audio file not valid", "audio_not_usable"},
    {"Not allowed audio_url", "audio_url_not_allowed"},
    {"Idempotency Key Conflict", "idempotency_key_reused"},
};

static const struct {
    int code;
    const char *slug;
    const char *text; /* as the developer API names it; NULL: no text of its own */
} documented_codes[] = {
    {3000, "no_funds", "no funds"},
    {3001, "audio_not_usable", "audio not usable"},
    {3002, "no_voice", "no voice"},
    {3007, "wrong_key_or_secret", "wrong key or secret"},
    {3011, "number_not_e164", "number not E.164"},
    {3012, "number_not_valid", "number not valid"},
    {3013, "invalid_ivr_or_route", "invalid IVR or route"},
    {3014, "audio_url_not_allowed", "audio_url not allowed"},
    {3015, "no_tts", "no TTS"},
    {3016, "byoc_not_on", "BYOC not on"},
    {3017, "bad_sti_orig_id", "bad sti_orig_id"},
    {3018, "bad_attestation", "bad attestation"},
    {3019, "invalid_callback", "invalid callback"},
    {3021, "tts_body_too_long", "tts_body too long"},
    {3022, "trial_account", "trial"},
    {3027, "idempotency_key_reused", "idempotency key reused"},
    {3028, "idempotency_key_invalid", "idempotency key invalid"},
    {3033, "media_not_found", "media not found"},
    {3040, "test_numbers_only", "test numbers only"},
    {4000, "voicemail_not_detected", "voicemail not detected"},
    {4001, "voicemail_not_set_up", "voicemail not set up"},
    {4002, "voicemail_full", "VoiceMail Full"},
    {4004, "number_not_reachable", "number not reachable"},
    {4005, "no_answer", "no answer"},
    {4006, "user_busy", "user busy"},
    {4008, "spam_detected", "spam detected"},
    {4010, "no_phone_line", "no phone line"},
    {4011, "outside_calling_hours", "outside calling hours"},
    {4013, "too_many", "too many attempts"},
    {4016, "internal_dnc", "internal DNC"},
    {4017, "known_litigator", "known litigator"},
    {4019, "rnd_reassigned", "RND reassigned"},
    {4021, "rnd_error", "RND error"},
    {6000, "carrier_denied_use_case", "carrier denied use case"},
    {6001, "carrier_suspension", "carrier suspension"},
    {6002, "pool_suspended", "pool suspended"},
    {6003, "pool_not_ready", "pool not ready"},
    {6004, "opt_in_flagged", "opt-in flagged"},
    {6005, "opt_in_revoked", "opt-in revoked"},
    {6006, "opt_in_pending", "opt-in pending"},
    {6011, "opt_in_missing", "opt-in missing"},
};

enum { DOCUMENTED_TEXTS = COUNT(documented_texts), DOCUMENTED_CODES = COUNT(documented_codes) };

static void every_documented_text_has_its_slug(void **state)
{
    (void)state;
    for (int i = 0; i < DOCUMENTED_TEXTS; i++)
        assert_string_equal(slug_of(reason_by_text(bytes_of_text(documented_texts[i].text))), documented_texts[i].slug);
}

static void every_documented_code_has_its_slug_and_its_text_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < DOCUMENTED_CODES; i++) {
        assert_string_equal(slug_of(reason_by_code(documented_codes[i].code)), documented_codes[i].slug);
        assert_string_equal(slug_of(reason_by_text(bytes_of_text(documented_codes[i].text))), documented_codes[i].slug);
    }
}

static void no_other_code_is_known(void **state)
{
    (void)state;
    int known = 0;
    for (int code = -10000; code <= 10000; code++)
        known += reason_by_code(code) >= 0;
    assert_int_equal(known, DOCUMENTED_CODES);
    assert_int_equal(reason_by_code(0), -1);
    assert_int_equal(reason_by_code(INT64_MAX), -1);
    assert_int_equal(reason_by_code(INT64_MIN), -1);
    assert_int_equal(reason_by_code(65536 + 4002), -1);
}

static void texts_are_compared_with_case_spaces_and_punctuation_folded(void **state)
{
    static const struct {
        const char *text;
        const char *slug;
    } cases[] = {
        {"NO FUNDS", "no_funds"},
        {"no funds", "no_funds"},
        {"  No \t\r\n  Funds \v\f", "no_funds"},
        {"iNVALID   cALLER id OR\nNOT sms ENABLED", "invalid_caller_id"},
        {"NoFunds", "(unknown)"},
        {"No Funds.", "no_funds"},
        {"No_Funds", "no_funds"},
        {"no-funds", "no_funds"},
        {"Invalid caller ID, or not SMS enabled!", "invalid_caller_id"},
        {"No more funds", "(unknown)"},
        {"N\xc3\xb3 Funds", "(unknown)"},
        {"", "(unknown)"},
        {"   ", "(unknown)"},
        {"other", "(unknown)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(slug_of(reason_by_text(bytes_of_text(cases[i].text))), cases[i].slug);
    assert_int_equal(reason_by_text(bytes_of("No Funds\0", 9)), -1);
    assert_int_equal(reason_by_text(bytes_of("No\0Funds", 8)), -1);
}

static void each_documented_text_survives_odd_case_and_spacing(void **state)
{
    (void)state;
    for (int i = 0; i < DOCUMENTED_TEXTS; i++) {
        char odd[256] = "\n ";
        size_t len = 2;
        for (const char *c = documented_texts[i].text; *c; c++) {
            bool raise = *c >= 'a' && *c <= 'z' && len % 2 == 0;
            odd[len++] = (char)(raise ? *c - 'a' + 'A' : *c);
            if (*c == ' ')
                odd[len++] = '\t';
        }
        odd[len++] = ' ';
        assert_string_equal(slug_of(reason_by_text(bytes_of(odd, len))), documented_texts[i].slug);
    }
}

static void a_reason_of_10_kb_is_unknown(void **state)
{
    (void)state;
    char *text = malloc(10240);
    assert_non_null(text);
    memset(text, 'n', 10240);
    assert_int_equal(reason_by_text(bytes_of(text, 10240)), -1);
    memset(text, ' ', 10240);
    assert_int_equal(reason_by_text(bytes_of(text, 10240)), -1);
    memcpy(text + 5000, documented_texts[3].text, strlen(documented_texts[3].text));
    assert_string_equal(slug_of(reason_by_text(bytes_of(text, 10240))), "no_funds");
    free(text);
}

/* In the words of the table, and of people. The code of a row beside them changes nothing here. */
static const struct {
    const char *text;
    const char *slug; /* of a reason that opts out; NULL: the text does not opt out */
    bool sounds;      /* like an opt-out to whoever reads it: warned of where it opts nobody out */
} opt_out_texts[] = {
    {"Opted out", "opted_out", true},
    {"Opt-out", "opted_out", true},
    {"opted_out", "opted_out", true},
    {"Opted Out.", "opted_out", true},
    {"OPTOUT", "opted_out", true},
    {"Unsubscribed", "opted_out", true},
    {"Recipient has opted out", "opted_out", true},
    {"Error 21610: recipient opted-out", "opted_out", true},
    {"Blocked (opted out)", "opted_out", true},
    {"User unsubscribed from this list", "opted_out", true},
    {"STOP", "opted_out", true},
    {" stop. ", "opted_out", true},
    {"STOP received", "opted_out", true},
    {"Recipient replied STOP", "opted_out", true},
    {"Replied with STOP", "opted_out", true},
    {"Stop requested by the contact", "opted_out", true},
    {"one two three four five six opted out", "opted_out", true},
    {"Internal DNC", "internal_dnc", true},
    {"Internal DNC list", "internal_dnc", true},
    {"Number is on the internal-DNC list", "internal_dnc", true},
    {"Internal DNC (do not call)", "internal_dnc", true},
    {"Opted out, do not text", "opted_out", true},
    {"Notified: opted out", "opted_out", true},
    {"Opt-in revoked", "opt_in_revoked", true},
    {"Opt in revoked by recipient", "opt_in_revoked", true},
    /* denied */
    {"Number not opted out", NULL, true},
    {"No opt-out", NULL, true},
    {"Never opted out", NULL, true},
    {"Opt-out missing", NULL, true},
    {"Message lacks STOP instructions", NULL, true},
    {"Lack of opt out", NULL, true},
    {"Sent without opt-out", NULL, true},
    {"Message must offer opt-out", NULL, true},
    {"Please include opt-out", NULL, true},
    {"Opt-out instructions", NULL, true},
    {"Opt-out language", NULL, true},
    {"Opt-out required", NULL, true},
    {"Opt-out pending", NULL, true},
    {"Lacks opt-out", NULL, true},
    {"Do not call: not opted out", NULL, true},
    /* too long, or only like it */
    {"one two three four five six seven opted out", NULL, true},
    {"Campaign stopped", NULL, true},
    {"Stop the campaign", NULL, true},
    {"Received at the last stop", "opted_out", true},
    {"Non-stop service", NULL, true},
    {"Nonstop service", NULL, false},
    {"Adopted out", NULL, false},
    {"Opted outside", NULL, true},
    {"DNC", "internal_dnc", true},
    {"Consent revoked", NULL, true},
    {"Opt-in missing", NULL, true},
    {"Solar flare", NULL, false},
    {"", NULL, false},
};

static void texts_of_a_few_words_opt_out_unless_they_deny_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(opt_out_texts); i++) {
        const struct bytes text = bytes_of_text(opt_out_texts[i].text);
        const int number = reason_by_text(text);
        const bool opts_out = reason_opt_out(number) != REASON_STAYS;
        CHECK_CASE(opt_out_texts[i].text, opts_out == (opt_out_texts[i].slug != NULL));
        if (opts_out)
            CHECK_CASE(opt_out_texts[i].text, strcmp(slug_of(number), opt_out_texts[i].slug) == 0);
        CHECK_CASE(opt_out_texts[i].text, reason_text_sounds_like_opt_out(text) == opt_out_texts[i].sounds);
    }
}

static void two_reasons_tell_of_a_block_one_of_an_opt_out_and_no_other(void **state)
{
    (void)state;
    for (int number = -1; number < (int)reason_count() + 2; number++) {
        const bool known = number >= 0 && number < (int)reason_count();
        const char *slug = known ? slug_of(number) : "";
        enum reason_opt_out expected = REASON_STAYS;
        if (strcmp(slug, "opted_out") == 0 || strcmp(slug, "internal_dnc") == 0)
            expected = REASON_BLOCKED;
        if (strcmp(slug, "opt_in_revoked") == 0)
            expected = REASON_TOLD;
        CHECK_CASE(slug, reason_opt_out(number) == expected);
    }
}

/* What the vendor says in words, and what follows from what nobody knows. */
static void a_resend_can_help_as_the_vendor_says(void **state)
{
    static const struct {
        const char *resend;
        int codes[12];
    } rows[] = {
        {"never", {4001, 4002, 4016, 4017, 6005}},
        {"after_fix", {3000, 3001, 3007, 3014, 3021, 3027, 3028, 3040, 4010, 6011}},
        {"later", {4000, 4004, 4005, 4006, 4011, 4021, 6006}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(rows[i].codes) && rows[i].codes[k] != 0; k++) {
            const struct reason *reason = reason_by_number((unsigned)reason_by_code(rows[i].codes[k]));
            CHECK_CASE(reason->slug, strcmp(reason_resend_name(reason->resend), rows[i].resend) == 0);
        }
    }
    assert_string_equal(reason_resend_name(reason_by_number(reason_other())->resend), "unknown");
    assert_string_equal(reason_category_name(reason_by_number(reason_other())->category), "unknown");
    assert_string_equal(reason_category_name(reason_by_number((unsigned)reason_by_code(4010))->category), "sender");
}

/* The table itself: each text stands as folding leaves it, and no text or code stands twice. */
static void each_text_and_code_of_the_table_finds_its_own_row(void **state)
{
#define NONE {0}
#define TEXTS(...) {__VA_ARGS__}
#define CODES(...) {__VA_ARGS__}
#define REASON(number, slug, category, resend, opt_out, texts, codes) {number, texts, codes},
    static const struct {
        int number;
        const char *texts[8];
        int codes[4];
    } rows[] = {
#include "common/drops/reasons.def"
    };
    (void)state;
    assert_int_equal(COUNT(rows), reason_count());
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (const char *const *text = rows[i].texts; *text; text++)
            CHECK_CASE(*text, reason_by_text(bytes_of_text(*text)) == rows[i].number);
        for (const int *code = rows[i].codes; *code; code++)
            CHECK_CASE(slug_of(rows[i].number), reason_by_code(*code) == rows[i].number);
    }
}

static void numbers_are_those_stored_in_redis(void **state)
{
    static const char *const first[] = {"",
                                        "other",
                                        "invalid_message",
                                        "spam_detected",
                                        "invalid_caller_id",
                                        "no_funds",
                                        "known_litigator",
                                        "prohibited_by_carrier",
                                        "message_too_long",
                                        "opted_out",
                                        "internal_dnc",
                                        "temporarily_unreachable",
                                        "too_many",
                                        "unregistered_brand"};
    (void)state;
    for (unsigned number = 0; number < sizeof first / sizeof first[0]; number++)
        assert_string_equal(reason_by_number(number)->slug, first[number]);
    assert_string_equal(reason_by_number(23)->slug, "voicemail_full");
    assert_string_equal(reason_by_number(36)->slug, "opt_in_revoked");
    assert_string_equal(reason_by_number(38)->slug, "opt_in_missing");
    assert_string_equal(reason_by_number(39)->slug, "no_voice");
    assert_string_equal(reason_by_number(51)->slug, "not_authorized");
    assert_int_equal(reason_count(), 52);
    assert_int_equal(reason_other(), 1);
    assert_null(reason_by_number(reason_count()));
    assert_null(reason_by_number(UINT32_MAX));
}

static void slugs_are_plain_and_differ_and_have_a_category(void **state)
{
    (void)state;
    for (unsigned a = 1; a < reason_count(); a++) {
        const struct reason *reason = reason_by_number(a);
        assert_non_null(reason);
        assert_true(strlen(reason->slug) > 0);
        assert_int_equal(strspn(reason->slug, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(reason->slug));
        assert_true(strlen(reason_category_name(reason->category)) > 0);
        for (unsigned b = 1; b < a; b++)
            assert_string_not_equal(reason->slug, reason_by_number(b)->slug);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_text_has_its_slug),
        cmocka_unit_test(every_documented_code_has_its_slug_and_its_text_the_same),
        cmocka_unit_test(no_other_code_is_known),
        cmocka_unit_test(texts_are_compared_with_case_spaces_and_punctuation_folded),
        cmocka_unit_test(each_documented_text_survives_odd_case_and_spacing),
        cmocka_unit_test(a_reason_of_10_kb_is_unknown),
        cmocka_unit_test(texts_of_a_few_words_opt_out_unless_they_deny_it),
        cmocka_unit_test(two_reasons_tell_of_a_block_one_of_an_opt_out_and_no_other),
        cmocka_unit_test(a_resend_can_help_as_the_vendor_says),
        cmocka_unit_test(each_text_and_code_of_the_table_finds_its_own_row),
        cmocka_unit_test(numbers_are_those_stored_in_redis),
        cmocka_unit_test(slugs_are_plain_and_differ_and_have_a_category),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
