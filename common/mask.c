#include "mask.h"

#include "hex.h"

#include <stdbool.h>

enum { FEWEST_DIGITS = 7, SHOWN_DIGITS = 2 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of what may stand between the digits of a number, at the start of `text`; 0: there is nothing of the kind.
 */
static size_t separator(const char *text, size_t len)
{
    if (text[0] == '%')
        return len >= 3 && hex_digit_value(text[1]) >= 0 && hex_digit_value(text[2]) >= 0 ? 3 : 0;
    return text[0] == '.' || text[0] == '_' || text[0] == '-' ? 1 : 0;
}

/* Walks over digits and separators from `text` on and masks the first `hidden` digits. Returns where they end. */
static size_t walk_number(char *text, size_t len, size_t hidden, size_t *digits)
{
    size_t at = 0, step;

    for (*digits = 0; at < len; at += step) {
        step = is_digit(text[at]) ? 1 : separator(text + at, len - at);
        if (step == 0)
            break;
        if (is_digit(text[at]) && ++*digits <= hidden)
            text[at] = '*';
    }
    return at;
}

void mask_digits(char *name, size_t len)
{
    size_t at = 0, digits;

    while (at < len) {
        const size_t run = walk_number(name + at, len - at, 0, &digits);
        if (digits >= FEWEST_DIGITS)
            walk_number(name + at, len - at, digits - SHOWN_DIGITS, &digits);
        at += run > 0 ? run : 1;
    }
}
