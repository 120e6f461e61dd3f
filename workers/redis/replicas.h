/* The primary's replicas: whether they have what was written before it counts as done (WAIT). Their answer leaves after
   they have taken it and, with `appendfsync always`, synced it. One thread owns them. */
#ifndef DROPBRIDGE_REDIS_REPLICAS_H
#define DROPBRIDGE_REDIS_REPLICAS_H

#include "common/error.h"
#include "common/redis/primary.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REDIS_WAIT_TIMEOUT_MS = 1000, /* for the replicas, at each try; well below REDIS_CALL_TIMEOUT_MS */
    /* How long after a replica was promoted the sentinels may still name the former primary: during a failover they
       look at their servers once a second; twice that, and a second for a busy machine. */
    REDIS_FAILOVER_MS = 3000,
    /* A replica that has told the primary nothing for longer is promoted no more: sentinels leave out one whose last
       answer is older than five of their pings, 5 s (sentinelSelectSlave in sentinel.c of Redis). The rest is for
       rounding, the second between two of its reports, and a busy machine. One that they chose while it answered, and
       that stands still before it hears of it, may still become the primary when it goes on. */
    REDIS_SILENT_S = 10,
    REDIS_HISTORY_ID = 48,    /* Redis's are 40 */
    REDIS_REPLICAS_MAX = 32,  /* of one primary; twice as many as REDIS_WAIT_REPLICAS may be */
    REDIS_REPLICA_NAME = 288, /* a host name of 253 bytes and a port */
};

/* By their addresses, as sentinels know them. */
struct redis_replica_set {
    size_t count;
    char names[REDIS_REPLICAS_MAX][REDIS_REPLICA_NAME];
};

struct redis_replicas {
    struct redis_primary *session;     /* not owned */
    int64_t enough;                    /* REDIS_WAIT_REPLICAS; 0: nothing is waited for, or asked */
    char history[REDIS_HISTORY_ID];    /* of the primary, when we looked last */
    struct redis_replica_set attached; /* that it has, or had and may be the new primary */
    int64_t fewer_since_ms;            /* fewer than these have the last writes, though enough; 0: all have */
    struct redis_replica_set staying;  /* who was in step at that time */
    int64_t sure_at_ms;                /* nothing is acknowledged before it: a replica may have left before we came */
};

void redis_replicas_init(struct redis_replicas *replicas, struct redis_primary *session, int64_t enough);

/* There is a new connection: looks at its server. */
void redis_replicas_begin(struct redis_replicas *replicas);
/* Notes replicas that have come: with sentinels before each batch is written, and once a second when none is, for one
   that came after the last look could be promoted without being missed. Not while a batch waits for them. Without a
   connection it does nothing. */
void redis_replicas_look(struct redis_replicas *replicas);

/* Adds to the set the replicas in the answer to INFO replication that a sentinel may promote: online, and heard of
   within REDIS_SILENT_S. `reporting`: only those that have reported an offset, which they do not as long as they load
   their copy, nor in their first second. What is in the set is not added again, nor more than REDIS_REPLICAS_MAX. Pure.
 */
void redis_replicas_in_step(const char *info, bool reporting, struct redis_replica_set *set);

/* Waits until `enough` replicas have all that the connection has written, and with sentinels all that are attached: one
   that has gone may be the new primary, of which the sentinels know nothing yet. It is waited for until it is clear
   that it is not: REDIS_FAILOVER_MS from when it was missed, or one of the others left, or itself, and as long as the
   primary lists it and has heard of it within REDIS_SILENT_S. Another that came meanwhile does not stand for it.
   With sentinels the first batch on a connection also waits until the connection is REDIS_FAILOVER_MS old, for the new
   primary may have left before we looked. `again`: these writes were waited for before. False with *error: how many
   have it. */
bool redis_replicas_wait(struct redis_replicas *replicas, bool again, struct error *error);

/* Whether `enough` replicas have what was written up to now, for when no batch asks. False with *error. */
bool redis_replicas_check(struct redis_replicas *replicas, struct error *error);

/* Whether the server was a replica for a while since we looked, so that what was written on this connection may be
   gone: WAIT would not tell. Also when it cannot be asked; the connection may be dropped then. */
bool redis_replicas_forgotten(struct redis_replicas *replicas);

#endif
