/* What comes often costs one line a second, which tells how often. */
#include "cases.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/frequent_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell_many(struct frequent_log *log)
{
    for (int i = 0; i < FREQUENT_ONCE_MAX; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "name %d", i);
        frequent_log_once(log, text);
    }
}

/* What the steps print. "a" and "b" note a remark and a rejection of that text, a digit prints at so many half seconds,
   "!" prints for the last time; "x" and "y" tell their text once, "+" tells so many others once as may be told. */
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
            frequent_log_once(&log, text);
        else if (*step == '+')
            tell_many(&log);
        else if (*step == '!')
            frequent_log_finish(&log, 0);
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

static void what_is_told_once_is_told_at_once_and_never_again(void **state)
{
    static const struct {
        const char *name, *steps;
        int lines;
        const char *last; /* the end of the last line */
    } cases[] = {
        {"the first time", "x", 1, "x\n"},
        {"again", "xx", 1, "x\n"},
        {"again, much later", "x1x9x!x", 1, "x\n"},
        {"each text", "xyxy", 2, "y\n"},
        {"as many as may be", "+", FREQUENT_ONCE_MAX, "name 63\n"},
        {"these again", "++", FREQUENT_ONCE_MAX, "name 63\n"},
        {"one more", "+x", FREQUENT_ONCE_MAX + 1, "look at dc:events and dc:optouts\n"},
        {"and others", "+xyxy", FREQUENT_ONCE_MAX + 1, "look at dc:events and dc:optouts\n"},
    };
    (void)state;
    log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        static char out[65536];
        int lines = 0;
        run(cases[i].steps, out, sizeof out);
        for (const char *at = out; (at = strchr(at, '\n')) != NULL; at++)
            lines++;
        CHECK_CASE(cases[i].name, lines == cases[i].lines);
        CHECK_CASE(cases[i].name, text_ends(bytes_of_text(out), cases[i].last));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_is_told_at_most_once_a_second_with_its_count),
        cmocka_unit_test(what_is_told_once_is_told_at_once_and_never_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
