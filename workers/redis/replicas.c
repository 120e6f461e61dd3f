#include "replicas.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT = 24, REPLICA_LINE = 512 };

void redis_replicas_init(struct redis_replicas *replicas, struct redis_primary *session, int64_t enough)
{
    *replicas = (struct redis_replicas){.session = session, .enough = enough};
}

/* What INFO says of a server's replication, as far as it does (an ACL may forbid it). */
struct replication {
    /* The ids of its history, or empty. When a replica becomes a primary the first id changes and the second remembers
       what it was; when a primary gets its first replica the first changes and the second is zeros (replication.c of
       Redis: shiftReplicationId, changeReplicationId). */
    char id[REDIS_HISTORY_ID], second_id[REDIS_HISTORY_ID];
    struct redis_replica_set in_step;
    bool one_has_left; /* of `staying` */
};

/* What stands behind the label; empty if nothing. */
static void read_info(const char *text, const char *label, char out[REDIS_HISTORY_ID])
{
    const char *at = strstr(text, label);

    at = at ? at + strlen(label) : "";
    snprintf(out, REDIS_HISTORY_ID, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* The number behind the label; -1 if there is none. */
static int64_t number_in(const char *line, const char *label)
{
    const char *at = strstr(line, label);

    return at ? strtoll(at + strlen(label), NULL, 10) : -1;
}

static void add(struct redis_replica_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->names[i], name) == 0)
            return;
    if (set->count < REDIS_REPLICAS_MAX)
        snprintf(set->names[set->count++], REDIS_REPLICA_NAME, "%s", name);
}

static void add_all(struct redis_replica_set *set, const struct redis_replica_set *others)
{
    for (size_t i = 0; i < others->count; i++)
        add(set, others->names[i]);
}

/* "slave0:ip=10.0.0.2,port=6379,state=online,offset=4711,lag=0"; the lag is in seconds. The offset is 0 until the
   replica has reported one: while it loads its copy it only says that it lives. */
void redis_replicas_in_step(const char *info, bool reporting, struct redis_replica_set *set)
{
    static const char begin[] = "\nslave";

    for (const char *at = strstr(info, begin); at; at = strstr(at + 1, begin)) {
        char line[REPLICA_LINE];
        int64_t lag_s;
        char *name, *behind;

        snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\r\n"), at + 1);
        lag_s = number_in(line, ",lag=");
        name = strstr(line, ":ip=");
        behind = strstr(line, ",state=online");
        if (!name || !behind || lag_s < 0 || lag_s > REDIS_SILENT_S || (reporting && number_in(line, ",offset=") <= 0))
            continue;
        *behind = '\0';
        add(set, name + 1);
    }
}

/* Whether one of the set is listed as online no more, silent or not. */
static bool one_has_left(const struct redis_replica_set *set, const char *info)
{
    for (size_t i = 0; i < set->count; i++) {
        char listed[REDIS_REPLICA_NAME + 16];

        snprintf(listed, sizeof listed, "%s,state=online", set->names[i]);
        if (!strstr(info, listed))
            return true;
    }
    return false;
}

static bool read_replication(struct redis_replicas *replicas, bool reporting, struct replication *out,
                             struct error *error)
{
    const char *info[] = {"INFO", "replication"};
    struct redis_answer answer;
    const char *text;

    if (!redis_primary_try(replicas->session, "asking for its replicas", 2, info, NULL, &answer, error))
        return false;
    text = answer.kind == REDIS_ANSWER_TEXT ? answer.text : "";
    read_info(text, "master_replid:", out->id);
    read_info(text, "master_replid2:", out->second_id);
    out->in_step.count = 0;
    redis_replicas_in_step(text, reporting, &out->in_step);
    out->one_has_left = one_has_left(&replicas->staying, text);
    return true;
}

/* Whether it was a replica for a while since we looked. */
static bool other_history(const struct redis_replicas *replicas, const struct replication *now)
{
    return strcmp(now->id, replicas->history) != 0 && strspn(now->second_id, "0") != strlen(now->second_id);
}

bool redis_replicas_forgotten(struct redis_replicas *replicas)
{
    struct replication now;
    struct error ignored;

    return !read_replication(replicas, true, &now, &ignored) || other_history(replicas, &now);
}

static void note_replication(struct redis_replicas *replicas, bool reporting)
{
    struct replication now;
    struct error ignored;

    if (replicas->enough == 0 || !redis_primary_connected(replicas->session) ||
        !read_replication(replicas, reporting, &now, &ignored))
        return;
    snprintf(replicas->history, sizeof replicas->history, "%s", now.id);
    add_all(&replicas->attached, &now.in_step);
}

void redis_replicas_look(struct redis_replicas *replicas)
{
    note_replication(replicas, true);
}

/* Here all that are online count, also one that has come in this second and not yet reported; one that loads its copy
   is waited for once at the most. */
void redis_replicas_begin(struct redis_replicas *replicas)
{
    replicas->attached.count = 0;
    replicas->sure_at_ms = 0;
    if (redis_primary_has_sentinels(replicas->session))
        replicas->sure_at_ms = clock_monotonic_ms() + REDIS_FAILOVER_MS;
    note_replication(replicas, false);
}

/* Asks for the replicas that have all that this connection has written before. */
static bool ask_replicas(struct redis_replicas *replicas, int64_t wanted, int64_t *have, struct error *error)
{
    static const char doing[] = "waiting for replicas";
    char number[NUMBER_TEXT], timeout[NUMBER_TEXT];
    const char *wait[] = {"WAIT", number, timeout};
    struct redis_answer answer;

    snprintf(number, sizeof number, "%" PRId64, wanted);
    snprintf(timeout, sizeof timeout, "%d", REDIS_WAIT_TIMEOUT_MS);
    if (!redis_primary_ask(replicas->session, doing, 3, wait, NULL, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_INTEGER)
        return redis_primary_unexpected(replicas->session, doing, error);
    *have = answer.integer;
    return true;
}

/* Enough of them, but fewer than there were. With sentinels the missing one may be the new primary, of which they will
   know in a moment, or may become it as long as it is heard of: what is acknowledged now would be lost. */
static bool may_be_failover(struct redis_replicas *replicas, int64_t have)
{
    int64_t now_ms = clock_monotonic_ms();
    bool begins = replicas->fewer_since_ms == 0;
    struct replication now;
    struct error ignored;

    if (!begins && now_ms - replicas->fewer_since_ms < REDIS_FAILOVER_MS)
        return true;
    if (!read_replication(replicas, true, &now, &ignored))
        return true;
    if (begins || now.one_has_left) { /* who has left only now may be the new primary since now */
        replicas->staying = now.in_step;
        replicas->fewer_since_ms = now_ms;
        return true;
    }
    if ((int64_t)now.in_step.count > have)
        return true;
    replicas->attached = now.in_step; /* who is not among them is away, and nothing else */
    return false;
}

/* WAIT does not tell who answered: one that has come since we looked may have, for one that has left. */
static bool may_be_others(struct redis_replicas *replicas, int64_t have)
{
    struct replication now;
    struct error ignored;

    if (!read_replication(replicas, true, &now, &ignored) || other_history(replicas, &now))
        return true;
    add_all(&replicas->attached, &now.in_step);
    return (int64_t)replicas->attached.count > have;
}

/* How many must have a batch: with sentinels all that are attached. */
static int64_t wanted_replicas(const struct redis_replicas *replicas)
{
    int64_t attached = (int64_t)replicas->attached.count;

    return redis_primary_has_sentinels(replicas->session) && attached > replicas->enough ? attached : replicas->enough;
}

/* Enough have it: whether it counts here, and not at another server. */
static bool is_sure(struct redis_replicas *replicas, int64_t have)
{
    if (have < wanted_replicas(replicas))
        return !may_be_failover(replicas, have);
    replicas->fewer_since_ms = 0;
    return !redis_primary_has_sentinels(replicas->session) ||
           (clock_monotonic_ms() >= replicas->sure_at_ms && !may_be_others(replicas, have));
}

bool redis_replicas_wait(struct redis_replicas *replicas, bool again, struct error *error)
{
    int64_t enough = replicas->enough, have = 0;

    if (enough == 0)
        return true;
    if (!again)
        replicas->fewer_since_ms = 0;
    if (!ask_replicas(replicas, wanted_replicas(replicas), &have, error))
        return false;
    if (have >= enough && is_sure(replicas, have))
        return true;
    if (have >= enough)
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: %" PRId64 " of %" PRId64
                  " replicas have the batch: it is acknowledged when it is clear that no failover is under way",
                  redis_primary_name(replicas->session), have, wanted_replicas(replicas));
    else
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: %" PRId64 " of %" PRId64
                  " replicas have the batch (REDIS_WAIT_REPLICAS): it is acknowledged when all of them have",
                  redis_primary_name(replicas->session), have, enough);
    /* A primary that was replaced loses its replicas to the new one. */
    redis_primary_invalidate(replicas->session);
    return false;
}

bool redis_replicas_check(struct redis_replicas *replicas, struct error *error)
{
    int64_t have = 0;

    if (replicas->enough == 0)
        return true;
    if (!ask_replicas(replicas, replicas->enough, &have, error))
        return false;
    if (have >= replicas->enough)
        return true;
    error_set(error, ERROR_UNAVAILABLE,
              "%s: %" PRId64 " of %" PRId64
              " replicas have what was written (REDIS_WAIT_REPLICAS): nothing is acknowledged before all of them have",
              redis_primary_name(replicas->session), have, replicas->enough);
    redis_primary_invalidate(replicas->session); /* as above */
    return false;
}
