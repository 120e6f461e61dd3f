#include "worker.h"

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/service_notify.h"
#include "common/stop_signal.h"
#include "common/timers.h"
#include "worker_state.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    TAKE_MAX = 32,                    /* messages in a turn, so that Redis's answer is not kept waiting */
    TICK_MS = 200,                    /* how often all is looked at when nothing happens */
    RENEW_AFTER_MS = TIMER_MS(20000), /* without a message: then RabbitMQ is made to give up what it may hold for us */
    RENEWED_MS = 5000, /* what comes again within this may come of it: a word in the log, so it is not scaled */
};

static const char waits_for_upgrade[] =
    "a newer version wrote what is in Redis: no message is taken before this worker is upgraded";

/* x-received-at past year 9999 is no time. */
static const int64_t TIME_MAX_MS = INT64_C(253402300799999);

static struct batch *first_batch(const struct worker *worker)
{
    return worker->batches[worker->first];
}

/* The one that is gathered. */
static struct batch *next_batch(const struct worker *worker)
{
    return worker->batches[!worker->first];
}

static size_t in_batches(const struct worker *worker)
{
    return batch_count(worker->batches[0]) + batch_count(worker->batches[1]);
}

static bool stopping(void)
{
    return stop_signal_came_at_ms() != 0;
}

static void note_connected(struct worker *worker)
{
    if (worker->connected_before)
        worker_count(worker->status, WORKER_RECONNECTS, 1);
    worker->connected_before = true;
    worker->idle_since_ms = clock_monotonic_ms();
    worker_part_good(worker->status, PART_BROKER, clock_monotonic_ms());
}

/* Tries each URL until one connects. False with *error, which is not logged yet, only if all of them refuse us. */
static bool connect_first(struct worker *worker, struct error *error)
{
    bool connected = false, may_come = false;
    *error = (struct error){0};
    for (size_t left = amqp_urls_count(worker->config->amqp_url, error); left > 0 && !connected && !stopping(); left--) {
        struct error problem = {0};
        connected = consumer_connect(worker->consumer, &problem);
        may_come |= problem.code != ERROR_REFUSED;
        if (connected)
            note_connected(worker);
        else if (problem.code == ERROR_REFUSED)
            *error = problem;
        else
            worker_part_bad(worker->status, PART_BROKER, PART_AWAY, problem.text, clock_monotonic_ms());
    }
    may_come |= stopping();
    if (may_come && error->code != ERROR_NONE)
        log_warn("%s", error->text);
    return may_come;
}

bool worker_start(struct worker *worker, struct error *error)
{
    bool refused =
        !redis_health_check(&worker->redis, false, error) && error->code == ERROR_REFUSED && !stopping();
    /* Messages that it cannot count stay in the queue, for workers that can. */
    worker->paused = worker->redis.newer;
    if (worker->paused)
        worker_part_bad(worker->status, PART_BROKER, PART_PAUSED, waits_for_upgrade, clock_monotonic_ms());
    worker->redis.started = !refused;
    if (!refused && (worker->paused || connect_first(worker, error)))
        return true;
    stop_signal_exit_with(error_exit_status(error->code));
    return false;
}

static void drop_all(struct worker *worker)
{
    batch_drop(worker->batches[0]);
    batch_drop(worker->batches[1]);
    pending_rejects_clear(&worker->rejects);
    delivery_queue_clear(&worker->waiting);
}

static void lost(struct worker *worker, const struct error *error)
{
    worker->idle_since_ms = clock_monotonic_ms();
    drop_all(worker);
    worker_part_bad(worker->status, PART_BROKER, PART_AWAY, error->text, clock_monotonic_ms());
}

/* False when out of memory: all messages go back to the queue. */
static bool read_message(struct worker *worker, struct delivery *delivery)
{
    char remark[PARSE_DETAIL];
    struct error error = {0};
    if (delivery_read(delivery, worker->config->campaign_from_foreign_id, remark)) {
        if (strncmp(remark, PARSE_ABOUT_NAME, strlen(PARSE_ABOUT_NAME)) == 0)
            frequent_log_name(&worker->log, remark, clock_monotonic_ms());
        else if (remark[0] != '\0')
            frequent_log_note(&worker->log, FREQUENT_REMARK, remark);
        return true;
    }
    error_set(&error, ERROR_NO_MEMORY, "out of memory while reading a message: all go back to the queue");
    consumer_release(worker->consumer);
    lost(worker, &error);
    return false;
}

static void take(struct worker *worker, struct delivery *delivery)
{
    worker_count(worker->status, WORKER_REDELIVERED, delivery->redelivered);
    if (delivery->redelivered && worker->renewed_at_ms != 0 &&
        clock_monotonic_ms() - worker->renewed_at_ms < RENEWED_MS)
        frequent_log_note(&worker->log, FREQUENT_RETURNED, "held for this worker, or given back by another");
    if (delivery->envelope.received_at_ms <= 0 || delivery->envelope.received_at_ms > TIME_MAX_MS) {
        log_debug("a message without x-received-at: the time of its delivery counts");
        delivery->envelope.received_at_ms = clock_wall_ms();
    }
    delivery->suspect = delivery->delivery_count >= QUARANTINE_COUNT;
    if (delivery->suspect) {
        char which[64];
        snprintf(which, sizeof which, "its delivery %" PRId64, delivery->delivery_count + 1);
        worker_count(worker->status, WORKER_SUSPECTS, 1);
        frequent_log_note(&worker->log, FREQUENT_SUSPECT, which);
    }
    delivery_queue_push(&worker->waiting, delivery);
    if (!delivery->suspect)
        (void)read_message(worker, delivery);
}

/* One child a turn, as each can take seconds to die. */
static void read_suspects(struct worker *worker)
{
    struct quarantine quarantine = worker_quarantine(worker);
    struct error error = {0};
    if (!quarantine_read(&quarantine, worker->waiting.first, &error))
        frequent_log_note(&worker->log, FREQUENT_SUSPECT, error.text);
}

static void fill_batch(struct worker *worker, int64_t now_ms)
{
    struct batch *batch = next_batch(worker);
    if (worker->waiting.first && worker->waiting.first->suspect && batch_open(batch))
        read_suspects(worker);
    while (worker->waiting.first && !worker->waiting.first->suspect && batch_open(batch)) {
        if (!delivery_was_read(worker->waiting.first) && !read_message(worker, worker->waiting.first))
            return;
        batch_add(batch, delivery_queue_pop(&worker->waiting), now_ms);
    }
}

/* One look at the connection. Returns whether a message came. */
static bool serve_connection(struct worker *worker, int64_t timeout_ms)
{
    struct delivery *delivery = NULL;
    struct error error = {0};
    enum consumer_result result =
        consumer_next(worker->consumer, timeout_ms, redis_store_fd(worker->store), &delivery, &error);
    switch (result) {
    case CONSUMER_DELIVERY: /* tell_held sees that the worker is not idle */
        take(worker, delivery);
        return true;
    case CONSUMER_NOTHING:
        return false;
    case CONSUMER_CONNECTED:
        note_connected(worker);
        return false;
    case CONSUMER_AWAY:
        worker->idle_since_ms = clock_monotonic_ms();
        worker_part_bad(worker->status, PART_BROKER, PART_AWAY, error.text, clock_monotonic_ms());
        return false;
    case CONSUMER_LOST:
        lost(worker, &error);
        return false;
    }
    return false;
}

static void note_progress(struct worker *worker, enum batch_progress progress, const struct error *error)
{
    switch (progress) {
    case BATCH_DONE:
        worker_count(worker->status, WORKER_BATCHES, 1);
        break;
    case BATCH_LOST:
        lost(worker, error);
        break;
    case BATCH_KEPT:
        if (error->code == ERROR_NO_MEMORY)
            log_error("%s", error->text);
        break;
    case BATCH_NOT_DUE:
    case BATCH_FURTHER:
    case BATCH_WAITS:
        break;
    }
}

/* Whether the next batch may go to Redis while the first one waits there. */
static bool may_send_next(const struct worker *worker)
{
    return batch_waits(first_batch(worker)) && batch_may_go(next_batch(worker)) &&
           redis_store_overlaps(worker->store);
}

static enum batch_progress step_batch(struct worker *worker, struct batch *batch, int64_t now_ms)
{
    struct error error = {0};
    enum batch_progress progress = batch_step(batch, now_ms, &error);
    note_progress(worker, progress, &error);
    return progress;
}

/* The first batch goes on. While it waits for Redis the next one is sent behind it, and goes no further before it is first:
   an acknowledgement is for all deliveries before it, too. */
static void step_batches(struct worker *worker, int64_t now_ms)
{
    enum batch_progress progress;
    do {
        if (batch_count(first_batch(worker)) == 0 &&
            (batch_waits(next_batch(worker)) || batch_due_ms(next_batch(worker)) <= now_ms))
            worker->first = !worker->first;
        progress = step_batch(worker, first_batch(worker), now_ms);
        /* What is asked before the next one goes may bring the answer to the first. */
        for (enum batch_progress sent = BATCH_FURTHER; may_send_next(worker) && sent == BATCH_FURTHER;) {
            sent = step_batch(worker, next_batch(worker), now_ms);
            if (sent == BATCH_WAITS || sent == BATCH_KEPT)
                progress = step_batch(worker, first_batch(worker), now_ms);
        }
    } while (progress == BATCH_DONE && batch_waits(next_batch(worker)));
}

/* Whether another message could wait for the rejected queue. */
static bool has_room(const struct worker *worker)
{
    return worker->rejects.queue.count < (size_t)worker->config->prefetch && worker->held.bytes < LIMIT_HELD_BYTES;
}

static void note_rejecting(struct worker *worker, const struct error *problem)
{
    struct error full = *problem;
    if (!has_room(worker))
        error_set(&full, problem->code,
                  "%zu messages wait for the rejected queue, as many as may: no more is taken, nor counted; %s",
                  worker->rejects.queue.count, problem->text);
    worker_count(worker->status, WORKER_REJECT_RETRIES, 1);
    worker_part_bad(worker->status, PART_REJECTED_QUEUE, PART_AWAY, full.text, clock_monotonic_ms());
}

static void step_rejects(struct worker *worker)
{
    struct error error = {0};
    switch (pending_rejects_step(&worker->rejects, &error)) {
    case REJECTS_NOTHING_NEW:
        break;
    case REJECTS_CONFIRMED:
        worker_part_good(worker->status, PART_REJECTED_QUEUE, clock_monotonic_ms());
        break;
    case REJECTS_FAILED:
        note_rejecting(worker, &error);
        break;
    case REJECTS_LOST:
        lost(worker, &error);
        break;
    }
}

static void tell_held(struct worker *worker)
{
    size_t rejects = worker->rejects.queue.count;
    size_t held = in_batches(worker) + worker->waiting.count + rejects;
    if (held > 0 || worker->paused)
        worker->idle_since_ms = clock_monotonic_ms();
    worker_note_room(worker->status, has_room(worker));
    metric_set(&worker->status->metrics[WORKER_HELD], (int64_t)held);
    metric_set(&worker->status->metrics[WORKER_HELD_BYTES], (int64_t)worker->held.bytes);
    metric_set(&worker->status->metrics[WORKER_PENDING_REJECTS], (int64_t)rejects);
}

/* Gives everything back: other workers may have a Redis, and RabbitMQ ends a consumer that holds a message too long. */
static void pause_consuming(struct worker *worker, int64_t now_ms)
{
    char away[ERROR_TEXT];
    drop_all(worker);
    consumer_release(worker->consumer);
    worker->paused = true;
    tell_held(worker);
    worker_count(worker->status, WORKER_PAUSES, 1);
    snprintf(
        away, sizeof away,
        "Redis has been away for %lld s or more: all messages are back in the queue, and none is taken before it is "
        "back",
        (long long)worker->config->redis_away_s);
    worker_part_bad(worker->status, PART_BROKER, PART_PAUSED, worker->redis.newer ? waits_for_upgrade : away, now_ms);
}

/* Returns whether Redis was asked something, which may have taken as long as a call to it can. */
static bool tend_redis(struct worker *worker, int64_t now_ms)
{
    struct error error = {0};
    /* A batch in hand goes to Redis by itself; but while it fails, something else must tell whether Redis is there. */
    bool looks = now_ms >= worker->redis.look_at_ms &&
                 (in_batches(worker) == 0 || (redis_health_away(&worker->redis) && !batch_waits(first_batch(worker))));
    if (looks && redis_health_check(&worker->redis, in_batches(worker) > 0, &error) && worker->paused) {
        worker->paused = false;
        log_info("Redis is back: consuming again");
    }
    redis_health_tell(&worker->redis);
    if (!worker->paused && redis_health_given_up(&worker->redis, clock_monotonic_ms()))
        pause_consuming(worker, clock_monotonic_ms());
    return looks;
}

/* After a failure between the nodes of a cluster RabbitMQ may count messages as ours that never came, or whose
   acknowledgement it lost. The next delivery brings the former; with nothing coming, and nothing in hand, a new channel
   brings both. The broker does not tell whether there are any: a passive declaration counts what is ready. */
static void renew_if_idle(struct worker *worker, int64_t now_ms)
{
    struct error error = {0};
    if (worker->paused || now_ms - worker->idle_since_ms < RENEW_AFTER_MS)
        return;
    worker->renewed_at_ms = now_ms;
    worker->idle_since_ms = now_ms;
    if (!consumer_renew(worker->consumer, &error)) {
        lost(worker, &error);
        return;
    }
    worker_count(worker->status, WORKER_RENEWALS, 1);
    log_debug("nothing came for %d s: the channel was renewed", RENEW_AFTER_MS / 1000);
}

/* Returns as tend_redis. */
static bool tend(struct worker *worker, int64_t now_ms)
{
    frequent_log_print(&worker->log, now_ms);
    renew_if_idle(worker, now_ms);
    rejecter_tend(worker->rejecter);
    /* With nothing to reject nothing is known to be wrong with rejecting. */
    if (worker->rejects.queue.count == 0)
        worker_part_good(worker->status, PART_REJECTED_QUEUE, now_ms);
    return tend_redis(worker, now_ms);
}

/* How long to wait for the next message. */
static int64_t patience_ms(struct worker *worker, int64_t now_ms)
{
    int64_t rejects_ms = pending_rejects_due_ms(&worker->rejects);
    int64_t due_ms = batch_due_ms(batch_count(first_batch(worker)) > 0 ? first_batch(worker) : next_batch(worker));
    if (may_send_next(worker) && batch_due_ms(next_batch(worker)) < due_ms)
        due_ms = batch_due_ms(next_batch(worker));
    if (rejects_ms < due_ms && !(stopping() && worker->rejects.failing))
        due_ms = rejects_ms;
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < TICK_MS ? due_ms - now_ms : TICK_MS;
}

/* Rejections are waited for only as long as nothing is wrong with them. */
static bool unfinished(const struct worker *worker)
{
    return in_batches(worker) > 0 || (worker->rejects.queue.count > 0 && !worker->rejects.failing);
}

/* Finishes the batch in hand and the rejects; what else was delivered goes back to the queue when the connection
   closes. */
static void finish(struct worker *worker)
{
    int64_t deadline_ms = stop_signal_came_at_ms() + WORKER_STOP_MS;
    int64_t now_ms = clock_monotonic_ms();
    stop_signal_heard();
    log_info("stopping: finishing %zu messages", in_batches(worker) + worker->rejects.queue.count);
    service_notify_stopping();
    batch_hurry(next_batch(worker), now_ms);
    while (unfinished(worker) && now_ms < deadline_ms) {
        if (!worker->rejects.failing)
            step_rejects(worker);
        step_batches(worker, clock_monotonic_ms());
        serve_connection(worker, patience_ms(worker, clock_monotonic_ms()));
        delivery_queue_clear(&worker->waiting);
        now_ms = clock_monotonic_ms();
    }
    tell_held(worker);
    if (in_batches(worker) + worker->rejects.queue.count > 0)
        log_warn("stopping: %zu messages go back to the queue", in_batches(worker) + worker->rejects.queue.count);
    frequent_log_print(&worker->log, INT64_MAX);
}

/* Takes in what comes, some messages a turn. While Redis is away all that have arrived: a call to it may then take seconds,
   and the library sends our heartbeats, and finds the end of the connection, only behind the last message. The prefetch
   bounds them. */
static void consume(struct worker *worker, int64_t now_ms)
{
    bool came = false;
    if (worker->paused) {
        struct pollfd wake = {.fd = stop_signal_fd(), .events = POLLIN};
        (void)poll(&wake, 1, TICK_MS);
        return;
    }
    fill_batch(worker, now_ms);
    if (!(worker->waiting.first && batch_open(next_batch(worker))))
        came = serve_connection(worker, patience_ms(worker, now_ms));
    fill_batch(worker, clock_monotonic_ms());
    for (int taken = 1; came; taken++) {
        if (taken >= TAKE_MAX && !redis_health_away(&worker->redis))
            break;
        came = serve_connection(worker, 0);
    }
}

void worker_run(struct worker *worker)
{
    int64_t tend_at_ms = 0;
    while (!stopping()) {
        bool asked_redis = false;
        consume(worker, clock_monotonic_ms());
        tell_held(worker);
        if (clock_monotonic_ms() >= tend_at_ms) {
            asked_redis = tend(worker, clock_monotonic_ms());
            tend_at_ms = clock_monotonic_ms() + TICK_MS;
        }
        step_rejects(worker);
        /* While Redis stands still each call to it takes seconds: no second one before the connection is served. */
        if (!asked_redis)
            step_batches(worker, clock_monotonic_ms());
        tell_held(worker);
    }
    finish(worker);
}
