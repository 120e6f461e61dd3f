/* What log lines may show of names from outside. Pure. */
#ifndef DROPBRIDGE_MASK_H
#define DROPBRIDGE_MASK_H

#include <stddef.h>

/* Masks, in place, what could be a phone number in a name: where seven digits or more follow one another, with nothing
   but `.`, `_`, `-` or escapes (%20) in between, all but the last two become `*`. */
void mask_digits(char *name, size_t len);

#endif
