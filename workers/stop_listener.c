#include "stop_listener.h"

#include "common/clock.h"
#include "common/stop_signal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_MS = 200 }; /* how often the thread looks whether it is over */

bool stop_listener_init(struct stop_listener *listener, int64_t guard_ms, struct error *error)
{
    *listener = (struct stop_listener){.guard_ms = guard_ms, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (listener->wake_fd >= 0)
        return true;
    error_set(error, ERROR_INTERNAL, "cannot make an eventfd: %s", strerror(errno));
    return false;
}

static void *listen_for_stop(void *context)
{
    struct stop_listener *listener = context;
    while (!atomic_load(&listener->over) && !stop_signal_wait(LOOK_MS))
        continue;
    (void)stop_signal_guard(listener->guard_ms, atomic_load(&listener->exit_status));
    (void)eventfd_write(listener->wake_fd, 1); /* first: who sees that it stops finds this done */
    atomic_store(&listener->came_at_ms, clock_monotonic_ms());
    return NULL;
}

bool stop_listener_start(struct stop_listener *listener, struct error *error)
{
    listener->runs = pthread_create(&listener->thread, NULL, listen_for_stop, listener) == 0;
    if (!listener->runs)
        error_set(error, ERROR_INTERNAL, "cannot start the thread that waits for stop signals");
    return listener->runs;
}

void stop_listener_clear(struct stop_listener *listener)
{
    atomic_store(&listener->over, true);
    if (listener->runs)
        pthread_join(listener->thread, NULL);
    listener->runs = false;
    if (listener->wake_fd >= 0)
        (void)close(listener->wake_fd);
    listener->wake_fd = -1;
}

void stop_listener_heard(struct stop_listener *listener)
{
    eventfd_t woken;
    (void)eventfd_read(listener->wake_fd, &woken);
}
