/* The table of failure reasons against the vendor's documents. */
#include "workers/reasons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
};

static const struct {
    int code;
    const char *slug;
    const char *text; /* as the developer API names it; NULL: no text of its own */
} documented_codes[] = {
    {3000, "no_funds", "no funds"},
    {3001, "audio_not_usable", "audio not usable"},
    {3007, "wrong_key_or_secret", "wrong key or secret"},
    {3014, "audio_url_not_allowed", "audio_url not allowed"},
    {3021, "tts_body_too_long", "tts_body too long"},
    {3027, "idempotency_key_reused", "idempotency key reused"},
    {3028, "idempotency_key_invalid", "idempotency key invalid"},
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

enum {
    TEXTS = sizeof documented_texts / sizeof documented_texts[0],
    CODES = sizeof documented_codes / sizeof documented_codes[0],
};

static void every_documented_text_has_its_slug(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++)
        assert_string_equal(slug_of(reason_by_text(bytes_of_text(documented_texts[i].text))), documented_texts[i].slug);
}

static void every_documented_code_has_its_slug_and_its_text_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < CODES; i++) {
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
    assert_int_equal(known, CODES);
    assert_int_equal(reason_by_code(0), -1);
    assert_int_equal(reason_by_code(INT64_MAX), -1);
    assert_int_equal(reason_by_code(INT64_MIN), -1);
    assert_int_equal(reason_by_code(65536 + 4002), -1);
}

static void texts_are_compared_with_case_and_spaces_folded(void **state)
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
        {"No Funds.", "(unknown)"},
        {"No_Funds", "(unknown)"},
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
    for (int i = 0; i < TEXTS; i++) {
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

static void three_reasons_opt_out_and_no_other(void **state)
{
    (void)state;
    int count = 0;
    for (int number = -1; number < (int)reason_count() + 2; number++) {
        if (!reason_opts_out(number))
            continue;
        const char *slug = slug_of(number);
        count++;
        assert_true(strcmp(slug, "opted_out") == 0 || strcmp(slug, "internal_dnc") == 0 ||
                    strcmp(slug, "opt_in_revoked") == 0);
    }
    assert_int_equal(count, 3);
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
    assert_int_equal(reason_count(), 39);
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
        assert_int_equal(strspn(reason->slug, "abcdefghijklmnopqrstuvwxyz_"), strlen(reason->slug));
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
        cmocka_unit_test(texts_are_compared_with_case_and_spaces_folded),
        cmocka_unit_test(each_documented_text_survives_odd_case_and_spacing),
        cmocka_unit_test(a_reason_of_10_kb_is_unknown),
        cmocka_unit_test(three_reasons_opt_out_and_no_other),
        cmocka_unit_test(numbers_are_those_stored_in_redis),
        cmocka_unit_test(slugs_are_plain_and_differ_and_have_a_category),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
