#include "pool.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/timers.h"
#include "availability.h"
#include "connection.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = TIMER_MS(100),
    BACKOFF_MAX_MS = TIMER_MS(5000),
    /* Behind the deadline of a stop, for a goodbye to the broker; then calls are cut. */
    GRACE_MS = 1000,
};

struct publisher {
    struct broker_pool *pool;
    struct broker_connection *connection;
    struct handoff *queue; /* availability's */
    pthread_t thread;
    char name[32];
    size_t url_index;
    bool connected_before;
    struct log_limiter limiter; /* of the attempts to connect */
};

struct broker_pool {
    struct bridge_metrics *metrics;
    struct availability *availability;
    struct watchdog *dog;
    size_t urls;
    size_t count;
    _Atomic unsigned turn;
    atomic_bool no_more_connecting;
    _Atomic size_t tried; /* publishers that have tried the URLs once */

    pthread_mutex_t mutex; /* guards `ended`; `changed` tells of that, and of no_more_connecting */
    pthread_cond_t changed;
    size_t ended; /* threads */

    struct publisher publishers[];
};

static bool may_connect(const struct publisher *publisher)
{
    return !atomic_load(&publisher->pool->no_more_connecting);
}

/* ---- a publisher's thread ---- */

/* Tries each URL once, without a pause. */
static bool connect_publisher(struct publisher *publisher)
{
    struct error error = {0};

    for (size_t i = 0; i < publisher->pool->urls && may_connect(publisher); i++) {
        if (broker_connection_open(publisher->connection, publisher->url_index++, &error)) {
            log_limiter_forget(&publisher->limiter);
            return true;
        }
        availability_say(publisher->pool->availability, error.text);
        /* A broker may be away, or refuse us, for hours. */
        if (log_limiter_is_news(&publisher->limiter, error.text, clock_monotonic_ms()))
            log_warn("%s: %s", publisher->name, error.text);
    }
    return false;
}

static void serve(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    if (publisher->connected_before)
        bridge_count(publisher->pool->metrics, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    log_info("%s: publishing to %s", publisher->name, broker_connection_peer(publisher->connection));
    orderly = broker_connection_serve(publisher->connection, &error);
    if (!orderly) {
        log_warn("%s: %s", publisher->name, error.text);
        availability_say(publisher->pool->availability, error.text);
    }
    broker_connection_close(publisher->connection, orderly);
}

static void wait_before_retry(struct broker_pool *pool, int64_t pause_ms)
{
    const struct timespec until = clock_timespec_of_ms(clock_monotonic_ms() + pause_ms);
    int waited = 0;

    pthread_mutex_lock(&pool->mutex);
    while (!atomic_load(&pool->no_more_connecting) && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->changed, &pool->mutex, &until);
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
            break;
        connected = connect_publisher(publisher);
    }
    pthread_mutex_lock(&pool->mutex);
    pool->ended++;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* ---- start ---- */

static bool start_publisher(struct broker_pool *pool, const struct amqp_settings *amqp, int64_t confirm_timeout_ms,
                            struct error *error)
{
    struct publisher *publisher = &pool->publishers[pool->count];
    const struct broker_connection_settings settings = {.amqp = amqp,
                                                        .confirm_timeout_ms = confirm_timeout_ms,
                                                        .metrics = pool->metrics,
                                                        .availability = pool->availability,
                                                        .dog = pool->dog,
                                                        .name = publisher->name,
                                                        .index = pool->count};

    publisher->pool = pool;
    publisher->url_index = pool->count;
    publisher->queue = availability_queue(pool->availability, pool->count);
    (void)snprintf(publisher->name, sizeof publisher->name, "dropbridge-%zu", pool->count + 1);
    publisher->connection = broker_connection_new(&settings, error);
    if (!publisher->connection)
        return false;
    const int failed = pthread_create(&publisher->thread, NULL, publisher_run, publisher);

    if (failed) {
        error_set(error, ERROR_INTERNAL, "cannot start a publisher's thread: %s", strerror(failed));
        broker_connection_free(publisher->connection);
        return false;
    }
    pool->count++;
    return true;
}

struct broker_pool *pool_start(const struct amqp_settings *settings, size_t count, int64_t confirm_timeout_ms,
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
    pool->metrics = metrics;
    pool->urls = amqp_urls_count(settings->urls, error);
    pool->availability = availability_new(count, metrics, error);
    pool->dog = watchdog_start(error);
    ok = pool->urls > 0 && pool->availability && pool->dog;
    while (ok && pool->count < count)
        ok = start_publisher(pool, settings, confirm_timeout_ms, error);
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

/* ---- what is known of the broker ---- */

void pool_problem(struct broker_pool *pool, char out[ERROR_TEXT])
{
    availability_problem(pool->availability, clock_monotonic_ms(), out);
}

bool pool_refusing(struct broker_pool *pool)
{
    return availability_refusing(pool->availability, clock_monotonic_ms());
}

enum broker_state pool_state(struct broker_pool *pool)
{
    return availability_best(pool->availability);
}

/* ---- the end ---- */

void pool_stop_connecting(struct broker_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->no_more_connecting, true);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

static void join_publishers(struct broker_pool *pool, int64_t deadline_ms)
{
    const struct timespec until = clock_timespec_of_ms(deadline_ms + GRACE_MS);
    int waited = 0;

    pthread_mutex_lock(&pool->mutex);
    while (pool->ended < pool->count && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->changed, &pool->mutex, &until);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->count; i++) {
        if (waited == ETIMEDOUT)
            broker_connection_abort(pool->publishers[i].connection);
        pthread_join(pool->publishers[i].thread, NULL);
    }
}

void pool_stop(struct broker_pool *pool, int64_t deadline_ms)
{
    if (!pool)
        return;
    pool_stop_connecting(pool);
    for (size_t i = 0; i < pool->count; i++)
        broker_connection_stop(pool->publishers[i].connection, deadline_ms);
    join_publishers(pool, deadline_ms);
    for (size_t i = 0; i < pool->count; i++)
        broker_connection_free(pool->publishers[i].connection);
    availability_free(pool->availability);
    watchdog_stop(pool->dog);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
