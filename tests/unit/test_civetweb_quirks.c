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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_one_that_was_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
