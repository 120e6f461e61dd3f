/* What a worker has learned from Redis and may rely on as long as the epoch is the same: the generations of remembered drops,
   and the numbers of campaigns. apply.lua compares the epoch with each batch. One thread owns it. */
#ifndef DROPBRIDGE_KNOWN_H
#define DROPBRIDGE_KNOWN_H

#include "common/error.h"
#include "common/redis/primary.h"
#include "campaigns.h"
#include "generations.h"

#include <stdbool.h>
#include <stdint.h>

struct known {
    struct redis_primary *session; /* not owned */
    const char *prefix;
    int64_t retention_ms;
    char epoch[EPOCH_TEXT]; /* empty: nothing is known */
    struct generations generations;
    uint64_t times_learned; /* rises whenever epoch and generations are loaded: what was seen of buckets is void then */
    struct campaigns *campaigns;
    char wrote[EPOCH_TEXT]; /* the epoch that this worker counted under last, on whatever connection; empty: none */
    char emptied[ERROR_TEXT]; /* that what was counted under it is gone; empty: it never was */
    uint64_t times_emptied;
    uint64_t new_campaigns; /* that had no number before this worker asked for it */
};

/* False when out of memory. */
bool known_init(struct known *known, struct redis_primary *session, const char *prefix, int64_t retention_s);
void known_clear(struct known *known);

/* Another epoch has begun, or there is another connection. */
void known_forget(struct known *known);

/* Looks at the schema and the epoch, for when no batch asks: false, and the connection is dropped, if the schema is not ours;
   what was learned under another epoch is forgotten. Logs it if Redis was emptied. The session must be connected, with
   nothing owed. */
bool known_check(struct known *known, struct error *error);
/* Learns the epoch and the generations, if they are not known; begins a generation, and with it the next epoch, where the
   last one has ended. As known_check else; false with *error. */
bool known_ready(struct known *known, struct error *error);
/* Learns the number of a campaign, which gets one if it has none, or the name of a number; both after dc:campaign_aliases.
   False with an empty `epoch`, and no *error, if another has begun. */
bool known_learn_number(struct known *known, const char *name, struct error *error);
bool known_learn_name(struct known *known, uint32_t number, struct error *error);

/* The epoch that follows, for whoever changes what workers have learned: "incarnation:revision". Another incarnation is
   another Redis, or an emptied one: one that follows none ("") has a new one. False with *error. */
bool known_next_epoch(const char *epoch, char out[EPOCH_TEXT], struct error *error);

/* Reads the answer to TIME. */
bool known_read_time(struct known *known, const struct redis_answer *answer, int64_t *now_ms, struct error *error);

#endif
