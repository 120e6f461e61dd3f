#include "common/bytes.h"

#include "cases.h"

static void compares_by_bytes_a_prefix_first(void **state)
{
    (void)state;
    static const struct {
        const char *name, *a, *b;
        int sign;
    } cases[] = {
        {"equal", "abc", "abc", 0},        {"both empty", "", "", 0},        {"empty before anything", "", "a", -1},
        {"prefix first", "ab", "abc", -1}, {"longer after", "abc", "ab", 1}, {"high bytes after ASCII", "\xc3", "z", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int order = bytes_compare(bytes_of_text(cases[i].a), bytes_of_text(cases[i].b));
        CHECK_CASE(cases[i].name, (order > 0) - (order < 0) == cases[i].sign);
        CHECK_CASE(cases[i].name, bytes_equal(bytes_of_text(cases[i].a), bytes_of_text(cases[i].b)) == (order == 0));
    }
    assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_of(NULL, 0)), 0);
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of_text("")));
}

static void knows_utf8_by_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t len;
    } cases[] = {
        {"ASCII", "a", 1},
        {"two bytes", "\xc2\x80", 2},
        {"three bytes", "\xe0\xa0\x80", 3},
        {"four bytes", "\xf0\x90\x80\x80", 4},
        {"the last character", "\xf4\x8f\xbf\xbf", 4},
        {"past the last character", "\xf4\x90\x80\x80", 0},
        {"overlong slash in two", "\xc0\xaf", 0},
        {"overlong in three", "\xe0\x9f\xbf", 0},
        {"overlong in four", "\xf0\x8f\xbf\xbf", 0},
        {"a surrogate", "\xed\xa0\x80", 0},
        {"just before the surrogates", "\xed\x9f\xbf", 3},
        {"a continuation alone", "\x80", 0},
        {"a lead alone", "\xc3", 0},
        {"cut in the middle", "\xe2\x82", 0},
        {"a lead and a letter", "\xe2\x82x", 0},
        {"0xf5", "\xf5\x80\x80\x80", 0},
        {"nothing", "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, bytes_utf8_character(bytes_of_text(cases[i].text)) == cases[i].len);
}

static void cuts_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t limit, len;
    } cases[] = {
        {"short enough", "abc", 5, 3},
        {"exactly", "abc", 3, 3},
        {"ASCII", "abc", 2, 2},
        {"to nothing", "abc", 0, 0},
        {"inside a character of two", "a\xc3\xa9z", 2, 1},
        {"behind a character of two", "a\xc3\xa9z", 3, 3},
        {"after the first of three", "\xe2\x82\xacz", 1, 0},
        {"after the second of three", "\xe2\x82\xacz", 2, 0},
        {"after the third of four", "a\xf0\x9f\x98\x80z", 4, 1},
        {"broken text is cut anywhere", "\x80\x80\x80\x80\x80", 3, 3},
        {"a cut end within the limit stays", "ab\xe2\x82", 4, 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, bytes_utf8_prefix(bytes_of_text(cases[i].text), cases[i].limit) == cases[i].len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_by_bytes_a_prefix_first),
        cmocka_unit_test(knows_utf8_by_rfc_3629),
        cmocka_unit_test(cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
