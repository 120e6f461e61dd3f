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

/* Exactly `digits` digits, at most `max`. */
static bool take_number(struct cursor *cursor, int digits, int max, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!at_digit(cursor))
            return false;
        value = value * 10 + (cursor->text.data[cursor->at++] - '0');
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t days = day - 1;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    /* Leap days of the years 0 to year - 1; year 0 is one itself. */
    int64_t leap_days = year == 0 ? 0 : (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
    static const int64_t DAYS_TO_1970 = 1970 * 365 + 478;
    return (int64_t)year * 365 + leap_days - DAYS_TO_1970 + days;
}

static bool take_date(struct cursor *cursor, int64_t *ms)
{
    int year = 0;
    int month = 0;
    int day = 0;
    if (!take_number(cursor, 4, 9999, &year) || !take(cursor, '-') || !take_number(cursor, 2, 12, &month) ||
        !take(cursor, '-') || !take_number(cursor, 2, 31, &day))
        return false;
    if (month < 1 || day < 1 || day > days_in_month(year, month))
        return false;
    *ms = days_since_epoch(year, month, day) * 86400000;
    return true;
}

/* "hh:mm[:ss[.fraction]]"; digits behind the third are dropped. A leap second is the second that follows it. */
static bool take_clock(struct cursor *cursor, int64_t *ms)
{
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    int fraction = 0;
    if (!take_number(cursor, 2, 23, &hours) || !take(cursor, ':') || !take_number(cursor, 2, 59, &minutes))
        return false;
    if (take(cursor, ':')) {
        if (!take_number(cursor, 2, 60, &seconds))
            return false;
        if (take(cursor, '.')) {
            if (!at_digit(cursor))
                return false;
            for (int scale = 100; at_digit(cursor); scale /= 10)
                fraction += scale * (cursor->text.data[cursor->at++] - '0');
        }
    }
    *ms = ((int64_t)hours * 3600 + minutes * 60 + seconds) * 1000 + fraction;
    return true;
}

/* What is left is nothing, "Z" or " UTC". */
static bool at_utc(const struct cursor *cursor)
{
    struct bytes rest = bytes_of(cursor->text.data + cursor->at, cursor->text.len - cursor->at);
    return rest.len == 0 || text_is(rest, "z") || text_is(rest, " utc");
}

/* "+hh:mm", "-hhmm" or what at_utc takes, up to the end; *ms is what to take away. */
static bool take_zone(struct cursor *cursor, int64_t *ms)
{
    int hours = 0;
    int minutes = 0;
    int sign = 0;
    if (at_utc(cursor)) {
        *ms = 0;
        return true;
    }
    if (take(cursor, '+'))
        sign = 1;
    else if (take(cursor, '-'))
        sign = -1;
    if (sign == 0 || !take_number(cursor, 2, 23, &hours))
        return false;
    take(cursor, ':');
    if (!take_number(cursor, 2, 59, &minutes))
        return false;
    *ms = (int64_t)sign * (hours * 60 + minutes) * 60000;
    return cursor->at == cursor->text.len;
}

static bool iso8601(struct bytes text, int64_t *ms)
{
    struct cursor cursor = {.text = text};
    int64_t date = 0;
    int64_t time_of_day = 0;
    int64_t zone = 0;
    if (!take_date(&cursor, &date))
        return false;
    if (cursor.at < text.len) {
        if (!take(&cursor, 'T') && !take(&cursor, 't') && !take(&cursor, ' '))
            return false;
        if (!take_clock(&cursor, &time_of_day) || !take_zone(&cursor, &zone))
            return false;
    }
    *ms = date + time_of_day - zone;
    return true;
}

bool event_time_of_number(double number, int64_t *ms)
{
    if (!isfinite(number))
        return false;
    if (number > CLAMP)
        number = CLAMP;
    if (number < -CLAMP)
        number = -CLAMP;
    *ms = (int64_t)(number >= FIRST_MS_VALUE ? number : number * 1000);
    return true;
}

bool event_time_of_text(struct bytes text, int64_t *ms)
{
    double number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return iso8601(text, ms);
        if (number < CLAMP)
            number = number * 10 + (text.data[i] - '0');
    }
    return text.len > 0 && event_time_of_number(number, ms);
}
