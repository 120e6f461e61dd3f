#include "redis_replicas.h"

#include "../common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT = 24 };

void redis_replicas_init(struct redis_replicas *replicas, struct redis_session *session, int64_t enough)
{
    *replicas = (struct redis_replicas){.session = session, .enough = enough};
}

/* What INFO says of a server's replication, as far as it does (an ACL may forbid it). */
struct replication {
    /* The ids of its history, or empty. When a replica becomes a primary the first id changes and the second remembers
       what it was; when a primary gets its first replica the first changes and the second is zeros (replication.c of
       Redis: shiftReplicationId, changeReplicationId). */
    char id[REDIS_HISTORY_ID], second_id[REDIS_HISTORY_ID];
    int64_t attached;
};

/* What stands behind the label; empty if nothing. */
static void read_info(const char *text, const char *label, char out[REDIS_HISTORY_ID])
{
    const char *at = strstr(text, label);

    at = at ? at + strlen(label) : "";
    snprintf(out, REDIS_HISTORY_ID, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static bool read_replication(struct redis_replicas *replicas, struct replication *out, struct error *error)
{
    const char *info[] = {"INFO", "replication"};
    struct redis_answer answer;
    const char *text;
    char attached[REDIS_HISTORY_ID];

    if (!redis_session_try(replicas->session, "asking for its replicas", 2, info, NULL, &answer, error))
        return false;
    text = answer.kind == REDIS_ANSWER_TEXT ? answer.text : "";
    read_info(text, "master_replid:", out->id);
    read_info(text, "master_replid2:", out->second_id);
    read_info(text, "connected_slaves:", attached);
    out->attached = strtol(attached, NULL, 10);
    return true;
}

bool redis_replicas_forgotten(struct redis_replicas *replicas)
{
    struct replication now;
    struct error ignored;

    if (!read_replication(replicas, &now, &ignored))
        return true;
    return strcmp(now.id, replicas->history) != 0 && strspn(now.second_id, "0") != strlen(now.second_id);
}

void redis_replicas_look(struct redis_replicas *replicas)
{
    struct replication now;
    struct error ignored;

    if (replicas->enough == 0 || !redis_session_connected(replicas->session) ||
        !read_replication(replicas, &now, &ignored))
        return;
    snprintf(replicas->history, sizeof replicas->history, "%s", now.id);
    if (now.attached > replicas->attached)
        replicas->attached = now.attached;
}

void redis_replicas_begin(struct redis_replicas *replicas)
{
    replicas->attached = 0;
    replicas->fewer_since_ms = 0;
    redis_replicas_look(replicas);
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
    if (!redis_session_ask(replicas->session, doing, 3, wait, NULL, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_INTEGER)
        return redis_session_unexpected(replicas->session, doing, error);
    *have = answer.integer;
    return true;
}

/* Enough of them, but fewer than there were. With sentinels the missing one may be the new primary, of which they will
   know in a moment: what is acknowledged now would be lost. */
static bool may_be_failover(struct redis_replicas *replicas, int64_t have)
{
    int64_t now_ms = clock_monotonic_ms();

    if (replicas->fewer_since_ms == 0)
        replicas->fewer_since_ms = now_ms;
    if (now_ms - replicas->fewer_since_ms < REDIS_FAILOVER_MS)
        return true;
    replicas->attached = have; /* it is away, and nothing else */
    replicas->fewer_since_ms = 0;
    return false;
}

bool redis_replicas_wait(struct redis_replicas *replicas, bool again, struct error *error)
{
    int64_t enough = replicas->enough, wanted = enough, have = 0;

    if (enough == 0)
        return true;
    if (!again)
        replicas->fewer_since_ms = 0;
    if (redis_session_has_sentinels(replicas->session) && replicas->attached > enough)
        wanted = replicas->attached;
    if (!ask_replicas(replicas, wanted, &have, error))
        return false;
    if (have >= wanted) {
        replicas->fewer_since_ms = 0;
        return true;
    }
    if (have >= enough && !may_be_failover(replicas, have))
        return true;
    if (have >= enough)
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: %" PRId64 " of %" PRId64
                  " replicas have the batch: it is acknowledged when it is clear that no failover is under way",
                  redis_session_name(replicas->session), have, wanted);
    else
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: %" PRId64 " of %" PRId64
                  " replicas have the batch (REDIS_WAIT_REPLICAS): it is acknowledged when all of them have",
                  redis_session_name(replicas->session), have, enough);
    /* A primary that was replaced loses its replicas to the new one. */
    redis_session_doubt(replicas->session);
    return false;
}
