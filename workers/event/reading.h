/* A message while it is made an event of: what parse, classify and attributes hand each other. Pure. */
#ifndef DROPBRIDGE_EVENT_READING_H
#define DROPBRIDGE_EVENT_READING_H

#include "fields.h"
#include "parse.h"
#include "words.h"

struct reading {
    struct fields *fields;
    const struct envelope *envelope;
    const char *separator; /* CAMPAIGN_FROM_FOREIGN_ID */

    struct bytes name; /* `type`, else `event` */
    enum name_meaning meaning;
    struct bytes status;
    bool of_send; /* it tells how a send went; else what a contact did, or of a campaign */

    struct event *event; /* what is made of it */
    char *remark;        /* PARSE_DETAIL bytes: what the log should tell; "": nothing */
};

/* Keeps the first remark: one is enough to go and look. */
void remark(struct reading *reading, const char *text);

/* classify: what the message is and what it says of outcome, reason and opt-out; sets of_send and with it the phone. */
enum parse_verdict classify(struct reading *reading);

/* attributes: what an event carries besides. Each writes its part of the event, and a remark for what it ignored. */
void phone_into(struct reading *reading);
void costs_into(struct reading *reading);
void flags_into(struct reading *reading);
/* `campaign_session.dispo.dnc`, which receipts have. */
enum flag session_dnc(struct reading *reading);
/* The drop that a message names; empty: none. */
struct bytes drop_of(const struct reading *reading);
/* Of an event whose kind is known. */
void time_into(struct reading *reading);
/* Campaign, identity, foreign_id and the drop of an opt-out. False only when libcrypto fails. */
bool names_into(struct reading *reading);

#endif
