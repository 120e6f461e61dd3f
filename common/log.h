/* One line an event to stderr, as text or JSON, of at most PIPE_BUF (4096) bytes by one write(2) or send(2). Any thread
   may call.

   No call waits for who reads stderr: a line that a pipe, a socket or a terminal does not take at once is dropped and
   counted, and the next one that is taken follows a line that says how many are missing. A short burst is held by the
   pipe itself: 64 KiB on Linux, some 500 lines; by a Unix socket, such as the systemd journal's, some 270. Two things
   can still block. A write to a file on a disk that hangs. And a pipe or terminal that cannot be opened once more
   (another user's, no /proc), when another process fills it between the look at it and the write. */
#ifndef DROPBRIDGE_LOG_H
#define DROPBRIDGE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Call in main before other threads start and before anything is opened to stay: standard descriptors that are closed
   become /dev/null. `program` must outlive the process. Defaults: info, text. */
void log_init(const char *program, enum log_level level, enum log_format format);

/* Any thread. */
void log_set_level(enum log_level level);

bool log_enabled(enum log_level level);

/* The message is cut at 1023 bytes; control characters and invalid UTF-8 are written as \xNN, of which 703 fit. */
void log_message(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_message(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
    do {                                                                                                               \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                                              \
            log_message(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                                 \
    } while (0)

/* Lines that stderr did not take, since the program began. */
uint64_t log_lines_dropped(void);

enum { LOG_MASKED_PHONE = 24 };

/* Writes a phone number with all but its last two digits as `*` ("+1*********42"), for log lines. Returns `out`. */
const char *log_mask_phone(const char *phone, char out[LOG_MASKED_PHONE]);

#endif
