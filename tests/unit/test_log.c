#include "common/log.h"

#include "cases.h"
#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one call writes to stderr. */
static void capture(char *out, size_t size, enum log_level level, const char *text)
{
    int ends[2];
    const int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    errno = EDOM;
    log_message(level, "%s", text);
    const int after = errno;
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    const ssize_t len = read(ends[0], out, size - 1);
    (void)close(ends[0]);
    assert_int_equal(after, EDOM);
    out[len > 0 ? len : 0] = '\0';
}

static void writes_one_clean_line(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *plain, *json;
    } cases[] = {
        {"plain", "hello", "hello", "hello"},
        {"a newline", "a\nb", "a\\x0ab", "a\\\\x0ab"},
        {"an escape sequence", "\x1b[31m", "\\x1b[31m", "\\\\x1b[31m"},
        {"quotes", "say \"x\"", "say \"x\"", "say \\\"x\\\""},
        {"UTF-8", "\xc3\xa9", "\xc3\xa9", "\xc3\xa9"},
        {"broken UTF-8", "\xc3(", "\\xc3(", "\\\\xc3("},
        {"a control of two bytes", "\xc2\x85", "\\xc2\\x85", "\\\\xc2\\\\x85"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char line[8192];
        char expected[256];
        log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        capture(line, sizeof line, LOG_LEVEL_WARN, cases[i].text);
        (void)snprintf(expected, sizeof expected, "Z warn prog: %s\n", cases[i].plain);
        CHECK_CASE(cases[i].name, strlen(line) > 23 && strcmp(line + 23, expected) == 0);

        log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        capture(line, sizeof line, LOG_LEVEL_INFO, cases[i].text);
        (void)snprintf(expected, sizeof expected, "\",\"level\":\"info\",\"program\":\"prog\",\"message\":\"%s\"}\n",
                       cases[i].json);
        CHECK_CASE(cases[i].name, strlen(line) > 33 && strcmp(line + 33, expected) == 0);
    }
}

static void cuts_a_long_message_between_characters(void **state)
{
    (void)state;
    char text[4096];
    char line[8192];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 1021, "\xe2\x82\xac", 3);
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_INFO, text);
    assert_int_equal(strlen(line), strlen("2026-03-20T15:04:05.000Z info p: ") + 1021 + 1);
    memset(text, '\x01', sizeof text - 1);
    capture(line, sizeof line, LOG_LEVEL_INFO, text);
    assert_int_equal(strlen(line), strlen("2026-03-20T15:04:05.000Z info p: ") + 4 * 703 + 1);
}

static void keeps_a_line_within_what_a_pipe_takes_whole(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *unit; /* repeated */
    } cases[] = {
        {"letters", "x"},
        {"quotation marks", "\""},
        {"backslashes", "\\"},
        {"control characters", "\x01"},
        {"control characters and quotation marks", "\x01\"\x01"},
        {"broken UTF-8", "\xff"},
        {"characters of three bytes", "\xe2\x82\xac"},
    };
    char program[65];
    memset(program, 'p', sizeof program - 1);
    program[sizeof program - 1] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048] = "";
        char line[2 * PIPE_BUF];
        while (strlen(text) < 1100)
            strcat(text, cases[i].unit);
        log_init(program, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        capture(line, sizeof line, LOG_LEVEL_ERROR, text);
        CHECK_CASE(cases[i].name, strlen(line) <= PIPE_BUF);
        CHECK_CASE(cases[i].name, strcmp(line + strlen(line) - 3, "\"}\n") == 0);
        log_init(program, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        capture(line, sizeof line, LOG_LEVEL_ERROR, text);
        CHECK_CASE(cases[i].name, strlen(line) <= PIPE_BUF && line[strlen(line) - 1] == '\n');
    }
}

static void keeps_to_its_level(void **state)
{
    (void)state;
    char line[1024];
    log_init("p", LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    capture(line, sizeof line, LOG_LEVEL_INFO, "hidden");
    assert_string_equal(line, "");
}

/* ---- a stderr that does not take lines ---- */

enum { NOT_STUCK_S = 110, SMALL_PIPE = 4096, SETTLED_MS = 100 };

/* What stands in for stderr, and the end that reads it. */
struct reader {
    int write_end;
    int read_end; /* -1: nobody reads */
};

static struct reader new_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, SMALL_PIPE) > 0);
    return (struct reader){.write_end = ends[1], .read_end = ends[0]};
}

static struct reader new_socket(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    return (struct reader){.write_end = ends[1], .read_end = ends[0]};
}

static struct reader new_terminal(void)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    return (struct reader){.write_end = terminal, .read_end = master};
}

static struct reader new_full_disk(void)
{
    const int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    return (struct reader){.write_end = fd, .read_end = -1};
}

static struct reader new_pipe_without_reader(void)
{
    struct reader reader = new_pipe();
    assert_int_equal(close(reader.read_end), 0);
    reader.read_end = -1;
    return reader;
}

static void set_blocking(int fd, bool blocking)
{
    const int flags = fcntl(fd, F_GETFL);
    assert_true(flags >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

/* Until not one more byte fits, and none does after a moment: the kernel carries what a terminal was given on to its reader's
   side by itself, which makes room again. Blocking again then, as pipes are. */
static void fill(int fd)
{
    char chunk[512];
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    memset(chunk, '#', sizeof chunk);
    set_blocking(fd, false);
    do {
        for (size_t size = sizeof chunk; size > 0; size = size > 1 ? 1 : 0) {
            while (write(fd, chunk, size) > 0)
                continue;
        }
    } while (poll(&room, 1, SETTLED_MS) > 0);
    set_blocking(fd, true);
}

/* Reads what is there. The length; `out` may be NULL. */
static size_t read_all(int fd, char *out, size_t size)
{
    char chunk[4096];
    size_t len = 0;
    ssize_t got = 0;
    set_blocking(fd, false);
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        if (out && len + (size_t)got < size) {
            memcpy(out + len, chunk, (size_t)got);
            len += (size_t)got;
        }
    }
    if (out)
        out[len] = '\0';
    return len;
}

/* Stderr once more, to be given back with stderr_back. */
static int stderr_to(int fd)
{
    const int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    return saved;
}

static void stderr_back(int saved)
{
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
}

/* Writes `count` lines while no descriptor can be opened. */
static void log_without_descriptors(int count)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = STDERR_FILENO + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < count; i++)
        log_info("dropped %d", i);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void drops_what_is_not_taken_at_once_and_says_so_later(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct reader (*make)(void);
        bool no_descriptors;
    } cases[] = {
        {"a pipe that nobody reads", new_pipe, false},
        {"a pipe that cannot be opened once more", new_pipe, true},
        {"a socket that nobody reads", new_socket, false},
        {"a terminal that stands still", new_terminal, false},
        {"a full disk", new_full_disk, false},
        {"a pipe whose reader is gone", new_pipe_without_reader, false},
    };
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint64_t before = log_lines_dropped();
        struct reader reader = cases[i].make();
        char text[4096];
        /* A call that waits for ever ends the test. */
        (void)alarm(NOT_STUCK_S);
        if (reader.read_end >= 0)
            fill(reader.write_end);
        int saved = stderr_to(reader.write_end);
        if (cases[i].no_descriptors)
            log_without_descriptors(3);
        for (int j = 0; !cases[i].no_descriptors && j < 3; j++)
            log_info("dropped %d", j);
        const bool still_blocking = (fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0;
        stderr_back(saved);
        CHECK_CASE(cases[i].name, still_blocking);
        CHECK_CASE(cases[i].name, log_lines_dropped() - before == 3);

        struct reader taker = new_socket();
        saved = stderr_to(taker.write_end);
        log_info("taken");
        log_info("and this");
        stderr_back(saved);
        (void)alarm(0);
        (void)read_all(taker.read_end, text, sizeof text);
        CHECK_CASE(cases[i].name, strstr(text, "missing here: 3;") != NULL);
        CHECK_CASE(cases[i].name, strstr(text, " warn p: lines") < strstr(text, " info p: taken\n"));
        CHECK_CASE(cases[i].name, strstr(text, " info p: and this\n") != NULL);
        CHECK_CASE(cases[i].name, strstr(strstr(text, "taken"), "missing") == NULL);
        CHECK_CASE(cases[i].name, log_lines_dropped() - before == 3);
        (void)close(taker.read_end);
        (void)close(taker.write_end);
        (void)close(reader.write_end);
        if (reader.read_end >= 0)
            (void)close(reader.read_end);
    }
}

static void holds_a_burst_in_the_pipe(void **state)
{
    (void)state;
    const uint64_t before = log_lines_dropped();
    int ends[2];
    char text[65536 + 1];
    char filler[64];
    size_t lines = 0;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    assert_int_equal(pipe(ends), 0);
    if (fcntl(ends[1], F_GETPIPE_SZ) < 65536)
        skip(); /* this user has many pipes already */
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const int saved = stderr_to(ends[1]);
    for (int i = 0; i < 500; i++)
        log_info("%s", filler);
    stderr_back(saved);
    assert_int_equal(log_lines_dropped() - before, 0);
    (void)read_all(ends[0], text, sizeof text);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 500);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* The journal of systemd is such a socket. */
static void holds_a_burst_in_a_socket_and_marks_where_it_ends(void **state)
{
    (void)state;
    enum { BURST = 1000, HELD_AT_LEAST = 150 };
    static char text[512 * 1024];
    const uint64_t before = log_lines_dropped();
    struct reader reader = new_socket();
    char filler[64];
    size_t lines = 0;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    (void)alarm(NOT_STUCK_S);
    const int saved = stderr_to(reader.write_end);
    for (int i = 0; i < BURST; i++)
        log_info("%s", filler);
    stderr_back(saved);
    const uint64_t dropped = log_lines_dropped() - before;
    (void)read_all(reader.read_end, text, sizeof text);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_true(lines >= HELD_AT_LEAST);
    assert_int_equal(lines + dropped, BURST);
    assert_int_equal(text[strlen(text) - 1], '\n');

    const int again = stderr_to(reader.write_end);
    log_info("taken");
    stderr_back(again);
    (void)alarm(0);
    (void)read_all(reader.read_end, text, sizeof text);
    assert_non_null(strstr(text, " warn p: lines of this log that are missing here: "));
    assert_non_null(strstr(text, " info p: taken\n"));
    (void)close(reader.read_end);
    (void)close(reader.write_end);
}

enum { WRITERS = 8, LINES_EACH = 500 };

static void *write_lines(void *unused)
{
    (void)unused;
    for (int i = 0; i < LINES_EACH; i++)
        log_info("a line of some length, the same as all the others");
    return NULL;
}

/* What a slow reader finds. */
struct found {
    int fd;
    atomic_bool over;
    size_t whole;
    size_t missing;
    size_t broken;
};

static void judge_line(struct found *found, const char *line)
{
    static const char notice[] = " warn p: lines of this log that are missing here: ";

    if (strlen(line) > 24 && strncmp(line + 24, notice, sizeof notice - 1) == 0)
        found->missing += strtoul(line + 24 + sizeof notice - 1, NULL, 10);
    else if (strlen(line) > 24 && strcmp(line + 24, " info p: a line of some length, the same as all the others") == 0)
        found->whole++;
    else
        found->broken++;
}

static void *read_slowly(void *context)
{
    struct found *found = context;
    char line[512];
    size_t len = 0;
    char c = 0;
    for (;;) {
        const bool over = atomic_load(&found->over);
        const ssize_t got = read(found->fd, &c, 1);
        if (got == 1 && c != '\n' && len < sizeof line - 1) {
            line[len++] = c;
        } else if (got == 1) {
            line[len] = '\0';
            judge_line(found, line);
            len = 0;
        } else if (over) {
            found->broken += len > 0;
            return NULL;
        } else {
            clock_sleep_ms(1); /* clock: between two looks */
        }
    }
}

static void every_line_of_many_threads_is_whole_or_counted(void **state)
{
    (void)state;
    const uint64_t before = log_lines_dropped();
    struct reader reader = new_pipe();
    struct found found = {.fd = reader.read_end};
    pthread_t writers[WRITERS];
    pthread_t slow;
    (void)alarm(NOT_STUCK_S);
    set_blocking(reader.read_end, false);
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const int saved = stderr_to(reader.write_end);
    assert_int_equal(pthread_create(&slow, NULL, read_slowly, &found), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_lines, NULL), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    atomic_store(&found.over, true);
    assert_int_equal(pthread_join(slow, NULL), 0);
    const uint64_t dropped = log_lines_dropped() - before;
    /* The last of the missing are told by one more line. */
    log_info("a line of some length, the same as all the others");
    assert_int_equal(pthread_create(&slow, NULL, read_slowly, &found), 0);
    assert_int_equal(pthread_join(slow, NULL), 0);
    stderr_back(saved);
    (void)alarm(0);
    assert_int_equal(found.broken, 0);
    assert_int_equal(log_lines_dropped() - before, dropped);
    assert_int_equal(found.missing, dropped);
    assert_int_equal(found.whole + found.missing, WRITERS * LINES_EACH + 1);
    assert_true(dropped > 0);
    (void)close(reader.read_end);
    (void)close(reader.write_end);
}

/* A program may be started with any of them closed: `2>&-`. */
static void what_is_opened_later_does_not_take_the_place_of_a_closed_stderr(void **state)
{
    int saved[STDERR_FILENO + 1];
    struct reader later;
    char text[256];

    (void)state;
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        (void)close(fd);
    }
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    later = new_socket();
    log_info("not for a connection");
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        assert_true(saved[fd] < 0 || dup2(saved[fd], fd) >= 0);
        (void)close(saved[fd]);
    }
    assert_true(later.read_end > STDERR_FILENO && later.write_end > STDERR_FILENO);
    assert_int_equal(read_all(later.read_end, text, sizeof text), 0);
    (void)close(later.read_end);
    (void)close(later.write_end);
}

static void masks_phone_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *phone, *masked;
    } cases[] = {
        {"E.164", "+15552224444", "+1********44"},
        {"without a plus", "5552224444", "********44"},
        {"six digits", "123456", "****56"},
        {"five digits", "12345", "*****"},
        {"nothing", "", ""},
        {"longer than any", "1234567890123456789012345678", "*********************23"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[LOG_MASKED_PHONE];
        CHECK_CASE(cases[i].name, strcmp(log_mask_phone(cases[i].phone, out), cases[i].masked) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_clean_line),
        cmocka_unit_test(cuts_a_long_message_between_characters),
        cmocka_unit_test(keeps_a_line_within_what_a_pipe_takes_whole),
        cmocka_unit_test(keeps_to_its_level),
        cmocka_unit_test(drops_what_is_not_taken_at_once_and_says_so_later),
        cmocka_unit_test(holds_a_burst_in_the_pipe),
        cmocka_unit_test(holds_a_burst_in_a_socket_and_marks_where_it_ends),
        cmocka_unit_test(every_line_of_many_threads_is_whole_or_counted),
        cmocka_unit_test(what_is_opened_later_does_not_take_the_place_of_a_closed_stderr),
        cmocka_unit_test(masks_phone_numbers),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
