#include "clock.h"

#include <errno.h>

enum { MS_A_SECOND = 1000, US_A_SECOND = 1000 * 1000, NS_A_MS = 1000 * 1000, NS_A_US = 1000 };

int64_t clock_wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MS_A_SECOND + now.tv_nsec / NS_A_MS;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / (US_A_SECOND / MS_A_SECOND);
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_A_SECOND + now.tv_nsec / NS_A_US;
}

struct timespec clock_timespec_of_ms(int64_t monotonic_ms)
{
    return (struct timespec){.tv_sec = (time_t)(monotonic_ms / MS_A_SECOND),
                             .tv_nsec = (long)(monotonic_ms % MS_A_SECOND) * NS_A_MS};
}

void clock_init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool clock_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms)
{
    const struct timespec until = clock_timespec_of_ms(until_ms);

    return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}

void clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    const struct timespec until = clock_timespec_of_ms(clock_monotonic_ms() + ms);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static char *put_digits(char *out, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

const char *clock_iso8601_ms(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    const int64_t ms_a_day = INT64_C(86400000);
    const int64_t first_day = -719528; /* 0000-01-01 */
    const int64_t last_day = 2932896;  /* 9999-12-31 */
    int64_t days = wall_ms / ms_a_day;
    int64_t of_day = wall_ms % ms_a_day;

    if (of_day < 0) {
        of_day += ms_a_day;
        days--;
    }
    /* Outside the years that have four digits: the nearest day. */
    days = days < first_day ? first_day : days > last_day ? last_day : days;

    /* Proleptic Gregorian date of a day, by eras of 400 years that begin on 1 March. */
    const int64_t from_march = days + 719468;
    const int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
    const int64_t of_era = from_march - era * 146097;
    const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t march_month = (5 * of_year + 2) / 153;
    const int64_t day = of_year - (153 * march_month + 2) / 5 + 1;
    const int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);

    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, of_day % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    return out;
}
