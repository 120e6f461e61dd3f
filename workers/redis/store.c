#include "store.h"

#include "common/clock.h"
#include "workers/counting/counting.h"
#include "preflight.h"
#include "replicas.h"
#include "common/redis/primary.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_SIZE = 300 };

struct redis_store {
    struct redis_settings settings;
    struct redis_primary *session;
    struct redis_review review;
    int64_t review_at_ms;
    struct counting *counting;
    struct redis_replicas replicas;

    /* The batch under way is in Redis, but not yet on enough replicas: it only waits. Never on a new connection. */
    bool unreplicated;

    int64_t late_at_ms; /* then an answer that is owed does not come in time */
};

/* --- Life ------------------------------------------------------------------------------------------------------- */

static bool prepare(void *context, struct redis_primary *session, struct error *error);

struct redis_store *redis_store_new(const struct redis_settings *settings, struct error *error)
{
    struct redis_store *store = calloc(1, sizeof *store);
    const struct redis_primary_settings connecting = {
        .url = settings->url,
        .sentinel_password = settings->sentinel_password,
        .reread = settings->reread,
        .prefix = settings->prefix,
        .tls_files = {.ca_file = settings->ca_file, .cert_file = settings->cert_file},
        .context = store,
        .prepare = prepare};
    const struct counting_settings counting = {.prefix = settings->prefix,
                                               .retention_s = settings->retention_s,
                                               .result_ttl_s = settings->result_ttl_s,
                                               .results_stream_max = settings->results_stream_max};

    if (!store) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the Redis connection");
        return NULL;
    }
    store->settings = *settings;
    store->session = redis_primary_new(&connecting, error);
    if (!store->session)
        goto fail;
    store->counting = counting_new(&counting, store->session);
    if (!store->counting) {
        error_set(error, ERROR_NO_MEMORY, "no memory for counting");
        goto fail;
    }
    redis_review_init(&store->review, settings->prefix, settings->result_ttl_s, settings->retention_s,
                      settings->campaign_separator);
    redis_replicas_init(&store->replicas, store->session, settings->wait_replicas);
    return store;
fail:
    redis_store_free(store);
    return NULL;
}

void redis_store_free(struct redis_store *store)
{
    if (!store)
        return;
    counting_free(store->counting);
    redis_primary_free(store->session);
    free(store);
}

/* --- The server ------------------------------------------------------------------------------------------------- */

static bool review_if_due(struct redis_store *store, struct error *error)
{
    if (clock_monotonic_ms() >= store->review_at_ms) {
        store->review_at_ms = clock_monotonic_ms() + store->settings.review_every_ms;
        redis_review_look(&store->review, store->session);
    }
    return redis_primary_connected(store->session) || redis_primary_broke(store->session, "asking for its settings", error);
}

static bool prepare(void *context, struct redis_primary *session, struct error *error)
{
    struct redis_store *store = context;

    if (!redis_preflight_check(session, store->settings.prefix, error) || !counting_prepare(store->counting, error) ||
        !counting_check(store->counting, error) || !redis_replicas_begin(&store->replicas, error))
        return false;
    store->unreplicated = false;
    store->review_at_ms = 0;
    return review_if_due(store, error);
}

/* A write that changes nothing, for the key is never there, but that a replica, a full or a failing server refuses.
   Then the replicas: a batch that waits for them is no sign that Redis is back. */
bool redis_store_check(struct redis_store *store, struct error *error)
{
    char key[KEY_SIZE];
    const char *set[] = {"SET", key, "1", "XX"};
    struct redis_answer ignored;

    if (counting_owed(store->counting))
        return true;
    if (!redis_primary_open(store->session, error))
        return false;
    snprintf(key, sizeof key, "%.256sdrops:probe", store->settings.prefix);
    return counting_check(store->counting, error) &&
           redis_primary_ask(store->session, "trying to write", 4, set, NULL, &ignored, error) &&
           redis_replicas_check(&store->replicas, error) && review_if_due(store, error);
}

struct redis_findings redis_store_findings(const struct redis_store *store)
{
    struct redis_findings findings = {.durability = store->review.durability,
                                      .eviction = store->review.eviction,
                                      .settings = store->review.settings,
                                      .damage = counting_damage(store->counting)};

    findings.emptied = counting_emptied(store->counting, &findings.times_emptied);
    return findings;
}

uint64_t redis_store_new_campaigns(const struct redis_store *store)
{
    return counting_new_campaigns(store->counting);
}

/* --- Applying --------------------------------------------------------------------------------------------------- */

static enum apply_progress wait_for_replicas(struct redis_store *store, struct error *error)
{
    enum replica_answer answer = redis_replicas_wait(&store->replicas, error);

    store->unreplicated = answer == REPLICA_WAIT;
    return answer == REPLICA_ACKNOWLEDGE ? APPLY_DONE : APPLY_FAILED;
}

static bool readable(const struct redis_store *store)
{
    struct pollfd fd = {.fd = redis_store_fd(store), .events = POLLIN};

    return redis_connection_answered(redis_primary_connection(store->session)) || poll(&fd, 1, 0) != 0;
}

/* Whether Redis has nothing to say to the batch, and still may. */
static bool is_awaited(struct redis_store *store, size_t which)
{
    return counting_waits(store->counting, which) && !readable(store);
}

enum apply_progress redis_store_apply(struct redis_store *store, size_t which, const struct event *const *events,
                                      size_t count, enum applied *results, struct error *error)
{
    if (count == 0)
        return APPLY_DONE;
    if (is_awaited(store, which)) {
        if (clock_monotonic_ms() < store->late_at_ms)
            return APPLY_WAITS;
        redis_store_abandon(store, which);
        error_set(error, ERROR_UNAVAILABLE, "%s: counting a batch: no answer in time", redis_primary_name(store->session));
        return APPLY_FAILED;
    }
    if (!counting_owed(store->counting)) {
        if (!redis_primary_open(store->session, error))
            return APPLY_FAILED;
        if (store->unreplicated)
            return wait_for_replicas(store, error);
        if (!review_if_due(store, error))
            return APPLY_FAILED;
    }
    store->late_at_ms = clock_monotonic_ms() + REDIS_CALL_TIMEOUT_MS;
    switch (counting_apply(store->counting, which, events, count, results, error)) {
    case COUNTING_DONE:
        return wait_for_replicas(store, error);
    case COUNTING_WAITS:
        return APPLY_WAITS;
    case COUNTING_FAILED:
        break;
    }
    return APPLY_FAILED;
}

bool redis_store_overlaps(const struct redis_store *store)
{
    return !redis_replicas_wanted(&store->replicas) && !redis_primary_has_sentinels(store->session) &&
           clock_monotonic_ms() < store->review_at_ms;
}

int redis_store_fd(const struct redis_store *store)
{
    return counting_owed(store->counting) && redis_primary_connected(store->session)
               ? redis_connection_fd(redis_primary_connection(store->session))
               : -1;
}

void redis_store_abandon(struct redis_store *store, size_t which)
{
    store->unreplicated = false;
    counting_abandon(store->counting, which);
}
