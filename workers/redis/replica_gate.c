#include "replica_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICA_LINE = 512 };

struct replica_gate replica_gate_of(int64_t wait_replicas, bool sentinels)
{
    bool all = wait_replicas < 0 && sentinels;

    return (struct replica_gate){.all = all, .enough = wait_replicas < 0 ? all : wait_replicas};
}

/* --- Reading INFO replication ------------------------------------------------------------------------------------- */

/* What stands behind the label; empty if nothing. */
static void read_text(const char *info, const char *label, char out[REPLICA_HISTORY_ID])
{
    const char *at = strstr(info, label);

    at = at ? at + strlen(label) : "";
    snprintf(out, REPLICA_HISTORY_ID, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* The number behind the label; -1 if there is none. */
static int64_t read_number(const char *line, const char *label)
{
    const char *at = strstr(line, label);

    return at ? strtoll(at + strlen(label), NULL, 10) : -1;
}

/* The next replica behind *at that is online: "slave0:ip=10.0.0.2,port=6379,state=online,offset=4711,lag=0". The lag is in
   seconds. The offset is 0 until the replica has reported one: while it loads its copy it only says that it lives. */
static bool next_online(const char **at, char name[REPLICA_NAME], enum replica_standing *standing)
{
    static const char begin[] = "\nslave";

    while ((*at = strstr(*at, begin)) != NULL) {
        char line[REPLICA_LINE];
        const char *ip, *end;

        *at += sizeof begin - 1;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(*at, "\r\n"), *at);
        ip = strstr(line, ":ip=");
        end = strstr(line, ",state=online");
        if (!ip || !end)
            continue;
        snprintf(name, REPLICA_NAME, "%.*s", (int)(end - ip), ip);
        int64_t lag_s = read_number(line, ",lag=");
        bool reports = lag_s >= 0 && lag_s <= REPLICA_SILENT_S && read_number(line, ",offset=") > 0;
        *standing = reports ? REPLICA_IN_STEP : REPLICA_SILENT;
        return true;
    }
    return false;
}

/* When a replica becomes a primary the first id of its history changes and the second remembers what it was; when a primary
   gets its first replica the first changes and the second is zeros (shiftReplicationId and changeReplicationId in
   replication.c of Redis). */
static bool was_replica(const struct replica_gate *gate, const char *info)
{
    char id[REPLICA_HISTORY_ID], second[REPLICA_HISTORY_ID];

    read_text(info, "master_replid:", id);
    read_text(info, "master_replid2:", second);
    return strcmp(id, gate->history) != 0 && strspn(second, "0") != strlen(second);
}

/* --- Who may be the primary --------------------------------------------------------------------------------------- */

static size_t find(const struct replica_gate *gate, const char *name)
{
    size_t i = 0;

    while (i < gate->count && strcmp(gate->replicas[i].name, name) != 0)
        i++;
    return i;
}

static void remove_at(struct replica_gate *gate, size_t i)
{
    gate->count--;
    memmove(&gate->replicas[i], &gate->replicas[i + 1], (gate->count - i) * sizeof gate->replicas[0]);
}

/* A replica that goes may have been promoted just then: from each step away on it is waited for as long as the sentinels may
   not know. */
void replica_gate_look(struct replica_gate *gate, const char *info, int64_t now_ms)
{
    enum replica_standing standing, now[REPLICAS_MAX] = {REPLICA_GONE};
    char name[REPLICA_NAME];

    if (!gate->all)
        return;
    while (next_online(&info, name, &standing)) {
        size_t i = find(gate, name);

        if (i == gate->count && (standing != REPLICA_IN_STEP || i == REPLICAS_MAX))
            continue;
        if (i == gate->count)
            snprintf(gate->replicas[gate->count++].name, REPLICA_NAME, "%s", name);
        now[i] = standing;
    }
    for (size_t i = gate->count; i-- > 0;) {
        struct replica *replica = &gate->replicas[i];

        if (now[i] < replica->standing)
            replica->missed_at_ms = now_ms;
        replica->standing = now[i];
        if (now[i] != REPLICA_IN_STEP && now_ms - replica->missed_at_ms >= REPLICA_FAILOVER_MS)
            remove_at(gate, i);
    }
}

void replica_gate_connected(struct replica_gate *gate, const char *info, int64_t now_ms)
{
    gate->count = 0;
    gate->sure_at_ms = now_ms + REPLICA_FAILOVER_MS;
    read_text(info, "master_replid:", gate->history);
    replica_gate_look(gate, info, now_ms);
}

/* --- Whether a batch counts --------------------------------------------------------------------------------------- */

int64_t replica_gate_wanted(const struct replica_gate *gate)
{
    return (int64_t)gate->count > gate->enough ? (int64_t)gate->count : gate->enough;
}

const char *replica_gate_too_few(const struct replica_gate *gate)
{
    return gate->all ? ": with sentinels nothing is acknowledged before one at least has it (REDIS_WAIT_REPLICAS=0 does without)"
                     : " (REDIS_WAIT_REPLICAS): nothing is acknowledged before all of them have it";
}

struct replica_verdict replica_gate_judge(struct replica_gate *gate, int64_t have, const char *info, int64_t now_ms)
{
    struct replica_verdict verdict = {.answer = REPLICA_WAIT};

    if (was_replica(gate, info)) {
        replica_gate_connected(gate, info, now_ms);
        return (struct replica_verdict){.answer = REPLICA_WRITE_AGAIN};
    }
    /* WAIT does not tell who answered: one that has come may have, for one that has left. */
    replica_gate_look(gate, info, now_ms);
    verdict.wanted = replica_gate_wanted(gate);
    if (have >= verdict.wanted && !(gate->all && now_ms < gate->sure_at_ms))
        verdict.answer = REPLICA_ACKNOWLEDGE;
    else if (have < gate->enough)
        verdict.why = replica_gate_too_few(gate);
    else
        verdict.why = ": it is acknowledged when it is clear that no failover is under way";
    return verdict;
}
