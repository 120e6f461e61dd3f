/* What copies do to the public keys, as parts of a call of apply.lua: the counters, the lists of opt-outs, the stream, the
   lookups, the times of campaigns (docs/classification.md, 3 to 6). Pure. */
#ifndef DROPBRIDGE_EFFECTS_H
#define DROPBRIDGE_EFFECTS_H

#include "common/buf.h"
#include "workers/event/event.h"
#include "apply_call.h"
#include "counters.h"
#include "merge.h"
#include "common/drops/record.h"

#include <stdbool.h>
#include <stdint.h>

struct effects {
    struct apply_call *call; /* not owned */
    struct counters counters;
    bool lookups; /* RESULT_TTL_S is not 0 */
    uint32_t generation;
    bool new_here; /* the drop under way has no record in that generation yet */
    struct buf json;
};

void effects_init(struct effects *effects, struct apply_call *call, const struct call_settings *settings,
                  const struct campaign_names *names);
void effects_clear(struct effects *effects);

/* A copy of a result, of that campaign, was merged into the record. Between apply_call_drop and apply_call_drop_end. */
void effects_of_result(struct effects *effects, const struct event *copy, uint32_t campaign,
                       const struct record *record, const struct merged *merged);
/* All copies are merged: the record changes from `before` (NULL: there was none) to `after`. `moved` is whether it is new in
   the generation, though no copy of these was counted first. */
void effects_of_record(struct effects *effects, const char *drop_id, const struct record *before,
                       const struct record *after, bool moved);
/* The drop is opted out, and this event may add a phone or a campaign to be listed. The same place. */
void effects_of_opt_out(struct effects *effects, const struct event *event, uint32_t campaign,
                        const struct record *record, const char *drop_id);
/* A copy of an event that is no result; `seen` is whether it came before. The same place. */
enum applied effects_of_event(struct effects *effects, const struct event *copy, uint32_t campaign, bool seen);

/* The times that copies give to one campaign. */
struct touch {
    uint32_t campaign;
    int64_t first_ms, last_ms;
    int64_t result_ms; /* 0: no result */
};
/* `event` is the campaign event that they come of, NULL for others. */
void effects_of_touch(struct effects *effects, const struct touch *touch, const struct event *event);

#endif
