#include "common/clock.h"

#include "cases.h"

#include <string.h>

static void writes_iso_8601(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t ms;
        const char *text;
    } cases[] = {
        {"the epoch", 0, "1970-01-01T00:00:00.000Z"},
        {"one ms before it", -1, "1969-12-31T23:59:59.999Z"},
        {"a leap day", 951782400000 + 1, "2000-02-29T00:00:00.001Z"},
        {"no leap day in 2100", 4107542400000, "2100-03-01T00:00:00.000Z"},
        {"the documented sample's kind", 1774019045000, "2026-03-20T15:04:05.000Z"},
        {"the last ms of 9999", 253402300799999, "9999-12-31T23:59:59.999Z"},
        {"the first ms of year 0", -62167219200000, "0000-01-01T00:00:00.000Z"},
        {"past 9999: the last day", INT64_MAX, "9999-12-31T"},
        {"before year 0: the first day", INT64_MIN, "0000-01-01T"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[CLOCK_ISO_SIZE];
        CHECK_CASE(cases[i].name,
                   strncmp(clock_iso8601_ms(cases[i].ms, out), cases[i].text, strlen(cases[i].text)) == 0);
        CHECK_CASE(cases[i].name, strlen(out) == CLOCK_ISO_SIZE - 1);
    }
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -719528; day < 2932896; day += 97) {
        const time_t seconds = (time_t)(day * 86400 + 45296);
        char out[CLOCK_ISO_SIZE];
        char expected[64];
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        if (parts.tm_year + 1900 < 1000) /* strftime does not pad the year */
            continue;
        assert_true(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000Z", &parts) > 0);
        assert_string_equal(clock_iso8601_ms((int64_t)seconds * 1000, out), expected);
    }
}

static void sleeps_at_least_as_long_as_asked(void **state)
{
    (void)state;
    const int64_t before = clock_monotonic_ms();
    clock_sleep_ms(20); /* clock: what is tested */
    clock_sleep_ms(0);  /* clock: no sleep at all */
    clock_sleep_ms(-5); /* clock: nor this */
    assert_true(clock_monotonic_ms() - before >= 20);
    const struct timespec until = clock_timespec_of_ms(1234567);
    assert_int_equal(until.tv_sec, 1234);
    assert_int_equal(until.tv_nsec, 567000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_iso_8601),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(sleeps_at_least_as_long_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
