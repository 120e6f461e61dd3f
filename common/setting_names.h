/* The names of settings: which are known, and which a mistyped one resembles. Pure. */
#ifndef DROPBRIDGE_SETTING_NAMES_H
#define DROPBRIDGE_SETTING_NAMES_H

#include "setting.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SETTING_NAME_SIZE = 64,
    SETTING_TYPO_DISTANCE = 2, /* letters that make a name look like another */
    SETTING_TYPO_SHORTEST = 5, /* below that everything resembles everything */
};

/* Whether `name` is `base` and `suffix`. */
bool setting_name_is(const char *name, const char *base, const char *suffix);
/* Whether it is a row's, or NAME_FILE of one that allows it. */
bool setting_name_known(const struct setting *rows, size_t count, const char *name);
/* Writes the known name nearest to `name` to `out`, which is untouched if there is none, and returns how many letters
   lie between them. */
size_t setting_name_nearest(const struct setting *rows, size_t count, const char *name, char out[SETTING_NAME_SIZE]);

#endif
