#include "gates.h"

#include "../common/clock.h"
#include "../common/protection.h"
#include "refusal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_TICKETS = 16384,
    QUEUE_BYTES = 256 * 1024 * 1024,
    /* A send that takes longer means a broker that has stopped reading. */
    STUCK_MS = 1000,
    TARGETS = TICKET_REJECTED + 1,
};

struct gate_state {
    struct ticket_queue *queue;
    _Atomic int64_t sending_since_ms; /* 0: not in a send */
    const char *peer;                 /* NULL: not connected; this and the others under the mutex */
    size_t url_index;
    bool facts[GATE_FACTS];
    int64_t nacked_ms[TARGETS]; /* 0: taken, or not asked */
};

struct gates {
    struct bridge_metrics *metrics;
    struct body_limit body_limit;
    size_t count;
    pthread_mutex_t mutex;
    char refusal[ERROR_TEXT]; /* empty: none; under the mutex, as is `problem` */
    char problem[ERROR_TEXT];
    struct gate_state items[];
};

struct gates *gates_new(size_t count, struct bridge_metrics *metrics, struct error *error)
{
    struct gates *gates = calloc(1, sizeof *gates + count * sizeof gates->items[0]);

    if (!gates) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    pthread_mutex_init(&gates->mutex, NULL);
    gates->metrics = metrics;
    (void)snprintf(gates->problem, sizeof gates->problem, "no connection to RabbitMQ has been opened yet");
    while (gates->count < count) {
        struct ticket_queue *queue = ticket_queue_new(QUEUE_TICKETS, QUEUE_BYTES, error);

        if (!queue) {
            gates_free(gates);
            return NULL;
        }
        gates->items[gates->count++].queue = queue;
    }
    return gates;
}

void gates_free(struct gates *gates)
{
    if (!gates)
        return;
    for (size_t i = 0; i < gates->count; i++)
        ticket_queue_free(gates->items[i].queue);
    pthread_mutex_destroy(&gates->mutex);
    free(gates);
}

struct ticket_queue *gates_queue(struct gates *gates, size_t index)
{
    return gates->items[index].queue;
}

struct body_limit *gates_body_limit(struct gates *gates)
{
    return &gates->body_limit;
}

/* ---- from facts to gates ---- */

/* A broker says "blocked" only to connections that publish: what one hears holds for all to the same host and port.
   The mutex is held. */
static enum gate gate_for(const struct gates *gates, const struct gate_state *item)
{
    if (!item->peer || item->facts[GATE_IS_LEAVING])
        return GATE_AWAY;
    for (size_t i = 0; i < gates->count; i++) {
        const struct gate_state *other = &gates->items[i];

        if (other->facts[GATE_IS_BLOCKED] && other->peer && strcmp(other->peer, item->peer) == 0)
            return GATE_BLOCKED;
    }
    return gates->refusal[0] != '\0' || item->facts[GATE_IS_STALLED] ? GATE_AWAY : GATE_OPEN;
}

/* To be called when something that gate_for looks at has changed, with the mutex held. */
static void set_gates(struct gates *gates)
{
    for (size_t i = 0; i < gates->count; i++) {
        struct ticket_queue *queue = gates->items[i].queue;
        const enum gate before = ticket_queue_gate(queue);
        const enum gate gate = gate_for(gates, &gates->items[i]);

        if (gate == before)
            continue;
        ticket_queue_set_gate(queue, gate);
        /* Behind the gate: who reads it finds the gate so. */
        if (gate == GATE_OPEN)
            bridge_count(gates->metrics, METRIC_PUBLISHERS_CONNECTED, 1);
        else if (before == GATE_OPEN)
            bridge_count(gates->metrics, METRIC_PUBLISHERS_CONNECTED, -1);
        /* Its thread looks at the gate again. */
        ticket_queue_wake(queue);
    }
}

void gates_connected(struct gates *gates, size_t index, const char *peer, size_t url_index)
{
    struct gate_state *item = &gates->items[index];

    pthread_mutex_lock(&gates->mutex);
    item->peer = peer;
    item->url_index = url_index;
    memset(item->facts, 0, sizeof item->facts);
    memset(item->nacked_ms, 0, sizeof item->nacked_ms);
    if (peer) {
        gates->refusal[0] = '\0';
        body_limit_forget(&gates->body_limit);
    }
    set_gates(gates);
    pthread_mutex_unlock(&gates->mutex);
}

void gates_set(struct gates *gates, size_t index, enum gate_fact fact, bool holds)
{
    pthread_mutex_lock(&gates->mutex);
    gates->items[index].facts[fact] = holds;
    set_gates(gates);
    pthread_mutex_unlock(&gates->mutex);
}

void gates_nacked(struct gates *gates, size_t index, enum ticket_target target, int64_t last_ms)
{
    pthread_mutex_lock(&gates->mutex);
    gates->items[index].nacked_ms[target] = last_ms;
    pthread_mutex_unlock(&gates->mutex);
}

void gates_sending(struct gates *gates, size_t index, int64_t since_ms)
{
    atomic_store_explicit(&gates->items[index].sending_since_ms, since_ms, memory_order_relaxed);
}

void gates_refuse(struct gates *gates, const char *reason)
{
    pthread_mutex_lock(&gates->mutex);
    (void)snprintf(gates->refusal, sizeof gates->refusal, "%s", reason ? reason : "");
    set_gates(gates);
    pthread_mutex_unlock(&gates->mutex);
}

/* ---- looking at them ---- */

static bool is_stuck(struct gate_state *item)
{
    const int64_t since_ms = atomic_load_explicit(&item->sending_since_ms, memory_order_relaxed);

    return since_ms && clock_monotonic_ms() - since_ms > STUCK_MS && protection("deadline");
}

enum gate gates_of(struct gates *gates, size_t index)
{
    struct gate_state *item = &gates->items[index];

    return is_stuck(item) ? GATE_AWAY : ticket_queue_gate(item->queue);
}

enum gate gates_best(struct gates *gates)
{
    enum gate best = GATE_AWAY;

    for (size_t i = 0; i < gates->count; i++) {
        const enum gate gate = gates_of(gates, i);

        best = gate > best ? gate : best;
    }
    return best;
}

/* What the open gates say of one target. */
struct nacks {
    size_t open;
    size_t refusing;
    int64_t last_ms;
};

static struct nacks nacks_of(struct gates *gates, enum ticket_target target)
{
    struct nacks nacks = {.open = 0};

    pthread_mutex_lock(&gates->mutex);
    for (size_t i = 0; i < gates->count; i++) {
        const int64_t nacked_ms = gates->items[i].nacked_ms[target];

        if (gates_of(gates, i) != GATE_OPEN)
            continue;
        nacks.open++;
        nacks.refusing += nacked_ms != 0;
        nacks.last_ms = nacked_ms > nacks.last_ms ? nacked_ms : nacks.last_ms;
    }
    pthread_mutex_unlock(&gates->mutex);
    return nacks;
}

static bool are_fresh(const struct nacks *nacks)
{
    return nacks->last_ms && clock_monotonic_ms() - nacks->last_ms < REFUSAL_TRUSTED_MS;
}

bool gates_refusing(struct gates *gates)
{
    const struct nacks nacks = nacks_of(gates, TICKET_EVENT);

    return nacks.refusing == nacks.open && are_fresh(&nacks);
}

/* Few messages go there: the word of one connection is enough. */
static bool refuses_rejected(struct gates *gates)
{
    const struct nacks nacks = nacks_of(gates, TICKET_REJECTED);

    return are_fresh(&nacks);
}

bool gates_any_connected(struct gates *gates, size_t *url_index)
{
    bool found = false;

    pthread_mutex_lock(&gates->mutex);
    for (size_t i = 0; i < gates->count && !found; i++) {
        found = gates->items[i].peer != NULL;
        if (found)
            *url_index = gates->items[i].url_index;
    }
    pthread_mutex_unlock(&gates->mutex);
    return found;
}

void gates_say(struct gates *gates, const char *problem)
{
    pthread_mutex_lock(&gates->mutex);
    (void)snprintf(gates->problem, sizeof gates->problem, "%s", problem);
    pthread_mutex_unlock(&gates->mutex);
}

static const char *problem_of_open(struct gates *gates)
{
    if (gates_refusing(gates))
        return "RabbitMQ refuses events: is AMQP_QUEUE full (max-length)? Let workers empty it, or raise the limit";
    if (refuses_rejected(gates))
        return "RabbitMQ refuses messages to AMQP_REJECTED_QUEUE, which wait in the spool: is it full (max-length)? "
               "Empty it, or raise the limit";
    return "";
}

void gates_problem(struct gates *gates, char out[ERROR_TEXT])
{
    const bool open = gates_best(gates) == GATE_OPEN;
    const char *const refused = open ? problem_of_open(gates) : "";
    const char *stuck = NULL;

    for (size_t i = 0; i < gates->count; i++) {
        if (is_stuck(&gates->items[i]) && ticket_queue_gate(gates->items[i].queue) == GATE_OPEN)
            stuck = "RabbitMQ does not read what is sent to it";
    }
    pthread_mutex_lock(&gates->mutex);
    if (open)
        (void)snprintf(out, ERROR_TEXT, "%s", refused);
    else
        (void)snprintf(out, ERROR_TEXT, "%s", gates->refusal[0] ? gates->refusal : stuck ? stuck : gates->problem);
    pthread_mutex_unlock(&gates->mutex);
}
