#include "chunks.h"

#include <stdbool.h>
#include <string.h>

enum {
    SIZE_DIGITS = 8,
    LAST_LEN = 5,             /* "0\r\n\r\n" */
    BEHIND_DATA = 2 + LAST_LEN,
};

size_t chunks_ahead(const struct chunks *chunks)
{
    static const size_t line_ends[] = {
        [CHUNK_DATA] = BEHIND_DATA, [CHUNK_DATA_CR] = BEHIND_DATA, [CHUNK_DATA_LF] = BEHIND_DATA - 1,
        [CHUNK_LAST_CR] = 2,        [CHUNK_LAST_LF] = 1,           [CHUNK_END] = 0,
    };

    if (chunks->state == CHUNK_SIZE && chunks->digits == 0)
        return LAST_LEN;
    if (chunks->state <= CHUNK_SIZE_LF) /* the line's end; then the data, or the last line */
        return (chunks->state == CHUNK_SIZE ? 2 : 1) + (chunks->left > 0 ? chunks->left + BEHIND_DATA : 2);
    return chunks->left + line_ends[chunks->state];
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of what is not data. False if it has no place there. */
static bool take_byte(struct chunks *chunks, uint8_t c)
{
    const int digit = hex_digit(c);

    switch (chunks->state) {
    case CHUNK_SIZE:
        if (digit >= 0) {
            chunks->left = chunks->left * 16 + (size_t)digit;
            return ++chunks->digits <= SIZE_DIGITS;
        }
        chunks->state = CHUNK_SIZE_LF;
        return c == '\r' && chunks->digits > 0;
    case CHUNK_SIZE_LF:
        chunks->digits = 0;
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_LAST_CR;
        return c == '\n' && ++chunks->count <= CHUNKS_FREE + chunks->decoded / CHUNKS_MEAN;
    case CHUNK_DATA_CR:
    case CHUNK_LAST_CR:
        chunks->state++;
        return c == '\r';
    case CHUNK_DATA_LF:
        chunks->state = CHUNK_SIZE;
        return c == '\n';
    case CHUNK_LAST_LF:
        chunks->state = CHUNK_END;
        return c == '\n';
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    return false;
}

long chunks_decode(struct chunks *chunks, uint8_t *bytes, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len;) {
        if (chunks->state != CHUNK_DATA) {
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
        if (chunks->left == 0)
            chunks->state = CHUNK_DATA_CR;
    }
    return (long)kept;
}
