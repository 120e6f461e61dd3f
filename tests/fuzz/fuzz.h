/* For fuzz targets: what is claimed of any bytes. libFuzzer calls a target with inputs of its making, replay.c with those of its
   corpus. */
#ifndef DROPBRIDGE_FUZZ_H
#define DROPBRIDGE_FUZZ_H

#include "common/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A claim that does not hold is a finding, as a sanitizer's is. */
#define CLAIM(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next part of the input, up to a byte 0; false when all are taken. */
static inline bool fuzz_part(struct bytes *rest, struct bytes *part)
{
    if (!rest->data)
        return false;
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\0', rest->len) : NULL;
    *part = bytes_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    *rest = end ? bytes_of(end + 1, rest->len - part->len - 1) : bytes_of(NULL, 0);
    return true;
}

/* A copy of just that size with a NUL behind it, to be freed: a byte too many is noticed. */
static inline char *fuzz_text(struct bytes text)
{
    char *copy = malloc(text.len + 1);
    CLAIM(copy);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

#endif
