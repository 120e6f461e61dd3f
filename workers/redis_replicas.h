/* The primary's replicas: whether they have what was written before it counts as done (WAIT). Their answer leaves after
   they have taken it and, with `appendfsync always`, synced it. One thread owns them. */
#ifndef DROPBRIDGE_REDIS_REPLICAS_H
#define DROPBRIDGE_REDIS_REPLICAS_H

#include "../common/error.h"
#include "redis_session.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REDIS_WAIT_TIMEOUT_MS = 1000, /* for the replicas, at each try; well below REDIS_CALL_TIMEOUT_MS */
    /* How long after a replica was promoted the sentinels may still name the former primary: during a failover they
       look at their servers once a second; twice that, and a second for a busy machine. */
    REDIS_FAILOVER_MS = 3000,
    REDIS_HISTORY_ID = 48, /* Redis's are 40 */
};

struct redis_replicas {
    struct redis_session *session;  /* not owned */
    int64_t enough;                 /* REDIS_WAIT_REPLICAS; 0: nothing is waited for, or asked */
    char history[REDIS_HISTORY_ID]; /* of the primary, when we looked last */
    int64_t attached;               /* that it has, as far as we know */
    int64_t fewer_since_ms;         /* fewer than these have the last writes, though enough; 0: all have */
};

void redis_replicas_init(struct redis_replicas *replicas, struct redis_session *session, int64_t enough);

/* There is a new connection: looks at its server. */
void redis_replicas_begin(struct redis_replicas *replicas);
/* Notes replicas that have come. Not while a batch waits for them. Without a connection it does nothing. */
void redis_replicas_look(struct redis_replicas *replicas);

/* Waits until `enough` replicas have all that the connection has written, and with sentinels all that are attached: one
   that has gone may be the new primary, of which the sentinels know nothing yet. It is waited for until it is clear
   that it is not. `again`: these writes were waited for before. False with *error: how many have it. */
bool redis_replicas_wait(struct redis_replicas *replicas, bool again, struct error *error);

/* Whether the server was a replica for a while since we looked, so that what was written on this connection may be
   gone: WAIT would not tell. Also when it cannot be asked; the connection may be dropped then. */
bool redis_replicas_forgotten(struct redis_replicas *replicas);

#endif
