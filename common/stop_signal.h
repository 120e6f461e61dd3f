/* SIGTERM and SIGINT, taken by one thread; and that no other signal but SIGKILL and SIGQUIT ends the program. */
#ifndef DROPBRIDGE_STOP_SIGNAL_H
#define DROPBRIDGE_STOP_SIGNAL_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

/* Call first in main: blocks SIGHUP, which reread.h waits for, and ignores what else would end the program. A fault of
   the program's own still ends it. A child that needs the default of a signal restores it. */
void stop_signal_ignore_others(void);

/* Call in main before other threads start: blocks SIGTERM and SIGINT for all of them. */
void stop_signal_init(void);

/* Waits up to timeout_ms (-1: for ever) for a stop signal; true if one came. Each signal is reported once, so
   that a second one can be told from the first. */
bool stop_signal_wait(int64_t timeout_ms);

/* Call once, when the stop begins: from now on a thread ends the process at once, with a line in the log, when another
   stop signal comes or after limit_ms. `exit_status` is the one that the stop would have ended with. So a stop has an
   end even while a call waits for a disk or a peer; what was acknowledged is safe before that is said, at any moment.
   False if there is no thread: the stop then takes as long as it takes. stop_signal_wait must not be used any more. */
bool stop_signal_guard(int64_t limit_ms, int exit_status);

/* Both for a program whose main thread may be in a call that takes seconds: from now on a thread waits for the signal,
   and then is the guard. Call once, instead of stop_signal_wait and stop_signal_guard. False with *error. */
bool stop_signal_listen(int64_t limit_ms, struct error *error);
/* Any thread: a descriptor that is readable once the signal has come; when it came (monotonic ms; 0: it has not), which
   the descriptor tells first. */
int stop_signal_fd(void);
int64_t stop_signal_came_at_ms(void);
/* From now on waits with stop_signal_fd are waits again. */
void stop_signal_heard(void);
/* The status that a stop which must be forced ends with; 0 at first. */
void stop_signal_exit_with(int exit_status);

#endif
