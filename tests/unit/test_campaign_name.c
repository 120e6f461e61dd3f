/* Names of campaigns from ids as they stand in bodies. */
#include "common/drops/campaign_name.h"

#include "cases.h"

#include <string.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void campaign_names_from_bodies(void **state)
{
    static const struct {
        const char *id;
        const char *name;
    } cases[] = {
        {"spring", "spring"},
        {"Spring-2026_v1.0", "Spring-2026_v1.0"},
        {"spring sale", "spring%20sale"},
        {"a/b", "a%2Fb"},
        {"fr\xc3\xbchling", "fr%C3%BChling"},
        {"50%", "50%25"},
        {"{x}", "%7Bx%7D"},
        {".", "%2E"},
        {"..", "%2E%2E"},
        {"...", "..."},
        {A64, A64},
        /* the first half of sha256 of 65 times "a", from coreutils */
        {A64 "a", "635361c48bb9eab14198e76ea8ab7f1a"},
        {"\x01\n", "%01%0A"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[LIMIT_CAMPAIGN + 1];
        assert_true(campaign_of_id(bytes_of_text(cases[i].id), name));
        assert_string_equal(name, cases[i].name);
    }
    char name[LIMIT_CAMPAIGN + 1];
    assert_true(campaign_of_id(bytes_of("a\0b", 3), name));
    assert_string_equal(name, "a%00b");
    char spaces[22];
    memset(spaces, ' ', sizeof spaces);
    assert_true(campaign_of_id(bytes_of(spaces, 21), name));
    assert_int_equal(strlen(name), 63);
    assert_true(campaign_of_id(bytes_of(spaces, 22), name)); /* 66 when encoded */
    assert_int_equal(strlen(name), 32);
    assert_int_equal(strspn(name, "0123456789abcdef"), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(campaign_names_from_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
