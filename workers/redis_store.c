#include "redis_store.h"

#include "../common/buf.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/mask.h"
#include "../common/uri.h"
#include "event_pack.h"
#include "reasons.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

extern const char apply_batch_lua[];
extern const unsigned long apply_batch_lua_length;

enum {
    SHA1_HEX = 40,
    KEY_SIZE = 300,
    RISK_SIZE = 512,
    WORKER_SIZE = 160,
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
    char durability[RISK_SIZE], eviction[RISK_SIZE];
    char worker[WORKER_SIZE]; /* this process among all that ever marked a message */
    bool marking;             /* a mark waits in the send buffer for what takes it off */

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

/* A host may run many workers, and number its processes again after a restart. */
static void name_worker(struct redis_store *store)
{
    char host[65] = "";

    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    snprintf(store->worker, sizeof store->worker, "%s:%ld:%" PRId64 ":%" PRId64, host, (long)getpid(), clock_wall_ms(),
             clock_monotonic_us());
}

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
    name_worker(store);
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
    store->marking = false;
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
        "ERR The user executing the script can't run this command", /* Redis 7.0 */
        "ERR ACL failure in script",                                /* from 7.2 on */
    };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(text, prefixes[i]))
            return true;
    return false;
}

/* What follows the prefix in a script's "KEY {key}: {why}". */
static const char *key_name(const struct redis_store *store, const char *text)
{
    const char *key = text + strlen("KEY ");

    return starts_with(key, store->settings.prefix) ? key + strlen(store->settings.prefix) : key;
}

/* What may be done about a key that stands in the way, `name` being what follows the prefix. Most must stay: without
   them counts are forgotten, or drops that were counted count again. */
static const char *key_remedy(const char *name)
{
    static const char movable[] = "; move that key away (RENAME) and the batch goes on by itself: no count needs it";
    static const struct {
        const char *stem, *remedy;
    } rows[] = {
        {"result:", "; move that key away (RENAME; SCAN with MATCH and TYPE finds it) and the batch goes on by itself: "
                    "no count needs it"},
        {"drops:shared:", "; move that key away (RENAME; SCAN with MATCH and TYPE finds it) and the batch goes on by "
                          "itself: no count needs it"},
        {"results:", movable},
        {"minute:", movable},
        {"unknown_reasons:", movable},
        {"events:", movable},
        {"drops:sizes:", movable},
        {"drops:marks:", movable},
        {"campaigns:", "; move that key away (RENAME) and the batch goes on by itself; then add the campaigns that get "
                       "no more events again (ZADD)"},
        {"optouts:", "; restore it, or add its phones again to a new one, and the batch goes on by itself: without it "
                     "phones that opted out are forgotten"},
    };
    const char *behind = starts_with(name, "campaign:") ? strchr(name + strlen("campaign:"), ':') : NULL;

    if (behind && behind[1] == ' ')
        return "; move that key away (RENAME) and the batch goes on by itself: the campaign's state and times begin "
               "anew, its counts stay";
    if (behind)
        name = behind + 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (starts_with(name, rows[i].stem))
            return rows[i].remedy;
    return "; restore that key or mend its field and the batch goes on by itself; do not move it away: counts would be "
           "forgotten, or drops counted again";
}

static const char *remedy(const struct redis_store *store, const char *text)
{
    if (starts_with(text, "SCHEMA "))
        return ": another version wrote these keys; use another REDIS_PREFIX or database";
    if (starts_with(text, "KEY ") && strstr(text, " waits in "))
        return "; let the user of REDIS_URL write every key under REDIS_PREFIX and it goes on by itself";
    if (starts_with(text, "KEY ") && strstr(text, "newer worker"))
        return "; start workers of that version";
    if (starts_with(text, "KEY "))
        return key_remedy(key_name(store, text));
    if (strstr(text, "READONLY"))
        return "; it is a replica: REDIS_URL must name the primary";
    if (starts_with(text, "OOM"))
        return "; raise maxmemory or free some";
    if (starts_with(text, "NOAUTH") || starts_with(text, "WRONGPASS") || strstr(text, "AUTH") ||
        strstr(text, "password"))
        return "; check user and password in REDIS_URL";
    return "";
}

/* A campaign may have been given a phone number for a name. (The script itself names no key of a foreign_id.) */
static void mask_campaign(const struct redis_store *store, char *text)
{
    size_t at = (size_t)(key_name(store, text) - text);

    if (starts_with(text + at, "campaign:")) {
        at += strlen("campaign:");
        mask_digits(text + at, strcspn(text + at, ":"));
    }
}

static const char *connection_problem(const struct redis_store *store)
{
    const redisContext *context = store->context;

    if (!context)
        return "out of memory";
    if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS))
        return "no answer in time";
    return context->errstr[0] ? context->errstr : "no answer in time";
}

/* A failed call: either the connection broke (reply NULL: it must not be used again, late answers would
   answer the wrong question) or the server said no. Frees the reply. A server that has become a replica is left: behind
   a name or an address that moves, the next connection finds the primary. */
static void fail_call(struct redis_store *store, const char *doing, redisReply *reply, struct error *error)
{
    bool demoted = reply && reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "READONLY");

    if (!reply) {
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: %s: %s", store->peer, doing, connection_problem(store));
        disconnect(store);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        if (starts_with(reply->str, "KEY "))
            mask_campaign(store, reply->str);
        error_set(error, refused_for_good(reply->str) ? ERROR_REFUSED : ERROR_UNAVAILABLE, "Redis at %s: %s: %s%s",
                  store->peer, doing, reply->str, remedy(store, reply->str));
    } else
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: %s: an answer of an unexpected type (%d)", store->peer, doing,
                  reply->type);
    freeReplyObject(reply);
    if (demoted)
        disconnect(store);
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

/* Servers that do not tell their version (an ACL forbids INFO) are believed to be new enough. */
static bool check_version(struct redis_store *store, struct error *error)
{
    static const char label[] = "redis_version:";
    const char *info[] = {"INFO", "server"};
    redisReply *reply;
    struct error ignored;
    const char *at;
    bool ok = true;

    if (!ask(store, "asking for the version", 2, info, NULL, &reply, &ignored)) {
        if (!store->context)
            *error = ignored;
        return store->context != NULL;
    }
    at = reply->str ? strstr(reply->str, label) : NULL;
    if (at) {
        char *end;
        long major = strtol(at + sizeof label - 1, &end, 10);
        long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
        ok = major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR);
        if (!ok)
            error_set(error, ERROR_REFUSED, "Redis at %s is version %ld.%ld; %d.%d or later is needed", store->peer,
                      major, minor, OLDEST_MAJOR, OLDEST_MINOR);
    }
    freeReplyObject(reply);
    return ok;
}

/* The server's setting `name`, cut to `size`; false if it does not tell (hosted servers forbid CONFIG). */
static bool read_config(struct redis_store *store, const char *name, char *out, size_t size)
{
    const char *get[] = {"CONFIG", "GET", name};
    redisReply *reply;
    struct error ignored;
    bool known;

    if (!store->context || !ask(store, "asking for a setting", 3, get, NULL, &reply, &ignored))
        return false;
    known = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str;
    if (known)
        snprintf(out, size, "%s", reply->element[1]->str);
    freeReplyObject(reply);
    return known;
}

/* Keeps the sentence, and logs it if it is news. */
static void note_risk(char risk[RISK_SIZE], const char *sentence, bool worth_a_warning)
{
    if (strcmp(risk, sentence) == 0)
        return;
    snprintf(risk, RISK_SIZE, "%s", sentence);
    if (worth_a_warning && sentence[0] != '\0')
        log_warn("%s", sentence);
}

/* A server that may lose the last second after a crash loses what RabbitMQ was told is done. */
static void review_durability(struct redis_store *store)
{
    char aof[16], fsync[16], no_fsync[16], sentence[RISK_SIZE] = "";
    bool known = read_config(store, "appendonly", aof, sizeof aof) &&
                 read_config(store, "appendfsync", fsync, sizeof fsync) &&
                 read_config(store, "no-appendfsync-on-rewrite", no_fsync, sizeof no_fsync);

    if (!store->context)
        return;
    if (!known)
        snprintf(
            sentence, sizeof sentence,
            "unknown: Redis at %s does not tell its settings; it should have appendonly yes and appendfsync always",
            store->peer);
    else if (strcmp(aof, "yes") != 0 || strcmp(fsync, "always") != 0)
        snprintf(sentence, sizeof sentence,
                 "Redis at %s does not sync each write (appendonly %s, appendfsync %s): a crash of it can lose counted "
                 "events; set appendonly yes and appendfsync always",
                 store->peer, aof, fsync);
    else if (strcmp(no_fsync, "no") != 0)
        snprintf(sentence, sizeof sentence,
                 "Redis at %s does not sync each write while it rewrites its file (no-appendfsync-on-rewrite %s): a "
                 "crash of it can then lose counted events; set no-appendfsync-on-rewrite no",
                 store->peer, no_fsync);
    note_risk(store->durability, sentence, known);
}

/* One that evicts keys forgets drops, which then count twice. */
static void review_eviction(struct redis_store *store)
{
    char policy[32], memory[32], sentence[RISK_SIZE] = "";
    bool known = read_config(store, "maxmemory", memory, sizeof memory) &&
                 read_config(store, "maxmemory-policy", policy, sizeof policy);

    if (!store->context)
        return;
    if (known && strcmp(memory, "0") != 0 && strcmp(policy, "noeviction") != 0)
        snprintf(
            sentence, sizeof sentence,
            "Redis at %s may evict keys (maxmemory-policy %s): a forgotten drop is counted again; set it to noeviction",
            store->peer, policy);
    note_risk(store->eviction, sentence, known);
}

void redis_store_review(struct redis_store *store)
{
    review_durability(store);
    review_eviction(store);
}

const char *redis_store_durability(const struct redis_store *store)
{
    return store->durability;
}

const char *redis_store_eviction(const struct redis_store *store)
{
    return store->eviction;
}

static bool check_schema(struct redis_store *store, struct error *error)
{
    char key[KEY_SIZE], doing[320];
    const char *get[] = {"GET", key};
    redisReply *reply;
    bool ok;

    snprintf(key, sizeof key, "%.256sschema", store->settings.prefix);
    snprintf(doing, sizeof doing, "reading %s", key);
    if (!ask(store, doing, 2, get, NULL, &reply, error))
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

/* Runs every writing command of apply_batch.lua, and of the marks, once on a key of its own. A user whose permissions
   lack one of them must not find out in the middle of a batch: Redis does not roll back. */
static bool probe_commands(struct redis_store *store, struct error *error)
{
    static const char script[] =
        "local k = KEYS[1] "
        "redis.call('SET', k, '1') redis.call('DEL', k) "
        "redis.call('HSET', k, 'f', '1') redis.call('HMGET', k, 'f') redis.call('HGET', k, 'f') redis.call('HGETALL', "
        "k) "
        "redis.call('HEXISTS', k, 'f') redis.call('HLEN', k) redis.call('TYPE', k) redis.call('EXISTS', k) "
        "redis.call('EXPIRE', k, 60) redis.call('PEXPIREAT', k, redis.call('TIME')[1] * 1000 + 60000) "
        "redis.call('HDEL', k, 'f') "
        "redis.call('ZADD', k, 'GT', 1, 'm') redis.call('ZSCORE', k, 'm') redis.call('ZREVRANGE', k, 0, 0) "
        "redis.call('ZREMRANGEBYRANK', k, 5, 6) redis.call('ZREM', k, 'm') "
        "redis.call('SADD', k, 'm') redis.call('SCARD', k) redis.call('SREM', k, 'm') "
        "redis.call('XADD', k, 'MAXLEN', '~', 1, '*', 'f', '1') redis.call('XINFO', 'STREAM', k) redis.call('DEL', k) "
        "return redis.call('GET', k)";
    char key[KEY_SIZE];
    const char *eval[] = {"EVAL", script, "1", key};

    snprintf(key, sizeof key, "%.256sdrops:probe:%ld", store->settings.prefix, (long)getpid());
    return ask(store, "trying the commands that a batch needs", 4, eval, NULL, NULL, error);
}

static bool connect_store(struct redis_store *store, struct error *error)
{
    struct timeval connect_timeout = {.tv_sec = REDIS_CONNECT_TIMEOUT_MS / 1000,
                                      .tv_usec = REDIS_CONNECT_TIMEOUT_MS % 1000 * 1000};
    struct timeval call_timeout = {.tv_sec = REDIS_CALL_TIMEOUT_MS / 1000,
                                   .tv_usec = REDIS_CALL_TIMEOUT_MS % 1000 * 1000};

    if (store->marking) /* nobody took it off */
        disconnect(store);
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
        !load_script(store, error) || !probe_commands(store, error)) {
        disconnect(store);
        return false;
    }
    redis_store_review(store);
    if (!store->context) {
        error_set(error, ERROR_UNAVAILABLE, "Redis at %s: the connection broke", store->peer);
        return false;
    }
    log_info("connected to Redis at %s, database %d", store->peer, store->db);
    return true;
}

/* A write that changes nothing, for the key is never there, but that a replica, a full or a failing server refuses. */
bool redis_store_check(struct redis_store *store, struct error *error)
{
    char key[KEY_SIZE];
    const char *set[] = {"SET", key, "1", "XX"};

    if (!connect_store(store, error))
        return false;
    snprintf(key, sizeof key, "%.256sdrops:probe", store->settings.prefix);
    return ask(store, "trying to write", 4, set, NULL, NULL, error);
}

/* --- Marks ------------------------------------------------------------------------------------------------------ */

static void mark_key(const struct redis_store *store, const char *name, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%.128sdrops:marks:%.128s", store->settings.prefix, name);
}

/* Counts the marks of others, and finds out whether one could be set now: the SET changes nothing, but is refused where
   the mark would be. */
static bool count_marks(struct redis_store *store, const char *key, uint64_t *others, struct error *error)
{
    static const char script[] =
        "local k = KEYS[1] local kind = redis.call('TYPE', k).ok "
        "if kind ~= 'set' and kind ~= 'none' then "
        "return redis.error_reply('KEY ' .. k .. ': WRONGTYPE it holds a ' .. kind .. ', not a set') end "
        "redis.call('SET', KEYS[2], '1', 'XX') redis.call('SREM', k, ARGV[1]) return redis.call('SCARD', k)";
    char probe[KEY_SIZE];
    const char *eval[] = {"EVAL", script, "2", key, probe, store->worker};
    redisReply *reply;

    snprintf(probe, sizeof probe, "%.256sdrops:probe", store->settings.prefix);
    if (!ask(store, "looking at the marks of a message", 6, eval, NULL, &reply, error))
        return false;
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        fail_call(store, "looking at the marks of a message", reply, error);
        return false;
    }
    *others = (uint64_t)reply->integer;
    freeReplyObject(reply);
    return true;
}

/* While it is on, what is written stays in the send buffer, for 200 ms at the most; a socket that is closed sends it.
 */
static void hold_back(struct redis_store *store, int on)
{
    (void)setsockopt(store->context->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

/* Hands a command over to the system without waiting for its answer. */
static bool post(struct redis_store *store, int argc, const char **argv)
{
    int done = 0;

    if (redisAppendCommandArgv(store->context, argc, argv, NULL) != REDIS_OK)
        return false;
    while (!done) {
        if (redisBufferWrite(store->context, &done) != REDIS_OK)
            return false;
    }
    return true;
}

bool redis_store_mark(struct redis_store *store, const char *name, uint64_t enough, uint64_t *earlier_marks,
                      struct error *error)
{
    static const char script[] = "redis.call('SADD', KEYS[1], ARGV[1]) redis.call('EXPIRE', KEYS[1], ARGV[2]) return 1";
    char key[KEY_SIZE], ttl[16];
    const char *eval[] = {"EVAL", script, "1", key, store->worker, ttl};
    uint64_t others = 0;

    mark_key(store, name, key);
    snprintf(ttl, sizeof ttl, "%d", REDIS_MARK_TTL_S);
    if (!connect_store(store, error) || !count_marks(store, key, &others, error))
        return false;
    if (others < enough) {
        hold_back(store, 1);
        if (!post(store, 6, eval)) {
            fail_call(store, "marking a message", NULL, error);
            return false;
        }
        store->marking = true;
    }
    *earlier_marks = others;
    return true;
}

bool redis_store_connected(const struct redis_store *store)
{
    return store->context != NULL;
}

/* Sends what takes the mark off behind the mark, and reads both answers. A mark that was refused is none. */
static bool unmark_held_back(struct redis_store *store, int argc, const char **argv, struct error *error)
{
    static const char doing[] = "taking a mark off";
    void *marked = NULL, *unmarked = NULL;
    bool sent = post(store, argc, argv);

    hold_back(store, 0);
    if (!sent || redisGetReply(store->context, &marked) != REDIS_OK ||
        redisGetReply(store->context, &unmarked) != REDIS_OK) {
        freeReplyObject(marked);
        fail_call(store, doing, NULL, error);
        return false;
    }
    store->marking = false;
    freeReplyObject(marked);
    if (((redisReply *)unmarked)->type == REDIS_REPLY_ERROR) {
        fail_call(store, doing, unmarked, error);
        return false;
    }
    freeReplyObject(unmarked);
    return true;
}

bool redis_store_unmark(struct redis_store *store, const char *name, bool all, struct error *error)
{
    char key[KEY_SIZE];
    const char *every[] = {"DEL", key};
    const char *ours[] = {"SREM", key, store->worker};
    const char **command = all ? every : ours;
    int argc = all ? 2 : 3;
    struct error reason = {0};
    bool done;

    mark_key(store, name, key);
    if (store->marking)
        done = unmark_held_back(store, argc, command, &reason);
    else
        done = connect_store(store, &reason) && ask(store, "taking a mark off", argc, command, NULL, NULL, &reason);
    if (done || strstr(reason.text, "WRONGTYPE")) /* then no mark of ours is there */
        return true;
    *error = reason;
    return false;
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
