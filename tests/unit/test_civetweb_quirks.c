/* What is known of civetweb's insides holds for these versions. (That a connection's socket is found is shown by every test of the
   bridge that a deadline ends, such as those of test_bridge_connections.py; the rest by test_bridge_reference.py.) */
#include "bridge/http/civetweb_quirks.h"

#include "cases.h"

static void the_version_is_one_that_was_checked(void **state)
{
    struct error error;

    (void)state;
    assert_true(civetweb_is_known(&error));
}

static void a_complaint_tells_how_many_threads_started(void **state)
{
    static const struct {
        const char *message;
        long started;
    } cases[] = {
        {"Cannot start worker thread 2: error 11", 1},
        {"Cannot start worker thread 1987: error 11", 1986},
        {"Cannot create threads: error 11", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].message, civetweb_threads_started(cases[i].message) == cases[i].started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_one_that_was_checked),
        cmocka_unit_test(a_complaint_tells_how_many_threads_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
