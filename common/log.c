#include "log.h"

#include "buf.h"
#include "bytes.h"
#include "clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_TEXT = 1024, LOG_CLEAN = 4 * LOG_TEXT, LOG_LINE = 2 * LOG_CLEAN + 512 };

/* Set once by log_init, before other threads start; only read after that. */
static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
} log_state = {"dropbridge", LOG_LEVEL_INFO, LOG_FORMAT_TEXT};

void log_init(const char *program, enum log_level level, enum log_format format)
{
    log_state.program = program;
    log_state.level = level;
    log_state.format = format;
}

bool log_enabled(enum log_level level)
{
    return level <= log_state.level;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "error";
}

/* Copies `text`, with what could forge or break a line as \xNN. Returns the length without the NUL; `out` is 4 times as
 * long. */
static size_t clean_text(struct bytes text, char out[LOG_CLEAN])
{
    static const char digits[] = "0123456789abcdef";
    size_t written = 0;
    for (size_t at = 0; at < text.len;) {
        const uint8_t c = text.data[at];
        const size_t len = bytes_utf8_character(bytes_of(text.data + at, text.len - at));
        /* U+0080 to U+009F are control characters too. */
        const bool second_control = len == 2 && c == 0xc2 && text.data[at + 1] < 0xa0;
        if (len == 0 || c < 0x20 || c == 0x7f || second_control) {
            out[written++] = '\\';
            out[written++] = 'x';
            out[written++] = digits[c >> 4];
            out[written++] = digits[c & 0x0f];
            at++;
        } else {
            memcpy(out + written, text.data + at, len);
            written += len;
            at += len;
        }
    }
    out[written] = '\0';
    return written;
}

/* Copies clean text as the inside of a JSON string. Returns the new end; there is room for twice the text. */
static size_t put_json_text(char *line, size_t at, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            line[at++] = '\\';
        line[at++] = *text;
    }
    return at;
}

static size_t format_line(enum log_level level, const char *message, char line[LOG_LINE])
{
    char time_text[CLOCK_ISO_SIZE];
    int len = 0;
    (void)clock_iso8601_ms(clock_wall_ms(), time_text);
    switch (log_state.format) {
    case LOG_FORMAT_TEXT:
        len = snprintf(line, LOG_LINE - 1, "%s %s %.64s: %s", time_text, level_name(level), log_state.program, message);
        break;
    case LOG_FORMAT_JSON:
        len = snprintf(line, LOG_LINE, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%.64s\",\"message\":\"",
                       time_text, level_name(level), log_state.program);
        break;
    }
    if (len < 0)
        return 0;
    size_t at = (size_t)len;
    if (log_state.format == LOG_FORMAT_JSON) {
        at = put_json_text(line, at, message);
        line[at++] = '"';
        line[at++] = '}';
    }
    line[at++] = '\n';
    return at;
}

void log_message(enum log_level level, const char *format, ...)
{
    const int saved_errno = errno;
    char text[LOG_TEXT];
    char clean[LOG_CLEAN];
    char line[LOG_LINE];
    va_list arguments;

    if (!log_enabled(level))
        return;
    va_start(arguments, format);
    const int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len >= 0) {
        size_t kept = (size_t)len;
        if (kept >= sizeof text) { /* cut: at most the bytes of one broken character go, too */
            kept = sizeof text - 1;
            while (kept > sizeof text - 4 && ((uint8_t)text[kept - 1] & 0xc0) == 0x80)
                kept--;
            if (((uint8_t)text[kept - 1] & 0x80) != 0)
                kept--;
        }
        (void)clean_text(bytes_of(text, kept), clean);
        const size_t line_len = format_line(level, clean, line);
        /* Nowhere to report a log that cannot be written. */
        const ssize_t ignored = write(STDERR_FILENO, line, line_len);
        (void)ignored;
    }
    errno = saved_errno;
}

const char *log_mask_phone(const char *phone, char out[LOG_MASKED_PHONE])
{
    size_t len = strlen(phone);
    if (len > LOG_MASKED_PHONE - 1)
        len = LOG_MASKED_PHONE - 1;
    /* The sign and the country's first digit stay, if enough of the number is hidden between them and the end. */
    const size_t head = phone[0] == '+' && len >= 8 ? 2 : 0;
    const size_t tail = len >= 6 ? 2 : 0;
    for (size_t i = 0; i < len; i++)
        out[i] = i < head || i >= len - tail ? phone[i] : '*';
    out[len] = '\0';
    return out;
}
