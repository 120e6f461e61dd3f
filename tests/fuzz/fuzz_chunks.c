/* Chunked bodies, read in pieces of sizes that the first byte says, beside a reader that has all bytes at once. */
#include "bridge/http/chunks.h"
#include "fuzz.h"

#include <ctype.h>

/* Whether `sent` begins with a whole body; then *end is where it ends, and out[0..*len) what it says. */
static bool reads_whole(struct bytes sent, uint8_t *out, size_t *len, size_t *end)
{
    size_t at = 0;
    *len = 0;
    for (size_t chunks = 1;; chunks++) {
        size_t digits = 0, size = 0;
        for (; digits <= 8 && at < sent.len && isxdigit(sent.data[at]); digits++, at++)
            size = size * 16 + (size_t)(isdigit(sent.data[at]) ? sent.data[at] - '0' : (sent.data[at] | 0x20) - 'a' + 10);
        if (digits == 0 || digits > 8 || chunks > CHUNKS_FREE + *len / CHUNKS_MEAN || sent.len - at < size + 4 ||
            memcmp(sent.data + at, "\r\n", 2) != 0 || memcmp(sent.data + at + 2 + size, "\r\n", 2) != 0)
            return false;
        memcpy(out + *len, sent.data + at + 2, size);
        *len += size;
        at += size + 4;
        if (size == 0) {
            *end = at;
            return true;
        }
    }
}

/* The same by the decoder, which is given `step` bytes at a time, or as many as it asks for if that is 0. */
static bool decodes_whole(struct bytes sent, size_t step, uint8_t *out, size_t *len, size_t *end)
{
    struct chunks chunks = {0};
    size_t ahead;
    *len = *end = 0;
    while ((ahead = chunks_ahead(&chunks)) > 0) {
        size_t n = step > 0 && step < ahead ? step : ahead;
        if (n > sent.len - *end)
            n = sent.len - *end;
        uint8_t *piece = malloc(n > 0 ? n : 1);
        CLAIM(piece);
        memcpy(piece, sent.data + *end, n);
        const long kept = n > 0 ? chunks_decode(&chunks, piece, n) : -1;
        CLAIM(kept <= (long)n);
        if (kept > 0)
            memcpy(out + *len, piece, (size_t)kept);
        free(piece);
        if (kept < 0)
            return false;
        *len += (size_t)kept;
        *end += n;
        CLAIM(chunks.decoded == *len);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct bytes sent = bytes_of(data + 1, size - 1);
    uint8_t *expected = malloc(size), *decoded = malloc(size);
    size_t expected_len, expected_end = 0, len, end;
    CLAIM(expected && decoded);
    const bool whole = reads_whole(sent, expected, &expected_len, &expected_end);
    const size_t steps[] = {0, 1, data[0]};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CLAIM(decodes_whole(sent, steps[i], decoded, &len, &end) == whole);
        CLAIM(!whole || (len == expected_len && end == expected_end && memcmp(decoded, expected, len) == 0));
    }
    free(expected);
    free(decoded);
    return 0;
}
