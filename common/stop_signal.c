#include "stop_signal.h"

#include "clock.h"
#include "log.h"
#include "protection.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void stop_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
}

void stop_signal_init(void)
{
    sigset_t set;
    stop_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* True if a stop signal came within timeout_ms (-1: for ever). */
static bool take_signal(int64_t timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    sigset_t set;
    stop_set(&set);
    for (;;) {
        int number = 0;
        if (timeout_ms < 0) {
            number = sigwaitinfo(&set, NULL);
        } else {
            const int64_t left_ms = deadline_ms - clock_monotonic_ms();
            const struct timespec left = clock_timespec_of_ms(left_ms > 0 ? left_ms : 0);
            number = sigtimedwait(&set, NULL, &left);
        }
        if (number > 0)
            return true;
        if (errno != EINTR)
            return false;
    }
}

bool stop_signal_wait(int64_t timeout_ms)
{
    const bool came = take_signal(timeout_ms);

    if (came && !protection("graceful"))
        _exit(0);
    return came;
}

struct guard {
    int64_t limit_ms;
    int exit_status;
};

static void *guard_run(void *argument)
{
    const struct guard *guard = argument;
    if (!protection("second-signal"))
        clock_sleep_ms(guard->limit_ms);
    const bool came = take_signal(guard->limit_ms);

    if (came)
        log_warn("a stop signal while stopping: ending at once");
    else
        log_warn("the stop has taken %lld ms: ending now", (long long)guard->limit_ms);
    /* Not exit(): what it would wait for or tear down may be what is stuck. The bare system call, since the thread
       sanitizer takes _exit() for a place where threads that are left are leaks. */
    (void)syscall(SYS_exit_group, guard->exit_status);
    return NULL;
}

bool stop_signal_guard(int64_t limit_ms, int exit_status)
{
    struct guard *guard = malloc(sizeof *guard);
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    if (!guard)
        return false;
    *guard = (struct guard){.limit_ms = limit_ms, .exit_status = exit_status};
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attributes, guard_run, guard) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        free(guard);
    return started;
}
