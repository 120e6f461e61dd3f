/* What the admin listener tells about the worker: metrics, and the state of what it depends on. The worker's thread
   writes, admin threads read. */
#ifndef DROPBRIDGE_WORKER_STATUS_H
#define DROPBRIDGE_WORKER_STATUS_H

#include "common/buf.h"
#include "common/error.h"
#include "common/metrics.h"
#include "batch.h"
#include "workers/redis/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When no message is in flight, WORKER_CONSUMED is the sum of the rows of outcomes.def. A message delivered again counts
   again; one that is rejected for more than its opt-out counts as rejected. */
enum worker_metric {
    WORKER_CONSUMED,
#define OUTCOME(name, slug, help) WORKER_##name,
#define REJECTION(name, slug) WORKER_REJECTED_##name,
#include "workers/outcomes.def"
#define COUNTER(name, slug, help) WORKER_##name,
#define GAUGE(name, slug, help) WORKER_##name,
#include "workers/metrics.def"
    WORKER_METRICS
};

enum worker_part { PART_BROKER, PART_REDIS, PART_REJECTED_QUEUE, WORKER_PARTS };

/* For people and for programs: what is away comes back by itself, a newer schema does not. */
enum part_state {
    PART_READY,
    PART_AWAY,
    PART_PAUSED,       /* no message is taken, for want of Redis: nothing is wrong with the broker */
    PART_NEWER_SCHEMA, /* a newer version wrote what is in Redis */
};

struct worker_status {
    struct metric metrics[WORKER_METRICS];
    pthread_mutex_t mutex; /* of what follows */
    struct {
        enum part_state state;
        char problem[ERROR_TEXT]; /* empty while it is ready */
        int64_t changed_at_ms;    /* monotonic */
        char logged[ERROR_TEXT];  /* the last problem in the log, and when */
        int64_t logged_at_ms;
    } parts[WORKER_PARTS];
    bool no_room; /* for another message that the rejected queue may have to take */
    struct {      /* as struct redis_findings */
        char durability[ERROR_TEXT], eviction[ERROR_TEXT], settings[ERROR_TEXT], emptied[ERROR_TEXT];
        struct damage damage;
    } redis;
};

/* The broker and Redis begin as away, "not connected yet"; the rejected queue as ready. */
void worker_status_init(struct worker_status *status);
void worker_status_clear(struct worker_status *status);

static inline void worker_count(struct worker_status *status, enum worker_metric metric, size_t n)
{
    metric_add(&status->metrics[metric], (int64_t)n);
}

/* Counts a message: what became of it in Redis; or, once the broker has confirmed it there, why it was rejected. */
void worker_count_applied(struct worker_status *status, enum applied applied);
void worker_count_rejected(struct worker_status *status, const char *slug);

/* Notes the state of a part; a change is logged once, a new sentence for the same trouble at most every ten seconds. */
void worker_part_good(struct worker_status *status, enum worker_part part, int64_t now_ms);
void worker_part_bad(struct worker_status *status, enum worker_part part, enum part_state state, const char *problem,
                     int64_t now_ms);

/* Notes whether another message could wait for the rejected queue. While one could, the trouble of that queue is told,
   but keeps the worker from nothing. There is room at first. */
void worker_note_room(struct worker_status *status, bool room);

/* Notes what is wrong with Redis all the same. The worker is ready. */
void worker_note_redis(struct worker_status *status, const struct redis_findings *findings);

/* For admin_config.refresh. `status` is a struct worker_status. */
void worker_status_refresh(void *status);

/* For admin_config.ready: whether the worker can consume and write. `status` is a struct worker_status. */
bool worker_status_ready(void *status, struct buf *members);

#endif
