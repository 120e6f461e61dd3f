#include "preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SIZE = 300 };

static const char trying[] = "trying the commands that a batch needs";

/* What the server tells behind the label; *found is empty if it does not: an ACL forbids it, or it is built without. */
static bool read_told(struct redis_primary *session, const char *command, const char *section, const char *label,
                      char found[16], struct error *error)
{
    const char *ask[] = {command, section};
    struct redis_answer answer;
    const char *at;

    if (!redis_primary_try(session, "asking for what it is", 2, ask, NULL, &answer, error))
        return false;
    at = answer.kind == REDIS_ANSWER_TEXT ? strstr(answer.text, label) : NULL;
    snprintf(found, 16, "%s", at ? at + strlen(label) : "");
    return true;
}

/* Redis Cluster is refused before a batch is half written. With one shard every key is local, and it works. */
static bool check_server(struct redis_primary *session, struct error *error)
{
    char version[16], shards[16], *end;

    if (!read_told(session, "INFO", "server", "redis_version:", version, error) ||
        !read_told(session, "CLUSTER", "INFO", "cluster_size:", shards, error))
        return false;

    long major = strtol(version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (version[0] != '\0' && major * 100 + minor < 602) { /* ZADD GT and LT came with 6.2 */
        error_set(error, ERROR_REFUSED, "%s is version %ld.%ld; 6.2 or later is needed", redis_primary_name(session), major,
                  minor);
        return false;
    }
    if (strtol(shards, NULL, 10) > 1) {
        error_set(error, ERROR_REFUSED,
                  "%s is one of several shards: Redis Cluster is not supported; use one primary, or sentinels",
                  redis_primary_name(session));
        return false;
    }
    return true;
}

/* Runs every writing command of the script once on a key of its own, the way a batch does. A user whose permissions lack one
   of them must not find out in the middle of a batch: Redis does not roll back. */
static bool try_commands(struct redis_primary *session, const char *prefix, struct error *error)
{
    static const char script[] =
        "local k = KEYS[1] "
        "redis.call('SET', k, '1', 'EX', 60) redis.call('DEL', k) "
        "redis.call('HSETNX', k, 'f', '1') redis.call('HSET', k, 'f', '1') redis.call('HMGET', k, 'f') "
        "redis.call('HINCRBY', k, 'f', 1) redis.call('HEXISTS', k, 'f') redis.call('HLEN', k) redis.call('TYPE', k) "
        "redis.call('EXPIRE', k, 60) redis.call('PEXPIREAT', k, redis.call('TIME')[1] * 1000 + 60000) "
        "redis.call('TTL', k) redis.call('HGET', k, 'f') redis.call('HDEL', k, 'f') "
        "redis.call('ZADD', k, 'GT', 1, 'm') redis.call('ZADD', k, 'LT', 1, 'm') redis.call('DEL', k) "
        "redis.call('XADD', k, '*', 'f', '1') redis.call('XTRIM', k, 'MAXLEN', '~', 1) redis.call('DEL', k) "
        "return redis.call('GET', k)";
    char key[KEY_SIZE], sha[REDIS_SHA1_HEX + 1];
    const char *evalsha[] = {"EVALSHA", sha, "1", key};
    struct redis_answer ignored;

    snprintf(key, sizeof key, "%.256sdrops:probe:%ld", prefix, (long)getpid());
    return redis_primary_load(session, trying, script, sizeof script - 1, sha, error) &&
           redis_primary_ask(session, trying, 4, evalsha, NULL, &ignored, error);
}

/* Tries to write one key of each kind: PERSIST changes nothing in a key that does not expire. A user may read a key and not
   write it. */
static bool try_keys(struct redis_primary *session, const char *prefix, struct error *error)
{
    static const char script[] =
        "for name in ARGV[2]:gmatch('%S+') do local k = ARGV[1] .. name local reply = redis.pcall('PERSIST', k) "
        "if type(reply) == 'table' then return redis.error_reply('KEY ' .. k .. ': ' .. reply.err) end end return 0";
    static const char names[] =
        "schema totals totals:reasons campaigns campaign:probe campaign:probe:counters campaign:probe:reasons "
        "campaign:probe:optouts campaign:probe:day:probe optouts optins result:probe results minute:probe "
        "unknown_reasons events campaign_links drops:epoch drops:epoch:damaged "
        "drops:generations drops:settings drops:sizes drops:campaign_numbers drops:campaign_names drops:1:1 "
        "drops:1:e1";
    const char *eval[] = {"EVAL", script, "0", prefix, names};
    struct redis_answer ignored;

    return redis_primary_ask(session, trying, 5, eval, NULL, &ignored, error);
}

bool redis_preflight_check(struct redis_primary *session, const char *prefix, struct error *error)
{
    return check_server(session, error) && try_commands(session, prefix, error) && try_keys(session, prefix, error);
}
