/* What to do with which delivery: gathers deliveries, gives those that are no events to pending_rejects, hands the
   others to Redis, and acknowledges them when it has taken them, whatever becomes of the rejects. Until then it keeps
   them and tries again. An event that belongs in the rejected queue, too (event.h: rejected_as), goes there once Redis
   has it. Does no I/O and reads no clock: what it needs of the world is passed in. One thread owns a batch. */
#ifndef DROPBRIDGE_BATCH_H
#define DROPBRIDGE_BATCH_H

#include "common/error.h"
#include "common/timers.h"
#include "workers/event/event.h"
#include "workers/queue/delivery.h"
#include "workers/queue/pending_rejects.h"
#include "workers/redis/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the batch does to the world. Each returns false with *error on failure, and is then called again later. */
struct batch_ops {
    void *context;
    /* As redis_store_apply. */
    enum apply_progress (*apply)(void *context, size_t which, const struct event *const *events, size_t count,
                                 enum applied *results, struct error *error);
    /* The batch that apply was called for, or is about to be, is given up. */
    void (*abandon)(void *context, size_t which);
    /* Acknowledges the delivery with that tag, with `multiple` every one up to and including it. On failure the
       connection is lost: the batch is over, and its messages will be delivered again. */
    bool (*acknowledge)(void *context, uint64_t tag, bool multiple, struct error *error);
};

struct batch_settings {
    size_t which;    /* of the batches that redis_store_apply tells apart */
    size_t max;      /* BATCH_MAX */
    int64_t wait_ms; /* BATCH_WAIT_MS */
    uint64_t seed;   /* of the jitter */
};

enum {
    BATCH_RETRY_FIRST_MS = TIMER_MS(100),
    BATCH_RETRY_MAX_MS = TIMER_MS(5000),
    BATCH_LOOK_MS = 200, /* how often to look whether an answer of Redis is late */
};

struct batch;

/* The ops, the rejects and the settings' strings must outlive the batch; only batches add to the rejects. Deliveries
   come with ascending tags, none left out. NULL when out of memory. */
struct batch *batch_new(const struct batch_settings *settings, const struct batch_ops *ops,
                        struct pending_rejects *rejects);
void batch_free(struct batch *batch);

/* Whether another delivery may be added: not full, and not yet being worked on. */
bool batch_open(const struct batch *batch);
size_t batch_count(const struct batch *batch);

/* Takes the delivery over, which was read, or has a reason not to be. batch_open must hold. */
void batch_add(struct batch *batch, struct delivery *delivery, int64_t now_ms);

/* When batch_step has something to do (monotonic ms): now or earlier if it is due; INT64_MAX if the batch is empty. */
int64_t batch_due_ms(const struct batch *batch);

enum batch_progress {
    BATCH_NOT_DUE, /* nothing to do before batch_due_ms */
    BATCH_FURTHER, /* one part is done, another remains: step again soon */
    BATCH_WAITS,   /* for Redis: step again when it answers, and at batch_due_ms */
    BATCH_DONE,    /* all of it is acknowledged or a pending reject; the batch is empty */
    BATCH_KEPT,    /* a call failed, *error says why; the batch is kept until batch_due_ms */
    BATCH_LOST,    /* acknowledging failed, *error says why; the batch is empty */
};

/* Does one part of the work: calls one of the ops, so that the caller can serve its connection between two parts. */
enum batch_progress batch_step(struct batch *batch, int64_t now_ms, struct error *error);

/* Whether batch_step would go on, were Redis to answer. */
bool batch_waits(const struct batch *batch);
/* Whether a step would bring the batch to Redis, or nearer to it; not once it was sent. */
bool batch_may_go(const struct batch *batch);

/* Makes a batch due that waits for more deliveries (not one that waits to try again). */
void batch_hurry(struct batch *batch, int64_t now_ms);

/* The connection is lost: forgets all deliveries. They will be delivered again, and applying an event twice is
   harmless. */
void batch_drop(struct batch *batch);

#endif
