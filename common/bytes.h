/* A view of bytes that somebody else owns. */
#ifndef DROPBRIDGE_BYTES_H
#define DROPBRIDGE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL if len is 0 */
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){.data = data, .len = len};
}

static inline struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, text ? strlen(text) : 0);
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Copies a text that has room in `out` with a NUL behind it, and has none inside; else `out` stays as it is. */
void bytes_copy_text(struct bytes text, char *out, size_t size);

/* Byte order, a prefix before what it begins: <0, 0, >0 as memcmp. */
int bytes_compare(struct bytes a, struct bytes b);

/* The length of the UTF-8 character (RFC 3629) that `text` begins with; 0 if it begins with none. */
size_t bytes_utf8_character(struct bytes text);

/* The length of the longest prefix of at most `limit` bytes that does not cut a UTF-8 character. */
size_t bytes_utf8_prefix(struct bytes text, size_t limit);

#endif
