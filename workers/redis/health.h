/* What the worker knows of its Redis: whether the last call went through, for how long none has, when to look next.
   Tells worker_status of it. The calls of batches are made elsewhere, and noted here. One thread owns it. */
#ifndef DROPBRIDGE_REDIS_HEALTH_H
#define DROPBRIDGE_REDIS_HEALTH_H

#include "common/error.h"
#include "store.h"
#include "workers/worker_status.h"

#include <stdbool.h>
#include <stdint.h>

/* How long it has been away: whether to go on holding messages for it, or to give them back. Pure: times are passed in
   (monotonic ms). */
struct outage {
    int64_t limit_ms;
    bool away;        /* the last try failed */
    int64_t since_ms; /* of the first failure behind the last success; only while `away` */
};

/* A try, of whatever kind, failed. One that succeeds sets `away` to false. */
static inline void outage_note(struct outage *outage, int64_t now_ms)
{
    outage->since_ms = outage->away ? outage->since_ms : now_ms;
    outage->away = true;
}

/* Whether all tries have failed for the limit or longer. Waiting without trying proves nothing: the time counts from
   the first failure, and the next success ends it. */
static inline bool outage_too_long(const struct outage *outage, int64_t now_ms)
{
    return outage->away && now_ms - outage->since_ms >= outage->limit_ms;
}

struct redis_health {
    struct redis_store *store;    /* not owned */
    struct worker_status *status; /* not owned */
    struct outage outage;
    bool newer;         /* a newer version wrote what is there */
    bool started;       /* a refusal no longer ends the worker */
    int64_t look_at_ms; /* when it is to be looked at, if no batch goes there meanwhile */
};

/* `away_ms`: how long a Redis that is away is waited for (redis_health_given_up). */
void redis_health_init(struct redis_health *health, struct redis_store *store, struct worker_status *status,
                       int64_t away_ms);

/* What a call that brings Redis nearer to the acknowledgement came to. `problem` is read only if it is not done. */
void redis_health_note(struct redis_health *health, bool done, const struct error *problem);

/* Asks whether Redis could be used now, which may take as long as a call to it can. False with *error if it could not.
   With a batch in hand it is the batch that tells whether we can count (a key of a wrong type stops only it): then a
   success here leaves the status as it is. */
bool redis_health_check(struct redis_health *health, bool batch_in_hand, struct error *error);

/* Tells what is wrong with a Redis that is used all the same. */
void redis_health_tell(struct redis_health *health);

static inline bool redis_health_away(const struct redis_health *health)
{
    return health->outage.away;
}

/* Whether its messages are better given back: it has been away for too long, or waits for an upgrade of this worker. */
static inline bool redis_health_given_up(const struct redis_health *health, int64_t now_ms)
{
    return health->newer || outage_too_long(&health->outage, now_ms);
}

#endif
