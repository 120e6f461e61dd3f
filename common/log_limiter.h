/* Which sentence need not be logged again: trouble that lasts for hours is told once a minute. Pure; one thread. */
#ifndef DROPBRIDGE_LOG_LIMITER_H
#define DROPBRIDGE_LOG_LIMITER_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Several hosts tried in turn complain in turn. */
    LOG_LIMITER_KEPT = 8,
    LOG_LIMITER_AGAIN_MS = 60000,
};

/* All zero: nothing was said yet. */
struct log_limiter {
    struct logged {
        char text[ERROR_TEXT]; /* empty: unused */
        int64_t said_ms;
    } kept[LOG_LIMITER_KEPT];
};

/* True, and noted, if the sentence was not said within the last minute. Of more than LOG_LIMITER_KEPT the one said
   longest ago is forgotten. */
bool log_limiter_is_news(struct log_limiter *limiter, const char *text, int64_t now_ms);
/* It is over: whatever comes next is news. */
void log_limiter_forget(struct log_limiter *limiter);

#endif
