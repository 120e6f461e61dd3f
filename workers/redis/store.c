#include "store.h"

#include "common/clock.h"
#include "workers/counting/counting.h"
#include "agreement.h"
#include "preflight.h"
#include "replicas.h"
#include "common/redis/primary.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 300 };

/* What tells a batch from another. */
struct batch_event {
    struct event_id id;
    enum event_kind kind;
    int64_t time_ms, received_ms;
};

struct redis_store {
    struct redis_settings settings;
    struct redis_primary *session;
    struct redis_risks risks;
    struct redis_agreement agreement;
    int64_t review_at_ms;
    struct counting *counting;
    struct redis_replicas replicas;

    /* The last batch is in Redis, but not yet on enough replicas: the next call with the same batch only waits. Never
       on a new connection. */
    bool unreplicated;

    bool under_way;     /* the last batch waits for Redis */
    int64_t late_at_ms; /* then its answer does not come in time */
    size_t batch_count, capacity;
    struct batch_event *batch_events;
    enum applied *batch_results;
};

/* --- Life ------------------------------------------------------------------------------------------------------- */

static bool prepare(void *context, struct redis_primary *session, struct error *error);

struct redis_store *redis_store_new(const struct redis_settings *settings, struct error *error)
{
    struct redis_store *store = calloc(1, sizeof *store);
    const struct redis_primary_settings connecting = {
        .url = settings->url,
        .sentinel_password = settings->sentinel_password,
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
    redis_agreement_init(&store->agreement, settings->prefix, settings->result_ttl_s, settings->retention_s,
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
    free(store->batch_events);
    free(store->batch_results);
    free(store);
}

/* --- The server ------------------------------------------------------------------------------------------------- */

/* Leaves a connection, or not: to be asked afterwards. */
static void review(struct redis_store *store)
{
    store->review_at_ms = clock_monotonic_ms() + store->settings.review_every_ms;
    redis_risks_review(&store->risks, store->session, store->settings.wait_replicas);
    redis_agreement_review(&store->agreement, store->session);
    if (!store->unreplicated)
        redis_replicas_look(&store->replicas);
}

static bool review_if_due(struct redis_store *store, struct error *error)
{
    if (clock_monotonic_ms() >= store->review_at_ms)
        review(store);
    if (redis_primary_connected(store->session))
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s: the connection broke", redis_primary_name(store->session));
    return false;
}

static bool prepare(void *context, struct redis_primary *session, struct error *error)
{
    struct redis_store *store = context;

    if (!redis_preflight_check(session, store->settings.prefix, store->settings.wait_replicas, error) ||
        !counting_prepare(store->counting, error))
        return false;
    store->unreplicated = false;
    redis_replicas_begin(&store->replicas);
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

    if (store->under_way)
        return true;
    if (!redis_primary_open(store->session, error))
        return false;
    snprintf(key, sizeof key, "%.256sdrops:probe", store->settings.prefix);
    if (!counting_check(store->counting, error) ||
        !redis_primary_ask(store->session, "trying to write", 4, set, NULL, &ignored, error) ||
        !redis_replicas_check(&store->replicas, error))
        return false;
    if (!store->unreplicated && redis_primary_has_sentinels(store->session))
        redis_replicas_look(&store->replicas);
    return review_if_due(store, error);
}

struct redis_findings redis_store_findings(const struct redis_store *store)
{
    struct redis_findings findings = {.durability = store->risks.durability,
                                      .eviction = store->risks.eviction,
                                      .settings = store->agreement.sentence};

    counting_findings(store->counting, &findings);
    return findings;
}

/* --- Applying --------------------------------------------------------------------------------------------------- */

static bool reserve(struct redis_store *store, size_t count, struct error *error)
{
    struct batch_event *events;
    enum applied *results;

    if (count <= store->capacity)
        return true;
    events = realloc(store->batch_events, count * sizeof *events);
    store->batch_events = events ? events : store->batch_events;
    results = realloc(store->batch_results, count * sizeof *results);
    store->batch_results = results ? results : store->batch_results;
    if (!events || !results) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a batch of %zu events", count);
        return false;
    }
    store->capacity = count;
    return true;
}

static void remember_batch(struct redis_store *store, const struct event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store->batch_events[i] = (struct batch_event){.id = events[i]->id,
                                                             .kind = events[i]->kind,
                                                             .time_ms = events[i]->time_ms,
                                                             .received_ms = events[i]->received_ms};
    store->batch_count = count;
}

static bool same_batch(const struct redis_store *store, const struct event *const *events, size_t count)
{
    if (count != store->batch_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct batch_event *known = &store->batch_events[i];

        if (known->kind != events[i]->kind || known->time_ms != events[i]->time_ms ||
            known->received_ms != events[i]->received_ms || known->id.packed_len != events[i]->id.packed_len ||
            memcmp(known->id.packed, events[i]->id.packed, known->id.packed_len) != 0)
            return false;
    }
    return true;
}

/* Whether this batch is in Redis already and only has to reach the replicas. */
static bool only_waits(struct redis_store *store, const struct event *const *events, size_t count)
{
    return store->unreplicated && same_batch(store, events, count) && !redis_replicas_forgotten(&store->replicas);
}

static enum apply_progress wait_for_replicas(struct redis_store *store, bool again, enum applied *results,
                                             struct error *error)
{
    if (!redis_replicas_wait(&store->replicas, again, error))
        return APPLY_FAILED;
    store->unreplicated = false;
    memcpy(results, store->batch_results, store->batch_count * sizeof *results);
    return APPLY_DONE;
}

static enum apply_progress go_on(struct redis_store *store, enum counting_progress progress, enum applied *results,
                                 struct error *error)
{
    store->under_way = progress == COUNTING_WAITS;
    switch (progress) {
    case COUNTING_DONE:
        store->unreplicated = true;
        return wait_for_replicas(store, false, results, error);
    case COUNTING_WAITS:
        return APPLY_WAITS;
    case COUNTING_FAILED:
        break;
    }
    return APPLY_FAILED;
}

static enum apply_progress begin(struct redis_store *store, const struct event *const *events, size_t count,
                                 enum applied *results, struct error *error)
{
    if (!reserve(store, count, error) || !redis_primary_open(store->session, error))
        return APPLY_FAILED;
    if (only_waits(store, events, count))
        return wait_for_replicas(store, true, results, error);
    store->unreplicated = false;
    if (redis_primary_has_sentinels(store->session))
        redis_replicas_look(&store->replicas);
    if (!redis_primary_open(store->session, error) || !review_if_due(store, error)) /* asking may have broken it */
        return APPLY_FAILED;
    remember_batch(store, events, count);
    store->late_at_ms = clock_monotonic_ms() + REDIS_CALL_TIMEOUT_MS;
    return go_on(store, counting_begin(store->counting, events, count, store->batch_results, error), results, error);
}

static bool readable(const struct redis_store *store)
{
    struct pollfd fd = {.fd = redis_store_fd(store), .events = POLLIN};

    return poll(&fd, 1, 0) != 0;
}

enum apply_progress redis_store_apply(struct redis_store *store, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error)
{
    int64_t now_ms;

    if (count == 0)
        return APPLY_DONE;
    if (store->under_way && !same_batch(store, events, count))
        redis_store_abandon(store);
    if (!store->under_way)
        return begin(store, events, count, results, error);
    now_ms = clock_monotonic_ms();
    if (readable(store)) {
        store->late_at_ms = now_ms + REDIS_CALL_TIMEOUT_MS;
        return go_on(store, counting_continue(store->counting, error), results, error);
    }
    if (now_ms < store->late_at_ms)
        return APPLY_WAITS;
    redis_store_abandon(store);
    error_set(error, ERROR_UNAVAILABLE, "%s: counting a batch: no answer in time", redis_primary_name(store->session));
    return APPLY_FAILED;
}

int redis_store_fd(const struct redis_store *store)
{
    return store->under_way && redis_primary_connected(store->session)
               ? redis_connection_fd(redis_primary_connection(store->session))
               : -1;
}

void redis_store_abandon(struct redis_store *store)
{
    store->unreplicated = false;
    if (!store->under_way)
        return;
    counting_abandon(store->counting);
    store->under_way = false;
    redis_primary_drop(store->session);
}
