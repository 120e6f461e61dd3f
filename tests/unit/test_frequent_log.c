/* What comes often costs one line a second, which tells how often. */
#include "cases.h"
#include "common/log.h"
#include "workers/frequent_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the steps print. "a" and "b" note a remark and a rejection of that text, a digit prints at so many half seconds,
   "!" prints for the last time; "x" and "y" note names, "X" and "Y" the same a minute later. */
static void run(const char *steps, char *out, size_t size)
{
    struct frequent_log log = {0};
    int ends[2];
    const int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    for (const char *step = steps; *step; step++) {
        const char text[] = {*step, '\0'};
        if (*step == 'a')
            frequent_log_note(&log, FREQUENT_REMARK, text);
        else if (*step == 'b')
            frequent_log_note(&log, FREQUENT_REJECTION, text);
        else if (*step == 'x' || *step == 'y')
            frequent_log_name(&log, text, 0);
        else if (*step == 'X' || *step == 'Y')
            frequent_log_name(&log, *step == 'X' ? "x" : "y", LOG_LIMITER_AGAIN_MS);
        else if (*step == '!')
            frequent_log_print(&log, INT64_MAX);
        else
            frequent_log_print(&log, (*step - '0') * 500);
    }
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    const ssize_t len = read(ends[0], out, size - 1);
    (void)close(ends[0]);
    out[len > 0 ? len : 0] = '\0';
}

static void a_kind_is_told_at_most_once_a_second_with_its_count(void **state)
{
    static const char once[] = "ignored: 1; the last: a\n";
    static const char twice[] = "ignored: 2; the last: a\n";
    static const char names_x[] = "dc:events and dc:optouts: 1; the last: x\n";
    static const char names_yy[] = "dc:events and dc:optouts: 2; the last: y\n";
    static const char names_y[] = "dc:events and dc:optouts: 1; the last: y\n";
    static const char two_names[] = "dc:events and dc:optouts: 3; the last: x; y\n";
    static const char thrice[] = "dc:events and dc:optouts: 3; the last: y\n";
    static const char other[] = "rejected queue: 1; the last: b\n";
    static const struct {
        const char *name, *steps;
        const char *lines[2]; /* the ends of those that are printed */
    } cases[] = {
        {"nothing was noted", "1", {NULL, NULL}},
        {"nothing is printed before it is time", "a", {NULL, NULL}},
        {"one", "a1", {once, NULL}},
        {"two before the line", "aa1", {twice, NULL}},
        {"the next line within a second waits", "a1a2", {once, NULL}},
        {"a second later it comes, with all of that second", "a1a2a3", {once, twice}},
        {"what was told is not told again", "a14", {once, NULL}},
        {"kinds do not wait for each other", "a1b2", {once, other}},
        {"a name", "x1", {names_x, NULL}},
        {"a name again within the minute", "x1xx9", {names_x, NULL}},
        {"it is counted with the next that is new", "x1xx9y9", {names_x, thrice}},
        {"a new one that comes before its time is told when that has come", "x1y2y9", {names_x, names_yy}},
        {"a name a minute later", "x1X9", {names_x, names_x}},
        {"each name", "x1y9", {names_x, names_y}},
        {"names one behind the other share a line", "xyx1", {two_names, NULL}},
        {"the last lines wait for nothing", "a1aa!", {once, twice}},
    };
    (void)state;
    log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[4096];
        const char *at = out;
        run(cases[i].steps, out, sizeof out);
        for (size_t line = 0; line < COUNT(cases[i].lines) && cases[i].lines[line]; line++) {
            const char *found = strstr(at, cases[i].lines[line]);
            CHECK_CASE(cases[i].name, found && memchr(at, '\n', (size_t)(found - at)) == NULL);
            at = found ? found + strlen(cases[i].lines[line]) : at;
        }
        CHECK_CASE(cases[i].name, *at == '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_is_told_at_most_once_a_second_with_its_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
