/* The arguments of one Redis command, of any bytes, in one growing buffer. One thread at a time. */
#ifndef DROPBRIDGE_ARGUMENTS_H
#define DROPBRIDGE_ARGUMENTS_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arguments {
    struct buf bytes;
    size_t *ends; /* of each argument, in `bytes` */
    size_t count, capacity;
    const char **argv; /* made by arguments_finish */
    size_t *argv_len;
    bool failed; /* out of memory, or past the limit: sticks until arguments_reset */
};

void arguments_init(struct arguments *arguments, size_t limit);
void arguments_clear(struct arguments *arguments);
void arguments_reset(struct arguments *arguments);

void arguments_add(struct arguments *arguments, const void *data, size_t len);
void arguments_add_text(struct arguments *arguments, const char *text);
void arguments_add_number(struct arguments *arguments, int64_t number);
void arguments_printf(struct arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Overwrites bytes of an argument that was added before; they must lie within it. */
void arguments_patch(struct arguments *arguments, size_t index, const void *data, size_t len);

/* Makes argv and argv_len, which are valid until something is added. False if anything has failed. */
bool arguments_finish(struct arguments *arguments);

#endif
