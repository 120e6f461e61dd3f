#include "availability.h"

#include "common/clock.h"
#include "common/protection.h"
#include "nack_tracker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MESSAGES = 16384,
    QUEUE_BYTES = 256 * 1024 * 1024,
    /* A send that takes longer means a broker that has stopped reading. */
    STUCK_MS = 1000,
    TARGETS = MESSAGE_REJECTED + 1,
};

struct availability_item {
    struct handoff *queue;
    _Atomic int64_t sending_since_ms; /* 0: not in a send */
    const char *peer;                 /* NULL: not connected; this and the others under the mutex */
    size_t url_index;
    bool facts[BROKER_FACTS];
    int64_t nacked_ms[TARGETS]; /* 0: taken, or not asked */
};

struct availability {
    struct bridge_metrics *metrics;
    struct body_limit body_limit;
    size_t count;
    pthread_mutex_t mutex;
    char refusal[ERROR_TEXT]; /* empty: none; under the mutex, as is `problem` */
    char problem[ERROR_TEXT];
    struct availability_item items[];
};

struct availability *availability_new(size_t count, struct bridge_metrics *metrics, struct error *error)
{
    struct availability *availability = calloc(1, sizeof *availability + count * sizeof availability->items[0]);

    if (!availability) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    pthread_mutex_init(&availability->mutex, NULL);
    availability->metrics = metrics;
    (void)snprintf(availability->problem, sizeof availability->problem, "no connection to RabbitMQ has been opened yet");
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
    free(availability);
}

struct handoff *availability_queue(struct availability *availability, size_t index)
{
    return availability->items[index].queue;
}

struct body_limit *availability_body_limit(struct availability *availability)
{
    return &availability->body_limit;
}

/* ---- from facts to states ---- */

/* A broker says "blocked" only to connections that publish: what one hears holds for all to the same host and port.
   The mutex is held. */
static enum broker_state state_for(const struct availability *availability, const struct availability_item *item)
{
    if (!item->peer || item->facts[BROKER_IS_LEAVING])
        return BROKER_AWAY;
    for (size_t i = 0; i < availability->count; i++) {
        const struct availability_item *other = &availability->items[i];

        if (other->facts[BROKER_IS_BLOCKED] && other->peer && strcmp(other->peer, item->peer) == 0)
            return BROKER_BLOCKED;
    }
    return availability->refusal[0] != '\0' || item->facts[BROKER_IS_STALLED] ? BROKER_AWAY : BROKER_OPEN;
}

/* To be called when something that state_for looks at has changed, with the mutex held. */
static void update_states(struct availability *availability)
{
    for (size_t i = 0; i < availability->count; i++) {
        struct handoff *queue = availability->items[i].queue;
        const enum broker_state before = handoff_state(queue);
        const enum broker_state state = state_for(availability, &availability->items[i]);

        if (state == before)
            continue;
        handoff_set_state(queue, state);
        /* After the state itself: who reads the count finds the state so. */
        if (state == BROKER_OPEN)
            bridge_count(availability->metrics, METRIC_PUBLISHERS_CONNECTED, 1);
        else if (before == BROKER_OPEN)
            bridge_count(availability->metrics, METRIC_PUBLISHERS_CONNECTED, -1);
        /* Its thread looks at the state again. */
        handoff_wake(queue);
    }
}

void availability_connected(struct availability *availability, size_t index, const char *peer, size_t url_index)
{
    struct availability_item *item = &availability->items[index];

    pthread_mutex_lock(&availability->mutex);
    item->peer = peer;
    item->url_index = url_index;
    memset(item->facts, 0, sizeof item->facts);
    memset(item->nacked_ms, 0, sizeof item->nacked_ms);
    if (peer) {
        availability->refusal[0] = '\0';
        body_limit_forget(&availability->body_limit);
    }
    update_states(availability);
    pthread_mutex_unlock(&availability->mutex);
}

void availability_set(struct availability *availability, size_t index, enum broker_fact fact, bool holds)
{
    pthread_mutex_lock(&availability->mutex);
    availability->items[index].facts[fact] = holds;
    update_states(availability);
    pthread_mutex_unlock(&availability->mutex);
}

void availability_nacked(struct availability *availability, size_t index, enum message_target target, int64_t last_ms)
{
    pthread_mutex_lock(&availability->mutex);
    availability->items[index].nacked_ms[target] = last_ms;
    pthread_mutex_unlock(&availability->mutex);
}

void availability_sending(struct availability *availability, size_t index, int64_t since_ms)
{
    atomic_store_explicit(&availability->items[index].sending_since_ms, since_ms, memory_order_relaxed);
}

void availability_refuse(struct availability *availability, const char *reason)
{
    pthread_mutex_lock(&availability->mutex);
    (void)snprintf(availability->refusal, sizeof availability->refusal, "%s", reason ? reason : "");
    update_states(availability);
    pthread_mutex_unlock(&availability->mutex);
}

/* ---- looking at them ---- */

static bool is_stuck(struct availability_item *item)
{
    const int64_t since_ms = atomic_load_explicit(&item->sending_since_ms, memory_order_relaxed);

    return since_ms && clock_monotonic_ms() - since_ms > STUCK_MS && protection("deadline");
}

enum broker_state availability_of(struct availability *availability, size_t index)
{
    struct availability_item *item = &availability->items[index];

    return is_stuck(item) ? BROKER_AWAY : handoff_state(item->queue);
}

enum broker_state availability_best(struct availability *availability)
{
    enum broker_state best = BROKER_AWAY;

    for (size_t i = 0; i < availability->count; i++) {
        const enum broker_state state = availability_of(availability, i);

        best = state > best ? state : best;
    }
    return best;
}

/* What the open connections say of one target. */
struct nacks {
    size_t open;
    size_t refusing;
    int64_t last_ms;
};

static struct nacks nacks_of(struct availability *availability, enum message_target target)
{
    struct nacks nacks = {.open = 0};

    pthread_mutex_lock(&availability->mutex);
    for (size_t i = 0; i < availability->count; i++) {
        const int64_t nacked_ms = availability->items[i].nacked_ms[target];

        if (availability_of(availability, i) != BROKER_OPEN)
            continue;
        nacks.open++;
        nacks.refusing += nacked_ms != 0;
        nacks.last_ms = nacked_ms > nacks.last_ms ? nacked_ms : nacks.last_ms;
    }
    pthread_mutex_unlock(&availability->mutex);
    return nacks;
}

static bool are_fresh(const struct nacks *nacks)
{
    return nacks->last_ms && clock_monotonic_ms() - nacks->last_ms < NACKS_TRUSTED_MS;
}

bool availability_refusing(struct availability *availability)
{
    const struct nacks nacks = nacks_of(availability, MESSAGE_EVENT);

    return nacks.refusing == nacks.open && are_fresh(&nacks);
}

/* Few messages go there: the word of one connection is enough. */
static bool refuses_rejected(struct availability *availability)
{
    const struct nacks nacks = nacks_of(availability, MESSAGE_REJECTED);

    return are_fresh(&nacks);
}

bool availability_any_connected(struct availability *availability, size_t *url_index)
{
    bool found = false;

    pthread_mutex_lock(&availability->mutex);
    for (size_t i = 0; i < availability->count && !found; i++) {
        found = availability->items[i].peer != NULL;
        if (found)
            *url_index = availability->items[i].url_index;
    }
    pthread_mutex_unlock(&availability->mutex);
    return found;
}

void availability_say(struct availability *availability, const char *problem)
{
    pthread_mutex_lock(&availability->mutex);
    (void)snprintf(availability->problem, sizeof availability->problem, "%s", problem);
    pthread_mutex_unlock(&availability->mutex);
}

static const char *problem_of_open(struct availability *availability)
{
    if (availability_refusing(availability))
        return "RabbitMQ refuses events: is AMQP_QUEUE full (max-length)? Let workers empty it, or raise the limit";
    if (refuses_rejected(availability))
        return "RabbitMQ refuses messages to AMQP_REJECTED_QUEUE, which wait in the spool: is it full (max-length)? "
               "Empty it, or raise the limit";
    return "";
}

void availability_problem(struct availability *availability, char out[ERROR_TEXT])
{
    const bool open = availability_best(availability) == BROKER_OPEN;
    const char *const refused = open ? problem_of_open(availability) : "";
    const char *stuck = NULL;

    for (size_t i = 0; i < availability->count; i++) {
        if (is_stuck(&availability->items[i]) && handoff_state(availability->items[i].queue) == BROKER_OPEN)
            stuck = "RabbitMQ does not read what is sent to it";
    }
    pthread_mutex_lock(&availability->mutex);
    if (open)
        (void)snprintf(out, ERROR_TEXT, "%s", refused);
    else
        (void)snprintf(out, ERROR_TEXT, "%s", availability->refusal[0] ? availability->refusal : stuck ? stuck : availability->problem);
    pthread_mutex_unlock(&availability->mutex);
}
