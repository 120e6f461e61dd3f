#include "common/stop_signal.h"

#include "cases.h"
#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void reports_each_signal_once(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT(signals); i++) {
        assert_int_equal(kill(getpid(), signals[i]), 0);
        assert_true(stop_signal_wait(1000));
        assert_false(stop_signal_wait(0));
    }
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(stop_signal_wait(-1));
}

static void waits_no_longer_than_asked(void **state)
{
    (void)state;
    const int64_t before = clock_monotonic_ms();
    assert_false(stop_signal_wait(30));
    assert_true(clock_monotonic_ms() - before >= 29);
}

static void survives_signals_that_are_no_stop(void **state)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ};

    (void)state;
    for (size_t i = 0; i < COUNT(signals); i++)
        assert_int_equal(kill(getpid(), signals[i]), 0);
    assert_int_equal(kill(getpid(), SIGRTMAX), 0);
    assert_false(stop_signal_wait(0));
}

static void survives_a_broken_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(close(ends[1]), 0);
}

enum { STUCK_STATUS = 7, REFUSED_STATUS = 69, LIMIT_MS = 50 };

/* Makes stderr a pipe that takes no more and that nobody reads. */
static void stuff_stderr(void)
{
    int ends[2];

    if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_WRONLY | O_NONBLOCK) != 0)
        _exit(STUCK_STATUS + 2);
    while (write(ends[1], "x", 1) == 1)
        continue;
    if (fcntl(ends[1], F_SETFL, O_WRONLY) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(STUCK_STATUS + 2);
}

/* A child that was told to stop and hangs. Its log goes nowhere. */
static pid_t stop_in_a_child(int64_t limit_ms, int exit_status, bool stderr_stuck)
{
    const pid_t child = fork();

    if (child != 0)
        return child;
    if (stderr_stuck)
        stuff_stderr();
    else
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    if (!stop_signal_wait(FOREVER_MS) || !stop_signal_guard(limit_ms, exit_status))
        _exit(STUCK_STATUS + 1);
    clock_sleep_ms(FOREVER_MS); /* clock: stuck until it is ended */
    _exit(STUCK_STATUS);
}

static void a_guarded_stop_has_an_end_and_the_status_given(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t limit_ms;
        bool second_signal;
        int exit_status;
        int64_t at_least_ms;
        bool stderr_stuck;
    } cases[] = {
        {"after its limit", LIMIT_MS, false, 0, LIMIT_MS, false},
        {"at the second signal", FOREVER_MS, true, 0, 0, false},
        {"after its limit, when a service has refused", LIMIT_MS, false, REFUSED_STATUS, LIMIT_MS, false},
        {"at the second signal, when a service has refused", FOREVER_MS, true, REFUSED_STATUS, 0, false},
        {"after its limit, when nobody reads the log", LIMIT_MS, false, 0, LIMIT_MS, true},
        {"at the second signal, when nobody reads the log", FOREVER_MS, true, 0, 0, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t before = clock_monotonic_ms();
        const pid_t child = stop_in_a_child(cases[i].limit_ms, cases[i].exit_status, cases[i].stderr_stuck);
        int status = -1;
        CHECK_CASE(cases[i].name, child > 0);
        CHECK_CASE(cases[i].name, kill(child, SIGTERM) == 0);
        /* Signals of one kind do not add up while they are pending: the second is of the other kind. */
        if (cases[i].second_signal)
            CHECK_CASE(cases[i].name, kill(child, SIGINT) == 0);
        CHECK_CASE(cases[i].name, waitpid(child, &status, 0) == child);
        CHECK_CASE(cases[i].name, WIFEXITED(status) && WEXITSTATUS(status) == cases[i].exit_status);
        CHECK_CASE(cases[i].name, clock_monotonic_ms() - before >= cases[i].at_least_ms);
    }
}

/* A child whose main thread looks up once the signal has come, and then ends, or hangs, with or without a second signal. */
enum after { ENDS, HANGS, SECOND_SIGNAL };

static pid_t listen_in_a_child(enum after after, int64_t limit_ms, int exit_status)
{
    const pid_t child = fork();
    struct error error = {0};

    if (child != 0)
        return child;
    (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    if (!stop_signal_listen(limit_ms, &error) || stop_signal_came_at_ms() != 0)
        _exit(STUCK_STATUS + 1);
    struct pollfd fd = {.fd = stop_signal_fd(), .events = POLLIN};
    if (poll(&fd, 1, 0) != 0 || kill(getpid(), SIGTERM) != 0 || poll(&fd, 1, HANG_GUARD_MS) != 1)
        _exit(STUCK_STATUS + 2);
    const int64_t guard_ms = hang_guard();
    while (stop_signal_came_at_ms() == 0 && goes_on_waiting(guard_ms))
        continue;
    stop_signal_exit_with(exit_status);
    stop_signal_heard();
    if (poll(&fd, 1, 0) != 0)
        _exit(STUCK_STATUS + 3);
    if (after == ENDS)
        _exit(STUCK_STATUS);
    if (after == SECOND_SIGNAL && kill(getpid(), SIGINT) != 0)
        _exit(STUCK_STATUS + 4);
    clock_sleep_ms(FOREVER_MS); /* clock: stuck until it is ended */
    _exit(STUCK_STATUS + 5);
}

static void who_listens_learns_of_the_signal_and_is_guarded_from_then_on(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum after after;
        int64_t limit_ms;
        int given_status, exit_status;
    } cases[] = {
        {"a stop that ends by itself", ENDS, FOREVER_MS, 0, STUCK_STATUS},
        {"one that hangs, after its limit", HANGS, LIMIT_MS, 0, 0},
        {"one that hangs, when a service has refused", HANGS, LIMIT_MS, REFUSED_STATUS, REFUSED_STATUS},
        {"one that hangs, at the second signal", SECOND_SIGNAL, FOREVER_MS, REFUSED_STATUS, REFUSED_STATUS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const pid_t child = listen_in_a_child(cases[i].after, cases[i].limit_ms, cases[i].given_status);
        int status = -1;
        CHECK_CASE(cases[i].name, child > 0);
        CHECK_CASE(cases[i].name, waitpid(child, &status, 0) == child && WIFEXITED(status));
        CHECK_CASE(cases[i].name, WEXITSTATUS(status) == cases[i].exit_status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_each_signal_once),
        cmocka_unit_test(waits_no_longer_than_asked),
        cmocka_unit_test(survives_signals_that_are_no_stop),
        cmocka_unit_test(survives_a_broken_pipe),
        cmocka_unit_test(a_guarded_stop_has_an_end_and_the_status_given),
        cmocka_unit_test(who_listens_learns_of_the_signal_and_is_guarded_from_then_on),
    };
    stop_signal_ignore_others();
    stop_signal_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
