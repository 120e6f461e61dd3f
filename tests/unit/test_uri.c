#include "common/uri.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static void takes_service_urls_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *scheme, *user, *password, *host;
        uint16_t port;
        const char *path; /* NULL: none */
    } cases[] = {
        {"everything", "amqp://u:p@h.example:5672/v", "amqp", "u", "p", "h.example", 5672, "v"},
        {"host alone", "amqp://h", "amqp", "", "", "h", 0, NULL},
        {"an empty path", "amqp://h/", "amqp", "", "", "h", 0, ""},
        {"an encoded slash as path", "amqp://h/%2f", "amqp", "", "", "h", 0, "/"},
        {"escapes in user and password", "amqp://a%40b:c%3A%2F%25@h", "amqp", "a@b", "c:/%", "h", 0, NULL},
        {"a colon in the password", "redis://:a:b@h", "redis", "", "a:b", "h", 0, NULL},
        {"an empty password", "redis://u:@h", "redis", "u", "", "h", 0, NULL},
        {"an IPv6 address", "redis://[::1]:6379/0", "redis", "", "", "::1", 6379, "0"},
        {"the scheme in upper case", "AMQP://h", "amqp", "", "", "h", 0, NULL},
        {"a scheme with a dash", "redis-sentinel://h", "redis-sentinel", "", "", "h", 0, NULL},
        {"the greatest port", "amqp://h:65535", "amqp", "", "", "h", 65535, NULL},
        {"a longer path", "https://h/a/b", "https", "", "", "h", 0, "a/b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct uri uri;
        struct error error = {.text = ""};
        const char *name = cases[i].name;
        CHECK_CASE(name, uri_parse(cases[i].text, &uri, &error));
        CHECK_CASE(name, strcmp(uri.scheme, cases[i].scheme) == 0);
        CHECK_CASE(name, strcmp(uri.user, cases[i].user) == 0);
        CHECK_CASE(name, strcmp(uri.password, cases[i].password) == 0);
        CHECK_CASE(name, strcmp(uri.host, cases[i].host) == 0);
        CHECK_CASE(name, uri.port == cases[i].port);
        CHECK_CASE(name, uri.has_path == (cases[i].path != NULL));
        CHECK_CASE(name, strcmp(uri.path, cases[i].path ? cases[i].path : "") == 0);
    }
}

static void refuses_what_is_no_service_url(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"nothing", ""},
        {"no scheme", "h:5672"},
        {"an empty scheme", "://h"},
        {"a scheme that begins with a digit", "1x://h"},
        {"one slash", "amqp:/h"},
        {"no host", "amqp://"},
        {"no host before the port", "amqp://:5672"},
        {"no host after the user", "amqp://u:p@/v"},
        {"port 0", "amqp://h:0"},
        {"port 65536", "amqp://h:65536"},
        {"an empty port", "amqp://h:"},
        {"letters in the port", "amqp://h:56x"},
        {"a signed port", "amqp://h:+5"},
        {"a long port", "amqp://h:0000005672"},
        {"a query", "amqp://h/v?heartbeat=5"},
        {"a query without a path", "amqp://h?x"},
        {"a fragment", "amqp://h/v#x"},
        {"an open bracket", "amqp://[::1"},
        {"something behind the bracket", "amqp://[::1]x:5672"},
        {"an IPv6 address without brackets", "amqp://::1"},
        {"a malformed escape", "amqp://u%4@h"},
        {"an escaped NUL", "amqp://u%00@h"},
        {"two @", "amqp://SECRET@x@h"},
        {"a slash in the password", "amqp://u:SECRET/x@h"},
        {"a slash in a password after digits", "amqp://u:12/SECRET@h"},
        {"white space", "amqp://h /v"},
        {"a newline", "amqp://h/v\n"},
        {"an escape in the host", "amqp://h%41"},
        {"letters past ASCII in the host", "amqp://h\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct uri uri = {.scheme = "untouched"};
        struct error error = {.code = ERROR_NONE};
        CHECK_CASE(cases[i].name, !uri_parse(cases[i].text, &uri, &error));
        CHECK_CASE(cases[i].name, error.code == ERROR_CONFIG);
        CHECK_CASE(cases[i].name, strcmp(uri.scheme, "untouched") == 0);
        CHECK_CASE(cases[i].name, strstr(error.text, "SECRET") == NULL);
    }
}

static void refuses_parts_that_are_too_long(void **state)
{
    (void)state;
    static const char *const shapes[] = {"amqp://%s", "amqp://%s@h", "amqp://u:%s@h", "amqp://h/%s", "%s://h"};
    char part[URI_PART + 1];
    memset(part, 'a', URI_PART);
    part[URI_PART] = '\0';
    for (size_t i = 0; i < COUNT(shapes); i++) {
        char text[URI_PART + 32];
        struct uri uri;
        struct error error;
        const char *slot = strstr(shapes[i], "%s");
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(slot - shapes[i]), shapes[i], part, slot + 2);
        CHECK_CASE(shapes[i], !uri_parse(text, &uri, &error));
    }
}

static void decodes_percent_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        long len;
        const char *out;
    } cases[] = {
        {"plain", "abc", 3, "abc"},
        {"an escape", "a%2Fb", 3, "a/b"},
        {"lower case", "%2f", 1, "/"},
        {"nothing", "", 0, ""},
        {"exactly the room", "1234567", 7, "1234567"},
        {"one too many", "12345678", -1, ""},
        {"cut", "%2", -1, ""},
        {"a percent alone", "%", -1, ""},
        {"no digits", "%zz", -1, ""},
        {"a NUL", "%00", -1, ""},
        {"once only", "%2541", 3, "%41"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[8];
        CHECK_CASE(cases[i].name, uri_percent_decode(bytes_of_text(cases[i].text), out, sizeof out) == cases[i].len);
        CHECK_CASE(cases[i].name, cases[i].len < 0 || strcmp(out, cases[i].out) == 0);
    }
    assert_int_equal(uri_percent_decode(bytes_of("a\0b", 3), (char[8]){0}, 8), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_service_urls_apart),
        cmocka_unit_test(refuses_what_is_no_service_url),
        cmocka_unit_test(refuses_parts_that_are_too_long),
        cmocka_unit_test(decodes_percent_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
