/* One --config file may serve all programs, so each must know the names that the others read. */
#include "bridge/bridge_config.h"
#include "cases.h"
#include "tools/tool_config.h"
#include "workers/worker_config.h"

#include <stdio.h>
#include <string.h>

/* Every name at the start of a line of a help text; returns how many there are. */
static size_t check_names(const char *help)
{
    size_t found = 0;
    for (const char *line = help; line && *line; line = strchr(line, '\n')) {
        char name[64];
        line += *line == '\n';
        if (sscanf(line, "  %63[A-Z_]", name) != 1)
            continue;
        CHECK_CASE(name, config_name_of_any_program(name));
        found++;
    }
    return found;
}

static void every_name_of_the_bridge_is_known_to_all(void **state)
{
    (void)state;
    struct buf help;
    buf_init(&help, 100000);
    bridge_config_help(&help);
    assert_true(check_names(help.data) > 20);
    buf_clear(&help);
}

static void every_name_of_the_worker_is_known_to_all(void **state)
{
    (void)state;
    struct buf help;
    buf_init(&help, 100000);
    worker_config_print_help(&help);
    assert_true(check_names(help.data) > 15);
    buf_clear(&help);
}

static void every_name_of_dropctl_is_known_to_all(void **state)
{
    (void)state;
    size_t count;
    const struct setting *rows = tool_settings(&count);
    assert_true(count > 5);
    for (size_t i = 0; i < count; i++)
        CHECK_CASE(rows[i].name, config_name_of_any_program(rows[i].name));
}

static void other_names_are_unknown(void **state)
{
    (void)state;
    assert_false(config_name_of_any_program("PREFETCHES"));
    assert_false(config_name_of_any_program(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_the_bridge_is_known_to_all),
        cmocka_unit_test(every_name_of_the_worker_is_known_to_all),
        cmocka_unit_test(every_name_of_dropctl_is_known_to_all),
        cmocka_unit_test(other_names_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
