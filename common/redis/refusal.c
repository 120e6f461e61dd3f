#include "refusal.h"

#include "common/mask.h"

#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Behind the key of a script's "KEY {key}: {why}": a campaign may have any of the words below for a name. */
static const char *reason_in(const char *text)
{
    const char *behind = starts_with(text, "KEY ") ? strstr(text, ": ") : NULL;

    return behind ? behind : text;
}

/* A server that has only a share of the slots: one script writes keys of many. */
static bool by_redis_cluster(const char *text)
{
    return starts_with(text, "MOVED ") || starts_with(text, "ASK ") || starts_with(text, "CROSSSLOT") ||
           starts_with(text, "CLUSTERDOWN") || strstr(reason_in(text), "non local key");
}

static bool by_permission(const char *text)
{
    const char *reason = reason_in(text);

    return strstr(reason, "NOPERM") || strstr(reason, "The user executing the script can't") || /* Redis 7.0 */
           strstr(reason, "ACL failure in script");                                              /* from 7.2 on */
}

static bool refused_for_good(const char *text)
{
    static const char *const prefixes[] = {
        "NOAUTH",
        "WRONGPASS",
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
    return by_permission(text) || by_redis_cluster(text);
}

bool redis_refusal_by_replica(const char *text)
{
    const char *reason = reason_in(text);

    return strstr(reason, "READONLY") || starts_with(reason, "UNBLOCKED") || /* it became one while we waited */
           strstr(reason, "cannot be used with replica instances");          /* WAIT */
}

bool redis_refusal_for_replicas(const char *text)
{
    return strstr(reason_in(text), "NOREPLICAS") != NULL;
}

/* A record that this worker does not know yet; counting.c says so. */
static bool by_newer_worker(const char *text)
{
    return starts_with(text, "KEY ") && strstr(reason_in(text), "newer worker");
}

/* It is what the key holds that stands in the way; a server may refuse any key, while it loads. */
static bool by_key(const char *text)
{
    return starts_with(text, "KEY ") && (strstr(reason_in(text), "WRONGTYPE") || strstr(reason_in(text), "a record in it"));
}

static const char *key_name(const char *prefix, const char *key)
{
    return starts_with(key, prefix) ? key + strlen(prefix) : key;
}

/* What may be done about a key that stands in the way, `name` being what follows the prefix. Most
   must stay: without them counts are forgotten, or drops that were counted count again. */
static const char *key_remedy(const char *name)
{
    static const char computed[] = "; restore that key, or move it away (RENAME), and the batch goes on by itself; then run dropctl "
                                   "verify --repair, which computes it from the other keys";
    static const char movable[] = "; move that key away (RENAME) and the batch goes on by itself: no count needs it";
    static const struct {
        const char *stem, *remedy;
    } rows[] = {
        {"results:", movable},
        {"minute:", movable},
        {"unknown_reasons:", movable},
        {"events:", movable},
        {"drops:sizes:", movable},
        {"counters:", computed},
        {"reasons:", computed},
        {"totals:", computed},
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
    return "; restore that key and the batch goes on by itself; do not move it away: counts would be forgotten, or drops "
           "counted again";
}

static const char *remedy(const char *text, const char *prefix, bool sentinels)
{
    if (by_redis_cluster(text))
        return "; Redis Cluster is not supported: use one primary, or sentinels";
    /* A script tells of these under a key's name too. */
    if (redis_refusal_by_replica(text))
        return sentinels ? "; it is a replica now: the sentinels are asked for the primary"
                         : "; it is a replica: REDIS_URL must name the primary";
    if (redis_refusal_for_replicas(text))
        return "; fewer replicas than its min-replicas-to-write are in step: start them, and it goes on by itself";
    if (by_permission(text))
        return "; let the user of REDIS_URL do that, and read and write every key under REDIS_PREFIX";
    if (by_newer_worker(text))
        return "; upgrade this worker";
    if (by_key(text))
        return key_remedy(key_name(prefix, text + strlen("KEY ")));
    if (starts_with(text, "OOM"))
        return "; raise maxmemory or free some";
    if (starts_with(text, "NOAUTH") || starts_with(text, "WRONGPASS") || strstr(text, "AUTH") ||
        strstr(text, "password"))
        return "; check user and password in REDIS_URL";
    return "";
}

/* The script names no key of a foreign_id. */
void redis_refusal_mask_key(const char *prefix, char *key)
{
    size_t at = (size_t)(key_name(prefix, key) - key);

    if (starts_with(key + at, "campaign:")) {
        at += strlen("campaign:");
        mask_digits(key + at, strcspn(key + at, ":"));
    }
}

static enum error_code code_of(const char *text)
{
    if (by_newer_worker(text))
        return ERROR_NEWER;
    return refused_for_good(text) ? ERROR_REFUSED : ERROR_UNAVAILABLE;
}

void redis_refusal_tell(const char *text, const char *name, const char *doing, const char *prefix, bool sentinels,
                        struct error *error)
{
    char shown[ERROR_TEXT];

    snprintf(shown, sizeof shown, "%s", text);
    if (starts_with(shown, "KEY "))
        redis_refusal_mask_key(prefix, shown + strlen("KEY "));
    error_set(error, code_of(text), "%s: %s: %s%s", name, doing, shown, remedy(text, prefix, sentinels));
}
