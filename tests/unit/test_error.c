#include "common/error.h"

#include "cases.h"

#include <string.h>

static void has_the_exit_status_of_each_code(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum error_code code;
        int status;
    } cases[] = {
        {"no error", ERROR_NONE, 0},         {"usage", ERROR_USAGE, 64},
        {"configuration", ERROR_CONFIG, 78}, {"unavailable", ERROR_UNAVAILABLE, 69},
        {"not yet", ERROR_NOT_YET, 69},      {"refused", ERROR_REFUSED, 69},
        {"newer", ERROR_NEWER, 69},
        {"memory", ERROR_NO_MEMORY, 70},     {"internal", ERROR_INTERNAL, 70},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, error_exit_status(cases[i].code) == cases[i].status);
}

static void is_cut_and_stays_one_line(void **state)
{
    (void)state;
    char longer[ERROR_TEXT * 2];
    struct error error;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    error_set(&error, ERROR_CONFIG, "a\nb\r%s", longer);
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_int_equal(strlen(error.text), ERROR_TEXT - 1);
    assert_memory_equal(error.text, "a b x", 5);
    error_set(NULL, ERROR_CONFIG, "nobody asks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_exit_status_of_each_code),
        cmocka_unit_test(is_cut_and_stays_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
