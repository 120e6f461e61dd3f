#include "common/program.h"

#include "bridge/settings.h"
#include "cases.h"
#include "common/descriptors.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, GOOD = 42 };

static void note_standard_input(void *context, int fd)
{
    if (fd == STDIN_FILENO)
        *(bool *)context = true;
}

/* /proc shows all of a process that is not dumpable as root's. */
static int look(const void *config, struct reread *reread)
{
    char path[4096];
    bool seen = false;

    (void)config;
    (void)reread;
    const bool reads = descriptors_each(note_standard_input, &seen) && readlink("/proc/self/exe", path, sizeof path) > 0;
    return prctl(PR_GET_DUMPABLE) == 0 && reads && seen ? GOOD : EXIT_FAILURE;
}

static int run_program(void)
{
    static char name[] = "dropbridge";
    char *argv[] = {name, NULL};
    struct bridge_settings config;
    struct program program = {.name = name, .help = "", .load = bridge_settings_load, .run = look};

    program.rows = bridge_settings_rows(&program.row_count);
    return program_main(&program, &config, sizeof config, 1, argv);
}

static void runs_where_others_of_its_user_cannot_look_and_finds_its_own_descriptors(void **state)
{
    (void)state;
    int status = 0;

    assert_int_equal(setenv("CALLBACK_AUTH", "off", 1), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* Root finds them anyway. */
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
            _exit(EXIT_FAILURE);
        (void)prctl(PR_SET_DUMPABLE, 1);
        _exit(run_program());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_where_others_of_its_user_cannot_look_and_finds_its_own_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
