/* Times as the vendor writes them. */
#include "common/drops/event_time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t UNREAD = -424242;

static const struct {
    const char *text;
    int64_t ms; /* UNREAD: refused */
} texts[] = {
    {"1970-01-01", 0},
    {"1970-01-01T00:00:00.000Z", 0},
    {"2026-03-20T15:04:05.000Z", 1774019045000},
    {"2026-03-20T15:04:05.123Z", 1774019045123},
    {"2026-03-20T15:04:05.123999Z", 1774019045123},
    {"2026-03-20T15:04:05.1Z", 1774019045100},
    {"2026-03-20T15:04:05Z", 1774019045000},
    {"2026-03-20T15:04Z", 1774019040000},
    {"2026-03-20 15:04:05", 1774019045000},
    {"2026-03-20T15:04:05", 1774019045000},
    {"2026-03-20T15:04:05+01:00", 1774015445000},
    {"2026-03-20T15:04:05+0100", 1774015445000},
    {"2026-03-20T15:04:05-05:30", 1774038845000},
    /* as Postgres writes it, and ISO 8601's comma */
    {"2026-03-20 15:04:05+00", 1774019045000},
    {"2026-03-20 15:04:05.123-05", 1774037045123},
    {"2026-03-20T15:04:05,123Z", 1774019045123},
    {" 2026-03-20T15:04:05Z\n", 1774019045000},
    {"2026-03-20T15:04:05+01", 1774015445000},
    {" 2026-03-20", 1773964800000},
    {"2026-03-20 ", 1773964800000},
    {" 1774019045 ", 1774019045000},
    {"2026-03-20t15:04:05.123z", 1774019045123},
    {"2026-03-20t15:04:05+01:00", 1774015445000},
    {"2026-03-20 15:04:05z", 1774019045000},
    {"2026-03-20 15:04:05 UTC", 1774019045000},
    {"2026-03-20 15:04:05.123 utc", 1774019045123},
    {"2026-03-20T15:04 UTC", 1774019040000},
    {"2026-03-20T23:59:60Z", 1774051200000},
    {"2026-12-31T23:59:60.250Z", 1798761600250},
    {"2026-03-20T15:04:60", 1774019100000},
    {"2024-02-29", 1709164800000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"1999-12-31T23:59:59.999Z", 946684799999},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
    {"0000-01-01", -62167219200000},
    {"0001-01-01", -62135596800000},
    {"1600-03-01", -11670912000000},
    {"2026-02-30", UNREAD},
    {"2025-02-29", UNREAD},
    {"1900-02-29", UNREAD},
    {"2026-13-01", UNREAD},
    {"2026-00-10", UNREAD},
    {"2026-01-00", UNREAD},
    {"2026-01-32", UNREAD},
    {"2026-04-31", UNREAD},
    {"2026-03-20T24:00:00Z", UNREAD},
    {"2026-03-20T23:60:00Z", UNREAD},
    {"2026-03-20T23:59:61Z", UNREAD},
    {"2026-03-20T15:04:05UTC", UNREAD},
    {"2026-03-20T15:04:05  UTC", UNREAD},
    {"2026-03-20T15:04:05 UTC+1", UNREAD},
    {"2026-03-20T15:04:05 GMT", UNREAD},
    {"2026-03-20 UTC", UNREAD},
    {"2026-03-20T15:04:05+01:00Z", UNREAD},
    {"2026-03-20T15:04:05.Z", UNREAD},
    {"2026-03-20T15Z", UNREAD},
    {"2026-03-20T", UNREAD},
    {"2026-03-20T15:04:05ZZ", UNREAD},
    {"2026-03-20T15:04:05 Z", UNREAD},
    {"2026-03-20T15:04:05+01:", UNREAD},
    {"2026-03-20T15:04:05+011", UNREAD},
    {"2026-03-20T15:04:05+0", UNREAD},
    {"2026-03-20T15:04:05+24:00", UNREAD},
    {"2026-03-20T15:04:05+01:60", UNREAD},
    {"2026-03-20x15:04:05Z", UNREAD},
    {"26-03-20", UNREAD},
    {"2026/03/20", UNREAD},
    {"yesterday", UNREAD},
    {"", UNREAD},
    {"-1", UNREAD},
    {"1774041912.5", UNREAD},
    {"1e10", UNREAD},
    /* digits: epoch */
    {"0", 0},
    {"1774041912", 1774041912000},
    {"1774041912000", 1774041912000},
    {"99999999999", 99999999999000},
    {"100000000000", 100000000000},
    {"99999999999999999999999999999999999999", 1000000000000000},
};

static void texts_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ms = UNREAD;
        bool read = event_time_of_text(bytes_of_text(texts[i].text), &ms);
        if (ms != texts[i].ms || read != (texts[i].ms != UNREAD))
            fail_msg("\"%s\": got %lld, want %lld", texts[i].text, (long long)ms, (long long)texts[i].ms);
    }
    int64_t ms = UNREAD;
    assert_false(event_time_of_text(bytes_of("2026-03-20\0", 11), &ms));
}

static void numbers_are_seconds_below_ten_to_the_eleventh_and_milliseconds_from_there(void **state)
{
    static const struct {
        double number;
        int64_t ms;
    } cases[] = {
        {1774041912, 1774041912000},
        {1774041912.5, 1774041912500},
        {1774041912000, 1774041912000},
        {99999999999.0, 99999999999000},
        {1e11, 100000000000},
        {0, 0},
        {-1, -1000},
        {1e300, 1000000000000000},
        {-1e300, -1000000000000000000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = UNREAD;
        assert_true(event_time_of_number(cases[i].number, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
    int64_t ms = UNREAD;
    assert_false(event_time_of_number(HUGE_VAL, &ms));
    assert_false(event_time_of_number(-HUGE_VAL, &ms));
    assert_false(event_time_of_number(nan(""), &ms));
    assert_int_equal(ms, UNREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_or_refused),
        cmocka_unit_test(numbers_are_seconds_below_ten_to_the_eleventh_and_milliseconds_from_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
