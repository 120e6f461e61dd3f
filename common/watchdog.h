/* Breaks library calls that never return: librabbitmq sends and reads without a deadline in places. A thread marks the
   beginning and the end of such a call; when one takes too long, the watchdog's thread shuts its socket down, and the
   call fails. */
#ifndef DROPBRIDGE_WATCHDOG_H
#define DROPBRIDGE_WATCHDOG_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct watchdog;
/* One caller's mark. */
struct watch;

/* Starts the thread. NULL with *error on failure. */
struct watchdog *watchdog_start(struct error *error);
/* All marks must have been freed. NULL is fine. */
void watchdog_stop(struct watchdog *dog);

/* NULL without memory. A watch belongs to one thread at a time. */
struct watch *watch_new(struct watchdog *dog);
/* Not between _begin and _end. NULL is fine. */
void watch_free(struct watch *watch);

/* A call on this socket begins, and must end within limit_ms. The descriptor must stay open until watch_end. A watch of
   NULL is none. */
void watch_begin(struct watch *watch, int fd, int64_t limit_ms);
/* True if the call took too long (or the time of watch_abort_at came) and the socket was shut down. */
bool watch_end(struct watch *watch);

/* Any thread: at that time (CLOCK_MONOTONIC) the call that is under way is cut, and each later one as it begins. For a stop
   that cannot wait. */
void watch_abort_at(struct watch *watch, int64_t at_ms);

#endif
