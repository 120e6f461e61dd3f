/* A message → an event. Pure: no I/O, no clock. Any thread. */
#ifndef DROPBRIDGE_EVENT_PARSE_H
#define DROPBRIDGE_EVENT_PARSE_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "event.h"

enum { PARSE_DETAIL = 256 };
#define PARSE_ABOUT_NAME "the event \""

enum parse_verdict {
    PARSE_OK,
    PARSE_NO_MEMORY, /* not the message's fault: try again */
#define REJECTION(name, slug) PARSE_##name,
#include "workers/outcomes.def"
};

/* Reads and classifies one message by docs/classification.md. envelope->received_at_ms must be set (the caller puts a
   time there if the message had none); `separator` is CAMPAIGN_FROM_FOREIGN_ID, NULL or empty: off. On PARSE_OK *event is
   filled; else it is untouched and `detail` gets a sentence.
   What the log should tell of an event (absurd money was ignored, its name sounds like an opt-out) is a sentence in
   `detail` with PARSE_OK, which begins with PARSE_ABOUT_NAME if it is about the name; else detail is "". A message that is
   no event but opts somebody out becomes an EVENT_OPT_OUT with rejected_as set. */
enum parse_verdict event_parse(struct bytes body, const struct envelope *envelope, const char *separator,
                               struct event *event, char detail[PARSE_DETAIL]);

/* The slug of a rejection ("invalid_json"); NULL for PARSE_OK and PARSE_NO_MEMORY. */
const char *parse_verdict_slug(enum parse_verdict verdict);

#endif
