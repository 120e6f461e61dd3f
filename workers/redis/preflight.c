#include "preflight.h"

#include "common/log.h"
#include "common/redis/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_SIZE = 300,
    OLDEST_MAJOR = 6, /* ZADD GT and LT came with 6.2 */
    OLDEST_MINOR = 2,
};

static const char trying[] = "trying the commands that a batch needs";

/* --- What it must be able to do --------------------------------------------------------------------------------- */

/* Servers that do not tell their version (an ACL forbids INFO) are believed to be new enough. */
static bool check_version(struct redis_primary *session, struct error *error)
{
    static const char label[] = "redis_version:";
    const char *info[] = {"INFO", "server"};
    struct redis_answer answer;
    const char *at;
    char *end;

    if (!redis_primary_try(session, "asking for the version", 2, info, NULL, &answer, error))
        return false;
    at = answer.kind == REDIS_ANSWER_TEXT ? strstr(answer.text, label) : NULL;
    if (!at)
        return true;

    long major = strtol(at + sizeof label - 1, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR))
        return true;
    error_set(error, ERROR_REFUSED, "%s is version %ld.%ld; %d.%d or later is needed", redis_primary_name(session),
              major, minor, OLDEST_MAJOR, OLDEST_MINOR);
    return false;
}

static bool check_schema(struct redis_primary *session, const char *prefix, struct error *error)
{
    char key[KEY_SIZE], doing[KEY_SIZE + 16];
    const char *get[] = {"GET", key};
    struct redis_answer answer;

    snprintf(key, sizeof key, "%.256sschema", prefix);
    snprintf(doing, sizeof doing, "reading %s", key);
    if (!redis_primary_ask(session, doing, 2, get, NULL, &answer, error))
        return false;
    return redis_schema_check(answer.kind == REDIS_ANSWER_TEXT ? answer.text : "", prefix, redis_primary_name(session),
                                error);
}

/* Runs every writing command of the script, and of the marks, once on a key of its own, the way a batch does. A user
   whose permissions lack one of them must not find out in the middle of a batch: Redis does not roll back. */
static bool probe_commands(struct redis_primary *session, const char *prefix, struct error *error)
{
    static const char script[] =
        "local k = KEYS[1] "
        "redis.call('SET', k, '1', 'EX', 60) redis.call('DEL', k) "
        "redis.call('HSETNX', k, 'f', '1') redis.call('HSET', k, 'f', '1') redis.call('HMGET', k, 'f') "
        "redis.call('HINCRBY', k, 'f', 1) redis.call('HEXISTS', k, 'f') redis.call('HLEN', k) redis.call('TYPE', k) "
        "redis.call('EXPIRE', k, 60) redis.call('PEXPIREAT', k, redis.call('TIME')[1] * 1000 + 60000) "
        "redis.call('TTL', k) redis.call('HGET', k, 'f') redis.call('HDEL', k, 'f') "
        "redis.call('ZADD', k, 'GT', 1, 'm') redis.call('ZADD', k, 'LT', 1, 'm') redis.call('DEL', k) "
        "redis.call('SADD', k, 'm') redis.call('SCARD', k) redis.call('SREM', k, 'm') "
        "redis.call('XADD', k, '*', 'f', '1') redis.call('XTRIM', k, 'MAXLEN', '~', 1) redis.call('DEL', k) "
        "return redis.call('GET', k)";
    char key[KEY_SIZE], sha[REDIS_SHA1_HEX + 1];
    const char *eval[] = {"EVAL", "return 0", "0"}; /* the marks use it */
    const char *evalsha[] = {"EVALSHA", sha, "1", key};
    struct redis_answer ignored;

    snprintf(key, sizeof key, "%.256sdrops:probe:%ld", prefix, (long)getpid());
    return redis_primary_load(session, trying, script, sizeof script - 1, sha, error) &&
           redis_primary_ask(session, trying, 4, evalsha, NULL, &ignored, error) &&
           redis_primary_ask(session, trying, 3, eval, NULL, &ignored, error);
}

/* Tries to write one key of each kind: PERSIST changes nothing in a key that does not expire. A user may read a key and not
   write it. */
static bool probe_keys(struct redis_primary *session, const char *prefix, struct error *error)
{
    static const char script[] =
        "for i = 2, #ARGV do local k = ARGV[1] .. ARGV[i] local reply = redis.pcall('PERSIST', k) "
        "if type(reply) == 'table' then return redis.error_reply('KEY ' .. k .. ': ' .. reply.err) end end return 0";
    const char *eval[] = {"EVAL",
                          script,
                          "0",
                          prefix,
                          "schema",
                          "totals",
                          "totals:reasons",
                          "campaigns",
                          "campaign:probe",
                          "campaign:probe:counters",
                          "campaign:probe:reasons",
                          "campaign:probe:optouts",
                          "optouts",
                          "result:probe",
                          "results",
                          "minute:probe",
                          "unknown_reasons",
                          "events",
                          "drops:epoch",
                          "drops:generations",
                          "drops:settings",
                          "drops:sizes",
                          "drops:campaign_numbers",
                          "drops:campaign_names",
                          "drops:1:1",
                          "drops:1:e1"};
    struct redis_answer ignored;

    return redis_primary_ask(session, trying, (int)(sizeof eval / sizeof eval[0]), eval, NULL, &ignored, error);
}

/* For no replica at all: it returns at once. */
static bool probe_wait(struct redis_primary *session, struct error *error)
{
    const char *wait[] = {"WAIT", "0", "1"};
    struct redis_answer ignored;

    return redis_primary_ask(session, trying, 3, wait, NULL, &ignored, error);
}

/* Redis Cluster is refused before a batch is half written. With one shard every key is local, and it works; servers
   without cluster support, or that do not tell, answer with an error. */
static bool check_shards(struct redis_primary *session, struct error *error)
{
    static const char label[] = "cluster_size:";
    const char *info[] = {"CLUSTER", "INFO"};
    struct redis_answer answer;
    const char *at;

    if (!redis_primary_try(session, "asking for its cluster", 2, info, NULL, &answer, error))
        return false;
    at = answer.kind == REDIS_ANSWER_TEXT ? strstr(answer.text, label) : NULL;
    if (!at || strtol(at + sizeof label - 1, NULL, 10) <= 1)
        return true;
    error_set(error, ERROR_REFUSED,
              "%s is one of several shards: Redis Cluster is not supported; use one primary, or sentinels",
              redis_primary_name(session));
    return false;
}

bool redis_preflight_check(struct redis_primary *session, const char *prefix, int64_t wait_replicas, struct error *error)
{
    return check_version(session, error) && check_shards(session, error) && check_schema(session, prefix, error) &&
           probe_commands(session, prefix, error) && probe_keys(session, prefix, error) && (wait_replicas == 0 || probe_wait(session, error));
}

/* --- What its settings put at risk ------------------------------------------------------------------------------ */

/* The server's setting `name`, cut to `size`; false if it does not tell (hosted servers forbid CONFIG). */
static bool read_config(struct redis_primary *session, const char *name, char *out, size_t size)
{
    const char *get[] = {"CONFIG", "GET", name};
    struct redis_answer answer;
    struct error ignored;

    if (!redis_primary_connected(session) ||
        !redis_primary_try(session, "asking for a setting", 3, get, NULL, &answer, &ignored) ||
        answer.kind != REDIS_ANSWER_LIST || answer.count != 2)
        return false;
    snprintf(out, size, "%s", redis_answer_item(&answer, 1).text);
    return true;
}

/* Keeps the sentence, and logs it if it is news, or that it is over. */
static void note_risk(char risk[REDIS_RISK_SIZE], const char *sentence, bool worth_a_warning)
{
    if (strcmp(risk, sentence) == 0)
        return;
    if (worth_a_warning && sentence[0] != '\0')
        log_warn("%s", sentence);
    else if (sentence[0] == '\0')
        log_info("mended: %s", risk);
    snprintf(risk, REDIS_RISK_SIZE, "%s", sentence);
}

/* A server that may lose the last second after a crash loses what RabbitMQ was told is done; so does a failover to a
   replica that is behind. */
static void review_durability(struct redis_risks *risks, struct redis_primary *session, int64_t wait_replicas)
{
    char aof[16], fsync[16], no_fsync[16], sentence[REDIS_RISK_SIZE] = "";
    const char *name = redis_primary_name(session);
    bool known = read_config(session, "appendonly", aof, sizeof aof) &&
                 read_config(session, "appendfsync", fsync, sizeof fsync) &&
                 read_config(session, "no-appendfsync-on-rewrite", no_fsync, sizeof no_fsync);

    if (!redis_primary_connected(session))
        return;
    if (!known)
        snprintf(sentence, sizeof sentence,
                 "unknown: %s does not tell its settings; it should have appendonly yes and appendfsync always", name);
    else if (strcmp(aof, "yes") != 0 || strcmp(fsync, "always") != 0)
        snprintf(sentence, sizeof sentence,
                 "%s does not sync each write (appendonly %s, appendfsync %s): a crash of it can lose counted events; "
                 "set appendonly yes and appendfsync always",
                 name, aof, fsync);
    else if (strcmp(no_fsync, "no") != 0)
        snprintf(sentence, sizeof sentence,
                 "%s does not sync each write while it rewrites its file (no-appendfsync-on-rewrite %s): a crash of it "
                 "can then lose counted events; set no-appendfsync-on-rewrite no",
                 name, no_fsync);
    else if (redis_primary_has_sentinels(session) && wait_replicas == 0)
        snprintf(
            sentence, sizeof sentence,
            "a failover can lose counted events, for %s does not wait for its replicas: set REDIS_WAIT_REPLICAS to "
            "1 or more",
            name);
    note_risk(risks->durability, sentence, known);
}

/* One that evicts keys forgets drops, which then count twice. Without maxmemory it evicts none, but it is set some day. */
static void review_eviction(struct redis_risks *risks, struct redis_primary *session)
{
    char policy[32], memory[32], sentence[REDIS_RISK_SIZE] = "";
    bool known = read_config(session, "maxmemory", memory, sizeof memory) &&
                 read_config(session, "maxmemory-policy", policy, sizeof policy);

    if (!known)
        return;
    if (strcmp(policy, "noeviction") != 0)
        snprintf(sentence, sizeof sentence,
                 "%s may evict keys (maxmemory-policy %s)%s: a forgotten drop is counted again; set it to noeviction",
                 redis_primary_name(session), policy, strcmp(memory, "0") == 0 ? " once it has a maxmemory" : "");
    note_risk(risks->eviction, sentence, known);
}

void redis_risks_review(struct redis_risks *risks, struct redis_primary *session, int64_t wait_replicas)
{
    review_durability(risks, session, wait_replicas);
    review_eviction(risks, session);
}
