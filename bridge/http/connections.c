#include "connections.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "common/timers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    TICK_SHORT_MS = 10, /* while threads are short */
    /* Whoever has just come gets at least so long to say something. */
    MIN_AGE_MS = TIMER_MS(300),
    /* "Over" is said when threads have sufficed for so long. */
    CALM_MS = TIMER_MS(5000),
    STATE_MASK = 0x0f,
    CUT_SHIFT = 4,
    CUT_MASK = 0x30,
    LARGE = 0x40,
    SEQUENCE = 0x100, /* distinguishes one state from the next of the same kind */
    SPARE = 16,       /* threads that wait for a connection, at least */
};

struct connection {
    struct connections *owner;
    _Atomic uint32_t word; /* state, cut, large, sequence: the watcher cuts by compare-and-exchange, so it cuts what it saw */
    _Atomic int64_t since_ms, deadline_ms, verified_ms; /* of the state; 0: none; or the connection's begin */
    atomic_int fd;        /* -1: no connection */
    pthread_mutex_t open; /* holding it keeps the socket open: its thread cannot end the connection */
} __attribute__((aligned(128)));

struct connections {
    struct bridge_metrics *metrics;
    pthread_t watcher;
    pthread_mutex_t mutex; /* of the condition */
    pthread_cond_t wake;
    atomic_bool stop;
    atomic_size_t joined, held;
    atomic_size_t let_go; /* threads that may wait for connections */
    int gate;             /* a semaphore for them: one read, one thread */
    atomic_bool threads_short;
    int64_t short_ms; /* the watcher's: when they last ran short */
    uint64_t closed;  /* the watcher's: since the log was told */
    size_t size; /* threads */
    struct candidate {
        int64_t waited_since_ms;
        struct connection *connection;
        uint32_t word;
    } *candidates; /* the watcher's */
    struct connection items[];
};

const char *connection_state_name(enum connection_state state)
{
    static const char *const names[CONNECTION_STATES] = {
        [CONNECTION_HEAD] = "head",       [CONNECTION_BODY] = "body", [CONNECTION_CONFIRM] = "confirm",
        [CONNECTION_WRITING] = "writing", [CONNECTION_IDLE] = "idle"};

    return names[state];
}

/* ---- the threads' side ---- */

/* Up to so many in all. */
static void let_go(struct connections *connections, size_t wanted)
{
    size_t before = atomic_load(&connections->let_go);

    if (wanted > connections->size)
        wanted = connections->size;
    while (before < wanted) {
        if (atomic_compare_exchange_weak(&connections->let_go, &before, wanted)) {
            (void)eventfd_write(connections->gate, wanted - before);
            return;
        }
    }
}

void connections_let_all_go(struct connections *connections)
{
    let_go(connections, connections->size);
}

struct connection *connections_join(struct connections *connections)
{
    const size_t index = atomic_fetch_add(&connections->joined, 1);
    eventfd_t one;

    if (index >= connections->size)
        return NULL;
    while (eventfd_read(connections->gate, &one) != 0 && errno == EINTR)
        ;
    return &connections->items[index];
}

/* Threads are short from seven eighths on. */
static size_t high_mark(const struct connections *connections)
{
    return connections->size - connections->size / 8;
}

static void wake_watcher(struct connections *connections)
{
    pthread_mutex_lock(&connections->mutex);
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->mutex);
}

void connection_begin(struct connection *connection, int fd)
{
    struct connections *owner = connection->owner;

    /* Only its own thread writes it. A peer that was gone when it was accepted holds nothing. */
    if (connection->fd >= 0 || fd < 0)
        return;
    atomic_store(&connection->verified_ms, clock_monotonic_ms());
    (void)connection_enter(connection, CONNECTION_HEAD, 0);
    atomic_store(&connection->fd, fd);
    const size_t held = atomic_fetch_add(&owner->held, 1) + 1;
    if (held == 1 || held == high_mark(owner))
        wake_watcher(owner);
    if (held + SPARE > atomic_load(&owner->let_go))
        let_go(owner, held + 2 * SPARE);
}

enum connection_cut connection_enter(struct connection *connection, enum connection_state state, int64_t deadline_ms)
{
    const uint32_t before = atomic_load_explicit(&connection->word, memory_order_relaxed);

    /* Written before the word: the watcher, which reads it after the word, finds this deadline or none. */
    atomic_store(&connection->deadline_ms, deadline_ms);
    atomic_store_explicit(&connection->since_ms, clock_monotonic_ms(), memory_order_relaxed);
    const uint32_t old = atomic_exchange(&connection->word, ((before & ~(SEQUENCE - 1u)) + SEQUENCE) | state);
    return (enum connection_cut)((old & CUT_MASK) >> CUT_SHIFT);
}

void connection_body_is_large(struct connection *connection)
{
    (void)atomic_fetch_or(&connection->word, LARGE);
}

void connection_verified(struct connection *connection)
{
    atomic_store_explicit(&connection->verified_ms, clock_monotonic_ms(), memory_order_relaxed);
}

void connection_end(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    pthread_mutex_lock(&connection->open);
    connection->fd = -1;
    pthread_mutex_unlock(&connection->open);
    (void)atomic_fetch_sub(&connection->owner->held, 1);
}

bool connections_are_short(const struct connections *connections)
{
    return atomic_load_explicit(&connections->threads_short, memory_order_relaxed);
}

/* ---- cutting ---- */

/* Shuts the socket down, if the connection is still in the state that was seen. */
static bool cut(struct connection *connection, uint32_t word, enum connection_cut reason)
{
    const bool writes = (word & STATE_MASK) == CONNECTION_WRITING;

    pthread_mutex_lock(&connection->open);
    const bool done = connection->fd >= 0 &&
                      atomic_compare_exchange_strong(&connection->word, &word, word | (uint32_t)reason << CUT_SHIFT);
    if (done) {
        bridge_count(connection->owner->metrics, METRIC_CLOSED + reason - 1, 1); /* whoever sees the end finds it counted */
        /* What was read can still be answered. Only what does not read its answers loses both sides. */
        (void)shutdown(connection->fd, writes ? SHUT_RDWR : SHUT_RD);
    }
    pthread_mutex_unlock(&connection->open);
    return done;
}

bool connections_cut_oldest_body(struct connections *connections, const struct connection *own)
{
    struct candidate oldest = {.waited_since_ms = INT64_MAX};

    for (size_t i = 0; i < connections->size; i++) {
        struct connection *connection = &connections->items[i];
        const uint32_t word = atomic_load(&connection->word);
        const int64_t since_ms = atomic_load(&connection->since_ms);

        if ((word & (STATE_MASK | LARGE | CUT_MASK)) == (CONNECTION_BODY | LARGE) && connection != own &&
            since_ms < oldest.waited_since_ms)
            oldest = (struct candidate){since_ms, connection, word};
    }
    return oldest.connection && cut(oldest.connection, oldest.word, CUT_MEMORY_SHORT);
}

/* ---- the watcher ---- */

static void say_short(struct connections *connections)
{
    struct connections_status status;

    connections_status(connections, &status);
    log_warn("connections run short: %zu of %zu HTTP threads are held (idle %zu, sending a head %zu, sending a body %zu, not "
             "reading their answer %zu, waiting for the broker or the spool %zu); those that have waited longest without a "
             "verified request are closed. If they are your senders, raise HTTP_THREADS",
             status.held, status.threads, status.states[CONNECTION_IDLE], status.states[CONNECTION_HEAD],
             status.states[CONNECTION_BODY], status.states[CONNECTION_WRITING], status.states[CONNECTION_CONFIRM]);
}

static int by_wait(const void *a, const void *b)
{
    const int64_t x = ((const struct candidate *)a)->waited_since_ms;
    const int64_t y = ((const struct candidate *)b)->waited_since_ms;

    return (x > y) - (x < y);
}

/* Down to three quarters, so that those who wait for a thread find one. */
static void make_room(struct connections *connections, size_t count, size_t held)
{
    const size_t threads = connections->size;
    const size_t kept = threads - threads / 4 - (threads < 4);
    const size_t wanted = held > kept ? held - kept : 0;

    qsort(connections->candidates, count, sizeof connections->candidates[0], by_wait);
    for (size_t i = 0; i < count && i < wanted; i++)
        connections->closed += cut(connections->candidates[i].connection, connections->candidates[i].word, CUT_THREADS_SHORT);
}

/* Cuts what is overdue. When threads are short: how many `candidates` may be closed. */
static size_t look(struct connections *connections, int64_t now_ms)
{
    const bool threads_short = atomic_load(&connections->held) >= high_mark(connections);
    size_t count = 0;

    for (size_t i = 0; i < connections->size; i++) {
        struct connection *connection = &connections->items[i];
        const uint32_t word = atomic_load(&connection->word);
        const int64_t deadline_ms = atomic_load(&connection->deadline_ms);
        const int64_t verified_ms = atomic_load(&connection->verified_ms);

        if ((word & CUT_MASK) != 0)
            continue;
        if (deadline_ms && now_ms >= deadline_ms)
            (void)cut(connection, word, CUT_DEADLINE);
        else if (threads_short && (word & STATE_MASK) != CONNECTION_CONFIRM && now_ms - verified_ms >= MIN_AGE_MS &&
                 atomic_load(&connection->fd) >= 0)
            connections->candidates[count++] = (struct candidate){verified_ms, connection, word};
    }
    return count;
}

static void judge_shortage(struct connections *connections, size_t candidates, int64_t now_ms)
{
    const size_t held = atomic_load(&connections->held);

    if (held >= high_mark(connections)) {
        connections->short_ms = now_ms;
        if (!atomic_exchange(&connections->threads_short, true))
            say_short(connections);
        make_room(connections, candidates, held);
    } else if (connections_are_short(connections) && now_ms - connections->short_ms >= CALM_MS) {
        atomic_store(&connections->threads_short, false);
        log_info("connections suffice again: %zu HTTP threads are held; %llu connections were closed meanwhile", held,
                 (unsigned long long)connections->closed);
        connections->closed = 0;
    }
}

static void *watch(void *argument)
{
    struct connections *connections = argument;

    pthread_mutex_lock(&connections->mutex);
    while (!atomic_load(&connections->stop)) {
        const bool threads_short = connections_are_short(connections);
        const struct timespec tick = clock_timespec_of_ms(clock_monotonic_ms() + (threads_short ? TICK_SHORT_MS : TICK_MS));

        if (atomic_load(&connections->held) == 0 && !threads_short)
            (void)pthread_cond_wait(&connections->wake, &connections->mutex);
        else
            (void)pthread_cond_timedwait(&connections->wake, &connections->mutex, &tick);
        pthread_mutex_unlock(&connections->mutex);
        const int64_t now_ms = clock_monotonic_ms();
        judge_shortage(connections, look(connections, now_ms), now_ms);
        pthread_mutex_lock(&connections->mutex);
    }
    pthread_mutex_unlock(&connections->mutex);
    return NULL;
}

void connections_status(struct connections *connections, struct connections_status *out)
{
    memset(out, 0, sizeof *out);
    out->threads = connections->size;
    out->threads_short = connections_are_short(connections);
    for (size_t i = 0; i < connections->size; i++) {
        if (atomic_load(&connections->items[i].fd) >= 0) {
            out->held++;
            out->states[atomic_load(&connections->items[i].word) & STATE_MASK]++;
        }
    }
    for (int i = 0; i < CONNECTION_STATES; i++)
        metric_set(&connections->metrics->rows[METRIC_CONNECTIONS + i], (int64_t)out->states[i]);
}

/* ---- start and stop ---- */

static void destroy(struct connections *connections)
{
    for (size_t i = 0; i < connections->size; i++)
        pthread_mutex_destroy(&connections->items[i].open);
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->mutex);
    if (connections->gate >= 0)
        close(connections->gate);
    free(connections->candidates);
    free(connections);
}

struct connections *connections_start(size_t threads, struct bridge_metrics *metrics, struct error *error)
{
    const size_t bytes = sizeof(struct connections) + threads * sizeof(struct connection);
    struct connections *connections = aligned_alloc(_Alignof(struct connection), bytes);
    struct candidate *candidates = calloc(threads, sizeof *candidates);

    if (!connections || !candidates) {
        error_set(error, ERROR_NO_MEMORY, "no memory for %zu connections", threads);
        free(connections);
        free(candidates);
        return NULL;
    }
    memset(connections, 0, bytes);
    connections->metrics = metrics;
    connections->candidates = candidates;
    connections->size = threads;
    connections->gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    pthread_mutex_init(&connections->mutex, NULL);
    clock_init_condition(&connections->wake);
    for (size_t i = 0; i < threads; i++) {
        connections->items[i].owner = connections;
        atomic_init(&connections->items[i].fd, -1);
        pthread_mutex_init(&connections->items[i].open, NULL);
    }
    if (connections->gate < 0) {
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
    } else if (thread_start(&connections->watcher, "the watch over connections", watch, connections, error)) {
        let_go(connections, 2 * SPARE);
        return connections;
    }
    destroy(connections);
    return NULL;
}

void connections_stop(struct connections *connections)
{
    if (!connections)
        return;
    atomic_store(&connections->stop, true);
    wake_watcher(connections);
    pthread_join(connections->watcher, NULL);
    destroy(connections);
}
