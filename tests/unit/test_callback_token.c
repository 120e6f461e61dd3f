#include "common/callback_token.h"

#include "cases.h"
#include "common/limits.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Computed with openssl dgst -sha256 -hmac. */
static const char token_of_a[] =
    "85cb1a08eb8b3a6b78bcbcc45f6f65bd272330e66418f897dcf512aa2f511d8a"; /* abc, campaign a */

static void mints_the_documented_token(void **state)
{
    (void)state;
    struct hmac_key *key = hmac_key_new(bytes_of_text("abc"));
    char with[SHA256_HEX_SIZE];
    char without[SHA256_HEX_SIZE];
    char empty[SHA256_HEX_SIZE];
    assert_true(callback_token_mint(key, "a", with));
    assert_string_equal(with, token_of_a);
    assert_true(callback_token_mint(key, NULL, without));
    assert_true(callback_token_mint(key, "", empty));
    assert_string_equal(without, empty);
    assert_string_not_equal(without, with);
    hmac_key_free(key);
}

static void takes_the_token_of_any_key_for_its_campaign_only(void **state)
{
    (void)state;
    char longer[80];
    char upper[SHA256_HEX_SIZE];
    (void)snprintf(longer, sizeof longer, "%s0", token_of_a);
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)token_of_a[i]);
    struct hmac_key *keys[] = {hmac_key_new(bytes_of_text("other")), hmac_key_new(bytes_of_text("abc")),
                               hmac_key_new(bytes_of_text("third"))};
    const struct {
        const char *name;
        size_t first, count;
        const char *campaign;
        const char *token;
        size_t token_len;
        bool ok;
    } cases[] = {
        {"the key alone", 1, 1, "a", token_of_a, 64, true},
        {"among others", 0, 3, "a", token_of_a, 64, true},
        {"in upper case", 0, 3, "a", upper, 64, true},
        {"the key missing", 2, 1, "a", token_of_a, 64, false},
        {"no keys", 0, 0, "a", token_of_a, 64, false},
        {"of another campaign", 0, 3, "b", token_of_a, 64, false},
        {"without the campaign", 0, 3, NULL, token_of_a, 64, false},
        {"one digit short", 0, 3, "a", token_of_a, 63, false},
        {"one digit more", 0, 3, "a", longer, 65, false},
        {"empty", 0, 3, "a", "", 0, false},
        {"no digits", 0, 3, "a", "zz", 2, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, callback_token_check(keys + cases[i].first, cases[i].count, cases[i].campaign,
                                                       bytes_of(cases[i].token, cases[i].token_len)) == cases[i].ok);
    for (size_t i = 0; i < COUNT(keys); i++)
        hmac_key_free(keys[i]);
}

static void knows_campaign_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t len;
        bool ok;
    } cases[] = {
        {"letters, digits and marks", "aZ0._-", 6, true},
        {"one letter", "a", 1, true},
        {"three dots", "...", 3, true},
        {"64 long", "0123456789012345678901234567890123456789012345678901234567890123", 64, true},
        {"65 long", "01234567890123456789012345678901234567890123456789012345678901234", 65, false},
        {"empty", "", 0, false},
        {"a dot", ".", 1, false},
        {"two dots", "..", 2, false},
        {"a slash", "a/b", 3, false},
        {"a space", "a b", 3, false},
        {"a percent sign", "a%41", 4, false},
        {"a NUL", "a\0b", 3, false},
        {"a letter past ASCII", "\xc3\xa9", 2, false},
        {"braces", "{a}", 3, false},
        {"a newline", "a\n", 2, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, campaign_name_valid(bytes_of(cases[i].text, cases[i].len)) == cases[i].ok);
}

static void cuts_entries_of_campaigns_in_two(void **state)
{
    (void)state;
    static const struct {
        const char *name, *entry, *campaign, *key; /* campaign NULL: refused, with the words of key in its sentence */
    } cases[] = {
        {"a campaign and its key", "spring=k", "spring", "k"},
        {"a key with an equals sign", "spring=k=k=", "spring", "k=k="},
        {"a key with white space", "spring= k ", "spring", " k "},
        {"no equals sign", "spring", NULL, "no ="},
        {"nothing", "", NULL, "no ="},
        {"no campaign", "=k", NULL, "no campaign"},
        {"a campaign with a space", "spring =k", NULL, "no campaign"},
        {"no key", "spring=", NULL, "empty"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes campaign = {0}, key = {0};
        struct error error = {0};
        const bool ok = callback_campaign_secret_split(bytes_of_text(cases[i].entry), &campaign, &key, &error);

        CHECK_CASE(cases[i].name, ok == (cases[i].campaign != NULL));
        CHECK_CASE(cases[i].name, ok ? bytes_equal(campaign, bytes_of_text(cases[i].campaign)) && bytes_equal(key, bytes_of_text(cases[i].key))
                                     : error.code == ERROR_CONFIG && strstr(error.text, cases[i].key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mints_the_documented_token),
        cmocka_unit_test(takes_the_token_of_any_key_for_its_campaign_only),
        cmocka_unit_test(knows_campaign_names),
        cmocka_unit_test(cuts_entries_of_campaigns_in_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
