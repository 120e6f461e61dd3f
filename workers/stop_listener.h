/* Waits for the stop signal in a thread of its own, for the worker's may be in a call to Redis that takes seconds. The
   process then ends within `guard_ms`, whatever the worker waits for. */
#ifndef DROPBRIDGE_STOP_LISTENER_H
#define DROPBRIDGE_STOP_LISTENER_H

#include "common/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct stop_listener {
    int wake_fd; /* an eventfd: readable once the signal has come */
    int64_t guard_ms;
    _Atomic int64_t came_at_ms; /* monotonic; 0: no signal has come */
    atomic_int exit_status;     /* that a stop which must be forced ends with: 0 at first */
    atomic_bool over;           /* ends the thread */
    pthread_t thread;
    bool runs;
};

/* Each false with *error on failure. Only _clear may follow then. */
bool stop_listener_init(struct stop_listener *listener, int64_t guard_ms, struct error *error);
bool stop_listener_start(struct stop_listener *listener, struct error *error);
/* Ends the thread, and closes wake_fd. */
void stop_listener_clear(struct stop_listener *listener);

/* Any thread: when the signal came (monotonic ms, 0: it has not), which wake_fd tells before this does. */
static inline int64_t stop_listener_came_at_ms(struct stop_listener *listener)
{
    return atomic_load(&listener->came_at_ms);
}

/* From now on waits with wake_fd are waits again. */
void stop_listener_heard(struct stop_listener *listener);

#endif
