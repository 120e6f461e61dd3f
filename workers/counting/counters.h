/* Which counters an event counts in: the public names of counters, as classes and cells of a tally
   (docs/redis-keys.md). Pure. */
#ifndef DROPBRIDGE_COUNTERS_H
#define DROPBRIDGE_COUNTERS_H

#include "workers/event/event.h"
#include "merge.h"
#include "tally.h"

#include <stdint.h>

struct counters {
    struct tally *tally;
    const char *prefix;
    struct campaign_names names;
};

/* What copies count in that are no first ones of a drop. */
enum copy_counter { COPY_DUPLICATE, COPY_REVISED, COPY_UNRECOGNIZED };

/* Each returns the class that counts it; 0 when out of memory. */

/* A drop that is counted for the first time, by a copy received then; `new_here` is whether it is also new in the
   generation. */
unsigned counters_first(const struct counters *counters, const struct counted *counted, int64_t received_ms,
                        uint32_t generation, bool new_here);
/* A drop that was counted before, to take it back or to count it again. */
unsigned counters_later(const struct counters *counters, const struct counted *counted);
unsigned counters_copy(const struct counters *counters, uint32_t campaign, enum copy_counter counter);
/* A record that is new in this generation, and not by counters_first. */
unsigned counters_moved(const struct counters *counters, uint32_t generation);
/* Under a name from outside: "unknown_reasons" and the raw reason, "events" and the event's name,
   "campaign_links" and two campaigns. */
unsigned counters_named(const struct counters *counters, const char *key, const char *name);

/* The cells that a phone adds to which is new in a campaign's list, or in dc:optouts. */
void counters_campaign_opt_out(const struct counters *counters, uint32_t campaign, int64_t received_ms,
                               unsigned cells[2]);
void counters_opt_out(const struct counters *counters, int64_t received_ms, unsigned cells[2]);

#endif
