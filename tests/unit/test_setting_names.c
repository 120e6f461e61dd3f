/* One --config file may serve all programs, so each must know the names that the others read. */
#include "cases.h"
#include "common/setting_names.h"
#include "common/settings.h"

#include <string.h>

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

/* Else a program would take another one's setting in its environment for a slip of the pen. */
static void no_name_is_a_typo_of_another(void **state)
{
    static const struct setting rows[] = {
#define SETTING(bridge, worker, ctl, name_, ...) {.name = #name_},
#include "common/settings.def"
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setting others[COUNT(rows)];
        char nearest[SETTING_NAME_SIZE];
        size_t count = 0;
        for (size_t j = 0; j < COUNT(rows); j++) {
            if (strcmp(rows[j].name, rows[i].name) != 0)
                others[count++] = rows[j];
        }
        CHECK_CASE(rows[i].name, setting_name_nearest(others, count, rows[i].name, nearest) > SETTING_TYPO_DISTANCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_known_if_any_program_reads_it),
        cmocka_unit_test(no_name_is_a_typo_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
