/* What an event carries besides what it says: phone, costs, flags, time, campaign, identity (docs/classification.md,
   section 2). Each writes its part of reading->event, and a remark for what it ignored. Pure. */
#ifndef DROPBRIDGE_EVENT_ATTRIBUTES_H
#define DROPBRIDGE_EVENT_ATTRIBUTES_H

#include "classify.h"

/* Keeps the first remark: one is enough to go and look. */
void remark(struct reading *reading, const char *text);

/* Of a send, whom it went to; else whose the number of the contact is. */
void phone_into(struct reading *reading);
void costs_into(struct reading *reading);
/* The flag dnc of a session: `campaign_session.dispo.dnc`, which receipts have. */
enum flag session_dnc(struct reading *reading);
void flags_into(struct reading *reading);
/* Of an event whose kind is known. */
void time_into(struct reading *reading);

/* The drop that a message names; empty: none. */
struct bytes drop_of(const struct reading *reading);
/* Campaign, identity, foreign_id and the drop of an opt-out. False only when libcrypto fails. */
bool names_into(struct reading *reading);

#endif
