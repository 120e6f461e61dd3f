/* Values as the vendor writes them → values as Redis keeps them (docs/classification.md, sections 1 and 2). Pure. */
#ifndef DROPBRIDGE_NORMALIZE_H
#define DROPBRIDGE_NORMALIZE_H

#include "common/bytes.h"
#include "common/limits.h"
#include "event.h"
#include "fields.h"

#include <stdbool.h>
#include <stdint.h>

/* No send costs more: what is above is no price. */
#define MONEY_MAX_DOLLARS 10000

/* Dollars, as a number or as a text that is a JSON number → micros. False, with *micros untouched, if not from 0 to
   MONEY_MAX_DOLLARS. */
bool money_of(const struct json_value *value, int64_t *micros);

/* Packs an id as event.h says; `id` is not empty. False only when libcrypto fails. */
bool event_id_of_text(struct bytes id, struct event_id *out);
/* The identity of an event without an id: the SHA-256 of its body. False only when libcrypto fails. */
bool event_id_of_body(struct bytes body, struct event_id *out);

#endif
