/* Tells the service manager how the program is: one datagram to the socket that $NOTIFY_SOCKET names, as sd_notify(3)
   describes under "Notes" (a path, or @ and a name in the abstract namespace). Without the variable nobody wants to
   know, and nothing is done. No WATCHDOG=1: a main thread that is alive proves nothing about the others, and each call
   of theirs has a deadline of its own. */
#ifndef DROPBRIDGE_SERVICE_NOTIFY_H
#define DROPBRIDGE_SERVICE_NOTIFY_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

/* Sends `state`, lines of NAME=VALUE; waits up to timeout_ms for a manager that does not read. True if it was sent, or
   nobody wants to know; else false with *error. Any thread, as long as none changes the environment. */
bool service_notify(const char *state, int64_t timeout_ms, struct error *error);

/* READY=1: all that was asked for is served now. STOPPING=1: no more. A failure is logged: the manager will take the
   program for one that never became ready. */
void service_notify_ready(void);
void service_notify_stopping(void);

#endif
