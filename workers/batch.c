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

/* False when out of memory. */
static bool read_delivery(const struct batch *batch, struct delivery *delivery)
{
    char remark[PARSE_DETAIL];
    if (!delivery_read(delivery, &batch->settings.parse, remark))
        return false;
    if (remark[0] != '\0')
        batch->ops->remark(batch->ops->context, remark);
    return true;
}

void batch_read(const struct batch *batch, struct delivery *delivery)
{
    (void)read_delivery(batch, delivery); /* without memory now, later */
}

void batch_add(struct batch *batch, struct delivery *delivery, int64_t now_ms)
{
    batch->deliveries[batch->count++] = delivery;
    if (!delivery_was_read(delivery))
        (void)read_delivery(batch, delivery);
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

static enum batch_progress keep(struct batch *batch, int64_t now_ms)
{
    batch->due_ms = now_ms + backoff_next_ms(&batch->backoff);
    return BATCH_KEPT;
}

/* Reads what lacked memory before. False if it still does. */
static bool read_rest(struct batch *batch, struct error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = batch->deliveries[i];
        if (!delivery_was_read(delivery) && !read_delivery(batch, delivery)) {
            error_set(error, ERROR_NO_MEMORY, "out of memory while reading a message");
            return false;
        }
    }
    return true;
}

/* What is no event goes its own way: nothing here waits for it. */
static void part(struct batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = batch->deliveries[i];
        if (!delivery->event) {
            pending_rejects_add(batch->rejects, delivery);
            continue;
        }
        batch->events[kept] = delivery->event;
        batch->deliveries[kept++] = delivery;
    }
    batch->count = kept;
}

/* From now on the batch takes no more. */
static enum batch_progress begin(struct batch *batch, int64_t now_ms, struct error *error)
{
    if (!read_rest(batch, error))
        return keep(batch, now_ms);
    part(batch);
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
    return keep(batch, now_ms);
}

/* The oldest that must not be acknowledged here: it waits for the rejected queue, or will. */
static uint64_t wall_of(const struct batch *batch)
{
    uint64_t wall = pending_rejects_oldest(batch->rejects);
    for (size_t i = 0; i < batch->count; i++) {
        const struct delivery *delivery = batch->deliveries[i];
        if (delivery->reason && delivery->tag < wall)
            wall = delivery->tag;
    }
    return wall;
}

/* All in one up to the wall: before it everything is settled. Those behind it one by one. */
static bool acknowledge_all(struct batch *batch, struct error *error)
{
    const struct batch_ops *ops = batch->ops;
    uint64_t wall = wall_of(batch);
    size_t before = 0;
    while (before < batch->count && batch->deliveries[before]->tag < wall)
        before++;
    if (before > 0 && !ops->acknowledge(ops->context, batch->deliveries[before - 1]->tag, true, error))
        return false;
    for (size_t i = before; i < batch->count; i++) {
        const struct delivery *delivery = batch->deliveries[i];
        if (!delivery->reason && !ops->acknowledge(ops->context, delivery->tag, false, error))
            return false;
    }
    return true;
}

static enum batch_progress acknowledge(struct batch *batch, struct error *error)
{
    bool done = acknowledge_all(batch, error);
    for (size_t i = 0; done && i < batch->count; i++) {
        if (!batch->deliveries[i]->reason)
            continue;
        pending_rejects_add(batch->rejects, batch->deliveries[i]); /* Redis has its opt-out now */
        batch->deliveries[i] = NULL;
    }
    batch_drop(batch);
    return done ? BATCH_DONE : BATCH_LOST;
}

enum batch_progress batch_step(struct batch *batch, int64_t now_ms, struct error *error)
{
    if (batch_due_ms(batch) > now_ms && !batch_waits(batch))
        return BATCH_NOT_DUE;
    switch (batch->phase) {
    case PHASE_GATHER:
        return begin(batch, now_ms, error);
    case PHASE_APPLY:
    case PHASE_WAIT:
        return apply(batch, now_ms, error);
    case PHASE_ACKNOWLEDGE:
        break;
    }
    return acknowledge(batch, error);
}
