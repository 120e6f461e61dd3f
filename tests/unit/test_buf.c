#include "common/buf.h"

#include "cases.h"

#include <string.h>

static void grows_and_keeps_a_nul_behind(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100000);
    assert_null(buf.data);
    for (int i = 0; i < 10000; i++)
        assert_true(buf_printf(&buf, "%d,", i % 10));
    assert_int_equal(buf.len, 20000);
    assert_int_equal(strlen(buf.data), 20000);
    buf_reset(&buf);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, "");
    buf_clear(&buf);
    assert_true(buf_append_text(&buf, "again"));
    assert_string_equal(buf.data, "again");
    buf_clear(&buf);
}

static void refuses_what_does_not_fit_and_keeps_the_rest(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    assert_true(buf_append(&buf, "abcde", 5));
    assert_false(buf.overflow);
    assert_false(buf_append(&buf, "f", 1));
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "abcde");
    assert_false(buf_printf(&buf, "%d", 1));
    buf_reset(&buf);
    assert_false(buf.overflow);
    assert_true(buf_append_text(&buf, "abc"));
    assert_false(buf_append_json_string(&buf, "x", 1));
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "abc");
    buf_clear(&buf);

    buf_init(&buf, 0);
    assert_true(buf_append(&buf, NULL, 0));
    assert_false(buf_append(&buf, "x", 1));
    buf_clear(&buf);
}

static void writes_json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t len;
        const char *json;
    } cases[] = {
        {"empty", "", 0, "\"\""},
        {"plain", "abc", 3, "\"abc\""},
        {"plain characters around others", "ab\"cd\nef\xc3\xa9gh", 12, "\"ab\\\"cd\\nef\xc3\xa9gh\""},
        {"the first and the last plain character", " ~", 2, "\" ~\""},
        {"quote and backslash", "a\"\\", 3, "\"a\\\"\\\\\""},
        {"short escapes", "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"NUL and other controls", "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\""},
        {"UTF-8 stays", "\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"broken UTF-8 is replaced", "a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf;
        buf_init(&buf, 1000);
        CHECK_CASE(cases[i].name, buf_append_json_string(&buf, cases[i].text, cases[i].len));
        CHECK_CASE(cases[i].name, strcmp(buf.data, cases[i].json) == 0);
        buf_clear(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_a_nul_behind),
        cmocka_unit_test(refuses_what_does_not_fit_and_keeps_the_rest),
        cmocka_unit_test(writes_json_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
