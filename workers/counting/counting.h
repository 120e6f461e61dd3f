/* The live counters in Redis: batches of events in, what became of each out. Redis remembers and compares, C decides: a
   batch goes out as one call of apply.lua, as if Redis knew none of its drops; those that it knows come back with what it
   holds, are merged over that, and go in a call of their own (plan.h). Batches overlap: while Redis is at the call of one,
   that of the next is in the socket behind it. One thread owns a counting. */
#ifndef DROPBRIDGE_COUNTING_H
#define DROPBRIDGE_COUNTING_H

#include "common/error.h"
#include "workers/event/event.h"
#include "common/redis/primary.h"
#include "damage.h"
#include "merge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COUNTING_BATCH_MAX = 4096,
    COUNTING_BATCHES = 2, /* that may be under way; they are told apart by numbers from 0 */
};

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
/* That what this worker had counted is gone ("": it never was), and how often; in which keys counts were damaged. */
const char *counting_emptied(const struct counting *counting, uint64_t *times);
/* How many campaigns were counted here for the first time, by any worker. */
uint64_t counting_new_campaigns(const struct counting *counting);
const struct damage *counting_damage(const struct counting *counting);

enum counting_progress {
    COUNTING_DONE,   /* all events are in Redis; the results are set */
    COUNTING_WAITS,  /* for an answer of Redis */
    COUNTING_FAILED, /* *error says why: each event may be applied or not; the same batch again, by any worker, is
                        harmless. No answer is owed any more, to no batch. */
};

/* Applies events, at most COUNTING_BATCH_MAX, as batch number `which`; results[i] says what became of events[i]. To be called
   again, with the same until it is done or abandoned, while counting_waits is false, or when the connection is readable (else
   it waits for that). All of them must stay where they are meanwhile. The session must be connected. After a failure what is
   known to have applied is not sent again, as long as the connection and the keys are the same. */
enum counting_progress counting_apply(struct counting *counting, size_t which, const struct event *const *events,
                                      size_t count, enum applied *results, struct error *error);
/* Whether an answer is owed to that batch; to any of them. */
bool counting_waits(const struct counting *counting, size_t which);
bool counting_owed(const struct counting *counting);
/* The batch is given up. If an answer is owed to it the connection is, too, and the other begins anew. */
void counting_abandon(struct counting *counting, size_t which);

#endif
