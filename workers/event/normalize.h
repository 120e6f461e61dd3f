/* Values as the vendor writes them → values as Redis keeps them (docs/classification.md, sections 1 and 2). Pure. */
#ifndef DROPBRIDGE_NORMALIZE_H
#define DROPBRIDGE_NORMALIZE_H

#include "common/bytes.h"
#include "common/limits.h"
#include "event.h"

#include <stdbool.h>
#include <stdint.h>

/* No send costs more: what is above is no price. */
#define MONEY_MAX_DOLLARS 10000

/* Dollars → micros. False, with *micros untouched, if not finite or not from 0 to MONEY_MAX_DOLLARS. */
bool money_of_number(double dollars, int64_t *micros);
/* The same of a text that is a JSON number, sign and exponent included. */
bool money_of_text(struct bytes text, int64_t *micros);

/* An id from a body as a campaign's name: bytes other than A-Z a-z 0-9 . _ - become %XX, "." and ".." as a whole too;
   longer than LIMIT_CAMPAIGN: half of its SHA-256 in hex. `id` is not empty. False only when libcrypto fails. */
bool campaign_of_id(struct bytes id, char out[LIMIT_CAMPAIGN + 1]);

/* Packs an id as event.h says; `id` is not empty. False only when libcrypto fails. */
bool event_id_of_text(struct bytes id, struct event_id *out);
/* The identity of an event without an id: the SHA-256 of its body. False only when libcrypto fails. */
bool event_id_of_body(struct bytes body, struct event_id *out);

/* Copies the first `limit` bytes, not cutting a UTF-8 character, NUL shown as U+FFFD; `out` holds limit + 1. */
void text_for_display(struct bytes text, size_t limit, char *out);

#endif
