/* What a worker is made of: for worker.c (the loop), worker_build.c (which makes and frees it) and worker_ops.c
   (through which batches and rejections reach it), and for nobody else. The worker's thread owns all of it. */
#ifndef DROPBRIDGE_WORKER_STATE_H
#define DROPBRIDGE_WORKER_STATE_H

#include "batch.h"
#include "common/watchdog.h"
#include "frequent_log.h"
#include "worker.h"
#include "workers/queue/consumer.h"
#include "workers/queue/delivery.h"
#include "workers/queue/pending_rejects.h"
#include "workers/queue/quarantine.h"
#include "workers/queue/reject.h"
#include "workers/redis/health.h"
#include "workers/redis/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker {
    const struct worker_config *config;
    struct worker_status *status;
    struct watchdog *dog;
    struct redis_store *store;
    struct redis_health redis;
    struct consumer *consumer;
    struct rejecter *rejecter;
    struct batch_ops batch_ops;
    struct reject_ops reject_ops;
    struct batch *batches[2]; /* one is with Redis while the other is gathered */
    size_t first;             /* the one that goes to Redis, if it is not empty */
    struct pending_rejects rejects;
    struct held held;              /* by all deliveries, wherever they are */
    struct delivery_queue waiting; /* for a batch */
    struct frequent_log log;
    bool paused;           /* Redis was given up: nothing is consumed */
    int64_t idle_since_ms; /* connected, consuming, and nothing in hand */
    int64_t renewed_at_ms; /* 0: never */
    bool connected_before;
};

/* worker_ops.c: what batches and rejects do to the world is done to this worker. */
struct batch_ops worker_batch_ops(struct worker *worker);
struct reject_ops worker_reject_ops(struct worker *worker);
/* How its suspects are read first. */
struct quarantine worker_quarantine(const struct worker *worker);

#endif
