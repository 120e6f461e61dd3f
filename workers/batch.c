#include "batch.h"

#include "common/backoff.h"

#include <stdlib.h>

enum phase { PHASE_GATHER, PHASE_APPLY, PHASE_WAIT, PHASE_ACKNOWLEDGE };

struct batch {
    struct batch_settings settings;
    const struct batch_ops *ops;
    struct pending_rejects *rejects;
    struct backoff backoff;
    enum phase phase;
    int64_t due_ms;
    size_t count;
    struct delivery **deliveries; /* settings.max of each of these */
    const struct event **events;
    enum applied *results;
};

struct batch *batch_new(const struct batch_settings *settings, const struct batch_ops *ops,
                        struct pending_rejects *rejects)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->settings = *settings;
    batch->ops = ops;
    batch->rejects = rejects;
    batch->deliveries = calloc(settings->max, sizeof(struct delivery *));
    batch->events = calloc(settings->max, sizeof(const struct event *));
    batch->results = calloc(settings->max, sizeof *batch->results);
    if (!batch->deliveries || !batch->events || !batch->results) {
        batch_free(batch);
        return NULL;
    }
    backoff_init(&batch->backoff, BATCH_RETRY_FIRST_MS, BATCH_RETRY_MAX_MS, settings->seed);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    batch_drop(batch);
    free(batch->deliveries);
    free(batch->events);
    free(batch->results);
    free(batch);
}

bool batch_waits(const struct batch *batch)
{
    return batch->phase == PHASE_WAIT;
}

bool batch_may_go(const struct batch *batch)
{
    return batch->count > 0 && (batch->phase == PHASE_GATHER || batch->phase == PHASE_APPLY);
}

bool batch_open(const struct batch *batch)
{
    return batch->phase == PHASE_GATHER && batch->count < batch->settings.max;
}

size_t batch_count(const struct batch *batch)
{
    return batch->count;
}

void batch_add(struct batch *batch, struct delivery *delivery, int64_t now_ms)
{
    batch->deliveries[batch->count++] = delivery;
    if (batch->count == 1)
        batch->due_ms = now_ms + batch->settings.wait_ms;
    if (!batch_open(batch))
        batch->due_ms = now_ms;
}

int64_t batch_due_ms(const struct batch *batch)
{
    return batch->count > 0 ? batch->due_ms : INT64_MAX;
}

void batch_hurry(struct batch *batch, int64_t now_ms)
{
    if (batch->phase == PHASE_GATHER && batch->count > 0 && batch->due_ms > now_ms)
        batch->due_ms = now_ms;
}

void batch_drop(struct batch *batch)
{
    /* Redis may have it, and wait for replicas: another batch of the same drops must not be taken for it. */
    if (batch->phase == PHASE_APPLY || batch_waits(batch))
        batch->ops->abandon(batch->ops->context, batch->settings.which);
    for (size_t i = 0; i < batch->count; i++)
        delivery_free(batch->deliveries[i]);
    batch->count = 0;
    batch->phase = PHASE_GATHER;
    backoff_reset(&batch->backoff);
}

/* What belongs in the rejected queue goes its own way, and nothing here waits for it: what is no event at once, an
   event once it is counted. */
static void part(struct batch *batch, bool counted)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = batch->deliveries[i];
        if (delivery->reason && (counted || !delivery->event)) {
            pending_rejects_add(batch->rejects, delivery);
            continue;
        }
        batch->events[kept] = delivery->event;
        batch->deliveries[kept++] = delivery;
    }
    batch->count = kept;
}

/* From now on the batch takes no more. */
static enum batch_progress begin(struct batch *batch)
{
    part(batch, false);
    if (batch->count == 0) {
        batch_drop(batch);
        return BATCH_DONE;
    }
    batch->phase = PHASE_APPLY;
    return BATCH_FURTHER;
}

static enum batch_progress apply(struct batch *batch, int64_t now_ms, struct error *error)
{
    const struct batch_ops *ops = batch->ops;
    switch (ops->apply(ops->context, batch->settings.which, batch->events, batch->count, batch->results, error)) {
    case APPLY_DONE:
        batch->phase = PHASE_ACKNOWLEDGE;
        batch->due_ms = now_ms;
        backoff_reset(&batch->backoff);
        return BATCH_FURTHER;
    case APPLY_WAITS:
        batch->phase = PHASE_WAIT;
        batch->due_ms = now_ms + BATCH_LOOK_MS;
        return BATCH_WAITS;
    case APPLY_FAILED:
        break;
    }
    batch->phase = PHASE_APPLY;
    batch->due_ms = now_ms + backoff_next_ms(&batch->backoff);
    return BATCH_KEPT;
}

/* All in one up to the oldest reject, as before it everything is done. Those behind it one by one. */
static bool acknowledge_all(struct batch *batch, struct error *error)
{
    const struct batch_ops *ops = batch->ops;
    uint64_t oldest_reject = pending_rejects_oldest(batch->rejects);
    size_t before = 0;
    while (before < batch->count && batch->deliveries[before]->tag < oldest_reject)
        before++;
    if (before > 0 && !ops->acknowledge(ops->context, batch->deliveries[before - 1]->tag, true, error))
        return false;
    for (size_t i = before; i < batch->count; i++) {
        if (!ops->acknowledge(ops->context, batch->deliveries[i]->tag, false, error))
            return false;
    }
    return true;
}

static enum batch_progress acknowledge(struct batch *batch, struct error *error)
{
    part(batch, true);
    bool done = acknowledge_all(batch, error);
    batch_drop(batch);
    return done ? BATCH_DONE : BATCH_LOST;
}

enum batch_progress batch_step(struct batch *batch, int64_t now_ms, struct error *error)
{
    if (batch_due_ms(batch) > now_ms && !batch_waits(batch))
        return BATCH_NOT_DUE;
    switch (batch->phase) {
    case PHASE_GATHER:
        return begin(batch);
    case PHASE_APPLY:
    case PHASE_WAIT:
        return apply(batch, now_ms, error);
    case PHASE_ACKNOWLEDGE:
        break;
    }
    return acknowledge(batch, error);
}
