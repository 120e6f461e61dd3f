#include "setting_names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance: letters to insert, delete or replace. */
static size_t name_distance(const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    size_t row[SETTING_NAME_SIZE + 1];

    if (a_len > SETTING_NAME_SIZE || b_len > SETTING_NAME_SIZE)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

bool setting_name_is(const char *name, const char *base, const char *suffix)
{
    const size_t base_len = strlen(base);
    return strncmp(name, base, base_len) == 0 && strcmp(name + base_len, suffix) == 0;
}

bool setting_name_known(const struct setting *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, rows[i].name) == 0 ||
            (rows[i].secret && setting_name_is(name, rows[i].name, SETTING_FILE_SUFFIX)))
            return true;
    }
    return false;
}

size_t setting_name_nearest(const struct setting *rows, size_t count, const char *name, char out[SETTING_NAME_SIZE])
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < 2 * count; i++) {
        const struct setting *row = &rows[i / 2];
        char known[SETTING_NAME_SIZE];
        if (i % 2 == 1 && !row->secret)
            continue;
        (void)snprintf(known, sizeof known, "%s%s", row->name, i % 2 == 1 ? SETTING_FILE_SUFFIX : "");
        const size_t distance = name_distance(name, known);
        if (distance < best) {
            best = distance;
            memcpy(out, known, sizeof known);
        }
    }
    return best;
}
