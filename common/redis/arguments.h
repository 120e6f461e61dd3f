/* The arguments of one Redis command, of any bytes, as they stand on the wire (RESP), in one growing buffer. Pure. One
   thread at a time. */
#ifndef DROPBRIDGE_ARGUMENTS_H
#define DROPBRIDGE_ARGUMENTS_H

#include "common/buf.h"
#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arguments {
    struct buf bytes; /* overflow: out of memory, or past the limit, since the last arguments_reset */
    size_t count;
};

void arguments_init(struct arguments *arguments, size_t limit);
void arguments_clear(struct arguments *arguments);
void arguments_reset(struct arguments *arguments);

void arguments_add(struct arguments *arguments, const void *data, size_t len);
void arguments_add_text(struct arguments *arguments, const char *text);
void arguments_add_number(struct arguments *arguments, int64_t number);
void arguments_printf(struct arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds those of another list. */
void arguments_append(struct arguments *arguments, const struct arguments *from);

#endif
