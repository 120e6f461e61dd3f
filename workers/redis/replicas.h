/* The primary's replicas: asks what they have (WAIT) and who they are (INFO replication), for replica_gate.h. Their answer
   leaves after they have taken what was written and, with `appendfsync always`, synced it. One thread owns them. */
#ifndef DROPBRIDGE_REDIS_REPLICAS_H
#define DROPBRIDGE_REDIS_REPLICAS_H

#include "common/error.h"
#include "common/redis/primary.h"
#include "replica_gate.h"

enum { REDIS_WAIT_TIMEOUT_MS = 1000 }; /* for the replicas, at each try; well below REDIS_CALL_TIMEOUT_MS */

struct redis_replicas {
    struct redis_primary *session; /* not owned */
    struct replica_gate gate;
};

/* `wait_replicas` is REDIS_WAIT_REPLICAS; negative: it is not set. */
void redis_replicas_init(struct redis_replicas *replicas, struct redis_primary *session, int64_t wait_replicas);

/* Whether a batch waits for replicas at all. */
static inline bool redis_replicas_wanted(const struct redis_replicas *replicas)
{
    return replicas->gate.enough > 0;
}

/* There is a new connection: looks at its server. False with *error, also if the user may not ask what must be known. */
bool redis_replicas_begin(struct redis_replicas *replicas, struct error *error);

/* Whether the batch that the connection has written may be acknowledged. *error is set if not; the connection may be
   dropped then. */
enum replica_answer redis_replicas_wait(struct redis_replicas *replicas, struct error *error);

/* For when no batch asks, once a second: whether enough replicas have what was written up to now. False with *error. */
bool redis_replicas_check(struct redis_replicas *replicas, struct error *error);

#endif
