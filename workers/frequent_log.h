/* Log lines for what a worker meets often: of each kind at most one a second, with how often it came since the last
   line and what the latest of it was. Reads no clock; one thread owns it. */
#ifndef DROPBRIDGE_FREQUENT_LOG_H
#define DROPBRIDGE_FREQUENT_LOG_H

#include "common/log_limiter.h"
#include "workers/event/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frequent {
    FREQUENT_REMARK,    /* a value that was ignored */
    FREQUENT_NAME,      /* a name of an event that people should look at */
    FREQUENT_REJECTION, /* a message in the rejected queue */
    FREQUENT_SUSPECT,   /* a message that may be what crashes workers */
    FREQUENT_RETURNED,  /* a message that came again after the channel was renewed */
    FREQUENT_KINDS,
};

struct frequent_log {
    struct {
        uint64_t count; /* since the last line */
        char last[PARSE_DETAIL]; /* empty: nothing is to be told */
        int64_t next_ms;
    } lines[FREQUENT_KINDS];
    struct log_limiter names;
};

/* Zeroed memory is an empty log. `text` is copied, and cut if it is too long. */
void frequent_log_note(struct frequent_log *log, enum frequent kind, const char *text);

/* The same for FREQUENT_NAME: counted, but not a reason for a line if that text was one within the last minute, as such
   events come in thousands. The line has all texts that are new. */
void frequent_log_name(struct frequent_log *log, const char *text, int64_t now_ms);

/* Prints what was noted, of each kind unless its last line is less than a second ago; at INT64_MAX all of it. */
void frequent_log_print(struct frequent_log *log, int64_t now_ms);

#endif
