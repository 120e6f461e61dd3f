#include "tools/http_client.h"

#include "cases.h"

#include <string.h>

static void refuses_urls_that_cannot_be_posted_to(void **state)
{
    (void)state;
    static const struct {
        const char *name, *url;
        bool ok;
    } cases[] = {
        {"http", "http://127.0.0.1:8080/webhook", true},
        {"https with a name", "https://hooks.example.com/webhook", true},
        {"capitals", "HTTP://h/", true},
        {"a token in the query", "http://h/callbacks/dropcowboy?token=0f", true},
        {"an IPv6 address", "http://[::1]:8080/webhook", true},
        {"no path", "http://h", true},
        {"an open bracket", "http://[HIDDEN", false},
        {"a bracket around no address", "http://[HIDDEN]/", false},
        {"a port past the last", "http://HIDDEN:65536/", false},
        {"a port of letters", "http://h:HIDDEN/", false},
        {"no host", "http://", false},
        {"a space in the host", "http://HIDDEN h/", false},
        {"a newline at the end", "http://h/HIDDEN\n", false},
        {"another scheme", "ftp://h/HIDDEN", false},
        {"no scheme", "h/HIDDEN", false},
        {"a file", "file:///HIDDEN", false},
        {"nothing", "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.code = ERROR_NONE};
        CHECK_CASE(cases[i].name, http_url_check(cases[i].url, &error) == cases[i].ok);
        CHECK_CASE(cases[i].name, (error.code == ERROR_USAGE) != cases[i].ok);
        CHECK_CASE(cases[i].name, cases[i].ok || (error.text[0] != '\0' && !strstr(error.text, "HIDDEN")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refuses_urls_that_cannot_be_posted_to)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
