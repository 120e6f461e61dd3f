#include "replicas.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_TEXT = 24 };

void redis_replicas_init(struct redis_replicas *replicas, struct redis_primary *session, int64_t wait_replicas)
{
    *replicas = (struct redis_replicas){
        .session = session, .gate = replica_gate_of(wait_replicas, redis_primary_has_sentinels(session))};
}

/* Asks how many replicas have all that this connection has written before, and then who they are: *info is valid until the
   next call. Who does not wait for all can do without the latter, which an ACL may forbid. */
static bool ask(struct redis_replicas *replicas, int64_t wanted, int64_t *have, const char **info, struct error *error)
{
    static const char waiting[] = "waiting for replicas", asking[] = "asking for its replicas";
    char number[NUMBER_TEXT], timeout[NUMBER_TEXT];
    const char *wait[] = {"WAIT", number, timeout}, *replication[] = {"INFO", "replication"};
    struct redis_answer answer;

    snprintf(number, sizeof number, "%" PRId64, wanted);
    snprintf(timeout, sizeof timeout, "%d", REDIS_WAIT_TIMEOUT_MS);
    if (!redis_primary_ask(replicas->session, waiting, 3, wait, NULL, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_INTEGER)
        return redis_primary_unexpected(replicas->session, waiting, error);
    *have = answer.integer;
    if (!redis_primary_try(replicas->session, asking, 2, replication, NULL, &answer, error) ||
        (replicas->gate.all && !redis_primary_judge(replicas->session, asking, &answer, error)))
        return false;
    *info = answer.kind == REDIS_ANSWER_TEXT ? answer.text : "";
    return true;
}

bool redis_replicas_begin(struct redis_replicas *replicas, struct error *error)
{
    const char *info = "";
    int64_t ignored = 0;

    if (!redis_replicas_wanted(replicas))
        return true;
    if (!ask(replicas, 0, &ignored, &info, error))
        return false;
    replica_gate_connected(&replicas->gate, info, clock_monotonic_ms());
    return true;
}

static void tell_missing(struct redis_replicas *replicas, int64_t have, int64_t wanted, const char *what, const char *why,
                         struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "%s: %" PRId64 " of %" PRId64 " replicas have %s%s",
              redis_primary_name(replicas->session), have, wanted, what, why);
    if (have < wanted) /* a primary that was replaced loses its replicas to the new one */
        redis_primary_invalidate(replicas->session);
}

enum replica_answer redis_replicas_wait(struct redis_replicas *replicas, struct error *error)
{
    struct replica_verdict verdict;
    const char *info = "";
    int64_t have = 0;

    if (!redis_replicas_wanted(replicas))
        return REPLICA_ACKNOWLEDGE;
    if (!ask(replicas, replica_gate_wanted(&replicas->gate), &have, &info, error))
        return REPLICA_WAIT;
    verdict = replica_gate_judge(&replicas->gate, have, info, clock_monotonic_ms());
    switch (verdict.answer) {
    case REPLICA_ACKNOWLEDGE:
        break;
    case REPLICA_WAIT:
        tell_missing(replicas, have, verdict.wanted, "the batch", verdict.why, error);
        break;
    case REPLICA_WRITE_AGAIN:
        error_set(error, ERROR_UNAVAILABLE, "%s was a replica for a while and may have forgotten the batch: it is counted again",
                  redis_primary_name(replicas->session));
        redis_primary_invalidate(replicas->session);
        redis_primary_drop(replicas->session); /* and with it what was learned on that connection */
        break;
    }
    return verdict.answer;
}

bool redis_replicas_check(struct redis_replicas *replicas, struct error *error)
{
    struct replica_gate *gate = &replicas->gate;
    const char *info = "";
    int64_t have = 0;

    if (!redis_replicas_wanted(replicas))
        return true;
    if (!ask(replicas, gate->enough, &have, &info, error))
        return false;
    replica_gate_look(gate, info, clock_monotonic_ms());
    if (have >= gate->enough)
        return true;
    tell_missing(replicas, have, gate->enough, "what was written", replica_gate_too_few(gate), error);
    return false;
}
