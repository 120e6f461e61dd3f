/* What users read as JSON: the lookup of a foreign_id, and the entries of the stream (docs/redis-keys.md). Pure. */
#ifndef DROPBRIDGE_SHOWN_H
#define DROPBRIDGE_SHOWN_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/drops/record.h"

#include <stdint.h>

/* Each replaces what `out` held. What is unknown is left out of an entry, and empty in a lookup. */

/* `"drop_id":"…"`: what tells in a lookup which drop it shows. */
struct bytes shown_mark(struct buf *out, const char *drop_id);
struct bytes shown_lookup(struct buf *out, const struct record *record, const char *drop_id, const char *campaign);
struct bytes shown_drop(struct buf *out, const struct record *record, const char *drop_id, const char *campaign);
/* `campaign` NULL: the list of all. */
struct bytes shown_opt_out(struct buf *out, const char *drop_id, struct bytes foreign_id, const char *phone,
                           const char *campaign, int64_t time_ms);
struct bytes shown_campaign(struct buf *out, const char *campaign, const char *state, int64_t time_ms);

#endif
