#include "availability.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MESSAGES = 16384,
    QUEUE_BYTES = 256 * 1024 * 1024,
};

struct availability {
    struct bridge_metrics *metrics;
    size_t count;
    pthread_mutex_t mutex; /* guards the facts, the problem, and the setting of states */
    struct connection_facts *facts;
    char problem[ERROR_TEXT];
    _Atomic uint64_t body_limit; /* 0: none is known */
    _Atomic int64_t body_limit_until_ms;
    struct availability_item {
        struct handoff *queue;
        _Atomic int64_t refused_ms[MESSAGE_TARGETS];
    } items[];
};

enum broker_state availability_state(const struct connection_facts *all, size_t count, size_t index)
{
    if (!all[index].peer)
        return BROKER_AWAY;
    for (size_t i = 0; i < count; i++) {
        if (all[i].blocked && all[i].peer && strcmp(all[i].peer, all[index].peer) == 0)
            return BROKER_BLOCKED;
    }
    return all[index].stalled ? BROKER_AWAY : BROKER_OPEN;
}

struct availability *availability_new(size_t count, struct bridge_metrics *metrics, struct error *error)
{
    struct availability *availability = calloc(1, sizeof *availability + count * sizeof availability->items[0]);

    if (availability) {
        pthread_mutex_init(&availability->mutex, NULL);
        availability->metrics = metrics;
        availability->facts = calloc(count, sizeof availability->facts[0]);
        availability_say(availability, "no connection to RabbitMQ has been opened yet");
    }
    if (!availability || !availability->facts) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        availability_free(availability);
        return NULL;
    }
    while (availability->count < count) {
        struct handoff *queue = handoff_new(QUEUE_MESSAGES, QUEUE_BYTES, error);

        if (!queue) {
            availability_free(availability);
            return NULL;
        }
        availability->items[availability->count++].queue = queue;
    }
    return availability;
}

void availability_free(struct availability *availability)
{
    if (!availability)
        return;
    for (size_t i = 0; i < availability->count; i++)
        handoff_free(availability->items[i].queue);
    pthread_mutex_destroy(&availability->mutex);
    free(availability->facts);
    free(availability);
}

struct handoff *availability_queue(struct availability *availability, size_t index)
{
    return availability->items[index].queue;
}

void availability_set(struct availability *availability, size_t index, const struct connection_facts *facts)
{
    pthread_mutex_lock(&availability->mutex);
    availability->facts[index] = *facts;
    for (size_t i = 0; i < availability->count; i++) {
        struct handoff *queue = availability->items[i].queue;
        const enum broker_state before = handoff_state(queue);
        const enum broker_state state = availability_state(availability->facts, availability->count, i);

        if (state == before)
            continue;
        handoff_set_state(queue, state);
        /* After the state itself: who reads the count finds the state so. */
        bridge_count(availability->metrics, METRIC_PUBLISHERS_CONNECTED, (state == BROKER_OPEN) - (before == BROKER_OPEN));
        /* Its thread looks at the state again. */
        handoff_wake(queue);
    }
    pthread_mutex_unlock(&availability->mutex);
}

/* ---- what the broker refuses ---- */

void availability_refused(struct availability *availability, size_t index, enum message_target target, int64_t now_ms)
{
    atomic_store_explicit(&availability->items[index].refused_ms[target], now_ms, memory_order_relaxed);
}

/* How many of the open connections the broker refuses the target's messages on; 0 also if the last time was long ago. */
static size_t count_refusing(struct availability *availability, enum message_target target, int64_t now_ms, size_t *open)
{
    size_t refusing = 0;
    int64_t last_ms = 0;

    *open = 0;
    for (size_t i = 0; i < availability->count; i++) {
        const int64_t refused_ms = atomic_load_explicit(&availability->items[i].refused_ms[target], memory_order_relaxed);

        if (handoff_state(availability->items[i].queue) != BROKER_OPEN)
            continue;
        *open += 1;
        refusing += refused_ms != 0;
        last_ms = refused_ms > last_ms ? refused_ms : last_ms;
    }
    return now_ms - last_ms < NACKS_TRUSTED_MS ? refusing : 0;
}

const char *availability_refusal(enum message_target target)
{
    return target == MESSAGE_EVENT
               ? "RabbitMQ refuses events: is AMQP_QUEUE full (max-length)? Let workers empty it, or raise the limit"
               : "RabbitMQ refuses messages to AMQP_REJECTED_QUEUE, which wait in the spool: is it full (max-length)? "
                 "Empty it, or raise the limit";
}

void availability_limit_bodies(struct availability *availability, uint64_t bytes, int64_t now_ms)
{
    atomic_store(&availability->body_limit_until_ms, now_ms + BODY_LIMIT_TRUSTED_MS);
    atomic_store(&availability->body_limit, bytes);
}

bool availability_takes(struct availability *availability, size_t bytes, int64_t now_ms)
{
    const uint64_t limit = atomic_load_explicit(&availability->body_limit, memory_order_acquire);

    return limit == 0 || bytes <= limit ||
           now_ms >= atomic_load_explicit(&availability->body_limit_until_ms, memory_order_relaxed);
}

/* ---- for people ---- */

void availability_say(struct availability *availability, const char *problem)
{
    pthread_mutex_lock(&availability->mutex);
    (void)snprintf(availability->problem, sizeof availability->problem, "%s", problem);
    pthread_mutex_unlock(&availability->mutex);
}

void availability_status(struct availability *availability, int64_t now_ms, struct broker_status *out)
{
    const char *problem = "";
    size_t open;

    *out = (struct broker_status){.state = BROKER_AWAY};
    for (size_t i = 0; i < availability->count; i++) {
        const enum broker_state state = handoff_state(availability->items[i].queue);

        out->state = state > out->state ? state : out->state;
    }
    const size_t refusing = count_refusing(availability, MESSAGE_EVENT, now_ms, &open);

    out->refusing = out->state == BROKER_OPEN && refusing > 0 && refusing == open;
    pthread_mutex_lock(&availability->mutex);
    if (out->state != BROKER_OPEN)
        problem = availability->problem;
    else if (out->refusing)
        problem = availability_refusal(MESSAGE_EVENT);
    else if (count_refusing(availability, MESSAGE_REJECTED, now_ms, &open) > 0) /* few go there: one connection's word is enough */
        problem = availability_refusal(MESSAGE_REJECTED);
    (void)snprintf(out->problem, sizeof out->problem, "%s", problem);
    pthread_mutex_unlock(&availability->mutex);
}
