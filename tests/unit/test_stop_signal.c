#include "common/stop_signal.h"

#include "cases.h"
#include "common/clock.h"

#include <signal.h>
#include <unistd.h>

static void reports_each_signal_once(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT(signals); i++) {
        assert_int_equal(kill(getpid(), signals[i]), 0);
        assert_true(stop_signal_wait(1000));
        assert_false(stop_signal_wait(0));
    }
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(stop_signal_wait(-1));
}

static void waits_no_longer_than_asked(void **state)
{
    (void)state;
    const int64_t before = clock_monotonic_ms();
    assert_false(stop_signal_wait(30));
    assert_in_range(clock_monotonic_ms() - before, 29, 5000);
}

static void survives_a_broken_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_each_signal_once),
        cmocka_unit_test(waits_no_longer_than_asked),
        cmocka_unit_test(survives_a_broken_pipe),
    };
    stop_signal_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
