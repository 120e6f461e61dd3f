/* For fuzz targets: what is claimed of any bytes. A target is a program that libFuzzer calls with inputs of its making. */
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

#endif
