#include "tools/callback_url.h"

#include "cases.h"

#include <string.h>

#define TOKEN_OF_A "85cb1a08eb8b3a6b78bcbcc45f6f65bd272330e66418f897dcf512aa2f511d8a"

static void builds_the_url_of_a_route(void **state)
{
    (void)state;
    static const struct {
        const char *name, *base, *campaign;
        bool path_token;
        const char *url; /* NULL: refused */
    } cases[] = {
        {"a campaign", "https://h.example", "a", false, "https://h.example/callbacks/dropcowboy/a?token=" TOKEN_OF_A},
        {"the token in the path", "https://h.example", "a", true,
         "https://h.example/callbacks/dropcowboy/a/t/" TOKEN_OF_A},
        {"a port", "http://127.0.0.1:8080", "a", false,
         "http://127.0.0.1:8080/callbacks/dropcowboy/a?token=" TOKEN_OF_A},
        {"slashes at the end", "http://h//", "a", false, "http://h/callbacks/dropcowboy/a?token=" TOKEN_OF_A},
        {"a path of a proxy", "http://h/hooks/", "a", false, "http://h/hooks/callbacks/dropcowboy/a?token=" TOKEN_OF_A},
        {"the token in the path without a campaign", "http://h", NULL, true, NULL},
        {"a campaign with a slash", "http://h", "a/b", false, NULL},
        {"an empty campaign", "http://h", "", false, NULL},
        {"two dots", "http://h", "..", false, NULL},
        {"another scheme", "ftp://h", "a", false, NULL},
        {"no scheme", "h.example", "a", false, NULL},
        {"a query", "http://h/?x=1", "a", false, NULL},
        {"a password", "http://u:p@h", "a", false, NULL},
        {"no host", "http://", "a", false, NULL},
    };
    struct hmac_key *key = hmac_key_new(bytes_of_text("abc"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf url;
        struct error error = {.code = ERROR_NONE};
        buf_init(&url, 1000);
        const bool ok = callback_url_build(cases[i].base, cases[i].campaign, cases[i].path_token, key, &url, &error);
        CHECK_CASE(cases[i].name, ok == (cases[i].url != NULL));
        CHECK_CASE(cases[i].name, ok ? strcmp(url.data, cases[i].url) == 0 : error.code == ERROR_USAGE);
        buf_clear(&url);
    }
    hmac_key_free(key);
}

static void leaves_the_campaign_out(void **state)
{
    (void)state;
    struct hmac_key *key = hmac_key_new(bytes_of_text("abc"));
    struct buf url;
    struct error error;
    buf_init(&url, 1000);
    assert_true(callback_url_build("http://h", NULL, false, key, &url, &error));
    assert_int_equal(strncmp(url.data, "http://h/callbacks/dropcowboy?token=", 36), 0);
    assert_int_equal(url.len, 36 + 64);
    buf_clear(&url);
    hmac_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_url_of_a_route),
        cmocka_unit_test(leaves_the_campaign_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
