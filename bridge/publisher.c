#include "publisher.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/log_limiter.h"
#include "../common/timers.h"
#include "gates.h"
#include "publish_session.h"

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
    struct publishers *owner;
    struct publish_session *session;
    struct ticket_queue *queue; /* the gates' */
    pthread_t thread;
    bool started;
    bool finished; /* under the owner's mutex */
    char name[32];
    size_t url_index;
    bool connected_before;
    struct log_limiter limiter; /* of the attempts to connect */
};

struct publishers {
    struct bridge_metrics *metrics;
    struct gates *gates;
    struct watchdog *dog;
    size_t urls;
    size_t count;
    _Atomic unsigned turn;
    atomic_bool no_more_connecting;

    pthread_mutex_t mutex; /* guards the four below and `finished` of each */
    pthread_cond_t changed;
    size_t attempts;
    size_t connected_at_first;
    struct error refusal; /* of a publisher that every URL refused */
    struct error other;   /* of one that may still get through */

    struct publisher items[];
};

static bool may_connect(struct publisher *publisher)
{
    return !atomic_load(&publisher->owner->no_more_connecting);
}

/* ---- a publisher's thread ---- */

static bool open_session(struct publisher *publisher, struct error *error)
{
    if (publish_session_open(publisher->session, publisher->url_index++, error)) {
        log_limiter_forget(&publisher->limiter);
        return true;
    }
    gates_say(publisher->owner->gates, error->text);
    return false;
}

static void report_first_attempt(struct publisher *publisher, bool connected, const struct error *error)
{
    struct publishers *owner = publisher->owner;

    pthread_mutex_lock(&owner->mutex);
    owner->attempts++;
    if (connected)
        owner->connected_at_first++;
    else if (error->code == ERROR_REFUSED)
        owner->refusal = *error;
    else
        owner->other = *error;
    pthread_cond_broadcast(&owner->changed);
    pthread_mutex_unlock(&owner->mutex);
}

/* A broker may be away, or refuse us, for hours. */
static void log_problem(struct publisher *publisher, const struct error *error)
{
    if (log_limiter_is_news(&publisher->limiter, error->text, clock_monotonic_ms()))
        log_warn("%s: %s", publisher->name, error->text);
}

static void wait_before_retry(struct publisher *publisher, struct backoff *backoff)
{
    const int64_t until = clock_monotonic_ms() + backoff_next_ms(backoff);

    while (may_connect(publisher)) {
        const int64_t left = until - clock_monotonic_ms();
        struct pollfd fd = {.fd = ticket_queue_fd(publisher->queue), .events = POLLIN};

        if (left <= 0)
            break;
        if (poll(&fd, 1, (int)left) > 0)
            ticket_queue_awake(publisher->queue);
    }
}

static void serve_session(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    if (publisher->connected_before)
        bridge_count(publisher->owner->metrics, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    log_info("%s: publishing to %s", publisher->name, publish_session_peer(publisher->session));
    orderly = publish_session_serve(publisher->session, &error);
    if (!orderly) {
        log_warn("%s: %s", publisher->name, error.text);
        gates_say(publisher->owner->gates, error.text);
    }
    publish_session_close(publisher->session, orderly);
}

/* Tries each URL once and reports. A first refusal is not logged if all refuse: main says it, as the reason why it
   stops. */
static bool connect_first(struct publisher *publisher)
{
    struct error refusal = {0};
    struct error other = {0};
    bool connected = false;

    for (size_t i = 0; i < publisher->owner->urls && !connected && may_connect(publisher); i++) {
        struct error error = {0};

        connected = open_session(publisher, &error);
        if (connected)
            break;
        if (error.code == ERROR_REFUSED && refusal.code == ERROR_NONE) {
            refusal = error;
            continue;
        }
        log_problem(publisher, &error);
        if (error.code != ERROR_REFUSED)
            other = error;
    }
    if (refusal.code != ERROR_NONE && (connected || other.code != ERROR_NONE))
        log_problem(publisher, &refusal);
    report_first_attempt(publisher, connected, other.code == ERROR_NONE ? &refusal : &other);
    return connected;
}

static bool connect_again(struct publisher *publisher)
{
    struct error error = {0};

    if (open_session(publisher, &error))
        return true;
    log_problem(publisher, &error);
    return false;
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct backoff backoff;
    bool connected = connect_first(publisher);

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
        connected = connect_again(publisher);
    }
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->finished = true;
    pthread_cond_broadcast(&publisher->owner->changed);
    pthread_mutex_unlock(&publisher->owner->mutex);
    return NULL;
}

/* ---- all of them ---- */

static bool publisher_init(struct publisher *publisher, struct publishers *owner, size_t index,
                           const struct publish_settings *common, struct error *error)
{
    struct publish_settings settings = *common;

    publisher->owner = owner;
    publisher->url_index = index;
    publisher->queue = gates_queue(owner->gates, index);
    (void)snprintf(publisher->name, sizeof publisher->name, "dropbridge-%zu", index + 1);
    settings.name = publisher->name;
    settings.index = index;
    publisher->session = publish_session_new(&settings, error);
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

static void init_locks(struct publishers *publishers)
{
    pthread_mutex_init(&publishers->mutex, NULL);
    clock_init_condition(&publishers->changed);
}

struct publishers *publishers_start(const struct amqp_settings *settings, size_t count, int64_t confirm_timeout_ms,
                                    struct bridge_metrics *metrics, struct error *error)
{
    struct publishers *publishers = calloc(1, sizeof *publishers + count * sizeof publishers->items[0]);
    bool ok;

    if (!publishers) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    init_locks(publishers);
    publishers->metrics = metrics;
    publishers->urls = amqp_urls_count(settings->urls, error);
    publishers->gates = gates_new(count, metrics, error);
    publishers->dog = watchdog_start(error);
    ok = publishers->urls > 0 && publishers->gates && publishers->dog;
    const struct publish_settings common = {.amqp = settings,
                                            .confirm_timeout_ms = confirm_timeout_ms,
                                            .metrics = metrics,
                                            .gates = publishers->gates,
                                            .dog = publishers->dog};
    for (size_t i = 0; ok && i < count; i++) {
        ok = publisher_init(&publishers->items[i], publishers, i, &common, error);
        publishers->count += ok;
    }
    /* publishers_first_attempt counts them: all are there before the first starts. */
    for (size_t i = 0; ok && i < count; i++)
        ok = publisher_start(&publishers->items[i], error);
    if (ok)
        return publishers;
    publishers_stop(publishers, clock_monotonic_ms());
    return NULL;
}

void publishers_first_attempt(struct publishers *publishers, int64_t timeout_ms)
{
    const struct timespec until = clock_timespec_of_ms(clock_monotonic_ms() + timeout_ms);
    int waited = 0;

    pthread_mutex_lock(&publishers->mutex);
    while (publishers->attempts < publishers->count && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&publishers->changed, &publishers->mutex, &until);
    pthread_mutex_unlock(&publishers->mutex);
}

bool publishers_refused(struct publishers *publishers, struct error *error)
{
    bool refused;

    pthread_mutex_lock(&publishers->mutex);
    refused = publishers->attempts == publishers->count && publishers->connected_at_first == 0 &&
              publishers->other.code == ERROR_NONE && publishers->refusal.code == ERROR_REFUSED;
    if (refused)
        *error = publishers->refusal;
    pthread_mutex_unlock(&publishers->mutex);
    return refused;
}

/* Whether another connection may take a ticket that had this outcome. A lost one may arrive twice, and counts once. */
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
static size_t next_turn(struct publishers *publishers)
{
    return atomic_fetch_add_explicit(&publishers->turn, 1, memory_order_relaxed);
}

enum publish_outcome publishers_submit(struct publishers *publishers, struct ticket *ticket, int64_t deadline_ms)
{
    const size_t turn = next_turn(publishers);
    enum publish_outcome outcome = PUBLISH_AWAY;

    for (size_t i = 0; i < publishers->count; i++) {
        const size_t index = (turn + i) % publishers->count;

        if (gates_of(publishers->gates, index) != GATE_OPEN)
            continue;
        outcome = ticket_queue_submit(gates_queue(publishers->gates, index), ticket, deadline_ms);
        if (!may_try_another(outcome) || clock_monotonic_ms() >= deadline_ms)
            break;
    }
    return outcome;
}

bool publishers_offer(struct publishers *publishers, struct ticket *ticket, enum publish_outcome *outcome)
{
    const size_t turn = next_turn(publishers);
    enum publish_outcome refused = PUBLISH_AWAY;

    for (size_t i = 0; i < publishers->count; i++) {
        const size_t index = (turn + i) % publishers->count;

        if (gates_of(publishers->gates, index) == GATE_OPEN &&
            ticket_queue_offer(gates_queue(publishers->gates, index), ticket, &refused))
            return true;
    }
    *outcome = refused;
    return false;
}

void publishers_problem(struct publishers *publishers, char out[ERROR_TEXT])
{
    gates_problem(publishers->gates, out);
}

bool publishers_refusing(struct publishers *publishers)
{
    return gates_refusing(publishers->gates);
}

void publishers_refuse(struct publishers *publishers, const char *reason)
{
    gates_refuse(publishers->gates, reason);
}

bool publishers_connected(struct publishers *publishers, size_t *url_index)
{
    return gates_any_connected(publishers->gates, url_index);
}

enum gate publishers_gate(struct publishers *publishers)
{
    return gates_best(publishers->gates);
}

/* ---- the end ---- */

void publishers_stop_connecting(struct publishers *publishers)
{
    atomic_store(&publishers->no_more_connecting, true);
    for (size_t i = 0; i < publishers->count; i++)
        ticket_queue_wake(publishers->items[i].queue);
}

static void join_publisher(struct publisher *publisher, int64_t deadline_ms)
{
    struct publishers *owner = publisher->owner;
    const struct timespec until = clock_timespec_of_ms(deadline_ms + GRACE_MS);
    int waited = 0;

    pthread_mutex_lock(&owner->mutex);
    while (!publisher->finished && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&owner->changed, &owner->mutex, &until);
    pthread_mutex_unlock(&owner->mutex);
    if (waited == ETIMEDOUT)
        publish_session_abort(publisher->session);
    pthread_join(publisher->thread, NULL);
}

void publishers_stop(struct publishers *publishers, int64_t deadline_ms)
{
    if (!publishers)
        return;
    publishers_stop_connecting(publishers);
    for (size_t i = 0; i < publishers->count; i++)
        publish_session_stop(publishers->items[i].session, deadline_ms);
    for (size_t i = 0; i < publishers->count; i++) {
        if (publishers->items[i].started)
            join_publisher(&publishers->items[i], deadline_ms);
    }
    for (size_t i = 0; i < publishers->count; i++)
        publish_session_free(publishers->items[i].session);
    gates_free(publishers->gates);
    watchdog_stop(publishers->dog);
    pthread_cond_destroy(&publishers->changed);
    pthread_mutex_destroy(&publishers->mutex);
    free(publishers);
}
