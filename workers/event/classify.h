/* The fields of a message → an event: kind, outcome, reason, opt-out (docs/classification.md, sections 1 and 2); with
   attributes.h, what it carries. Pure; knows no JSON. */
#ifndef DROPBRIDGE_CLASSIFY_H
#define DROPBRIDGE_CLASSIFY_H

#include "fields.h"
#include "parse.h"
#include "words.h"

/* A message while it is read. */
struct reading {
    struct fields *fields;
    const struct envelope *envelope;
    const struct parse_settings *settings;

    struct bytes name; /* `type`, else `event` */
    enum name_meaning meaning;
    struct bytes status;
    bool of_send; /* it tells how a send went; else what a contact did, or of a campaign */

    struct event *event; /* what is made of it */
    char *remark;        /* PARSE_DETAIL bytes: what the log should tell; "": nothing */
};

/* The contract of event_parse, from the fields. Never says PARSE_INVALID_JSON. */
enum parse_verdict classify(struct fields *fields, const struct envelope *envelope,
                            const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL]);

#endif
