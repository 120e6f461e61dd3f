/* Copies of one drop become one record (docs/classification.md, 3). Pure: the final record is a function of the set of
   copies, not of their order. */
#ifndef DROPBRIDGE_MERGE_H
#define DROPBRIDGE_MERGE_H

#include "workers/event/event.h"
#include "common/drops/campaigns.h"
#include "common/drops/record.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a copy. */
enum applied {
#define OUTCOME(name, slug, help) APPLIED_##name,
#include "workers/outcomes.def"
};

/* What a drop counts as. */
struct counted {
    uint32_t campaign;
    enum outcome outcome;
    uint8_t reason;
    uint8_t flags; /* dnc 2, spam 1 */
    struct costs costs;
};

/* What one copy changed. */
struct merged {
    enum applied applied;  /* COUNTED, REVISED or DUPLICATE */
    struct counted before; /* not for COUNTED */
    struct counted after;
    bool filled;    /* foreign_id, the first phone or the campaign changed */
    bool linked;    /* the drop was named under another campaign before, too: `other` */
    uint32_t other; /* the one that it does not count under */
    /* The copy's opt-out, or an earlier one, may concern a phone or a campaign that is not listed yet. */
    bool list_opt_out;
};

struct merge_settings {
    bool keep_foreign_id; /* something shows it: the lookup or the stream */
    struct campaign_names names;
};

/* Merges a copy (an EVENT_RESULT that names the campaign with this number) into the record of its drop, or, with
   `*exists` false, makes the record; *exists is true afterwards. */
struct merged merge_copy(struct record *record, bool *exists, const struct event *copy, uint32_t campaign,
                         const struct merge_settings *settings);

/* Notes in a drop's record that this event, an EVENT_OPT_OUT which names the drop and a campaign, opts it out; a drop of which
   no result has come gets a record that counts nothing. Returns whether the drop's phones may have to be listed. */
bool merge_opt_out(struct record *record, bool *exists, const struct event *event, uint32_t campaign);

struct counted counted_as(const struct record *record);
bool counted_equal(const struct counted *a, const struct counted *b);

#endif
