/* The live counters in Redis: batches of events in, what became of each out. Redis remembers and compares, C decides: the
   records of a batch's drops are read in one round trip, the copies merged over them (plan.h), and one call of apply.lua
   writes what follows, if the records are still as they were read. One thread owns a counting. */
#ifndef DROPBRIDGE_COUNTING_H
#define DROPBRIDGE_COUNTING_H

#include "common/error.h"
#include "workers/event/event.h"
#include "workers/redis/findings.h"
#include "common/redis/primary.h"
#include "merge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COUNTING_BATCH_MAX = 4096 };

struct counting_settings {
    const char *prefix;
    int64_t retention_s;
    int64_t result_ttl_s;
    int64_t results_stream_max;
};

struct counting;

/* The session and the settings' strings must outlive it. NULL when out of memory. */
struct counting *counting_new(const struct counting_settings *settings, struct redis_primary *session);
void counting_free(struct counting *counting);

/* There is a new connection: loads the script. What was learned on an older one is forgotten. */
bool counting_prepare(struct counting *counting, struct error *error);
/* For when no batch is there to tell: false with *error if the keys are no longer ours. As known_check. */
bool counting_check(struct counting *counting, struct error *error);
/* Fills in what was found out about the keys. */
void counting_findings(const struct counting *counting, struct redis_findings *findings);

enum counting_progress {
    COUNTING_DONE,   /* all events are in Redis; the results are set */
    COUNTING_WAITS,  /* for an answer of Redis */
    COUNTING_FAILED, /* *error says why: each event may be applied or not; the same batch again, by any worker, is
                        harmless */
};

/* Applies events, at most COUNTING_BATCH_MAX; results[i] will say what became of events[i]. All of them must stay where they
   are until it is over. The session must be connected. */
enum counting_progress counting_begin(struct counting *counting, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error);
/* Goes on once the session's connection is readable; before that it waits for it. */
enum counting_progress counting_continue(struct counting *counting, struct error *error);
/* The batch is given up: with answers owed, the session opens another connection. */
void counting_abandon(struct counting *counting);

#endif
