/* SIGTERM and SIGINT, taken by one thread. */
#ifndef DROPBRIDGE_STOP_SIGNAL_H
#define DROPBRIDGE_STOP_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

/* Call in main before other threads start: blocks SIGTERM, SIGINT for all of them and ignores SIGPIPE. */
void stop_signal_init(void);

/* Waits up to timeout_ms (-1: for ever) for a stop signal; true if one came. Each signal is reported once, so
   that a second one can be told from the first. */
bool stop_signal_wait(int64_t timeout_ms);

#endif
