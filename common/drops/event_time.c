#include "event_time.h"

#include "common/text.h"

#include <math.h>

/* Past year 9999 in either unit; keeps every product below within int64_t. */
static const double CLAMP = 1e15;
static const double FIRST_MS_VALUE = 1e11;

struct cursor {
    struct bytes text;
    size_t at;
};

static bool take(struct cursor *cursor, uint8_t byte)
{
    if (cursor->at >= cursor->text.len || cursor->text.data[cursor->at] != byte)
        return false;
    cursor->at++;
    return true;
}

static bool at_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->text.len && cursor->text.data[cursor->at] >= '0' &&
           cursor->text.data[cursor->at] <= '9';
}

/* Digits and what is between them: "4-2-2" is a date. Each number goes to the next of `out`. */
static bool take_form(struct cursor *cursor, const char *form, int *out)
{
    for (; *form; form++) {
        if (*form < '1' || *form > '9') {
            if (!take(cursor, (uint8_t)*form))
                return false;
            continue;
        }
        *out = 0;
        for (int digits = *form - '0'; digits > 0; digits--) {
            if (!at_digit(cursor))
                return false;
            *out = *out * 10 + (cursor->text.data[cursor->at++] - '0');
        }
        out++;
    }
    return true;
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar, by eras of 400 years that begin on 1 March. */
static int64_t days_since_epoch(int year, int month, int day)
{
    const int from_march = year - (month <= 2) + 400; /* one era later, so that no year is negative */
    const int of_era = from_march % 400;
    const int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (from_march / 400 - 1) * INT64_C(146097) + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_day(int year, int month, int day)
{
    const int64_t next = month == 12 ? days_since_epoch(year + 1, 1, 1) : days_since_epoch(year, month + 1, 1);
    return month >= 1 && month <= 12 && day >= 1 && days_since_epoch(year, month, day) < next;
}

/* "hh:mm[:ss[.fraction]]"; digits behind the third are dropped. A leap second is the second that follows it. */
static bool take_clock(struct cursor *cursor, int64_t *ms)
{
    int clock[3] = {0};
    int fraction = 0;
    if (!take_form(cursor, "2:2", clock))
        return false;
    if (take(cursor, ':')) {
        if (!take_form(cursor, "2", clock + 2))
            return false;
        if (take(cursor, '.') || take(cursor, ',')) {
            if (!at_digit(cursor))
                return false;
            for (int scale = 100; at_digit(cursor); scale /= 10)
                fraction += scale * (cursor->text.data[cursor->at++] - '0');
        }
    }
    *ms = ((int64_t)clock[0] * 3600 + clock[1] * 60 + clock[2]) * 1000 + fraction;
    return clock[0] <= 23 && clock[1] <= 59 && clock[2] <= 60;
}

/* What is left is nothing, "Z" or " UTC". */
static bool at_utc(const struct cursor *cursor)
{
    struct bytes rest = bytes_of(cursor->text.data + cursor->at, cursor->text.len - cursor->at);
    return rest.len == 0 || text_is(rest, "z") || text_is(rest, " utc");
}

/* "+hh:mm", "-hhmm", "+hh" or what at_utc takes, up to the end; *ms is what to take away. */
static bool take_zone(struct cursor *cursor, int64_t *ms)
{
    int zone[2] = {0};
    *ms = 0;
    if (at_utc(cursor))
        return true;
    const int sign = take(cursor, '+') ? 1 : take(cursor, '-') ? -1 : 0;
    if (sign == 0 || !take_form(cursor, "2", zone))
        return false;
    if ((take(cursor, ':') || at_digit(cursor)) && !take_form(cursor, "2", zone + 1))
        return false;
    *ms = (int64_t)sign * (zone[0] * 60 + zone[1]) * 60000;
    return zone[0] <= 23 && zone[1] <= 59 && cursor->at == cursor->text.len;
}

static bool iso8601(struct bytes text, int64_t *ms)
{
    struct cursor cursor = {.text = text};
    int date[3] = {0};
    int64_t time_of_day = 0;
    int64_t zone = 0;
    if (!take_form(&cursor, "4-2-2", date) || !is_day(date[0], date[1], date[2]))
        return false;
    if (cursor.at < text.len) {
        if (!take(&cursor, 'T') && !take(&cursor, 't') && !take(&cursor, ' '))
            return false;
        if (!take_clock(&cursor, &time_of_day) || !take_zone(&cursor, &zone))
            return false;
    }
    *ms = days_since_epoch(date[0], date[1], date[2]) * 86400000 + time_of_day - zone;
    return true;
}

bool event_time_of_number(double number, int64_t *ms)
{
    if (!isfinite(number))
        return false;
    number = fmax(-CLAMP, fmin(number, CLAMP));
    *ms = (int64_t)(number >= FIRST_MS_VALUE ? number : number * 1000);
    return true;
}

bool event_time_of_text(struct bytes text, int64_t *ms)
{
    double number = 0;
    text = text_trim(text);
    return text_digits(text, &number) ? event_time_of_number(number, ms) : iso8601(text, ms);
}
