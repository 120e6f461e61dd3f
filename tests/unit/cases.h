/* What every table of cases needs: cmocka, and a check that names the row that failed. */
#ifndef DROPBRIDGE_TEST_CASES_H
#define DROPBRIDGE_TEST_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka comes after the four above. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK_CASE(name, condition)                                                                                    \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: %s", (name), #condition);                                                                    \
    } while (0)

#endif
