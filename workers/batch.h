/* What to do with which delivery: gathers deliveries, hands the good ones to Redis and the bad ones to the rejected
   queue, and acknowledges all of them only when both have taken theirs. Until then it keeps them and tries again.
   Does no I/O and reads no clock: ports and times are passed in. One thread owns a batch. */
#ifndef DROPBRIDGE_BATCH_H
#define DROPBRIDGE_BATCH_H

#include "../common/error.h"
#include "delivery.h"
#include "event.h"
#include "event_parse.h"
#include "redis_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message on its way to the rejected queue. */
struct rejection {
    struct delivery *delivery; /* only read */
    const char *reason;        /* a slug */
    const char *detail;        /* a sentence */
    bool confirmed;            /* set once the broker holds it; such a one is not published again */
};

/* What the batch does to the world. Each returns false with *error on failure, and is then called again later. */
struct batch_ports {
    void *context;
    /* As redis_store_apply. */
    bool (*apply)(void *context, const struct event *const *events, size_t count, enum applied *results,
                  struct error *error);
    /* True when every rejection is confirmed. */
    bool (*reject)(void *context, struct rejection *rejections, size_t count, struct error *error);
    /* Acknowledges every delivery up to and including the tag. On failure the connection is lost: the batch is over,
       and its messages will be delivered again. */
    bool (*acknowledge)(void *context, uint64_t tag, struct error *error);
    /* A message was parsed: `remark` is what event_parse ignored in it, never empty. */
    void (*remark)(void *context, const char *remark);
};

struct batch_settings {
    size_t max;      /* BATCH_MAX */
    int64_t wait_ms; /* BATCH_WAIT_MS */
    struct parse_settings parse;
    uint64_t seed; /* of the jitter */
};

enum { BATCH_RETRY_FIRST_MS = 100, BATCH_RETRY_MAX_MS = 5000 };

struct batch;

/* The ports and the settings' strings must outlive the batch. NULL when out of memory. */
struct batch *batch_new(const struct batch_settings *settings, const struct batch_ports *ports);
void batch_free(struct batch *batch);

/* Whether another delivery may be added: not full, and not yet being worked on. */
bool batch_open(const struct batch *batch);
size_t batch_count(const struct batch *batch);

/* Takes the delivery over. The batch must be open. Its envelope needs a received_at_ms. */
void batch_add(struct batch *batch, struct delivery *delivery, int64_t now_ms);

/* When batch_step has something to do (monotonic ms): now or earlier if it is due; INT64_MAX if the batch is empty. */
int64_t batch_due_ms(const struct batch *batch);

enum batch_progress {
    BATCH_NOT_DUE, /* nothing to do before batch_due_ms */
    BATCH_FURTHER, /* one part is done, another remains: step again soon */
    BATCH_DONE,    /* acknowledged; the batch is empty and open */
    BATCH_KEPT,    /* a port failed, *error says why; the batch is kept until batch_due_ms */
    BATCH_LOST,    /* acknowledging failed, *error says why; the batch is empty and open */
};

/* Does one part of the work: one port is called, so that the caller can serve its connection between two parts. */
enum batch_progress batch_step(struct batch *batch, int64_t now_ms, struct error *error);

/* Makes a batch due that waits for more deliveries (not one that waits to try again). */
void batch_hurry(struct batch *batch, int64_t now_ms);

/* The connection is lost: forgets all deliveries. They will be delivered again, and applying an event twice is
   harmless. */
void batch_drop(struct batch *batch);

#endif
