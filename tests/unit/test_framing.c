#include "tests/parsed_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Field cases: fields as name, value pairs, ended by NULL. */
static const struct {
    const char *name;
    const char *version;
    const char *fields[9];
    bool good;
    enum framing_body body;
    uint64_t length;
    bool expect_continue;
} field_cases[] = {
    {"no body", "1.1", {"A", "x"}, true, FRAMING_NO_BODY, 0, false},
    {"a length", "1.1", {"content-length", "340"}, true, FRAMING_LENGTH, 340, false},
    {"a length of zero is no body", "1.1", {"Content-Length", "0"}, true, FRAMING_NO_BODY, 0, false},
    {"leading zeros", "1.1", {"Content-Length", "0012"}, true, FRAMING_LENGTH, 12, false},
    {"trailing white space", "1.1", {"Content-Length", "12 \t"}, true, FRAMING_LENGTH, 12, false},
    {"chunks", "1.1", {"Transfer-Encoding", "Chunked"}, true, FRAMING_CHUNKED, 0, false},
    {"expect", "1.1", {"Expect", "100-Continue", "Content-Length", "3"}, true, FRAMING_LENGTH, 3, true},
    {"expect without a body", "1.1", {"Expect", "100-continue"}, true, FRAMING_NO_BODY, 0, false},
    {"expect of an old client",
     "1.0",
     {"Expect", "100-continue", "Content-Length", "3"},
     true,
     FRAMING_LENGTH,
     3,
     false},
    {"both", "1.1", {"Content-Length", "3", "Transfer-Encoding", "chunked"}, false, 0, 0, false},
    {"two lengths", "1.1", {"Content-Length", "3", "content-length", "3"}, false, 0, 0, false},
    {"two encodings", "1.1", {"Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"}, false, 0, 0, false},
    {"an empty length", "1.1", {"Content-Length", ""}, false, 0, 0, false},
    {"a length with a letter", "1.1", {"Content-Length", "5x"}, false, 0, 0, false},
    {"a negative length", "1.1", {"Content-Length", "-5"}, false, 0, 0, false},
    {"a length with a plus", "1.1", {"Content-Length", "+5"}, false, 0, 0, false},
    {"a list of lengths", "1.1", {"Content-Length", "5, 5"}, false, 0, 0, false},
    {"a length beyond all", "1.1", {"Content-Length", "99999999999999999999"}, false, 0, 0, false},
    {"gzip", "1.1", {"Transfer-Encoding", "gzip, chunked"}, false, 0, 0, false},
    {"identity", "1.1", {"Transfer-Encoding", "identity"}, false, 0, 0, false},
    {"chunks of an old client", "1.0", {"Transfer-Encoding", "chunked"}, false, 0, 0, false},
    {"two guide signatures", "1.1", {"X-DropCowboy-Signature", "a", "x-dropcowboy-signature", "a"}, false, 0, 0, false},
    {"two v1 signatures", "1.1", {"X-Signature", "a", "X-Signature", "b"}, false, 0, 0, false},
    {"two timestamps", "1.1", {"X-Timestamp", "1", "X-Timestamp", "1"}, false, 0, 0, false},
    {"others may repeat", "1.1", {"Cookie", "1", "Cookie", "2"}, true, FRAMING_NO_BODY, 0, false},
};

static void fields_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof field_cases / sizeof field_cases[0]; i++) {
        struct http_field fields[5];
        struct framing framing = {.length = 77};
        size_t count = 0;

        for (; field_cases[i].fields[2 * count]; count++)
            fields[count] = (struct http_field){field_cases[i].fields[2 * count], field_cases[i].fields[2 * count + 1]};
        fields[count++] = (struct http_field){"Host", "bridge"};
        const char *problem = framing_of_fields(field_cases[i].version, fields, count, &framing);
        if ((problem == NULL) != field_cases[i].good)
            fail_msg("%s: %s", field_cases[i].name, problem ? problem : "passed");
        if (problem) {
            assert_int_equal(framing.length, 77);
        } else if (framing.body != field_cases[i].body || framing.length != field_cases[i].length ||
                   framing.expect_continue != field_cases[i].expect_continue) {
            fail_msg("%s: read as body %d, length %llu", field_cases[i].name, (int)framing.body,
                     (unsigned long long)framing.length);
        }
    }
}

static const struct {
    const char *version;
    size_t hosts;
    bool good;
} host_cases[] = {{"1.1", 0, false}, {"1.1", 1, true}, {"1.1", 2, false}, {"1.0", 0, true}, {"1.0", 1, true}, {"1.0", 2, false}};

static void one_host_is_needed(void **state)
{
    const struct http_field fields[] = {{"Host", ""}, {"host", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof host_cases / sizeof host_cases[0]; i++) {
        struct framing framing;

        if ((framing_of_fields(host_cases[i].version, fields, host_cases[i].hosts, &framing) == NULL) != host_cases[i].good)
            fail_msg("%zu Hosts under HTTP/%s", host_cases[i].hosts, host_cases[i].version);
    }
}

static const struct {
    const char *name;
    const char *text;
    bool good;
} head_cases[] = {
    {"one field", "GET / HTTP/1.1\r\nA: b\r\n\r\n", true},
    {"two fields", "GET / HTTP/1.1\r\nA: b\r\nC:  d\r\n\r\n", true},
    {"no space before the value", "GET / HTTP/1.1\r\nA:b\r\n\r\n", true},
    {"an empty value", "GET / HTTP/1.1\r\nA:\r\n\r\n", true},
    {"an empty value before another field", "GET / HTTP/1.1\r\nA:\r\nC:d\r\n\r\n", true},
    {"a query", "GET /a?b=c HTTP/1.1\r\nA: b\r\n\r\n", true},
    {"no field, as a balancer's check has it", "OPTIONS / HTTP/1.0\r\n\r\n", true},
    {"a body behind it", "GET / HTTP/1.1\r\nA: b\r\n\r\n{}", true},
    {"one empty line before it", "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", true},
    {"two empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"nine empty lines before it", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"two bare line feeds before it", "\n\nGET / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"a bare line feed before it", "\nGET / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"two spaces before it", "  GET / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"two spaces before the target", "GET  / HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"a line's end before the target", "GET \r\n/ HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"two spaces behind the target", "GET /  HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"two spaces behind the query", "GET /?a  HTTP/1.1\r\nA: b\r\n\r\n", false},
    {"a space before the colon", "GET / HTTP/1.1\r\nA : b\r\n\r\n", false},
    {"a space before the colon, no value", "GET / HTTP/1.1\r\nA :\r\n\r\n", false},
    {"a name with a bracket", "GET / HTTP/1.1\r\nA(: b\r\n\r\n", false},
    {"no name", "GET / HTTP/1.1\r\nA: b\r\n: b\r\n\r\n", false},
    {"a request line that ends with a bare line feed", "GET / HTTP/1.1\nA: b\r\n\r\n", false},
    {"spaces before the first field", "GET / HTTP/1.1\r\n A: b\r\n\r\n", false},
    {"spaces and no field", "GET / HTTP/1.0\r\n \r\n\r\n", false},
    {"a bare line feed between fields", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", false},
    {"a bare line feed before the empty line", "GET / HTTP/1.1\r\nA: b\n\r\n\r\n", false},
    {"two bare line feeds at the end", "GET / HTTP/1.1\r\nA: b\n\n{}", false},
    {"no name and bare line feeds at the end", "GET / HTTP/1.1\r\nA: b\n:\n\n", false},
    {"a bare line feed behind the empty line's CR", "GET / HTTP/1.1\r\nA: b\r\n\n", false},
    {"a folded line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", false},
};

static void heads_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof head_cases / sizeof head_cases[0]; i++) {
        struct parsed_head parsed;
        char buffer[128];

        snprintf(buffer, sizeof buffer, "%s", head_cases[i].text);
        if (!parsed_head(buffer, strlen(buffer), &parsed))
            fail_msg("%s: the parser refuses it", head_cases[i].name);
        const char *problem = framing_of_head(&parsed.head);
        if ((problem == NULL) != head_cases[i].good)
            fail_msg("%s: %s", head_cases[i].name, problem ? problem : "passed");
    }
}

static const struct {
    const char *version, *connection;
    bool keeps;
} keep_cases[] = {
    {"1.1", NULL, true},         {"1.0", NULL, false},        {"1.1", "close", false},
    {"1.1", "Keep-Alive", true}, {"1.0", "keep-alive", true}, {"1.1", "TE, keep-alive ", true},
    {"1.1", "TE", false},        {"1.1", "", false},          {"1.1", "keep-alive-not", false},
};

static void connections_are_kept_as_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keep_cases / sizeof keep_cases[0]; i++) {
        const struct http_field field = {"connection", keep_cases[i].connection};

        if (framing_keeps_alive(keep_cases[i].version, &field, keep_cases[i].connection ? 1 : 0) != keep_cases[i].keeps)
            fail_msg("HTTP/%s with Connection: %s", keep_cases[i].version,
                     keep_cases[i].connection ? keep_cases[i].connection : "(none)");
    }
}

static const struct {
    const char *name;
    const char *value; /* NULL: no such field */
    const char *text;  /* NULL: nothing */
} text_cases[] = {
    {"a plain value", "abc", "abc"},
    {"a space behind it", "abc ", "abc"},
    {"tabs and spaces around it", "\t abc \t ", "abc"},
    {"inner spaces stay", "a b ", "a b"},
    {"an empty value", "", NULL},
    {"only white space", " \t", NULL},
    {"no such field", NULL, NULL},
    {"one too long is cut", "abcdefghij", "abcdefg"},
    {"white space past the size", "abc        \t    ", "abc"},
};

static void values_are_trimmed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof text_cases / sizeof text_cases[0]; i++) {
        const struct http_field fields[] = {{"Host", "x"}, {"X-Signature", text_cases[i].value}};
        const size_t count = text_cases[i].value ? 2 : 1;
        char text[8] = "before";

        if (framing_text(fields, count, "x-signature", text, sizeof text) != (text_cases[i].text != NULL) ||
            strcmp(text, text_cases[i].text ? text_cases[i].text : "before") != 0)
            fail_msg("%s: %s", text_cases[i].name, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_judged),
        cmocka_unit_test(values_are_trimmed),
        cmocka_unit_test(one_host_is_needed),
        cmocka_unit_test(heads_are_judged),
        cmocka_unit_test(connections_are_kept_as_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
