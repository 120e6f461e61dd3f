#include "stop_signal.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

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

bool stop_signal_wait(int64_t timeout_ms)
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
