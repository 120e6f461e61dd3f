/* When a worker stops waiting for Redis and gives its messages back. */
#include "cases.h"
#include "workers/redis/health.h"

static void only_a_minute_of_failures_without_one_success_is_too_long(void **state)
{
    static const struct {
        const char *name;
        const char *tries; /* one every ten seconds: f failed, s succeeded, . none was made */
        bool too_long;     /* at the last of them */
    } cases[] = {
        {"nothing tried yet", "", false},
        {"successes", "sssssssss", false},
        {"a first failure", "f", false},
        {"failures for fifty seconds", "ffffff", false},
        {"failures for a minute", "fffffff", true},
        {"failures for a minute behind successes", "sssfffffff", true},
        {"a success in between", "ffffsffff", false},
        {"a success in between, then a minute", "ffffsfffffff", true},
        {"a failure a minute after a success", "f......s......f", false},
        {"few tries, all failed", "f.....f", true},
        {"a success ends it at once", "fffffffffs", false},
        {"a minute again behind the success", "fffffffffsfffffff", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct outage outage = {.limit_ms = 60000};
        int64_t now_ms = 5000;
        for (const char *try = cases[i].tries; *try; try++) {
            now_ms += 10000;
            if (*try == 'f')
                outage_note(&outage, now_ms);
            else if (*try == 's')
                outage.away = false;
        }
        CHECK_CASE(cases[i].name, outage_too_long(&outage, now_ms) == cases[i].too_long);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_minute_of_failures_without_one_success_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
