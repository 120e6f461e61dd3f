/* Log lines for what a worker meets often: of each kind at most one a second, with how often it came since the last
   line and what the latest of it was; and what is told once. Reads no clock; one thread owns it. */
#ifndef DROPBRIDGE_FREQUENT_LOG_H
#define DROPBRIDGE_FREQUENT_LOG_H

#include "workers/event/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frequent {
    FREQUENT_REMARK,    /* a value that was ignored */
    FREQUENT_REJECTION, /* a message in the rejected queue */
    FREQUENT_SUSPECT,   /* a message that may be what crashes workers */
    FREQUENT_RETURNED,  /* a message that came again after the channel was renewed */
    FREQUENT_KINDS,
};

enum { FREQUENT_ONCE_MAX = 64 }; /* a dozen names is many; strangers' names must not fill the log */

struct frequent_log {
    struct {
        uint64_t count; /* since the last line */
        int64_t next_ms;
        char last[PARSE_DETAIL];
    } lines[FREQUENT_KINDS];
    size_t once_count;
    bool once_full; /* and that was told */
    char once[FREQUENT_ONCE_MAX][PARSE_DETAIL];
};

/* Zeroed memory is an empty log. `text` is copied, and cut if it is too long. */
void frequent_log_note(struct frequent_log *log, enum frequent kind, const char *text);

/* Prints the text, unless it was printed before. After FREQUENT_ONCE_MAX texts one line says that others are not told. */
void frequent_log_once(struct frequent_log *log, const char *text);

/* Prints what was noted, of each kind unless its last line is less than a second ago. */
void frequent_log_print(struct frequent_log *log, int64_t now_ms);

/* Prints all that was noted: nothing comes after it. */
void frequent_log_finish(struct frequent_log *log, int64_t now_ms);

#endif
