/* Whether a Redis can do what is asked of it, and what its settings put at risk. One thread at a time. */
#ifndef DROPBRIDGE_REDIS_PREFLIGHT_H
#define DROPBRIDGE_REDIS_PREFLIGHT_H

#include "common/error.h"
#include "common/redis/primary.h"

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_RISK_SIZE = 512 };

/* Sentences, empty for nothing. */
struct redis_risks {
    char durability[REDIS_RISK_SIZE]; /* a crash of it, or a failover, can lose writes */
    char eviction[REDIS_RISK_SIZE];   /* it may evict keys */
};

/* The version is new enough, the keys under the prefix are of our schema, and the user may do what a batch needs, with
   WAIT if `wait_replicas` (REDIS_WAIT_REPLICAS) is not 0.
   ERROR_REFUSED if not, ERROR_NEWER if a newer version wrote the keys; ERROR_UNAVAILABLE if the server cannot tell now. */
bool redis_preflight_check(struct redis_primary *session, const char *prefix, int64_t wait_replicas, struct error *error);

/* Reads the server's settings and brings the sentences up to date; one that is new or mended is logged. `wait_replicas` is
   REDIS_WAIT_REPLICAS. A connection that breaks meanwhile is dropped; without one it does nothing. */
void redis_risks_review(struct redis_risks *risks, struct redis_primary *session, int64_t wait_replicas);

#endif
