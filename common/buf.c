#include "buf.h"

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 256 };

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_clear(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->limit);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. */
static bool buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->limit || buf->len > buf->limit - more || buf->limit == SIZE_MAX) {
        buf->overflow = true;
        return false;
    }
    const size_t needed = buf->len + more + 1;
    if (needed <= buf->cap)
        return true;

    size_t cap = buf->cap == 0 ? BUF_FIRST : buf->cap;
    while (cap < needed)
        cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
    if (cap > buf->limit + 1)
        cap = buf->limit + 1;
    char *grown = realloc(buf->data, cap);
    if (!grown) {
        buf->overflow = true;
        return false;
    }
    buf->data = grown;
    buf->cap = cap;
    return true;
}

bool buf_append(struct buf *buf, const void *data, size_t len)
{
    if (!buf_reserve(buf, len))
        return false;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return true;
}

bool buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0) {
        buf->overflow = true;
        return false;
    }
    if (!buf_reserve(buf, (size_t)len))
        return false;

    va_start(arguments, format);
    (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, arguments);
    va_end(arguments);
    buf->len += (size_t)len;
    return true;
}

/* Appends one character of a JSON string, escaped if it must be. Returns how many bytes of `rest` it took; 0 when it
 * did not fit. */
static size_t append_json_character(struct buf *buf, struct bytes rest)
{
    static const char short_escapes[][3] = {['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
                                            ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    const uint8_t c = rest.data[0];
    const size_t len = bytes_utf8_character(rest);

    if (len == 0)
        return buf_append_text(buf, "\xef\xbf\xbd") ? 1 : 0;
    if (c < sizeof short_escapes / sizeof short_escapes[0] && short_escapes[c][0] != '\0')
        return buf_append_text(buf, short_escapes[c]) ? 1 : 0;
    if (c < 0x20 || c == 0x7f)
        return buf_printf(buf, "\\u%04x", (unsigned)c) ? 1 : 0;
    return buf_append(buf, rest.data, len) ? len : 0;
}

/* How many ASCII characters at its beginning stand in a JSON string as they are. */
static size_t plain_run(struct bytes text)
{
    size_t run = 0;

    while (run < text.len && text.data[run] >= 0x20 && text.data[run] < 0x7f && text.data[run] != '"' &&
           text.data[run] != '\\')
        run++;
    return run;
}

bool buf_append_json_string(struct buf *buf, const char *text, size_t len)
{
    const size_t before = buf->len;
    size_t done = 0;
    bool ok = buf_append(buf, "\"", 1);

    while (ok && done < len) {
        const struct bytes rest = bytes_of(text + done, len - done);
        const size_t run = plain_run(rest);
        const size_t took = run == 0 ? append_json_character(buf, rest) : buf_append(buf, rest.data, run) ? run : 0;
        ok = took > 0;
        done += took;
    }
    ok = ok && buf_append(buf, "\"", 1);
    if (!ok) {
        buf->len = before;
        if (buf->data)
            buf->data[before] = '\0';
    }
    return ok;
}
