#include "log.h"

#include "buf.h"
#include "bytes.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_TEXT = 1024,
    /* Time, level, program, and what JSON puts around them. */
    LOG_HEAD = 256,
    /* pipe(7): so many bytes go into a pipe whole or not at all. */
    LOG_LINE = PIPE_BUF,
    /* JSON adds at most one byte for each of the message: a quotation mark, a backslash, or what became \xNN. */
    LOG_CLEAN = LOG_LINE - LOG_HEAD - LOG_TEXT,
};
_Static_assert(LOG_CLEAN > LOG_TEXT, "only what is written as \\xNN can make a message too long");

/* Set once by log_init, before other threads start; after that only the level changes. */
static struct {
    const char *program;
    _Atomic enum log_level level;
    enum log_format format;
} log_state = {"dropbridge", LOG_LEVEL_INFO, LOG_FORMAT_TEXT};

/* What became of the lines. */
static struct {
    pthread_mutex_t mutex; /* of what follows, and of the writing: a look and its write belong together */
    uint64_t untold;       /* dropped since the last that was told */
    bool torn;             /* the last that was written has no end */
    _Atomic uint64_t dropped;
} output = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The number of a closed one would go to the next file or connection, which would then get the lines. */
static void hold_standard_descriptors(void)
{
    int fd = 0;

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
}

void log_init(const char *program, enum log_level level, enum log_format format)
{
    log_state.program = program;
    log_set_level(level);
    log_state.format = format;
    hold_standard_descriptors();
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_state.level, level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level <= atomic_load_explicit(&log_state.level, memory_order_relaxed);
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

/* Copies `text`, with what could forge or break a line as \xNN, as far as there is room for whole characters. Returns
   the length without the NUL. */
static size_t clean_text(struct bytes text, char out[LOG_CLEAN])
{
    static const char digits[] = "0123456789abcdef";
    size_t written = 0;
    for (size_t at = 0; at < text.len;) {
        const uint8_t c = text.data[at];
        const size_t len = bytes_utf8_character(bytes_of(text.data + at, text.len - at));
        /* U+0080 to U+009F are control characters too. */
        const bool second_control = len == 2 && c == 0xc2 && text.data[at + 1] < 0xa0;
        const bool escaped = len == 0 || c < 0x20 || c == 0x7f || second_control;
        if (written + (escaped ? 4 : len) >= LOG_CLEAN)
            break;
        if (escaped) {
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

/* Copies clean text as the inside of a JSON string. Returns the new end; see LOG_CLEAN for the room. */
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

/* A pipe or a terminal once more, as a description of our own that never waits: O_NONBLOCK on the one that we were
   given would reach all who share it. Others, and one that may not be opened, as they are. */
static int open_stderr(void)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDERR_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || isatty(STDERR_FILENO)))
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 ? fd : STDERR_FILENO;
}

/* Whether stderr has room now; a pipe that does takes a whole line. */
static bool has_room(void)
{
    struct pollfd look = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&look, 1, 0) == 1;
}

/* Whether stderr took all of the line. Holds the mutex. */
static bool put_line(const char *line, size_t len)
{
    const int fd = open_stderr();
    ssize_t written = -1;

    if (fd != STDERR_FILENO) {
        written = write(fd, line, len);
        (void)close(fd);
    } else {
        /* A Unix socket, such as the journal's, counts as writable only while most of its buffer is free: it is not
           asked first. */
        written = send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno == ENOTSOCK && has_room())
            written = write(fd, line, len);
    }
    if (written > 0)
        output.torn = (size_t)written < len;
    return written == (ssize_t)len;
}

/* Tells how many lines are missing at this place. Holds the mutex. */
static bool put_notice(void)
{
    char text[LOG_TEXT];
    char line[LOG_LINE];

    if (output.torn && !put_line("\n", 1))
        return false;
    (void)snprintf(text, sizeof text,
                   "lines of this log that are missing here: %llu; stderr did not take them: look at what reads it",
                   (unsigned long long)output.untold);
    return put_line(line, format_line(LOG_LEVEL_WARN, text, line));
}

static void write_or_drop(const char *line, size_t len)
{
    pthread_mutex_lock(&output.mutex);
    if (output.untold > 0 && put_notice())
        output.untold = 0;
    if (output.untold > 0 || !put_line(line, len)) {
        output.untold++;
        atomic_fetch_add_explicit(&output.dropped, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&output.mutex);
}

uint64_t log_lines_dropped(void)
{
    return atomic_load_explicit(&output.dropped, memory_order_relaxed);
}

/* The length of a message that vsnprintf has cut: without the bytes of a character that is not whole. */
static size_t cut_length(const char text[LOG_TEXT])
{
    size_t kept = LOG_TEXT - 1;

    while (kept > LOG_TEXT - 4 && ((uint8_t)text[kept - 1] & 0xc0) == 0x80)
        kept--;
    if (((uint8_t)text[kept - 1] & 0x80) != 0)
        kept--;
    return kept;
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
        const size_t kept = (size_t)len < sizeof text ? (size_t)len : cut_length(text);
        (void)clean_text(bytes_of(text, kept), clean);
        write_or_drop(line, format_line(level, clean, line));
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
