#include "common/listen_error.h"

#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void only_a_missing_right_needs_a_person(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int number;
        enum error_code code;
    } cases[] = {
        {"a port for root alone", EACCES, ERROR_CONFIG},
        {"a port that another program has", EADDRINUSE, ERROR_NOT_YET},
        {"an address that no interface has yet", EADDRNOTAVAIL, ERROR_NOT_YET},
        {"no descriptors left", EMFILE, ERROR_NOT_YET},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char message[256];
        (void)snprintf(message, sizeof message, "cannot bind to 192.0.2.1:80: %d (%s)", cases[i].number,
                       strerror(cases[i].number));
        CHECK_CASE(cases[i].name, listen_error_code(message) == cases[i].code);
    }
    assert_int_equal(listen_error_code(""), ERROR_NOT_YET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_missing_right_needs_a_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
