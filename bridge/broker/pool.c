#include "pool.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/timers.h"
#include "availability.h"
#include "connection.h"

#include <errno.h>
#include <poll.h>
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
    struct broker_pool *owner;
    struct broker_connection *session;
    struct handoff *queue; /* availability's */
    pthread_t thread;
    bool started;
    bool finished; /* under the owner's mutex */
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

    pthread_mutex_t mutex; /* guards `finished` of each */
    pthread_cond_t changed;

    struct publisher items[];
};

static bool may_connect(struct publisher *publisher)
{
    return !atomic_load(&publisher->owner->no_more_connecting);
}

/* ---- a publisher's thread ---- */

/* A broker may be away, or refuse us, for hours. */
static bool connect_once(struct publisher *publisher)
{
    struct error error = {0};

    if (broker_connection_open(publisher->session, publisher->url_index++, &error)) {
        log_limiter_forget(&publisher->limiter);
        return true;
    }
    availability_say(publisher->owner->availability, error.text);
    if (log_limiter_is_news(&publisher->limiter, error.text, clock_monotonic_ms()))
        log_warn("%s: %s", publisher->name, error.text);
    return false;
}

/* Each URL once, without a pause. */
static bool connect_publisher(struct publisher *publisher)
{
    bool connected = false;

    for (size_t i = 0; i < publisher->owner->urls && !connected && may_connect(publisher); i++)
        connected = connect_once(publisher);
    return connected;
}

static void wait_before_retry(struct publisher *publisher, struct backoff *backoff)
{
    const int64_t until = clock_monotonic_ms() + backoff_next_ms(backoff);

    while (may_connect(publisher)) {
        const int64_t left = until - clock_monotonic_ms();
        struct pollfd fd = {.fd = handoff_fd(publisher->queue), .events = POLLIN};

        if (left <= 0)
            break;
        if (poll(&fd, 1, (int)left) > 0)
            handoff_awake(publisher->queue);
    }
}

static void serve_session(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    if (publisher->connected_before)
        bridge_count(publisher->owner->metrics, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    log_info("%s: publishing to %s", publisher->name, broker_connection_peer(publisher->session));
    orderly = broker_connection_serve(publisher->session, &error);
    if (!orderly) {
        log_warn("%s: %s", publisher->name, error.text);
        availability_say(publisher->owner->availability, error.text);
    }
    broker_connection_close(publisher->session, orderly);
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct backoff backoff;
    bool connected = connect_publisher(publisher);

    atomic_fetch_add(&publisher->owner->tried, 1);
    backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                 (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)publisher);
    for (;;) {
        if (connected) {
            backoff_reset(&backoff);
            serve_session(publisher);
        }
        wait_before_retry(publisher, &backoff);
        if (!may_connect(publisher))
            break;
        connected = connect_publisher(publisher);
    }
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->finished = true;
    pthread_cond_broadcast(&publisher->owner->changed);
    pthread_mutex_unlock(&publisher->owner->mutex);
    return NULL;
}

/* ---- all of them ---- */

static bool publisher_init(struct publisher *publisher, struct broker_pool *owner, size_t index,
                           const struct broker_connection_settings *common, struct error *error)
{
    struct broker_connection_settings settings = *common;

    publisher->owner = owner;
    publisher->url_index = index;
    publisher->queue = availability_queue(owner->availability, index);
    (void)snprintf(publisher->name, sizeof publisher->name, "dropbridge-%zu", index + 1);
    settings.name = publisher->name;
    settings.index = index;
    publisher->session = broker_connection_new(&settings, error);
    return publisher->session != NULL;
}

static bool publisher_start(struct publisher *publisher, struct error *error)
{
    const int failed = pthread_create(&publisher->thread, NULL, publisher_run, publisher);

    if (failed) {
        error_set(error, ERROR_INTERNAL, "cannot start a publisher's thread: %s", strerror(failed));
        return false;
    }
    publisher->started = true;
    return true;
}

static void init_locks(struct broker_pool *pool)
{
    pthread_mutex_init(&pool->mutex, NULL);
    clock_init_condition(&pool->changed);
}

struct broker_pool *pool_start(const struct amqp_settings *settings, size_t count, int64_t confirm_timeout_ms,
                                    struct bridge_metrics *metrics, struct error *error)
{
    struct broker_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->items[0]);
    bool ok;

    if (!pool) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    init_locks(pool);
    pool->metrics = metrics;
    pool->urls = amqp_urls_count(settings->urls, error);
    pool->availability = availability_new(count, metrics, error);
    pool->dog = watchdog_start(error);
    ok = pool->urls > 0 && pool->availability && pool->dog;
    const struct broker_connection_settings common = {.amqp = settings,
                                            .confirm_timeout_ms = confirm_timeout_ms,
                                            .metrics = metrics,
                                            .availability = pool->availability,
                                            .dog = pool->dog};
    for (size_t i = 0; ok && i < count; i++) {
        ok = publisher_init(&pool->items[i], pool, i, &common, error);
        pool->count += ok;
    }
    /* pool_has_tried counts them: all are there before the first starts. */
    for (size_t i = 0; ok && i < count; i++)
        ok = publisher_start(&pool->items[i], error);
    if (ok)
        return pool;
    pool_stop(pool, clock_monotonic_ms());
    return NULL;
}

bool pool_has_tried(struct broker_pool *pool)
{
    return atomic_load(&pool->tried) == pool->count;
}

/* Whether another connection may take a message that had this outcome. A lost one may arrive twice, and counts once. */
static bool may_try_another(enum publish_outcome outcome)
{
    switch (outcome) {
    case PUBLISH_LOST:
    case PUBLISH_FULL:
    case PUBLISH_AWAY:
        return true;
    case PUBLISH_CONFIRMED:
    case PUBLISH_FAILED:
    case PUBLISH_REFUSED:
    case PUBLISH_TIMEOUT:
        break;
    }
    return false;
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
        const size_t index = (turn + i) % pool->count;

        if (availability_of(pool->availability, index) != BROKER_OPEN)
            continue;
        outcome = handoff_submit(availability_queue(pool->availability, index), message, deadline_ms);
        if (!may_try_another(outcome) || clock_monotonic_ms() >= deadline_ms)
            break;
    }
    return outcome;
}

bool pool_offer(struct broker_pool *pool, struct pending_message *message, enum publish_outcome *outcome)
{
    const size_t turn = next_turn(pool);
    enum publish_outcome refused = PUBLISH_AWAY;

    for (size_t i = 0; i < pool->count; i++) {
        const size_t index = (turn + i) % pool->count;

        if (availability_of(pool->availability, index) == BROKER_OPEN &&
            handoff_offer(availability_queue(pool->availability, index), message, &refused))
            return true;
    }
    *outcome = refused;
    return false;
}

void pool_problem(struct broker_pool *pool, char out[ERROR_TEXT])
{
    availability_problem(pool->availability, out);
}

bool pool_refusing(struct broker_pool *pool)
{
    return availability_refusing(pool->availability);
}

void pool_refuse(struct broker_pool *pool, const char *reason)
{
    availability_refuse(pool->availability, reason);
}

bool pool_connected(struct broker_pool *pool, size_t *url_index)
{
    return availability_any_connected(pool->availability, url_index);
}

enum broker_state pool_gate(struct broker_pool *pool)
{
    return availability_best(pool->availability);
}

/* ---- the end ---- */

void pool_stop_connecting(struct broker_pool *pool)
{
    atomic_store(&pool->no_more_connecting, true);
    for (size_t i = 0; i < pool->count; i++)
        handoff_wake(pool->items[i].queue);
}

static void join_publisher(struct publisher *publisher, int64_t deadline_ms)
{
    struct broker_pool *owner = publisher->owner;
    const struct timespec until = clock_timespec_of_ms(deadline_ms + GRACE_MS);
    int waited = 0;

    pthread_mutex_lock(&owner->mutex);
    while (!publisher->finished && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&owner->changed, &owner->mutex, &until);
    pthread_mutex_unlock(&owner->mutex);
    if (waited == ETIMEDOUT)
        broker_connection_abort(publisher->session);
    pthread_join(publisher->thread, NULL);
}

void pool_stop(struct broker_pool *pool, int64_t deadline_ms)
{
    if (!pool)
        return;
    pool_stop_connecting(pool);
    for (size_t i = 0; i < pool->count; i++)
        broker_connection_stop(pool->items[i].session, deadline_ms);
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->items[i].started)
            join_publisher(&pool->items[i], deadline_ms);
    }
    for (size_t i = 0; i < pool->count; i++)
        broker_connection_free(pool->items[i].session);
    availability_free(pool->availability);
    watchdog_stop(pool->dog);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
