/* Whether a batch that is in Redis may be acknowledged: what its replicas have to do with it. Pure: what the server said
   (WAIT, INFO replication) and the monotonic time are passed in. One thread owns a gate. */
#ifndef DROPBRIDGE_REDIS_REPLICA_GATE_H
#define DROPBRIDGE_REDIS_REPLICA_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* How long after a replica was promoted the sentinels may still name the former primary: during a failover they
       look at their servers once a second; twice that, and a second for a busy machine. */
    REPLICA_FAILOVER_MS = 3000,
    /* A replica that has told the primary nothing for longer is promoted no more: sentinels leave out one whose last
       answer is older than five of their pings, 5 s (sentinelSelectSlave in sentinel.c of Redis). The rest is for
       rounding, the second between two of its reports, and a busy machine. */
    REPLICA_SILENT_S = 10,
    REPLICA_HISTORY_ID = 48, /* Redis's are 40 */
    REPLICAS_MAX = 32,       /* of one primary; twice as many as REDIS_WAIT_REPLICAS may be */
    REPLICA_NAME = 288,      /* a host name of 253 bytes and a port, as sentinels know it */
};

/* How the primary sees a replica; the higher, the nearer. */
enum replica_standing {
    REPLICA_GONE,    /* listed as online no more */
    REPLICA_SILENT,  /* online, but loads its copy, or was not heard of within REPLICA_SILENT_S */
    REPLICA_IN_STEP, /* a sentinel may promote it */
};

struct replica_gate {
    int64_t enough;     /* so many replicas must have a batch; 0: none is asked */
    bool all;           /* and all that a sentinel may have promoted */
    int64_t sure_at_ms; /* with `all` nothing is acknowledged before it: a replica may have left before we came */
    char history[REPLICA_HISTORY_ID]; /* of the primary, when we came */
    size_t count;
    struct replica {
        char name[REPLICA_NAME];
        enum replica_standing standing;
        int64_t missed_at_ms; /* when it was first seen in this standing; without a meaning in step */
    } replicas[REPLICAS_MAX]; /* with `all`: those in step, and those that were and may be the new primary */
};

enum replica_answer {
    REPLICA_ACKNOWLEDGE,
    REPLICA_WAIT,        /* ask them again: it counts nothing */
    REPLICA_WRITE_AGAIN, /* the server was a replica meanwhile, and may have forgotten the batch */
};

struct replica_verdict {
    enum replica_answer answer;
    int64_t wanted;  /* of so many replicas some have not the batch */
    const char *why; /* the end of a sentence "{n} of {wanted} replicas have the batch"; NULL when there is none to say */
};

/* `wait_replicas` is REDIS_WAIT_REPLICAS, negative if it is not set: then with sentinels all attached replicas must have a
   batch, one at least; without them none. */
struct replica_gate replica_gate_of(int64_t wait_replicas, bool sentinels);

/* There is a new connection. `info` is what INFO replication said; empty if the server does not tell. */
void replica_gate_connected(struct replica_gate *gate, const char *info, int64_t now_ms);
/* Notes who has come and who has left. To be called with each batch (replica_gate_judge does) and once a second without:
   one that comes and leaves between two looks is not missed. */
void replica_gate_look(struct replica_gate *gate, const char *info, int64_t now_ms);
/* How many replicas WAIT should wait for. */
int64_t replica_gate_wanted(const struct replica_gate *gate);
/* `have` replicas have all that this connection has written, says WAIT; `info` was asked for after that. */
struct replica_verdict replica_gate_judge(struct replica_gate *gate, int64_t have, const char *info, int64_t now_ms);
/* What to say when fewer than `enough` have it; as replica_verdict's `why`. */
const char *replica_gate_too_few(const struct replica_gate *gate);

#endif
