#include "stop_signal.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* One stop a process. */
static struct {
    int fd; /* of who listens; an eventfd */
    int64_t limit_ms;
    _Atomic int64_t came_at_ms;
    atomic_int exit_status;
} stop = {.fd = -1};

static void stop_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
}

void stop_signal_ignore_others(void)
{
    static const int kept[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};
    struct sigaction now;
    sigset_t hangup;

    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);
    for (int number = 1; number <= SIGRTMAX; number++) {
        bool ignored = true;

        for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
            ignored = ignored && number != kept[i];
        /* A sanitizer has handlers of its own. */
        if (ignored && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            (void)signal(number, SIG_IGN);
    }
}

void stop_signal_init(void)
{
    sigset_t set;
    stop_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
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

static void *guard_run(void *unused)
{
    (void)unused;
    const bool came = stop_signal_wait(stop.limit_ms);

    if (came)
        log_warn("a stop signal while stopping: ending at once");
    else
        log_warn("the stop has taken %lld ms: ending now", (long long)stop.limit_ms);
    /* Not exit(): what it would wait for or tear down may be what is stuck. The bare system call, since the thread
       sanitizer takes _exit() for a place where threads that are left are leaks. */
    (void)syscall(SYS_exit_group, atomic_load(&stop.exit_status));
    return NULL;
}

static bool start_thread(void *(*run)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const bool started = pthread_create(&thread, &attributes, run, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

bool stop_signal_guard(int64_t limit_ms, int exit_status)
{
    stop.limit_ms = limit_ms;
    atomic_store(&stop.exit_status, exit_status);
    return start_thread(guard_run);
}

static void *listen_run(void *unused)
{
    (void)stop_signal_wait(-1);
    (void)eventfd_write(stop.fd, 1); /* first: who sees that it stops finds this done */
    atomic_store(&stop.came_at_ms, clock_monotonic_ms());
    return guard_run(unused);
}

bool stop_signal_listen(int64_t limit_ms, struct error *error)
{
    stop.limit_ms = limit_ms;
    stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop.fd >= 0 && start_thread(listen_run))
        return true;
    error_set(error, ERROR_INTERNAL, "cannot listen for stop signals: %s", strerror(errno));
    return false;
}

int stop_signal_fd(void)
{
    return stop.fd;
}

int64_t stop_signal_came_at_ms(void)
{
    return atomic_load(&stop.came_at_ms);
}

void stop_signal_heard(void)
{
    eventfd_t woken;
    (void)eventfd_read(stop.fd, &woken);
}

void stop_signal_exit_with(int exit_status)
{
    atomic_store(&stop.exit_status, exit_status);
}
