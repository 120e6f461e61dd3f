#ifndef DROPBRIDGE_COMMON_TIMERS_H
#define DROPBRIDGE_COMMON_TIMERS_H

/* How often a program looks, renews and tries again, and for how long it believes what it has seen. A build for tests
   (CMake's DROPBRIDGE_TIMER_DIVISOR) shortens all of these by one factor, so that nobody waits for them. Bounds that are
   promises (an answer within 4 s, a stop within 10 s) and settings of the user are never scaled. */
#ifndef DROPBRIDGE_TIMER_DIVISOR
#define DROPBRIDGE_TIMER_DIVISOR 1
#endif

#define TIMER_MS(ms) ((ms) / DROPBRIDGE_TIMER_DIVISOR)

#endif
