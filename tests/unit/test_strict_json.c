#include "common/strict_json.h"

#include "cases.h"
#include "common/limits.h"

#include <string.h>

#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *name, *text;
    size_t len;
    enum json_verdict verdict;
} cases[] = {
    {"an empty object", TEXT("{}"), JSON_OK},
    {"white space around everything", TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n"), JSON_OK},
    {"every kind of value", TEXT("{\"a\":[true,false,null,\"s\",1,{},[]]}"), JSON_OK},
    {"every form of number", TEXT("{\"a\":[0,-0,10,1.5,-1.25,1e5,1E5,1e+5,1e-5,0e0,0.0,1.5E+10]}"), JSON_OK},
    {"a number past a double's range", TEXT("{\"a\":1e999,\"b\":-1e999,\"c\":1e-999}"), JSON_OK},
    {"an integer past 64 bits", TEXT("{\"a\":123456789012345678901234567890}"), JSON_OK},
    {"every escape", TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"}"), JSON_OK},
    {"an escaped NUL", TEXT("{\"a\":\"\\u0000\"}"), JSON_OK},
    {"a lone high surrogate", TEXT("{\"a\":\"\\ud800\"}"), JSON_OK},
    {"a lone low surrogate", TEXT("{\"a\":\"\\udc00x\"}"), JSON_OK},
    {"duplicate keys", TEXT("{\"a\":1,\"a\":2}"), JSON_OK},
    {"an empty key", TEXT("{\"\":1}"), JSON_OK},
    {"UTF-8 of two, three and four bytes", TEXT("{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\"}"), JSON_OK},
    {"DEL in a string", TEXT("{\"a\":\"\x7f\"}"), JSON_OK},
    {"a byte order mark in front", TEXT("\xef\xbb\xbf{}"), JSON_OK},
    {"a byte order mark and white space in front", TEXT("\xef\xbb\xbf\r\n {\"a\":1}"), JSON_OK},
    {"a byte order mark in a string", TEXT("{\"a\":\"\xef\xbb\xbf\"}"), JSON_OK},

    {"nothing", TEXT(""), JSON_EMPTY},
    {"white space only", TEXT(" \r\n\t"), JSON_EMPTY},
    {"a byte order mark only", TEXT("\xef\xbb\xbf"), JSON_EMPTY},

    {"an array", TEXT("[{}]"), JSON_NOT_OBJECT},
    {"a string", TEXT("\"a\""), JSON_NOT_OBJECT},
    {"a number", TEXT(" 12 "), JSON_NOT_OBJECT},
    {"null", TEXT("null"), JSON_NOT_OBJECT},

    {"a second object", TEXT("{} {}"), JSON_TRAILING},
    {"a brace too many", TEXT("{}}"), JSON_TRAILING},
    {"a NUL behind", TEXT("{}\0"), JSON_TRAILING},
    {"a comment behind", TEXT("{} // x"), JSON_TRAILING},
    {"something behind an array", TEXT("[1] 2"), JSON_TRAILING},

    {"a NUL in front", TEXT("\0{}"), JSON_MALFORMED},
    {"two byte order marks", TEXT("\xef\xbb\xbf\xef\xbb\xbf{}"), JSON_MALFORMED},
    {"a byte order mark behind a space", TEXT(" \xef\xbb\xbf{}"), JSON_MALFORMED},
    {"a byte order mark of UTF-16", TEXT("\xfe\xff{}"), JSON_NOT_UTF8},
    {"a form feed as white space", TEXT("{\f}"), JSON_MALFORMED},
    {"a vertical tab as white space", TEXT("{\v}"), JSON_MALFORMED},
    {"a no-break space as white space", TEXT("{\xc2\xa0}"), JSON_MALFORMED},
    {"NaN", TEXT("{\"a\":NaN}"), JSON_MALFORMED},
    {"Infinity", TEXT("{\"a\":Infinity}"), JSON_MALFORMED},
    {"-Infinity", TEXT("{\"a\":-Infinity}"), JSON_MALFORMED},
    {"True", TEXT("{\"a\":True}"), JSON_MALFORMED},
    {"NULL", TEXT("{\"a\":NULL}"), JSON_MALFORMED},
    {"tru", TEXT("{\"a\":tru}"), JSON_MALFORMED},
    {"truee", TEXT("{\"a\":truee}"), JSON_MALFORMED},
    {"a leading zero", TEXT("{\"a\":01}"), JSON_MALFORMED},
    {"a negative leading zero", TEXT("{\"a\":-01}"), JSON_MALFORMED},
    {"a plus sign", TEXT("{\"a\":+1}"), JSON_MALFORMED},
    {"no digit before the point", TEXT("{\"a\":.5}"), JSON_MALFORMED},
    {"no digit behind the point", TEXT("{\"a\":1.}"), JSON_MALFORMED},
    {"no digit in the exponent", TEXT("{\"a\":1e}"), JSON_MALFORMED},
    {"a sign alone in the exponent", TEXT("{\"a\":1e+}"), JSON_MALFORMED},
    {"a minus alone", TEXT("{\"a\":-}"), JSON_MALFORMED},
    {"hexadecimal", TEXT("{\"a\":0x10}"), JSON_MALFORMED},
    {"a comment", TEXT("{/* x */}"), JSON_MALFORMED},
    {"single quotes", TEXT("{'a':1}"), JSON_MALFORMED},
    {"a key without quotes", TEXT("{a:1}"), JSON_MALFORMED},
    {"a number as key", TEXT("{1:1}"), JSON_MALFORMED},
    {"a comma at the end of an object", TEXT("{\"a\":1,}"), JSON_MALFORMED},
    {"a comma at the end of an array", TEXT("{\"a\":[1,]}"), JSON_MALFORMED},
    {"a comma alone", TEXT("{,}"), JSON_MALFORMED},
    {"two commas", TEXT("{\"a\":1,,\"b\":2}"), JSON_MALFORMED},
    {"no comma", TEXT("{\"a\":1 \"b\":2}"), JSON_MALFORMED},
    {"no colon", TEXT("{\"a\" 1}"), JSON_MALFORMED},
    {"no value", TEXT("{\"a\":}"), JSON_MALFORMED},
    {"a colon in an array", TEXT("{\"a\":[1:2]}"), JSON_MALFORMED},
    {"the wrong bracket", TEXT("{\"a\":[1}}"), JSON_MALFORMED},
    {"the wrong brace", TEXT("{\"a\":{]}"), JSON_MALFORMED},
    {"a tab in a string", TEXT("{\"a\":\"\t\"}"), JSON_MALFORMED},
    {"a newline in a string", TEXT("{\"a\":\"\n\"}"), JSON_MALFORMED},
    {"a NUL in a string", TEXT("{\"a\":\"\0\"}"), JSON_MALFORMED},
    {"an unknown escape", TEXT("{\"a\":\"\\x41\"}"), JSON_MALFORMED},
    {"a NUL as escape", TEXT("{\"a\":\"\\\0\"}"), JSON_MALFORMED},
    {"an escaped apostrophe", TEXT("{\"a\":\"\\'\"}"), JSON_MALFORMED},
    {"a \\u of three digits", TEXT("{\"a\":\"\\u00e\"}"), JSON_MALFORMED},
    {"a \\U", TEXT("{\"a\":\"\\U00e9\"}"), JSON_MALFORMED},
    {"cut in a string", TEXT("{\"a\":\"b"), JSON_MALFORMED},
    {"cut in an escape", TEXT("{\"a\":\"\\"), JSON_MALFORMED},
    {"cut behind a value", TEXT("{\"a\":1"), JSON_MALFORMED},
    {"cut behind a brace", TEXT("{"), JSON_MALFORMED},
    {"form data", TEXT("a=1&b=2"), JSON_MALFORMED},

    {"a byte that UTF-8 never has", TEXT("{\"a\":\"\xff\"}"), JSON_NOT_UTF8},
    {"a cut character", TEXT("{\"a\":\"\xe2\x82\"}"), JSON_NOT_UTF8},
    {"a surrogate in UTF-8", TEXT("{\"a\":\"\xed\xa0\x80\"}"), JSON_NOT_UTF8},
    {"an overlong character", TEXT("{\"a\":\"\xc0\x80\"}"), JSON_NOT_UTF8},
    {"past U+10FFFF", TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), JSON_NOT_UTF8},
    {"Latin-1 in a key", TEXT("{\"\xe9\":1}"), JSON_NOT_UTF8},
    {"a broken byte outside strings", TEXT("{\xff}"), JSON_NOT_UTF8},
};

/* Of a copy of exactly its length, so that a sanitizer sees a read past the end. */
static enum json_verdict checked(const char *text, size_t len)
{
    uint8_t *copy = test_malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    const enum json_verdict verdict = strict_json_check(bytes_of(copy, len));
    test_free(copy);
    return verdict;
}

static void judges_by_rfc_8259(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, checked(cases[i].text, cases[i].len) == cases[i].verdict);
}

static void allows_32_levels(void **state)
{
    (void)state;
    static const struct {
        const char *name, *open, *close;
        size_t step, levels;
        enum json_verdict verdict;
    } nests[] = {
        {"32 objects", "{\"a\":", "}", 5, LIMIT_JSON_DEPTH, JSON_OK},
        {"33 objects", "{\"a\":", "}", 5, LIMIT_JSON_DEPTH + 1, JSON_TOO_DEEP},
        {"33 arrays", "[", "]", 1, LIMIT_JSON_DEPTH + 1, JSON_TOO_DEEP},
        {"32 arrays are no object", "[", "]", 1, LIMIT_JSON_DEPTH, JSON_NOT_OBJECT},
        {"100,000 arrays", "[", "]", 1, 100000, JSON_TOO_DEEP},
    };
    for (size_t i = 0; i < COUNT(nests); i++) {
        const size_t len = nests[i].levels * (nests[i].step + 1) + 1;
        char *text = test_malloc(len);
        for (size_t level = 0; level < nests[i].levels; level++)
            memcpy(text + level * nests[i].step, nests[i].open, nests[i].step);
        text[nests[i].levels * nests[i].step] = '1';
        memset(text + nests[i].levels * nests[i].step + 1, nests[i].close[0], nests[i].levels);
        CHECK_CASE(nests[i].name, checked(text, len) == nests[i].verdict);
        test_free(text);
    }
}

static void allows_10000_values_of_any_kind(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        size_t values; /* with the object and the array that they stand in */
        enum json_verdict verdict;
    } rows[] = {
        {"10,000 objects", "{},", 10000, JSON_OK},
        {"10,001 objects", "{},", 10001, JSON_TOO_MANY},
        {"10,001 arrays", "[],", 10001, JSON_TOO_MANY},
        {"10,000 numbers", "1,", 10000, JSON_OK},
        {"10,001 numbers", "1,", 10001, JSON_TOO_MANY},
        {"10,001 texts", "\"\",", 10001, JSON_TOO_MANY},
        {"10,001 nulls", "null,", 10001, JSON_TOO_MANY},
        {"what is malformed behind the 10,000th is not looked at", "1,", 20000, JSON_TOO_MANY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const char head[] = "{\"a\":[";
        const size_t step = strlen(rows[i].value), count = rows[i].values - 2;
        const size_t len = sizeof head - 1 + step * count + 1;
        char *text = test_malloc(len);
        memcpy(text, head, sizeof head - 1);
        for (size_t k = 0; k < count; k++)
            memcpy(text + sizeof head - 1 + k * step, rows[i].value, step);
        text[len - 2] = ']'; /* for the last comma */
        text[len - 1] = rows[i].values == 20000 ? '?' : '}';
        CHECK_CASE(rows[i].name, checked(text, len) == rows[i].verdict);
        test_free(text);
    }
}

static void counts_members_and_a_key_given_twice(void **state)
{
    (void)state;
    static const char member[] = "\"a\":1,";
    for (size_t values = 10000; values <= 10001; values++) {
        const size_t len = 1 + (sizeof member - 1) * (values - 1);
        char *text = test_malloc(len);
        text[0] = '{';
        for (size_t k = 0; k + 1 < values; k++)
            memcpy(text + 1 + k * (sizeof member - 1), member, sizeof member - 1);
        text[len - 1] = '}';
        assert_int_equal(checked(text, len), values == 10000 ? JSON_OK : JSON_TOO_MANY);
        test_free(text);
    }
}

static void explains_every_verdict(void **state)
{
    (void)state;
    for (int verdict = JSON_OK; verdict <= JSON_NO_MEMORY; verdict++)
        assert_true(strlen(strict_json_explain((enum json_verdict)verdict)) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_by_rfc_8259),
        cmocka_unit_test(allows_32_levels),
        cmocka_unit_test(allows_10000_values_of_any_kind),
        cmocka_unit_test(counts_members_and_a_key_given_twice),
        cmocka_unit_test(explains_every_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
