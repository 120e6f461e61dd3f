/* What every test needs: cmocka, a check that names the row of a table that failed, and the bound of a wait. */
#ifndef DROPBRIDGE_TEST_CASES_H
#define DROPBRIDGE_TEST_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka comes after the four above. */
#include <cmocka.h>

#include "common/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK_CASE(name, condition)                                                                                    \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: %s", (name), #condition);                                                                    \
    } while (0)

/* The bound of every wait for a condition: long, since it costs nothing where the condition comes true, and decides
   nothing but that a test hangs. */
enum { HANG_GUARD_MS = 120000 };

/* For a wait of the code under test that must end early, or be ended: ctest stops the test before. */
enum { FOREVER_MS = 3600 * 1000 };

static inline int64_t hang_guard(void)
{
    return clock_monotonic_ms() + HANG_GUARD_MS;
}

/* For `while (!condition && goes_on_waiting(guard_ms))`. */
static inline bool goes_on_waiting(int64_t guard_ms)
{
    clock_sleep_ms(1);
    return clock_monotonic_ms() < guard_ms;
}

/* In the thread of the test. */
#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        const int64_t guard_ms_ = hang_guard();                                                                        \
                                                                                                                       \
        while (!(condition)) {                                                                                         \
            if (!goes_on_waiting(guard_ms_))                                                                           \
                fail_msg("in vain: %s", #condition);                                                                   \
        }                                                                                                              \
    } while (0)

#endif
