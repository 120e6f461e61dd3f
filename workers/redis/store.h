/* Redis, the live counters: counting/counting.h on the connection that common/redis/primary.h keeps, and the replicas.
   One thread owns a store. Every call to a server that stands still returns within REDIS_CALL_TIMEOUT_MS, twice at the
   most. */
#ifndef DROPBRIDGE_REDIS_STORE_H
#define DROPBRIDGE_REDIS_STORE_H

#include "common/error.h"
#include "workers/counting/merge.h"
#include "workers/event/event.h"
#include "common/redis/review.h"
#include "workers/counting/damage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_settings {
    const char *url;               /* REDIS_URL */
    const char *sentinel_password; /* NULL or empty: none */
    struct reread *reread;         /* as redis_primary_settings */
    const char *ca_file;           /* REDIS_CA_FILE and REDIS_CERT_FILE, for rediss://; NULL or empty: none */
    const char *cert_file;
    const char *prefix;
    int64_t retention_s;
    int64_t result_ttl_s;
    int64_t results_stream_max;
    int64_t wait_replicas;          /* negative: not set (replica_gate.h) */
    const char *campaign_separator; /* only compared with that of other workers; NULL: none */
    int64_t review_every_ms;        /* how often what redis_store_findings tells is looked at; 0: at each chance */
};

struct redis_store;

/* Does not connect. The settings' strings must outlive the store. */
struct redis_store *redis_store_new(const struct redis_settings *settings, struct error *error);
void redis_store_free(struct redis_store *store);

/* Connects if needed, and answers whether the server can be used now: the primary, logged in, the schema is ours, and
   enough replicas have what was written up to now.
   ERROR_UNAVAILABLE (try again), ERROR_REFUSED (wrong password, another schema, too old a server) or ERROR_NEWER. */
bool redis_store_check(struct redis_store *store, struct error *error);

/* All that is wrong, for who tells it; valid until the next call. */
struct redis_findings {
    const char *durability, *eviction, *settings; /* of the review */
    const char *emptied;                          /* what this worker had counted is gone; empty: it never was */
    uint64_t times_emptied;
    const struct damage *damage;
};
/* What is wrong with it all the same: looked at with each connection, and every review_every_ms before a batch or with
   redis_store_check. What is new is logged. */
struct redis_findings redis_store_findings(const struct redis_store *store);
/* As counting_new_campaigns. */
uint64_t redis_store_new_campaigns(const struct redis_store *store);

/* Applies the events, at most COUNTING_BATCH_MAX, as batch number `which`, below COUNTING_BATCHES. Connects if needed.
   APPLY_WAITS: for Redis; to be called again when redis_store_fd is readable, and every now and then, for an answer that does
   not come in time is a failure. APPLY_DONE: all are in Redis, and on the replicas; results[i] says what became of
   events[i]. APPLY_FAILED: each may be applied or not; the caller waits and tries again; *error says why, and names the key if
   one has a wrong type. Until it is done or abandoned the same batch is applied, with the same events and results, which stay
   where they are. A batch that is in Redis and waits for replicas counts no `duplicate` by trying again, as long as the
   connection holds; on another one it may. */
enum apply_progress { APPLY_DONE, APPLY_WAITS, APPLY_FAILED };
enum apply_progress redis_store_apply(struct redis_store *store, size_t which, const struct event *const *events,
                                      size_t count, enum applied *results, struct error *error);
/* Whether another batch may be applied while one waits for Redis. Not with replicas, which are waited for batch by batch, nor
   when something else is to be asked first. */
bool redis_store_overlaps(const struct redis_store *store);
/* While a batch waits for Redis; else -1. Then redis_store_check asks nothing and finds nothing wrong. */
int redis_store_fd(const struct redis_store *store);
/* That batch is given up, whether it waits for Redis or for replicas, or has failed. */
void redis_store_abandon(struct redis_store *store, size_t which);

#endif
