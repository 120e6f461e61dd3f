/* Keys in which people damaged counts, by deleting or changing them: which to name, and when to say so again. Pure. */
#ifndef DROPBRIDGE_DAMAGE_H
#define DROPBRIDGE_DAMAGE_H

#include "common/bytes.h"
#include "common/drops/generations.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DAMAGE_KEYS = 64, /* that are named; all others are "(more)" */
    DAMAGE_AGAIN_MS = 3600000,
};

/* Zeroed: none. */
struct damage {
    size_t count;
    struct {
        char key[KEY_TEXT]; /* what may be a phone number in it is masked */
        int64_t told_ms;
    } keys[DAMAGE_KEYS + 1];
};

/* Notes the key. Returns what to name in the log, or NULL if that was named less than DAMAGE_AGAIN_MS ago; it is valid until
   the next call. */
const char *damage_note(struct damage *damage, const char *prefix, struct bytes key, int64_t now_ms);

#endif
