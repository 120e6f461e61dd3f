#include "batch.h"

#include "common/backoff.h"
#include "common/hex.h"
#include "common/protection.h"
#include "common/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum phase { PHASE_GATHER, PHASE_MARK, PHASE_UNMARK, PHASE_APPLY, PHASE_WAIT, PHASE_ACKNOWLEDGE };

/* The delivery that is handled alone. */
struct suspect {
    bool here;      /* the batch is that one delivery */
    bool marked;    /* our mark is there, or may be */
    bool looked;    /* it had too many marks a moment ago */
    bool condemned; /* and has them still */
    unsigned unmark_failures;
    char name[BATCH_MARK_NAME]; /* empty: not yet known */
};

struct batch {
    struct batch_settings settings;
    const struct batch_ports *ports;
    struct parked *parked;
    struct backoff backoff;
    enum phase phase;
    struct suspect suspect;
    bool acknowledged; /* before its time: a control of the fault suite */
    int64_t due_ms;
    size_t count;
    size_t may_reject;            /* of these, those that may have to be parked: each has a place reserved there */
    struct delivery **deliveries; /* settings.max of each of these */
    const struct event **events;
    enum applied *results;
};

struct batch *batch_new(const struct batch_settings *settings, const struct batch_ports *ports, struct parked *parked)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->settings = *settings;
    batch->ports = ports;
    batch->parked = parked;
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

static bool suspicious(const struct delivery *delivery)
{
    return delivery->delivery_count >= BATCH_SUSPECT_COUNT && protection("alone");
}

bool batch_open(const struct batch *batch)
{
    return batch->phase == PHASE_GATHER && !batch->suspect.here && batch->count < batch->settings.max &&
           parked_room(batch->parked) > 0;
}

bool batch_takes(const struct batch *batch, const struct delivery *delivery)
{
    return batch_open(batch) && (batch->count == 0 || !suspicious(delivery));
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
        batch->ports->remark(batch->ports->context, remark);
    return true;
}

void batch_read(const struct batch *batch, struct delivery *delivery)
{
    if (!suspicious(delivery))
        (void)read_delivery(batch, delivery); /* without memory now, later */
}

static void may_reject(struct batch *batch)
{
    parked_reserve(batch->parked);
    batch->may_reject++;
}

void batch_add(struct batch *batch, struct delivery *delivery, int64_t now_ms)
{
    batch->deliveries[batch->count++] = delivery;
    if (suspicious(delivery)) { /* reading it may be deadly: first the mark */
        batch->suspect = (struct suspect){.here = true};
        may_reject(batch);
        batch->phase = PHASE_MARK;
        batch->due_ms = now_ms;
        return;
    }
    if (!delivery_was_read(delivery))
        (void)read_delivery(batch, delivery);
    if (!delivery->event || delivery->reason)
        may_reject(batch);
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
    if (batch->suspect.marked)
        batch->ports->unmark_later(batch->ports->context, batch->suspect.name, false);
    /* Redis may have it, and wait for replicas: another batch of the same drops must not be taken for it. */
    if (batch->phase == PHASE_APPLY || batch_waits(batch))
        batch->ports->abandon(batch->ports->context);
    for (size_t i = 0; i < batch->count; i++)
        delivery_free(batch->deliveries[i]);
    parked_release(batch->parked, batch->may_reject);
    batch->count = 0;
    batch->may_reject = 0;
    batch->phase = PHASE_GATHER;
    batch->suspect = (struct suspect){0};
    batch->acknowledged = false;
    backoff_reset(&batch->backoff);
}

static enum batch_progress keep(struct batch *batch, int64_t now_ms)
{
    batch->due_ms = now_ms + backoff_next_ms(&batch->backoff);
    return BATCH_KEPT;
}

static bool name_suspect(struct suspect *suspect, const struct delivery *delivery, struct error *error)
{
    uint8_t digest[SHA256_SIZE];
    if (suspect->name[0] != '\0')
        return true;
    if (delivery->envelope.message_id[0] != '\0') {
        snprintf(suspect->name, sizeof suspect->name, "%s", delivery->envelope.message_id);
        return true;
    }
    if (!sha256(delivery_body(delivery), digest)) {
        error_set(error, ERROR_NO_MEMORY, "out of memory while naming a message");
        return false;
    }
    hex_encode(digest, sizeof digest, suspect->name);
    return true;
}

/* Two deaths, and nobody else is at it: this message it is. */
static void condemn(struct delivery *delivery, uint64_t marks)
{
    delivery->reason = "crashed_worker";
    snprintf(delivery->detail, sizeof delivery->detail,
             "%llu workers began to read this message alone and ended before they had read it; it was delivered %llu "
             "times",
             (unsigned long long)marks, (unsigned long long)delivery->delivery_count + 1);
}

/* What PHASE_MARK has left to do: the mark may be on only as long as our own code is at it. */
static enum batch_progress unmark(struct batch *batch, int64_t now_ms, struct error *error)
{
    struct suspect *suspect = &batch->suspect;
    const struct batch_ports *ports = batch->ports;
    bool was_read = delivery_was_read(batch->deliveries[0]);
    struct error reason = {0};
    /* Whoever else died at it did not die of it: it can be read. */
    if (!ports->unmark(ports->context, suspect->name, was_read, &reason)) {
        if (++suspect->unmark_failures < BATCH_UNMARK_TRIES) {
            *error = reason;
            return keep(batch, now_ms);
        }
        ports->unmark_later(ports->context, suspect->name, was_read);
    }
    suspect->marked = false;
    suspect->unmark_failures = 0;
    if (!was_read) {
        batch->phase = PHASE_MARK;
        error_set(error, ERROR_NO_MEMORY, "out of memory while reading a message");
        return keep(batch, now_ms);
    }
    backoff_reset(&batch->backoff);
    batch->phase = PHASE_GATHER;
    return BATCH_FURTHER;
}

static enum batch_progress read_marked(struct batch *batch, int64_t now_ms, struct error *error)
{
    struct delivery *delivery = batch->deliveries[0];
    if (read_delivery(batch, delivery) && delivery->event)
        batch->ports->rehearse(batch->ports->context, delivery->event);
    batch->phase = PHASE_UNMARK;
    return unmark(batch, now_ms, error);
}

static enum batch_progress mark(struct batch *batch, int64_t now_ms, struct error *error)
{
    struct suspect *suspect = &batch->suspect;
    struct delivery *delivery = batch->deliveries[0];
    uint64_t earlier_marks = 0;
    if (!name_suspect(suspect, delivery, error))
        return keep(batch, now_ms);
    suspect->marked = true; /* an answer that was lost may have left one */
    if (!batch->ports->mark(batch->ports->context, suspect->name, &earlier_marks, error))
        return keep(batch, now_ms);
    if (earlier_marks < BATCH_MARKS_MAX)
        return read_marked(batch, now_ms, error);
    suspect->marked = false;
    backoff_reset(&batch->backoff);
    if (!suspect->looked) {
        suspect->looked = true;
        batch->due_ms = now_ms + BATCH_LOOK_AGAIN_MS;
        return BATCH_FURTHER;
    }
    suspect->condemned = true;
    condemn(delivery, earlier_marks);
    batch->phase = PHASE_GATHER;
    return BATCH_FURTHER;
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

static void park(struct batch *batch, size_t i)
{
    parked_add(batch->parked, batch->deliveries[i], batch->suspect.condemned ? batch->suspect.name : "");
    batch->deliveries[i] = NULL;
}

/* From now on the batch takes no more. What is no event goes its own way: nothing here waits for it. */
static void part(struct batch *batch)
{
    size_t kept = 0, kept_for_later = 0;
    parked_release(batch->parked, batch->may_reject);
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *delivery = batch->deliveries[i];
        if (!delivery->event) {
            park(batch, i);
            continue;
        }
        batch->deliveries[kept++] = delivery;
        kept_for_later += delivery->reason != NULL;
    }
    batch->count = kept;
    batch->may_reject = 0;
    while (batch->may_reject < kept_for_later)
        may_reject(batch);
}

static enum batch_progress apply(struct batch *batch, int64_t now_ms, struct error *error)
{
    const struct batch_ports *ports = batch->ports;
    for (size_t i = 0; i < batch->count; i++)
        batch->events[i] = batch->deliveries[i]->event;
    switch (ports->apply(ports->context, batch->events, batch->count, batch->results, error)) {
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

/* The oldest that must not be acknowledged here: it is parked, or will be. */
static uint64_t wall_of(const struct batch *batch)
{
    uint64_t wall = parked_oldest(batch->parked);
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
    const struct batch_ports *ports = batch->ports;
    uint64_t wall = wall_of(batch);
    size_t before = 0;
    while (before < batch->count && batch->deliveries[before]->tag < wall)
        before++;
    if (before > 0 && !ports->acknowledge(ports->context, batch->deliveries[before - 1]->tag, true, error))
        return false;
    for (size_t i = before; i < batch->count; i++) {
        const struct delivery *delivery = batch->deliveries[i];
        if (!delivery->reason && !ports->acknowledge(ports->context, delivery->tag, false, error))
            return false;
    }
    return true;
}

/* What tells of an opt-out, but is no event that counts: Redis has it now. */
static void park_counted(struct batch *batch)
{
    parked_release(batch->parked, batch->may_reject);
    batch->may_reject = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->deliveries[i]->reason)
            park(batch, i);
    }
}

static enum batch_progress acknowledge(struct batch *batch, struct error *error)
{
    bool done = batch->acknowledged || acknowledge_all(batch, error);
    if (done)
        park_counted(batch);
    batch_drop(batch);
    return done ? BATCH_DONE : BATCH_LOST;
}

/* What the protection "ack-after-redis" keeps from happening. */
static enum batch_progress acknowledge_too_early(struct batch *batch, struct error *error)
{
    if (!acknowledge_all(batch, error)) {
        batch_drop(batch);
        return BATCH_LOST;
    }
    batch->acknowledged = true;
    return BATCH_FURTHER;
}

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
    return protection("ack-after-redis") ? BATCH_FURTHER : acknowledge_too_early(batch, error);
}

enum batch_progress batch_step(struct batch *batch, int64_t now_ms, struct error *error)
{
    if (batch_due_ms(batch) > now_ms && !batch_waits(batch))
        return BATCH_NOT_DUE;
    switch (batch->phase) {
    case PHASE_MARK:
        return mark(batch, now_ms, error);
    case PHASE_UNMARK:
        return unmark(batch, now_ms, error);
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
