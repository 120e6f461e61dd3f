/* Bodies to events, for the tests of event_parse. */
#ifndef DROPBRIDGE_TEST_PARSING_H
#define DROPBRIDGE_TEST_PARSING_H

#include "cases.h"

#include "workers/event/parse.h"
#include "common/drops/reasons.h"

#include <stdio.h>
#include <string.h>

/* 2026-06-01T12:00:00Z */
#define RECEIVED INT64_C(1780315200000)

static inline enum parse_verdict parse_bytes(const void *body, size_t len, const char *campaign,
                                             const char *separator, struct event *event, char *detail)
{
    struct envelope envelope = {.received_at_ms = RECEIVED};
    snprintf(envelope.campaign, sizeof envelope.campaign, "%s", campaign);
    detail[0] = '\0';
    return event_parse(bytes_of(body, len), &envelope, separator, event, detail);
}

/* What the log is told goes to `detail`. */
static inline struct event parsed_with(const char *body, char detail[PARSE_DETAIL])
{
    struct event event;
    enum parse_verdict verdict = parse_bytes(body, strlen(body), "", NULL, &event, detail);
    if (verdict != PARSE_OK)
        fail_msg("%s: verdict %d, %s", body, (int)verdict, detail);
    return event;
}

static inline struct event parsed(const char *body)
{
    char detail[PARSE_DETAIL];
    return parsed_with(body, detail);
}

static inline const char *slug_of(const struct event *event)
{
    return reason_by_number(event->reason)->slug;
}

#endif
