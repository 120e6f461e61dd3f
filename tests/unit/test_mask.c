#include "common/mask.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static void masks_phone_numbers_in_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *masked;
    } cases[] = {
        {"digits alone", "15552224444", "*********44"},
        {"behind a word", "spring15552224444", "spring*********44"},
        {"between words", "to-555-222-4444-now", "to-***-***-**44-now"},
        {"escaped spaces", "%28555%29%20222%204444", "%28***%29%20***%20**44"},
        {"leading noughts", "000000015552224444", "****************44"},
        {"two of them", "5552224444x5552225555", "********44x********55"},
        {"seven digits", "5552224", "*****24"},
        {"six digits are too few", "spring-2026-03", "spring-2026-03"},
        {"a letter in between", "555a222b4444", "555a222b4444"},
        {"a percent sign at the end", "5552224%", "*****24%"},
        {"half an escape", "5552224%2", "*****24%2"},
        {"nothing", "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i].text);
        mask_digits(text, strlen(text));
        CHECK_CASE(cases[i].name, strcmp(text, cases[i].masked) == 0);
    }
}

static void keeps_to_the_length(void **state)
{
    (void)state;
    char text[] = "5552224444 5552224444";
    mask_digits(text, 10);
    assert_string_equal(text, "********44 5552224444");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_phone_numbers_in_names),
        cmocka_unit_test(keeps_to_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
