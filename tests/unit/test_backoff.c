#include "common/backoff.h"

#include "cases.h"

static void doubles_up_to_the_greatest_step(void **state)
{
    (void)state;
    static const int64_t steps[] = {100, 200, 400, 800, 1000, 1000, 1000};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct backoff backoff;
        backoff_init(&backoff, 100, 1000, seed);
        for (size_t i = 0; i < COUNT(steps); i++) {
            const int64_t wait = backoff_next_ms(&backoff);
            assert_in_range(wait, steps[i] / 2, steps[i]);
        }
        backoff_reset(&backoff);
        assert_in_range(backoff_next_ms(&backoff), 50, 100);
    }
}

static void spreads_processes_that_fail_together(void **state)
{
    (void)state;
    int differing = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct backoff a;
        struct backoff b;
        backoff_init(&a, 1000, 1000, seed);
        backoff_init(&b, 1000, 1000, seed + 1);
        differing += backoff_next_ms(&a) != backoff_next_ms(&b);
    }
    assert_true(differing > 90);
}

static void bears_absurd_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t first, max;
    } cases[] = {
        {"zero", 0, 0}, {"negative", -5, -7}, {"max below first", 10, 1}, {"enormous", INT64_MAX / 2, INT64_MAX}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct backoff backoff;
        backoff_init(&backoff, cases[i].first, cases[i].max, 1);
        for (int n = 0; n < 100; n++)
            CHECK_CASE(cases[i].name, backoff_next_ms(&backoff) >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_greatest_step),
        cmocka_unit_test(spreads_processes_that_fail_together),
        cmocka_unit_test(bears_absurd_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
