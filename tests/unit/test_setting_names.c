/* One --config file may serve all programs, so each must know the names that the others read. */
#include "cases.h"
#include "common/settings.h"

static void a_name_is_known_if_any_program_reads_it(void **state)
{
    static const struct {
        const char *name;
        bool known;
    } cases[] = {
        {"LISTEN", true},
        {"PREFETCH", true},
        {"WEBHOOK_SECRET", true},
        {"LOG_LEVEL", true},
        {"WEBHOOK_SECRET_FILE", true},
        {"REDIS_SENTINEL_PASSWORD_FILE", true},
        {"PREFETCH_FILE", false},
        {"PREFETCHES", false},
        {"PREFETC", false},
        {"prefetch", false},
        {"_FILE", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, setting_of_any_program(cases[i].name) == cases[i].known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_known_if_any_program_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
