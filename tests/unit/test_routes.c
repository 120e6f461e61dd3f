#include "bridge/http/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NAME64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *name;
    const char *method, *path, *query;
    enum response answer;
    enum route route;
    const char *campaign, *token;
    bool repeated;
} cases[] = {
    {"health by GET", "GET", "/health", NULL, RESPONSE_RECEIVED, ROUTE_HEALTH, "", "", false},
    {"health by HEAD", "HEAD", "/health", NULL, RESPONSE_RECEIVED, ROUTE_HEALTH, "", "", false},
    {"health takes no POST", "POST", "/health", NULL, RESPONSE_METHOD_NOT_ALLOWED, ROUTE_HEALTH, "", "", false},
    {"the webhook route", "POST", "/webhooks/dropcowboy", NULL, RESPONSE_RECEIVED, ROUTE_WEBHOOK, "", "", false},
    {"the short webhook route", "POST", "/webhook", "a=b", RESPONSE_RECEIVED, ROUTE_WEBHOOK, "", "", false},
    {"a webhook takes no GET", "GET", "/webhook", NULL, RESPONSE_METHOD_NOT_ALLOWED, ROUTE_WEBHOOK, "", "", false},
    {"methods are compared exactly", "post", "/webhook", NULL, RESPONSE_METHOD_NOT_ALLOWED, ROUTE_WEBHOOK, "", "", false},
    {"health by the name of the admin port", "GET", "/healthz", NULL, RESPONSE_RECEIVED, ROUTE_HEALTH, "", "", false},
    {"a slash at the end is none", "POST", "/webhook/", NULL, RESPONSE_RECEIVED, ROUTE_WEBHOOK, "", "", false},
    {"slashes at the end are none", "POST", "/webhooks/dropcowboy//", NULL, RESPONSE_RECEIVED, ROUTE_WEBHOOK, "", "", false},
    {"doubled slashes in front are one", "POST", "//webhooks/dropcowboy", NULL, RESPONSE_RECEIVED, ROUTE_WEBHOOK, "", "",
     false},
    {"doubled slashes in between are one", "POST", "/webhooks///dropcowboy", NULL, RESPONSE_RECEIVED, ROUTE_WEBHOOK, "",
     "", false},
    {"an encoded slash at the end is one of the name", "POST", "/webhook%2F", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "",
     false},
    {"an encoded slash in between is one of the name", "POST", "/webhooks%2Fdropcowboy", NULL, RESPONSE_NOT_FOUND,
     ROUTE_NONE, "", "", false},
    {"half a route", "POST", "/webhooks", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"the short route with the long one's name", "POST", "/webhook/dropcowboy", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "",
     "", false},
    {"a path without its first slash", "POST", "webhook", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"the whole server", "OPTIONS", "*", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"paths are compared exactly", "POST", "/Webhook", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"the fixed part is not decoded", "POST", "/web%68ook", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"the empty path", "POST", "", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"the root", "GET", "/", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"slashes alone", "POST", "///", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"a callback", "POST", "/callbacks/dropcowboy", "token=ab", RESPONSE_RECEIVED, ROUTE_CALLBACK, "", "ab", false},
    {"a callback without a token", "POST", "/callbacks/dropcowboy", NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK, "", "",
     false},
    {"other parameters are ignored", "POST", "/callbacks/dropcowboy", "a=1&token=ab&xtoken=c&Token=d", RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "", "ab", false},
    {"a token given twice", "POST", "/callbacks/dropcowboy", "token=ab&token=ab", RESPONSE_RECEIVED, ROUTE_CALLBACK, "",
     "ab", true},
    {"an empty token", "POST", "/callbacks/dropcowboy", "token=", RESPONSE_RECEIVED, ROUTE_CALLBACK, "", "", false},
    {"an empty token before another", "POST", "/callbacks/dropcowboy", "token=&token=ab", RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "", "ab", true},
    {"stray ampersands", "POST", "/callbacks/dropcowboy", "&&token=ab&", RESPONSE_RECEIVED, ROUTE_CALLBACK, "", "ab",
     false},
    {"a callback takes no PUT", "PUT", "/callbacks/dropcowboy/a", NULL, RESPONSE_METHOD_NOT_ALLOWED, ROUTE_CALLBACK, "",
     "", false},
    {"a longer word is another path", "POST", "/callbacks/dropcowboyx", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "",
     false},
    {"a callback with a slash at the end names no campaign", "POST", "/callbacks/dropcowboy/", "token=ab", RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "", "ab", false},
    {"a campaign between doubled slashes", "POST", "/callbacks//dropcowboy//spring/", "token=ab", RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "spring", "ab", false},
    {"a token between doubled slashes", "POST", "//callbacks/dropcowboy/spring//t//ab/", NULL, RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "spring", "ab", false},
    {"an encoded slash behind a campaign", "POST", "/callbacks/dropcowboy/spring%2F", "token=ab", RESPONSE_INVALID_CAMPAIGN,
     ROUTE_CALLBACK, "", "", false},
    {"an encoded slash in a token", "POST", "/callbacks/dropcowboy/spring/t/a%2Fb", NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK,
     "spring", "a%2Fb", false},
    {"a campaign", "POST", "/callbacks/dropcowboy/spring", "token=ab", RESPONSE_RECEIVED, ROUTE_CALLBACK, "spring", "ab",
     false},
    {"a campaign is decoded", "POST", "/callbacks/dropcowboy/%73pring%2D1", NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK,
     "spring-1", "", false},
    {"an encoded slash makes no segment", "POST", "/callbacks/dropcowboy/a%2Fb", NULL, RESPONSE_INVALID_CAMPAIGN,
     ROUTE_CALLBACK, "", "", false},
    {"a broken escape", "POST", "/callbacks/dropcowboy/a%2", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "", "",
     false},
    {"an encoded NUL", "POST", "/callbacks/dropcowboy/a%00", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "", "",
     false},
    {"a dot", "POST", "/callbacks/dropcowboy/.", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "", "", false},
    {"two dots, encoded", "POST", "/callbacks/dropcowboy/%2e%2E", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "", "",
     false},
    {"a space in a campaign", "POST", "/callbacks/dropcowboy/a+b", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "",
     "", false},
    {"64 characters", "POST", "/callbacks/dropcowboy/" NAME64, NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK, NAME64, "",
     false},
    {"65 characters", "POST", "/callbacks/dropcowboy/" NAME64 "x", NULL, RESPONSE_INVALID_CAMPAIGN, ROUTE_CALLBACK, "",
     "", false},
    {"the token in the path", "POST", "/callbacks/dropcowboy/spring/t/ab", NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK,
     "spring", "ab", false},
    {"a token in the path and in the query", "POST", "/callbacks/dropcowboy/spring/t/ab", "token=ab", RESPONSE_RECEIVED,
     ROUTE_CALLBACK, "spring", "ab", true},
    {"a campaign named t", "POST", "/callbacks/dropcowboy/t", NULL, RESPONSE_RECEIVED, ROUTE_CALLBACK, "t", "", false},
    {"no token after t", "POST", "/callbacks/dropcowboy/spring/t", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
    {"an empty token after t", "POST", "/callbacks/dropcowboy/spring/t/", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "",
     false},
    {"a segment too many", "POST", "/callbacks/dropcowboy/spring/t/ab/c", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "",
     false},
    {"another word than t", "POST", "/callbacks/dropcowboy/spring/u/ab", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "",
     false},
    {"an empty campaign", "POST", "/callbacks/dropcowboy//t/ab", NULL, RESPONSE_NOT_FOUND, ROUTE_NONE, "", "", false},
};

static void routes_are_matched(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_match match;
        const enum response answer = routes_match(cases[i].method, cases[i].path, cases[i].query, &match);

        if (answer != cases[i].answer || match.route != cases[i].route)
            fail_msg("%s: answer %d, route %d", cases[i].name, (int)answer, (int)match.route);
        if (answer != RESPONSE_RECEIVED)
            continue;
        assert_string_equal(match.campaign, cases[i].campaign);
        if (!bytes_equal(match.token, bytes_of_text(cases[i].token)) || match.token_repeated != cases[i].repeated)
            fail_msg("%s: another token", cases[i].name);
    }
}

static void allow_names_the_methods(void **state)
{
    (void)state;
    assert_string_equal(routes_allow(ROUTE_HEALTH), "GET, HEAD");
    assert_string_equal(routes_allow(ROUTE_WEBHOOK), "POST");
    assert_string_equal(routes_allow(ROUTE_CALLBACK), "POST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(routes_are_matched), cmocka_unit_test(allow_names_the_methods)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
