#include "frequent_log.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_EVERY_MS = 1000 };

static const char *const sentences[FREQUENT_KINDS] = {
    [FREQUENT_REMARK] = "messages with values that were ignored",
    [FREQUENT_NAME] = "events with names to look at in dc:events and dc:optouts",
    [FREQUENT_REJECTION] = "messages sent to the rejected queue",
    [FREQUENT_SUSPECT] = "messages delivered a third time or more, read in a process of their own first",
    [FREQUENT_RETURNED] =
        "messages that came again just after the channel was renewed by this worker, which had none in hand",
};

void frequent_log_note(struct frequent_log *log, enum frequent kind, const char *text)
{
    log->lines[kind].count++;
    snprintf(log->lines[kind].last, sizeof log->lines[kind].last, "%s", text);
}

void frequent_log_name(struct frequent_log *log, const char *text, int64_t now_ms)
{
    char *last = log->lines[FREQUENT_NAME].last;
    size_t len = strlen(last);

    log->lines[FREQUENT_NAME].count++;
    if (log_limiter_is_news(&log->names, text, now_ms))
        snprintf(last + len, PARSE_DETAIL - len, "%s%s", len > 0 ? "; " : "", text);
}

void frequent_log_print(struct frequent_log *log, int64_t now_ms)
{
    for (int kind = 0; kind < FREQUENT_KINDS; kind++) {
        if (log->lines[kind].last[0] == '\0' || now_ms < log->lines[kind].next_ms)
            continue;
        log_warn("%s: %" PRIu64 "; the last: %s", sentences[kind], log->lines[kind].count, log->lines[kind].last);
        log->lines[kind].count = 0;
        log->lines[kind].last[0] = '\0';
        log->lines[kind].next_ms = now_ms == INT64_MAX ? now_ms : now_ms + LINE_EVERY_MS;
    }
}
