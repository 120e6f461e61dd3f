/* A growing, bounded byte buffer. One thread at a time. */
#ifndef DROPBRIDGE_BUF_H
#define DROPBRIDGE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NUL-terminated once anything was appended; NULL before */
    size_t len; /* without the NUL */
    size_t cap;
    size_t limit;  /* appending past it fails */
    bool overflow; /* an append failed (limit or memory): the content is not whole */
};

void buf_init(struct buf *buf, size_t limit);
void buf_clear(struct buf *buf); /* frees; the buffer may be used again with the same limit */
void buf_reset(struct buf *buf); /* empties, keeps the memory; clears `overflow` */

/* Each returns false and sets `overflow`, leaving the content as it was, when it does not fit. */
bool buf_append(struct buf *buf, const void *data, size_t len);
bool buf_append_text(struct buf *buf, const char *text);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text as a JSON string with its quotes; control characters escaped, invalid UTF-8 replaced by U+FFFD. */
bool buf_append_json_string(struct buf *buf, const char *text, size_t len);

#endif
