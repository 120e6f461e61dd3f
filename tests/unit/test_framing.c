#include "bridge/http/framing.h"

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
    {"no body", "1.1", {"Host", "x"}, true, FRAMING_NO_BODY, 0, false},
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
        struct http_field fields[4];
        struct framing framing = {.length = 77};
        size_t count = 0;

        for (; field_cases[i].fields[2 * count]; count++)
            fields[count] = (struct http_field){field_cases[i].fields[2 * count], field_cases[i].fields[2 * count + 1]};
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

static void the_parser_may_not_have_seen_more(void **state)
{
    struct http_field fields[FRAMING_MAX_FIELDS];
    struct framing framing;

    (void)state;
    for (size_t i = 0; i < FRAMING_MAX_FIELDS; i++)
        fields[i] = (struct http_field){"A", "b"};
    assert_non_null(framing_of_fields("1.1", fields, FRAMING_MAX_FIELDS, &framing));
    assert_null(framing_of_fields("1.1", fields, FRAMING_MAX_FIELDS - 1, &framing));
}

/* Buffers as the parser leaves them: `|` stands for the NULs it wrote, `\r` and `\n` for what it left. The fields are
   found at the given offsets. */
static const struct {
    const char *name;
    const char *buffer;
    bool good;
    size_t count;
    size_t offsets[4]; /* name, value, name, value */
} buffer_cases[] = {
    {"one field", "1.1||A| b||\r|", true, 1, {5, 8}},
    {"two fields", "1.1||A| b||C|\td||\r|", true, 2, {5, 8, 11, 14}},
    {"no space before the value", "1.1||A|b||\r|", true, 1, {5, 7}},
    {"an empty value", "1.1||A|||\r|", true, 1, {5, 7}},
    {"an empty value before another field", "1.1||A|||C|d||\r|", true, 2, {5, 7, 9, 11}},
    {"a space before the colon", "1.1||A|| b||\r|", false, 1, {5, 9}},
    {"a space before the colon, no value", "1.1||A||||\r|", false, 1, {5, 8}},
    {"the request line ends with a bare line feed", "1.1|A| b||\r|", false, 1, {4, 7}},
    {"spaces before the first field", "1.1|||A| b||\r|", false, 1, {6, 9}},
    {"a bare line feed between fields", "1.1||A| b|C| d||\r|", false, 2, {5, 8, 10, 13}},
    {"a bare line feed before the empty line", "1.1||A| b|\r|", false, 1, {5, 8}},
    {"two bare line feeds at the end", "1.1||A| b||{\"a\":1}", false, 1, {5, 8}},
    {"two bare line feeds before a body that begins with CR", "1.1||A| b||\rbody", false, 1, {5, 8}},
    {"an empty line of a bare line feed", "1.1||A| b|||x", false, 1, {5, 8}},
    {"a folded line", "1.1||A| b|| c\r\n\r|", false, 1, {5, 8}},
};

static void buffers_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof buffer_cases / sizeof buffer_cases[0]; i++) {
        char buffer[64] = "";
        struct http_field fields[2];

        const size_t len = strlen(buffer_cases[i].buffer);
        for (size_t k = 0; k < len; k++)
            buffer[k] = buffer_cases[i].buffer[k] == '|' ? '\0' : buffer_cases[i].buffer[k];
        for (size_t k = 0; k < buffer_cases[i].count; k++) {
            fields[k].name = buffer + buffer_cases[i].offsets[2 * k];
            fields[k].value = buffer + buffer_cases[i].offsets[2 * k + 1];
        }
        const char *problem = framing_of_buffer(buffer, fields, buffer_cases[i].count);
        if ((problem == NULL) != buffer_cases[i].good)
            fail_msg("%s: %s", buffer_cases[i].name, problem ? problem : "passed");
    }
    assert_null(framing_of_buffer("1.0", NULL, 0));
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
        cmocka_unit_test(the_parser_may_not_have_seen_more),
        cmocka_unit_test(buffers_are_judged),
        cmocka_unit_test(connections_are_kept_as_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
