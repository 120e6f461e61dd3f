/* Messages on their way to the rejected queue: each is kept until the broker has confirmed that the queue holds it, and
   then acknowledged, alone; so nothing else waits for that. They are offered again and again. How many there can be the
   prefetch bounds, and their bytes LIMIT_HELD_BYTES. Does no I/O: what it needs of the world, the clock too, is passed
   in. One thread owns it. */
#ifndef DROPBRIDGE_PENDING_REJECTS_H
#define DROPBRIDGE_PENDING_REJECTS_H

#include "common/backoff.h"
#include "common/error.h"
#include "common/timers.h"
#include "delivery.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REJECTS_LOOK_MS = 5,                    /* how often to look for confirms */
    REJECTS_RETRY_FIRST_MS = TIMER_MS(100), /* after a failure */
    REJECTS_RETRY_MAX_MS = TIMER_MS(2000),  /* the broker's heartbeats are looked after so often at the least */
    REJECTS_REST = 9, /* after a failure that took long, the pause is so many times longer: what a broker
                         away costs stays a tenth of the time */
    REJECTS_REST_MAX_MS = TIMER_MS(30000),
};

struct reject_ops {
    void *context;
    int64_t (*now_ms)(void *context); /* monotonic */
    /* Publishes what is not yet published, and marks what the broker holds as confirmed (struct delivery); does not
       wait for confirms. In the order of the list, which has one at least. False with *error if something is wrong with
       some of them. */
    bool (*publish)(void *context, struct delivery *first, struct error *error);
    /* Once for each that is confirmed, before its acknowledgement. */
    void (*rejected)(void *context, const char *reason);
    /* As batch_ops.acknowledge; never `multiple`. */
    bool (*acknowledge)(void *context, uint64_t tag, bool multiple, struct error *error);
};

struct pending_rejects {
    const struct reject_ops *ops;
    struct backoff backoff;
    int64_t due_ms;
    bool failing; /* the last try failed */
    struct delivery_queue queue;
};

/* The ops must outlive it. */
void pending_rejects_init(struct pending_rejects *rejects, const struct reject_ops *ops, uint64_t seed);
/* The connection is lost, or it ends: frees all. They will be delivered again. */
void pending_rejects_clear(struct pending_rejects *rejects);

/* Takes the delivery over, which has a reason and its body. */
void pending_rejects_add(struct pending_rejects *rejects, struct delivery *delivery);
/* The lowest delivery tag, which an acknowledgement of several must not reach; UINT64_MAX if it is empty. */
uint64_t pending_rejects_oldest(const struct pending_rejects *rejects);
/* When pending_rejects_step has something to do; INT64_MAX if it is empty. */
int64_t pending_rejects_due_ms(const struct pending_rejects *rejects);

enum rejects_progress {
    REJECTS_NOTHING_NEW, /* nothing is wrong, and none is confirmed */
    REJECTS_CONFIRMED,   /* nothing is wrong; some are acknowledged, others may be on their way */
    REJECTS_FAILED,      /* *error says why; tried again at pending_rejects_due_ms */
    REJECTS_LOST,        /* acknowledging failed, *error says why; it is empty */
};

/* One try, if it is due: publishes, and acknowledges what is confirmed. */
enum rejects_progress pending_rejects_step(struct pending_rejects *rejects, struct error *error);

#endif
