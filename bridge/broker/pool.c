#include "pool.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/thread.h"
#include "common/timers.h"
#include "connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BACKOFF_FIRST_MS = TIMER_MS(100),
    BACKOFF_MAX_MS = TIMER_MS(5000),
};

struct publisher {
    struct broker_pool *pool;
    struct broker_connection *connection;
    struct handoff *queue; /* availability's */
    pthread_t thread;
    char name[32];
    size_t url_index;
    bool connected_before;
    struct log_limiter limiter; /* of what is wrong, until it is connected */
};

struct broker_pool {
    struct broker_connection_settings settings; /* of every connection, except for the last two */
    size_t urls;
    size_t count;
    _Atomic unsigned turn;
    _Atomic size_t tried; /* publishers that have tried the URLs once */

    pthread_mutex_t mutex;  /* of the condition */
    pthread_cond_t changed; /* no_more_connecting is set */
    atomic_bool no_more_connecting;

    struct publisher publishers[];
};

static bool may_connect(const struct publisher *publisher)
{
    return !atomic_load(&publisher->pool->no_more_connecting);
}

/* ---- a publisher's thread ---- */

static void tell(struct publisher *publisher, const char *problem)
{
    availability_say(publisher->pool->settings.availability, problem);
    /* A broker may be away, or refuse us, for hours. */
    if (log_limiter_is_news(&publisher->limiter, problem, clock_monotonic_ms()))
        log_warn("%s: %s", publisher->name, problem);
}

/* Tries each URL once, without a pause. */
static bool connect_publisher(struct publisher *publisher)
{
    struct error error = {0};

    for (size_t i = 0; i < publisher->pool->urls && may_connect(publisher); i++) {
        if (broker_connection_open(publisher->connection, publisher->url_index++, &error)) {
            log_limiter_forget(&publisher->limiter);
            return true;
        }
        tell(publisher, error.text);
    }
    return false;
}

static void serve(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    if (publisher->connected_before)
        bridge_count(publisher->pool->settings.metrics, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    orderly = broker_connection_serve(publisher->connection, &error);
    if (!orderly)
        tell(publisher, error.text);
    broker_connection_close(publisher->connection, orderly);
}

static void wait_before_retry(struct broker_pool *pool, int64_t pause_ms)
{
    const int64_t until_ms = clock_monotonic_ms() + pause_ms;

    pthread_mutex_lock(&pool->mutex);
    while (!atomic_load(&pool->no_more_connecting) && clock_wait(&pool->changed, &pool->mutex, until_ms))
        continue;
    pthread_mutex_unlock(&pool->mutex);
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct broker_pool *pool = publisher->pool;
    struct backoff backoff;
    bool connected = connect_publisher(publisher);

    atomic_fetch_add(&pool->tried, 1);
    backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                 (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)publisher);
    for (;;) {
        if (connected) {
            backoff_reset(&backoff);
            serve(publisher);
        }
        wait_before_retry(pool, backoff_next_ms(&backoff));
        if (!may_connect(publisher))
            return NULL;
        connected = connect_publisher(publisher);
    }
}

/* ---- start ---- */

static bool start_publisher(struct broker_pool *pool, struct error *error)
{
    struct publisher *publisher = &pool->publishers[pool->count];
    struct broker_connection_settings settings = pool->settings;

    (void)snprintf(publisher->name, sizeof publisher->name, "dropbridge-%zu", pool->count + 1);
    settings.name = publisher->name;
    settings.index = pool->count;
    publisher->pool = pool;
    publisher->url_index = pool->count;
    publisher->queue = availability_queue(settings.availability, settings.index);
    publisher->connection = broker_connection_new(&settings, error);
    if (!publisher->connection)
        return false;
    if (!thread_start(&publisher->thread, "a publisher's thread", publisher_run, publisher, error)) {
        broker_connection_free(publisher->connection);
        return false;
    }
    pool->count++;
    return true;
}

struct broker_pool *pool_start(const struct amqp_settings *amqp, size_t count, int64_t confirm_timeout_ms,
                               struct bridge_metrics *metrics, struct error *error)
{
    struct broker_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->publishers[0]);
    bool ok;

    if (!pool) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    pthread_mutex_init(&pool->mutex, NULL);
    clock_init_condition(&pool->changed);
    pool->urls = amqp_urls_count(amqp->urls, error);
    pool->settings = (struct broker_connection_settings){.amqp = amqp,
                                                         .confirm_timeout_ms = confirm_timeout_ms,
                                                         .metrics = metrics,
                                                         .availability = availability_new(count, metrics, error),
                                                         .dog = watchdog_start(error)};
    ok = pool->urls > 0 && pool->settings.availability && pool->settings.dog;
    while (ok && pool->count < count)
        ok = start_publisher(pool, error);
    if (ok)
        return pool;
    pool_stop(pool, clock_monotonic_ms());
    return NULL;
}

bool pool_has_tried(struct broker_pool *pool)
{
    return atomic_load(&pool->tried) == pool->count;
}

/* ---- messages ---- */

/* Whether another connection may take a message that had this outcome. A lost one may arrive twice, and counts once. */
static bool may_try_another(enum publish_outcome outcome)
{
    return outcome == PUBLISH_LOST || outcome == PUBLISH_FULL || outcome == PUBLISH_AWAY;
}

/* The publishers take turns: whose it is first. */
static size_t next_turn(struct broker_pool *pool)
{
    return atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);
}

enum publish_outcome pool_submit(struct broker_pool *pool, struct pending_message *message, int64_t deadline_ms)
{
    const size_t turn = next_turn(pool);
    enum publish_outcome outcome = PUBLISH_AWAY;

    for (size_t i = 0; i < pool->count; i++) {
        outcome = handoff_submit(pool->publishers[(turn + i) % pool->count].queue, message, deadline_ms);
        if (!may_try_another(outcome) || clock_monotonic_ms() >= deadline_ms)
            break;
    }
    return outcome;
}

bool pool_offer(struct broker_pool *pool, struct pending_message *message, enum publish_outcome *outcome)
{
    const size_t turn = next_turn(pool);
    bool offered = false;

    for (size_t i = 0; i < pool->count && !offered; i++)
        offered = handoff_offer(pool->publishers[(turn + i) % pool->count].queue, message, outcome);
    return offered;
}

void pool_status(struct broker_pool *pool, struct broker_status *out)
{
    availability_status(pool->settings.availability, clock_monotonic_ms(), out);
}

/* ---- the end ---- */

void pool_stop_connecting(struct broker_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->no_more_connecting, true);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_stop(struct broker_pool *pool, int64_t deadline_ms)
{
    if (!pool)
        return;
    pool_stop_connecting(pool);
    for (size_t i = 0; i < pool->count; i++)
        broker_connection_stop(pool->publishers[i].connection, deadline_ms);
    for (size_t i = 0; i < pool->count; i++) {
        pthread_join(pool->publishers[i].thread, NULL);
        broker_connection_free(pool->publishers[i].connection);
    }
    availability_free(pool->settings.availability);
    watchdog_stop(pool->settings.dog);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
