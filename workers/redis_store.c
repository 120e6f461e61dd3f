#include "redis_store.h"

#include "../common/buf.h"
#include "event_pack.h"
#include "reasons.h"
#include "redis_fitness.h"
#include "redis_marks.h"
#include "redis_replicas.h"
#include "redis_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char apply_batch_lua[];
extern const unsigned long apply_batch_lua_length;

enum {
    KEY_SIZE = 300,
    NUMBER_TEXT = 24,
    SLUGS_MAX = 64 * 1024,
    FIXED_ARGUMENTS = 8, /* EVALSHA sha 0 prefix retention result_ttl stream_max reasons */
};

struct redis_store {
    struct redis_settings settings;
    struct redis_session *session;
    struct redis_marks marks;
    struct redis_risks risks;
    char sha[REDIS_SHA1_HEX + 1];
    struct redis_replicas replicas;

    char retention[NUMBER_TEXT], result_ttl[NUMBER_TEXT], stream_max[NUMBER_TEXT];
    struct buf slugs; /* of the reasons by number from 1, comma-separated */

    size_t capacity; /* events that the arrays below hold */
    uint8_t *packed;
    const char **argv;
    size_t *argv_len;

    /* The last batch is in Redis, but not yet on enough replicas: the next call with the same batch only waits. Never
       on a new connection. */
    bool unreplicated;
    size_t unreplicated_count;
    enum applied *unreplicated_results;
    size_t costs_ignored; /* events of the last batch */
};

bool redis_url_check(const char *url, struct error *error)
{
    struct redis_url ignored;

    return redis_url_read(url, &ignored, error);
}

/* --- Life ------------------------------------------------------------------------------------------------------- */

static bool join_slugs(struct buf *slugs)
{
    bool ok = true;

    for (unsigned number = 1; number < reason_count(); number++) {
        const struct reason *reason = reason_by_number(number);
        ok = buf_printf(slugs, "%s%s", number > 1 ? "," : "", reason ? reason->slug : "other") && ok;
    }
    return ok;
}

static bool prepare(void *context, struct redis_session *session, struct error *error);

struct redis_store *redis_store_new(const struct redis_settings *settings, struct error *error)
{
    struct redis_store *store = calloc(1, sizeof *store);
    const struct redis_session_settings connecting = {
        .url = settings->url,
        .sentinel_password = settings->sentinel_password,
        .prefix = settings->prefix,
        .tls_files = {.ca_file = settings->ca_file, .cert_file = settings->cert_file},
        .context = store,
        .prepare = prepare};

    if (!store) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the Redis connection");
        return NULL;
    }
    store->settings = *settings;
    buf_init(&store->slugs, SLUGS_MAX);
    store->session = redis_session_new(&connecting, error);
    if (!store->session)
        goto fail;
    if (!join_slugs(&store->slugs)) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the table of reasons");
        goto fail;
    }
    redis_marks_init(&store->marks, store->session, settings->prefix);
    redis_replicas_init(&store->replicas, store->session, settings->wait_replicas);
    snprintf(store->retention, sizeof store->retention, "%" PRId64, settings->retention_s);
    snprintf(store->result_ttl, sizeof store->result_ttl, "%" PRId64, settings->result_ttl_s);
    snprintf(store->stream_max, sizeof store->stream_max, "%" PRId64, settings->results_stream_max);
    return store;
fail:
    redis_store_free(store);
    return NULL;
}

void redis_store_free(struct redis_store *store)
{
    if (!store)
        return;
    redis_session_free(store->session);
    buf_clear(&store->slugs);
    free(store->packed);
    free(store->argv);
    free(store->argv_len);
    free(store->unreplicated_results);
    free(store);
}

/* --- The server ------------------------------------------------------------------------------------------------- */

static bool load_script(struct redis_store *store, struct error *error)
{
    return redis_session_load(store->session, "loading the script", apply_batch_lua, apply_batch_lua_length, store->sha,
                              error);
}

static bool prepare(void *context, struct redis_session *session, struct error *error)
{
    struct redis_store *store = context;

    if (!redis_fitness_check(session, store->settings.prefix, store->settings.wait_replicas, error) ||
        !load_script(store, error))
        return false;
    store->unreplicated = false;
    redis_replicas_begin(&store->replicas);
    redis_store_review(store);
    if (redis_session_connected(session))
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s: the connection broke", redis_session_name(session));
    return false;
}

/* A write that changes nothing, for the key is never there, but that a replica, a full or a failing server refuses.
   Then the replicas: a batch that waits for them is no sign that Redis is back. */
bool redis_store_check(struct redis_store *store, struct error *error)
{
    char key[KEY_SIZE];
    const char *set[] = {"SET", key, "1", "XX"};
    struct redis_answer ignored;

    if (!redis_session_open(store->session, error))
        return false;
    snprintf(key, sizeof key, "%.256sdrops:probe", store->settings.prefix);
    if (!redis_session_ask(store->session, "trying to write", 4, set, NULL, &ignored, error) ||
        !redis_replicas_check(&store->replicas, error))
        return false;
    if (!store->unreplicated && redis_session_has_sentinels(store->session))
        redis_replicas_look(&store->replicas);
    return true;
}

void redis_store_review(struct redis_store *store)
{
    redis_risks_review(&store->risks, store->session, store->settings.wait_replicas);
    if (!store->unreplicated)
        redis_replicas_look(&store->replicas);
}

const char *redis_store_durability(const struct redis_store *store)
{
    return store->risks.durability;
}

const char *redis_store_eviction(const struct redis_store *store)
{
    return store->risks.eviction;
}

bool redis_store_connected(const struct redis_store *store)
{
    return redis_session_connected(store->session);
}

bool redis_store_mark(struct redis_store *store, const char *name, uint64_t enough, uint64_t *earlier_marks,
                      struct error *error)
{
    return redis_marks_set(&store->marks, name, enough, earlier_marks, error);
}

bool redis_store_unmark(struct redis_store *store, const char *name, bool all, struct error *error)
{
    return redis_marks_take_off(&store->marks, name, all, error);
}

/* --- Applying --------------------------------------------------------------------------------------------------- */

static bool reserve(struct redis_store *store, size_t count, struct error *error)
{
    uint8_t *packed;
    const char **argv;
    size_t *argv_len;
    enum applied *results;

    if (count <= store->capacity)
        return true;
    packed = realloc(store->packed, count * EVENT_PACK_MAX);
    store->packed = packed ? packed : store->packed;
    argv = realloc(store->argv, (count + FIXED_ARGUMENTS) * sizeof *argv);
    store->argv = argv ? argv : store->argv;
    argv_len = realloc(store->argv_len, (count + FIXED_ARGUMENTS) * sizeof *argv_len);
    store->argv_len = argv_len ? argv_len : store->argv_len;
    results = realloc(store->unreplicated_results, count * sizeof *results);
    store->unreplicated_results = results ? results : store->unreplicated_results;
    if (!packed || !argv || !argv_len || !results) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a batch of %zu events", count);
        return false;
    }
    store->capacity = count;
    return true;
}

static void set_argument(struct redis_store *store, size_t index, const void *data, size_t len)
{
    store->argv[index] = data;
    store->argv_len[index] = len;
}

static int build_arguments(struct redis_store *store, const struct event *const *events, size_t count)
{
    const char *fixed[FIXED_ARGUMENTS] = {
        "EVALSHA",         store->sha,       "0", store->settings.prefix, store->retention, store->result_ttl,
        store->stream_max, store->slugs.data};
    uint8_t *at = store->packed;

    for (size_t i = 0; i < FIXED_ARGUMENTS; i++)
        set_argument(store, i, fixed[i], strlen(fixed[i]));
    for (size_t i = 0; i < count; i++) {
        size_t len = event_pack(events[i], at);
        set_argument(store, FIXED_ARGUMENTS + i, at, len);
        at += len;
    }
    return (int)(FIXED_ARGUMENTS + count);
}

/* Whether these are the events that store->packed still holds from the last call. */
static bool same_batch(const struct redis_store *store, const struct event *const *events, size_t count)
{
    const uint8_t *at = store->packed;
    uint8_t packed[EVENT_PACK_MAX];

    if (count != store->unreplicated_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t len = event_pack(events[i], packed);
        if (len != store->argv_len[FIXED_ARGUMENTS + i] || memcmp(at, packed, len) != 0)
            return false;
        at += len;
    }
    return true;
}

/* "{a digit an event}[ {events whose costs were ignored}]", as the script answers. */
static bool read_answer(struct redis_store *store, const struct redis_answer *answer, size_t count,
                        enum applied *results)
{
    if (answer->kind != REDIS_ANSWER_TEXT || answer->len < count || strspn(answer->text, "012345") != count ||
        (answer->len > count && answer->text[count] != ' '))
        return false;
    for (size_t i = 0; i < count; i++)
        results[i] = (enum applied)(answer->text[i] - '0');
    store->costs_ignored = (size_t)strtoul(answer->text + count, NULL, 10);
    return true;
}

static bool evaluate(struct redis_store *store, const struct event *const *events, size_t count, enum applied *results,
                     struct error *error)
{
    static const char doing[] = "counting a batch";
    int argc = build_arguments(store, events, count);
    struct redis_answer answer;

    if (!redis_session_try(store->session, doing, argc, store->argv, store->argv_len, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR && strncmp(answer.text, "NOSCRIPT", 8) == 0) { /* SCRIPT FLUSH */
        if (!load_script(store, error) ||
            !redis_session_try(store->session, doing, argc, store->argv, store->argv_len, &answer, error))
            return false;
    }
    if (!redis_session_judge(store->session, doing, &answer, error))
        return false;
    return read_answer(store, &answer, count, results) || redis_session_unexpected(store->session, doing, error);
}

/* Whether this batch is in Redis already and only has to reach the replicas. */
static bool only_waits(struct redis_store *store, const struct event *const *events, size_t count)
{
    return store->unreplicated && same_batch(store, events, count) && !redis_replicas_forgotten(&store->replicas);
}

bool redis_store_apply(struct redis_store *store, const struct event *const *events, size_t count,
                       enum applied *results, struct error *error)
{
    bool again;

    if (count == 0)
        return true;
    if (!reserve(store, count, error) || !redis_session_open(store->session, error))
        return false;
    again = only_waits(store, events, count);
    if (!again) {
        store->unreplicated = false;
        if (redis_session_has_sentinels(store->session))
            redis_replicas_look(&store->replicas);
        if (!redis_session_open(store->session, error) || /* asking may have broken it */
            !evaluate(store, events, count, store->unreplicated_results, error))
            return false;
        store->unreplicated = true;
        store->unreplicated_count = count;
    }
    if (!redis_replicas_wait(&store->replicas, again, error))
        return false;
    store->unreplicated = false;
    memcpy(results, store->unreplicated_results, count * sizeof *results);
    return true;
}

size_t redis_store_costs_ignored(const struct redis_store *store)
{
    return store->costs_ignored;
}
