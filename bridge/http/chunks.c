#include "chunks.h"

#include "common/hex.h"

#include <stdbool.h>
#include <string.h>

enum {
    SIZE_DIGITS = 8,
    LAST_LEN = 5,             /* "0\r\n\r\n" */
    BEHIND_DATA = 2 + LAST_LEN,
};

size_t chunks_ahead(const struct chunks *chunks)
{
    const size_t due = chunks->due;

    if (chunks->state == CHUNK_END)
        return due;
    if (chunks->state == CHUNK_DATA)
        return due + chunks->left + BEHIND_DATA;
    if (chunks->digits == 0)
        return due + LAST_LEN;
    return 2 + (chunks->left > 0 ? chunks->left + BEHIND_DATA : 2); /* the line's end; then the data, or the last line */
}

/* One byte of what is not data. False if it has no place there. */
static bool take_byte(struct chunks *chunks, uint8_t c)
{
    static const uint8_t line_ends[] = {'\n', '\r', '\n'};
    const int digit = hex_digit_value((char)c);
    const bool has_size = chunks->digits > 0;

    if (chunks->due > 0)
        return c == line_ends[sizeof line_ends - chunks->due--];
    if (digit >= 0) {
        chunks->left = chunks->left * 16 + (size_t)digit;
        return ++chunks->digits <= SIZE_DIGITS;
    }
    chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_END;
    chunks->due = chunks->left > 0 ? 1 : 3;
    chunks->digits = 0;
    return c == '\r' && has_size && ++chunks->count <= CHUNKS_FREE + chunks->decoded / CHUNKS_MEAN;
}

long chunks_decode(struct chunks *chunks, uint8_t *bytes, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len;) {
        if (chunks->state != CHUNK_DATA || chunks->due > 0) {
            if (!take_byte(chunks, bytes[i++]))
                return -1;
            continue;
        }
        const size_t n = chunks->left < len - i ? chunks->left : len - i;
        memmove(bytes + kept, bytes + i, n);
        kept += n;
        i += n;
        chunks->decoded += n;
        chunks->left -= n;
        if (chunks->left == 0) {
            chunks->state = CHUNK_SIZE;
            chunks->due = 2;
        }
    }
    return (long)kept;
}
