#include "common/hex.h"

#include "cases.h"

#include <string.h>

static void encodes_in_lower_case(void **state)
{
    (void)state;
    const uint8_t data[] = {0x00, 0x0f, 0xa5, 0xff};
    char text[9];
    hex_encode(data, sizeof data, text);
    assert_string_equal(text, "000fa5ff");
    hex_encode(data, 0, text);
    assert_string_equal(text, "");
}

static void decodes_exactly_the_length_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool ok;
        uint8_t first;
    } cases[] = {
        {"lower case", "a5ff", true, 0xa5},           {"upper case", "A5FF", true, 0xa5},
        {"mixed case", "aF00", true, 0xaf},           {"one digit short", "a5f", false, 0},
        {"one digit more", "a5ff0", false, 0},        {"one byte more", "a5ff00", false, 0},
        {"one byte short", "a5", false, 0},           {"nothing", "", false, 0},
        {"a letter past f", "a5fg", false, 0},        {"a space", "a5 f", false, 0},
        {"a 0x in front", "0xa5", false, 0},          {"a sign", "+5ff", false, 0},
        {"high bytes", "\xc3\xa5\xff\xff", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t out[2] = {0x11, 0x22};
        CHECK_CASE(cases[i].name, hex_decode(cases[i].text, strlen(cases[i].text), out, 2) == cases[i].ok);
        CHECK_CASE(cases[i].name, out[0] == (cases[i].ok ? cases[i].first : 0x11));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_in_lower_case),
        cmocka_unit_test(decodes_exactly_the_length_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
