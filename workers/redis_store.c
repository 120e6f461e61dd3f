#include "redis_store.h"

#include "../common/buf.h"
#include "../common/log.h"
#include "../common/uri.h"
#include "event_pack.h"
#include "reasons.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

extern const char apply_batch_lua[];
extern const unsigned long apply_batch_lua_length;

enum {
    SHA1_HEX = 40,
    FIXED_ARGUMENTS = 8, /* EVALSHA sha 0 prefix retention result_ttl stream_max reasons */
    OLDEST_MAJOR = 6,    /* ZADD GT and LT came with 6.2 */
    OLDEST_MINOR = 2,
    WAIT_TIMEOUT_MS = 2000, /* below REDIS_CALL_TIMEOUT_MS, so that the answer still comes */
};

struct redis_store {
    struct redis_settings settings;
    struct uri uri;
    int db;
    char peer[URI_PART + 16];

    redisContext *context; /* NULL: not connected, or not yet usable */
    char sha[SHA1_HEX + 1];
    bool warned_fsync;

    char retention[24], result_ttl[24], stream_max[24];
    struct buf slugs; /* of the reasons by number from 1, comma-separated */

    size_t capacity; /* events that the arrays below hold */
    uint8_t *packed;
    const char **argv;
    size_t *argv_len;

    /* The last batch is in Redis, but not yet on enough replicas: the next call with the same batch only waits. */
    bool unreplicated;
    size_t unreplicated_count;
    enum applied *unreplicated_results;
};

/* --- The URL ---------------------------------------------------------------------------------------------------- */

static bool parse_db(const char *path, int *db, struct error *error)
{
    char *end;
    long value;

    if (path[0] == '\0') {
        *db = 0;
        return true;
    }
    value = strtol(path, &end, 10);
    if (*end != '\0' || path[0] < '0' || path[0] > '9' || value > 65535) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: the database behind the last slash must be a number, not \"%s\"",
                  path);
        return false;
    }
    *db = (int)value;
    return true;
}

static bool read_url(const char *url, struct uri *uri, int *db, struct error *error)
{
    struct error reason = {0};

    if (strncmp(url, "redis-sentinel://", 17) == 0) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: redis-sentinel:// is not supported yet; name the primary with redis://host:port/db");
        return false;
    }
    if (!uri_parse(url, uri, &reason)) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: %s", reason.text);
        return false;
    }
    if (strcmp(uri->scheme, "rediss") == 0) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: rediss:// (TLS) is not supported yet; use redis:// on a private network");
        return false;
    }
    if (strcmp(uri->scheme, "redis") != 0) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: the scheme must be redis://, not %s://", uri->scheme);
        return false;
    }
    if (uri->host[0] == '\0') {
        error_set(error, ERROR_CONFIG, "REDIS_URL: it names no host; write redis://host:port/db");
        return false;
    }
    return parse_db(uri->path, db, error);
}

bool redis_url_check(const char *url, struct error *error)
{
    struct uri uri;
    int db;

    return read_url(url, &uri, &db, error);
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

struct redis_store *redis_store_new(const struct redis_settings *settings, struct error *error)
{
    struct redis_store *store = calloc(1, sizeof *store);

    if (!store) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the Redis connection");
        return NULL;
    }
    store->settings = *settings;
    buf_init(&store->slugs, 64 * 1024);
    if (!read_url(settings->url, &store->uri, &store->db, error))
        goto fail;
    if (!join_slugs(&store->slugs)) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the table of reasons");
        goto fail;
    }
    if (store->uri.port == 0)
        store->uri.port = 6379;
    snprintf(store->peer, sizeof store->peer, "%s:%u", store->uri.host, store->uri.port);
    snprintf(store->retention, sizeof store->retention, "%" PRId64, settings->retention_s);
    snprintf(store->result_ttl, sizeof store->result_ttl, "%" PRId64, settings->result_ttl_s);
    snprintf(store->stream_max, sizeof store->stream_max, "%" PRId64, settings->results_stream_max);
    return store;
fail:
    redis_store_free(store);
    return NULL;
}

static void disconnect(struct redis_store *store)
{
    if (store->context)
        redisFree(store->context);
    store->context = NULL;
    store->unreplicated = false;
}

void redis_store_free(struct redis_store *store)
{
    if (!store)
        return;
    disconnect(store);
    buf_clear(&store->slugs);
    free(store->packed);
    free(store->argv);
    free(store->argv_len);
    free(store->unreplicated_results);
    free(store);
}

/* --- Errors ----------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Answers that trying again will not change. The texts are the server's own (Redis 6.2 to 8). */
static bool refused_for_good(const char *text)
{
    static const char *const prefixes[] = {
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
        "ERR invalid password",
        "ERR AUTH <password> called without any password",
        "ERR Client sent AUTH, but no password is set",
        "ERR DB index is out of range",
        "ERR invalid DB index",
        "ERR unknown command",
    };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(text, prefixes[i]))
            return true;
    return false;
}

static const char *remedy(const char *text)
{
    if (starts_with(text, "KEY "))
        return "; move that key away (RENAME) and the batch goes on by itself";
    if (starts_with(text, "READONLY"))
        return "; it is a replica: REDIS_URL must name the primary";
    if (starts_with(text, "OOM"))
        return "; raise maxmemory or free some";
    if (starts_with(text, "NOAUTH") || starts_with(text, "WRONGPASS") || strstr(text, "AUTH") ||
        strstr(text, "password"))
        return "; check user and password in REDIS_URL";
    return "";
}

/* A failed call: either the connection broke (reply NULL: it must not be used again, late answers would
   answer the wrong question) or the server said no. Frees the reply. */
static void fail_call(struct redis_store *store, const char *doing, redisReply *reply, struct error *error)
{
    if (!reply) {
        const char *why = store->context ? store->context->errstr : "out of memory";
        if (why[0] == '\0')
            why = "no answer in time";
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: %s: %s", store->peer, doing, why);
        disconnect(store);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        error_set(error, refused_for_good(reply->str) ? ERROR_REFUSED : ERROR_UNAVAILABLE, "Redis at %s: %s: %s%s",
                  store->peer, doing, reply->str, remedy(reply->str));
    else
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: %s: an answer of an unexpected type (%d)", store->peer, doing,
                  reply->type);
    freeReplyObject(reply);
}

/* --- Connecting ------------------------------------------------------------------------------------------------- */

/* Sends one command; true if the answer is not an error. The reply goes to *out if wanted, else it is freed. */
static bool ask(struct redis_store *store, const char *doing, int argc, const char **argv, const size_t *argv_len,
                redisReply **out, struct error *error)
{
    redisReply *reply = redisCommandArgv(store->context, argc, argv, argv_len);

    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fail_call(store, doing, reply, error);
        return false;
    }
    if (out)
        *out = reply;
    else
        freeReplyObject(reply);
    return true;
}

static bool log_in(struct redis_store *store, struct error *error)
{
    const struct uri *uri = &store->uri;
    char db[16];

    if (uri->has_password && uri->password[0] != '\0') {
        const char *with_user[] = {"AUTH", uri->user, uri->password};
        const char *without[] = {"AUTH", uri->password};
        bool named = uri->user[0] != '\0';
        if (!ask(store, "logging in", named ? 3 : 2, named ? with_user : without, NULL, NULL, error))
            return false;
    }
    if (store->db != 0) {
        const char *select[] = {"SELECT", db};
        snprintf(db, sizeof db, "%d", store->db);
        if (!ask(store, "selecting the database", 2, select, NULL, NULL, error))
            return false;
    }
    return true;
}

static bool check_version(struct redis_store *store, struct error *error)
{
    const char *info[] = {"INFO", "server"};
    redisReply *reply;
    const char *at;
    int major = 0, minor = 0;
    bool ok;

    if (!ask(store, "asking for the version", 2, info, NULL, &reply, error))
        return false;
    at = reply->str ? strstr(reply->str, "redis_version:") : NULL;
    ok = !at || sscanf(at, "redis_version:%d.%d", &major, &minor) != 2 || major > OLDEST_MAJOR ||
         (major == OLDEST_MAJOR && minor >= OLDEST_MINOR);
    if (!ok)
        error_set(error, ERROR_REFUSED, "Redis at %s is version %d.%d; %d.%d or later is needed", store->peer, major,
                  minor, OLDEST_MAJOR, OLDEST_MINOR);
    freeReplyObject(reply);
    return ok;
}

static bool config_is(struct redis_store *store, const char *name, const char *wanted, bool *known)
{
    const char *get[] = {"CONFIG", "GET", name};
    redisReply *reply;
    struct error ignored;
    bool same = false;

    *known = false;
    if (!ask(store, "asking for a setting", 3, get, NULL, &reply, &ignored))
        return false; /* hosted servers forbid CONFIG: then nothing is known */
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str) {
        *known = true;
        same = strcmp(reply->element[1]->str, wanted) == 0;
    }
    freeReplyObject(reply);
    return same;
}

/* A server that may lose the last second after a crash loses what RabbitMQ was told is done: say so, once. */
static void warn_about_fsync(struct redis_store *store)
{
    bool known_aof, known_fsync = false;
    bool aof, always;

    if (store->warned_fsync)
        return;
    aof = config_is(store, "appendonly", "yes", &known_aof);
    always = store->context && config_is(store, "appendfsync", "always", &known_fsync);
    if (known_aof && known_fsync && !(aof && always)) {
        log_warn("Redis at %s does not sync each write (appendonly %s, appendfsync %s): a crash of it can lose counted "
                 "events; "
                 "set appendonly yes and appendfsync always",
                 store->peer, aof ? "yes" : "no", always ? "always" : "not always");
        store->warned_fsync = true;
    }
}

static bool check_schema(struct redis_store *store, struct error *error)
{
    char key[512];
    const char *get[] = {"GET", key};
    redisReply *reply;
    bool ok;

    snprintf(key, sizeof key, "%sschema", store->settings.prefix);
    if (!ask(store, "reading the schema", 2, get, NULL, &reply, error))
        return false;
    ok = reply->type == REDIS_REPLY_NIL || (reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "1") == 0);
    if (!ok)
        error_set(error, ERROR_REFUSED,
                  "Redis at %s: %s is not 1: another version wrote these keys; use another REDIS_PREFIX or database",
                  store->peer, key);
    freeReplyObject(reply);
    return ok;
}

static bool load_script(struct redis_store *store, struct error *error)
{
    const char *load[] = {"SCRIPT", "LOAD", apply_batch_lua};
    const size_t len[] = {6, 4, apply_batch_lua_length};
    redisReply *reply;

    if (!ask(store, "loading the script", 3, load, len, &reply, error))
        return false;
    if (reply->type != REDIS_REPLY_STRING || reply->len != SHA1_HEX) {
        fail_call(store, "loading the script", reply, error);
        return false;
    }
    memcpy(store->sha, reply->str, SHA1_HEX + 1);
    freeReplyObject(reply);
    return true;
}

static bool connect_store(struct redis_store *store, struct error *error)
{
    struct timeval connect_timeout = {.tv_sec = REDIS_CONNECT_TIMEOUT_MS / 1000,
                                      .tv_usec = REDIS_CONNECT_TIMEOUT_MS % 1000 * 1000};
    struct timeval call_timeout = {.tv_sec = REDIS_CALL_TIMEOUT_MS / 1000,
                                   .tv_usec = REDIS_CALL_TIMEOUT_MS % 1000 * 1000};

    if (store->context)
        return true;
    store->context = redisConnectWithTimeout(store->uri.host, store->uri.port, connect_timeout);
    if (!store->context || store->context->err) {
        fail_call(store, "connecting", NULL, error);
        return false;
    }
    if (redisSetTimeout(store->context, call_timeout) != REDIS_OK) {
        fail_call(store, "setting the time limit", NULL, error);
        return false;
    }
    redisEnableKeepAlive(store->context);
    if (!log_in(store, error) || !check_version(store, error) || !check_schema(store, error) ||
        !load_script(store, error)) {
        disconnect(store);
        return false;
    }
    warn_about_fsync(store);
    if (!store->context) {
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: the connection broke", store->peer);
        return false;
    }
    log_info("connected to Redis at %s, database %d", store->peer, store->db);
    return true;
}

bool redis_store_check(struct redis_store *store, struct error *error)
{
    const char *ping[] = {"PING"};

    return connect_store(store, error) && ask(store, "ping", 1, ping, NULL, NULL, error);
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

static bool is_error(const redisReply *reply, const char *prefix)
{
    return reply && reply->type == REDIS_REPLY_ERROR && starts_with(reply->str, prefix);
}

static bool read_results(struct redis_store *store, redisReply *reply, enum applied *results, size_t count,
                         struct error *error)
{
    if (!reply || reply->type != REDIS_REPLY_STRING || reply->len != count) {
        fail_call(store, "counting a batch", reply, error);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        results[i] = (enum applied)(reply->str[i] - '0');
    freeReplyObject(reply);
    return true;
}

static bool evaluate(struct redis_store *store, const struct event *const *events, size_t count, enum applied *results,
                     struct error *error)
{
    int argc = build_arguments(store, events, count);
    redisReply *reply = redisCommandArgv(store->context, argc, store->argv, store->argv_len);

    if (is_error(reply, "NOSCRIPT")) { /* SCRIPT FLUSH, or a restart behind our back */
        freeReplyObject(reply);
        if (!load_script(store, error))
            return false;
        reply = redisCommandArgv(store->context, argc, store->argv, store->argv_len);
    }
    return read_results(store, reply, results, count, error);
}

static bool wait_for_replicas(struct redis_store *store, struct error *error)
{
    char wanted[24], timeout[16];
    const char *wait[] = {"WAIT", wanted, timeout};
    redisReply *reply;
    bool enough;

    snprintf(wanted, sizeof wanted, "%" PRId64, store->settings.wait_replicas);
    snprintf(timeout, sizeof timeout, "%d", WAIT_TIMEOUT_MS);
    if (!ask(store, "waiting for replicas", 3, wait, NULL, &reply, error))
        return false;
    enough = reply->type == REDIS_REPLY_INTEGER && reply->integer >= store->settings.wait_replicas;
    if (!enough)
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: %lld of %" PRId64 " replicas have the batch", store->peer,
                  reply->integer, store->settings.wait_replicas);
    freeReplyObject(reply);
    return enough;
}

bool redis_store_apply(struct redis_store *store, const struct event *const *events, size_t count,
                       enum applied *results, struct error *error)
{
    size_t bytes = count * sizeof *results;

    if (count == 0)
        return true;
    if (!reserve(store, count, error) || !connect_store(store, error))
        return false;
    if (!store->unreplicated || !same_batch(store, events, count)) {
        store->unreplicated = false;
        if (!evaluate(store, events, count, store->unreplicated_results, error))
            return false;
        store->unreplicated = true;
        store->unreplicated_count = count;
    }
    if (store->settings.wait_replicas > 0 && !wait_for_replicas(store, error))
        return false;
    store->unreplicated = false;
    memcpy(results, store->unreplicated_results, bytes);
    return true;
}
