#include "worker.h"

#include "../common/clock.h"
#include "../common/limits.h"
#include "../common/log.h"
#include "../common/protection.h"
#include "../common/service_notify.h"
#include "../common/stop_signal.h"
#include "../common/timers.h"
#include "../common/watchdog.h"
#include "absence.h"
#include "batch.h"
#include "consumer.h"
#include "counting/plan.h"
#include "parked.h"
#include "redis_store.h"
#include "reject.h"
#include "suspects.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TAKE_MAX = 32,                     /* messages in a turn, so that Redis's answer is not kept waiting */
    TICK_MS = 200,                     /* how often all is looked at when nothing happens */
    REDIS_CHECK_MS = TIMER_MS(1000),   /* how often Redis is looked at when no batch goes there */
    REDIS_REVIEW_MS = TIMER_MS(30000), /* how often its settings are */
    LINE_EVERY_MS = 1000,
    RENEW_AFTER_MS = TIMER_MS(20000), /* without a message: then RabbitMQ is made to give up what it may hold for us */
    RENEWED_MS = 5000, /* what comes again within this may come of it: a word in the log, so it is not scaled */
    PARKED_SHARE = 4,                 /* at most so many-th of the prefetch waits for the rejected queue */
};

static const char waits_for_upgrade[] =
    "a newer version wrote what is in Redis: no message is taken before this worker is upgraded";

/* x-received-at past year 9999 is no time. */
static const int64_t TIME_MAX_MS = INT64_C(253402300799999);

/* A log line for something frequent: at most one a second, with how often it came. */
struct frequent_line {
    uint64_t count;
    int64_t next_ms;
    char last[PARSE_DETAIL];
};

struct worker {
    const struct worker_config *config;
    struct worker_status *status;
    struct watchdog *dog;
    struct redis_store *store;
    struct consumer *consumer;
    struct rejecter *rejecter;
    struct batch *batches[2]; /* one is with Redis while the other is gathered */
    size_t first;             /* the one that goes to Redis, if it is not empty */
    struct batch_ports ports;
    struct parked *parked; /* rejections on their way */
    struct parked_ports parked_ports;
    struct held held;               /* by all deliveries, wherever they are */
    struct delivery *waiting_first; /* delivered, not yet in the batch; the prefetch bounds them */
    struct delivery *waiting_last;
    size_t waiting;
    struct suspects suspects;
    struct absence absence;            /* of Redis */
    bool newer;                        /* a newer version wrote what is there */
    bool paused;                       /* for either: nothing is consumed */
    int64_t redis_check_at_ms;
    struct frequent_line remarks;
    struct frequent_line rejections;
    struct frequent_line alone;
    struct frequent_line returned;
    int64_t idle_since_ms; /* connected, consuming, and nothing in hand */
    int64_t renewed_at_ms; /* 0: never */
    bool connected_before;
    pthread_t stop_thread;
    bool stop_thread_runs;
    int wake_fd;                    /* an eventfd: readable once a stop signal has come */
    _Atomic int64_t stopping_at_ms; /* 0: no stop signal has come */
    atomic_int exit_status;         /* that a stop which must be forced ends with */
    atomic_bool over;               /* ends the thread that waits for one */
};

static void line_note(struct frequent_line *line, const char *text)
{
    line->count++;
    snprintf(line->last, sizeof line->last, "%s", text);
}

/* Prints what was noted, if the last line is long enough ago. */
static void line_print(struct frequent_line *line, const char *what, int64_t now_ms)
{
    if (line->count == 0 || now_ms < line->next_ms)
        return;
    log_warn("%s: %llu; the last: %s", what, (unsigned long long)line->count, line->last);
    line->count = 0;
    line->next_ms = now_ms + LINE_EVERY_MS;
}

static void print_lines(struct worker *worker, int64_t now_ms)
{
    line_print(&worker->remarks, "messages with values that were ignored", now_ms);
    line_print(&worker->rejections, "messages sent to the rejected queue", now_ms);
    line_print(&worker->alone, "messages delivered a third time or more, each handled alone", now_ms);
    line_print(&worker->returned,
               "messages that came again just after the channel was renewed by this worker, which had none in hand",
               now_ms);
}

/* What a call that brings Redis nearer to the acknowledgement came to. */
static void note_redis(struct worker *worker, bool done, const struct error *problem)
{
    int64_t now_ms = clock_monotonic_ms();
    if (done) {
        worker->redis_check_at_ms = now_ms + REDIS_CHECK_MS;
        absence_end(&worker->absence);
        worker_part_good(worker->status, PART_REDIS, now_ms);
    } else {
        absence_note(&worker->absence, now_ms);
        worker_count(worker->status, WORKER_REDIS_RETRIES, 1);
        worker_redis_bad(worker->status, problem, now_ms);
    }
}

static void tell_findings(struct worker *worker)
{
    struct redis_findings findings = redis_store_findings(worker->store);
    worker_note_redis(worker->status, &findings);
}

/* What is rejected as well counts as that alone, so that every message becomes one thing. */
static void count_applied(struct worker *worker, const struct event *const *events, const enum applied *results,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!events[i]->rejected_as)
            worker_count_applied(worker->status, &results[i], 1);
    }
}

static enum apply_progress port_apply(void *context, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error)
{
    struct worker *worker = context;
    enum apply_progress progress = APPLY_FAILED;
    if (redis_store_fd(worker->store) >= 0 || suspects_settle(&worker->suspects, error))
        progress = redis_store_apply(worker->store, events, count, results, error);
    if (progress != APPLY_WAITS)
        note_redis(worker, progress == APPLY_DONE, error);
    if (progress == APPLY_DONE)
        count_applied(worker, events, results, count);
    return progress;
}

static void port_abandon(void *context)
{
    struct worker *worker = context;
    redis_store_abandon(worker->store);
}

static bool port_mark(void *context, const char *name, uint64_t *earlier_marks, struct error *error)
{
    struct worker *worker = context;
    bool done = suspects_mark(&worker->suspects, name, earlier_marks, error);
    note_redis(worker, done, error);
    return done;
}

static void port_rehearse(void *context, const struct event *event)
{
    (void)context;
    plan_rehearse(event);
}

static bool port_unmark(void *context, const char *name, bool all, struct error *error)
{
    struct worker *worker = context;
    bool done = suspects_unmark(&worker->suspects, name, all, error);
    note_redis(worker, done, error);
    return done;
}

static void port_unmark_later(void *context, const char *name, bool all)
{
    struct worker *worker = context;
    suspects_unmark_later(&worker->suspects, name, all);
}

static int64_t port_now_ms(void *context)
{
    (void)context;
    return clock_monotonic_ms();
}

static bool port_reject(void *context, struct rejection *rejections, size_t count, struct error *error)
{
    struct worker *worker = context;
    return rejecter_publish(worker->rejecter, rejections, count, error);
}

static void port_rejected(void *context, const struct rejection *rejection)
{
    struct worker *worker = context;
    worker_count_rejected(worker->status, rejection->delivery->reason);
    line_note(&worker->rejections, rejection->delivery->reason);
    if (rejection->marks[0] != '\0') /* the marks have told what they had to */
        suspects_unmark_later(&worker->suspects, rejection->marks, true);
}

static bool port_acknowledge_one(void *context, uint64_t tag, struct error *error)
{
    struct worker *worker = context;
    return consumer_acknowledge(worker->consumer, tag, false, error);
}

static bool port_acknowledge(void *context, uint64_t tag, bool multiple, struct error *error)
{
    struct worker *worker = context;
    return consumer_acknowledge(worker->consumer, tag, multiple, error);
}

static void port_remark(void *context, const char *remark)
{
    struct worker *worker = context;
    line_note(&worker->remarks, remark);
}

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

static struct redis_settings redis_settings_of(const struct worker_config *config)
{
    return (struct redis_settings){.url = config->redis_url,
                                   .sentinel_password = config->redis_sentinel_password,
                                   .ca_file = config->redis_ca_file,
                                   .cert_file = config->redis_cert_file,
                                   .prefix = config->redis_prefix,
                                   .retention_s = config->retention_s,
                                   .result_ttl_s = config->result_ttl_s,
                                   .results_stream_max = config->results_stream_max,
                                   .wait_replicas = config->redis_wait_replicas,
                                   .campaign_separator = config->campaign_from_foreign_id,
                                   .review_every_ms = REDIS_REVIEW_MS};
}

static bool build_rest(struct worker *worker)
{
    const struct worker_config *config = worker->config;
    uint64_t seed = (uint64_t)clock_monotonic_us() ^ (uint64_t)getpid() << 32;
    struct amqp_settings amqp = {.urls = config->amqp_url,
                                 .exchange = config->amqp_exchange,
                                 .queue = config->amqp_queue,
                                 .rejected_queue = config->amqp_rejected_queue,
                                 .ca_file = config->amqp_ca_file,
                                 .cert_file = config->amqp_cert_file};
    struct consumer_settings consuming = {.amqp = amqp,
                                          .dog = worker->dog,
                                          .prefetch = (uint16_t)config->prefetch,
                                          .name = "dropworker",
                                          .held = &worker->held,
                                          .held_max = protection("held-bound") ? LIMIT_HELD_BYTES : SIZE_MAX,
                                          .seed = seed,
                                          .wake_fd = worker->wake_fd};
    struct batch_settings batching = {.max = (size_t)config->batch_max,
                                      .wait_ms = config->batch_wait_ms,
                                      .parse = {.campaign_separator = config->campaign_from_foreign_id}};
    worker->consumer = consumer_new(&consuming);
    worker->rejecter = rejecter_new(&amqp, "dropworker rejected", worker->dog);
    worker->parked = parked_new((size_t)config->prefetch / PARKED_SHARE, &worker->parked_ports, seed + 2);
    for (size_t i = 0; worker->parked && i < 2; i++) {
        batching.seed = seed + 3 + i;
        worker->batches[i] = batch_new(&batching, &worker->ports, worker->parked);
    }
    return worker->consumer && worker->rejecter && worker->batches[0] && worker->batches[1];
}

static bool build(struct worker *worker, struct error *error)
{
    struct redis_settings redis = redis_settings_of(worker->config);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->wake_fd < 0) {
        error_set(error, ERROR_INTERNAL, "cannot make an eventfd: %s", strerror(errno));
        return false;
    }
    worker->dog = watchdog_start(error);
    if (!worker->dog)
        return false;
    worker->store = redis_store_new(&redis, error);
    if (!worker->store)
        return false;
    suspects_init(&worker->suspects, worker->store);
    absence_init(&worker->absence, worker->config->redis_away_s * 1000);
    if (build_rest(worker))
        return true;
    error_set(error, ERROR_NO_MEMORY, "out of memory at the start");
    return false;
}

struct worker *worker_new(const struct worker_config *config, struct worker_status *status, struct error *error)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        error_set(error, ERROR_NO_MEMORY, "out of memory at the start");
        return NULL;
    }
    worker->config = config;
    worker->status = status;
    worker->ports = (struct batch_ports){.context = worker,
                                         .apply = port_apply,
                                         .abandon = port_abandon,
                                         .mark = port_mark,
                                         .rehearse = port_rehearse,
                                         .unmark = port_unmark,
                                         .unmark_later = port_unmark_later,
                                         .acknowledge = port_acknowledge,
                                         .remark = port_remark};
    worker->parked_ports = (struct parked_ports){.context = worker,
                                                 .now_ms = port_now_ms,
                                                 .reject = port_reject,
                                                 .rejected = port_rejected,
                                                 .acknowledge = port_acknowledge_one};
    if (!build(worker, error)) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

static void drop_waiting(struct worker *worker)
{
    while (worker->waiting_first) {
        struct delivery *delivery = worker->waiting_first;
        worker->waiting_first = delivery->next;
        delivery_free(delivery);
    }
    worker->waiting_last = NULL;
    worker->waiting = 0;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    atomic_store(&worker->over, true);
    if (worker->stop_thread_runs)
        pthread_join(worker->stop_thread, NULL);
    drop_waiting(worker);
    batch_free(worker->batches[0]);
    batch_free(worker->batches[1]);
    parked_free(worker->parked);
    rejecter_free(worker->rejecter);
    consumer_free(worker->consumer);
    redis_store_free(worker->store);
    watchdog_stop(worker->dog);
    if (worker->wake_fd >= 0)
        (void)close(worker->wake_fd);
    free(worker);
}

static void *await_stop(void *context)
{
    struct worker *worker = context;
    while (!atomic_load(&worker->over) && !stop_signal_wait(TICK_MS))
        continue;
    (void)stop_signal_guard(WORKER_GUARD_MS, atomic_load(&worker->exit_status));
    (void)eventfd_write(worker->wake_fd, 1); /* first: who sees that it stops finds this done */
    atomic_store(&worker->stopping_at_ms, clock_monotonic_ms());
    return NULL;
}

static bool stopping(struct worker *worker)
{
    return atomic_load(&worker->stopping_at_ms) != 0;
}

static void note_connected(struct worker *worker)
{
    if (worker->connected_before)
        worker_count(worker->status, WORKER_RECONNECTS, 1);
    worker->connected_before = true;
    worker->idle_since_ms = clock_monotonic_ms();
    worker_part_good(worker->status, PART_BROKER, clock_monotonic_ms());
}

/* Whether Redis could be used now, for the status and for how long it has been away. */
static bool check_redis(struct worker *worker, struct error *error)
{
    bool done = suspects_settle(&worker->suspects, error) && redis_store_check(worker->store, error);
    int64_t now_ms = clock_monotonic_ms();
    worker->redis_check_at_ms = now_ms + REDIS_CHECK_MS;
    worker->newer = !done && error->code == ERROR_NEWER;
    if (!done) {
        absence_note(&worker->absence, now_ms);
        worker_redis_bad(worker->status, error, now_ms);
        return false;
    }
    absence_end(&worker->absence);
    /* Before anybody may hear that it is ready. */
    tell_findings(worker);
    /* With a batch in hand it is the batch that tells whether we can count: a key of a wrong type stops only it. */
    if (in_batches(worker) == 0)
        worker_part_good(worker->status, PART_REDIS, now_ms);
    return true;
}

/* Tries each URL once. False with *error, which is not logged yet, only if all of them refuse us. */
static bool connect_first(struct worker *worker, struct error *error)
{
    size_t urls = amqp_urls_count(worker->config->amqp_url, error);
    struct error refusal = {0};
    bool connected = false;
    bool may_come = false;
    for (size_t i = 0; i < urls && !connected && !stopping(worker); i++) {
        struct error problem = {0};
        connected = consumer_connect(worker->consumer, &problem);
        if (connected)
            break;
        if (problem.code == ERROR_REFUSED && refusal.code == ERROR_NONE) {
            refusal = problem;
            continue;
        }
        may_come |= problem.code != ERROR_REFUSED;
        worker_part_bad(worker->status, PART_BROKER, problem.text, clock_monotonic_ms());
    }
    may_come |= connected || stopping(worker);
    if (!may_come) {
        *error = refusal;
        return false;
    }
    if (refusal.code != ERROR_NONE)
        log_warn("%s", refusal.text);
    if (connected)
        note_connected(worker);
    return true;
}

bool worker_start(struct worker *worker, struct error *error)
{
    if (pthread_create(&worker->stop_thread, NULL, await_stop, worker) != 0) {
        error_set(error, ERROR_INTERNAL, "cannot start the thread that waits for stop signals");
        return false;
    }
    worker->stop_thread_runs = true;
    bool refused = !check_redis(worker, error) && error->code == ERROR_REFUSED && !stopping(worker);
    /* Messages that it cannot count stay in the queue, for workers that can. */
    worker->paused = worker->newer;
    if (worker->paused)
        worker_part_bad(worker->status, PART_BROKER, waits_for_upgrade, clock_monotonic_ms());
    if (!refused && (worker->paused || connect_first(worker, error)))
        return true;
    atomic_store(&worker->exit_status, error_exit_status(error->code));
    return false;
}

static void drop_all(struct worker *worker)
{
    batch_drop(worker->batches[0]);
    batch_drop(worker->batches[1]);
    parked_drop(worker->parked);
    drop_waiting(worker);
}

static void lost(struct worker *worker, const struct error *error)
{
    drop_all(worker);
    worker_part_bad(worker->status, PART_BROKER, error->text, clock_monotonic_ms());
}

static void take(struct worker *worker, struct delivery *delivery)
{
    worker_count(worker->status, WORKER_REDELIVERED, delivery->redelivered);
    if (delivery->redelivered && worker->renewed_at_ms != 0 &&
        clock_monotonic_ms() - worker->renewed_at_ms < RENEWED_MS)
        line_note(&worker->returned, "held for this worker, or given back by another");
    if (delivery->envelope.received_at_ms <= 0 || delivery->envelope.received_at_ms > TIME_MAX_MS) {
        log_debug("a message without x-received-at: the time of its delivery counts");
        delivery->envelope.received_at_ms = clock_wall_ms();
    }
    batch_read(next_batch(worker), delivery);
    if (worker->waiting_last)
        worker->waiting_last->next = delivery;
    else
        worker->waiting_first = delivery;
    worker->waiting_last = delivery;
    worker->waiting++;
}

static struct delivery *next_waiting(struct worker *worker)
{
    struct delivery *delivery = worker->waiting_first;
    worker->waiting_first = delivery->next;
    if (!worker->waiting_first)
        worker->waiting_last = NULL;
    worker->waiting--;
    delivery->next = NULL;
    return delivery;
}

static void fill_batch(struct worker *worker, int64_t now_ms)
{
    struct batch *batch = next_batch(worker);
    while (worker->waiting_first && batch_takes(batch, worker->waiting_first)) {
        struct delivery *delivery = next_waiting(worker);
        if (delivery->delivery_count >= BATCH_SUSPECT_COUNT) {
            char which[64];
            snprintf(which, sizeof which, "its delivery %" PRIu64, delivery->delivery_count + 1);
            worker_count(worker->status, WORKER_SUSPECTS, 1);
            line_note(&worker->alone, which);
        }
        batch_add(batch, delivery, now_ms);
    }
    /* The next one must be handled alone: the batch waits for no more. */
    if (worker->waiting_first && batch_open(batch))
        batch_hurry(batch, now_ms);
}

/* One look at the connection. Returns whether a message came. */
static bool serve_connection(struct worker *worker, int64_t timeout_ms)
{
    struct delivery *delivery = NULL;
    struct error error = {0};
    consumer_watch(worker->consumer, redis_store_fd(worker->store));
    enum consumer_result result = consumer_next(worker->consumer, timeout_ms, &delivery, &error);
    if (result != CONSUMER_NOTHING)
        worker->idle_since_ms = clock_monotonic_ms();
    switch (result) {
    case CONSUMER_DELIVERY:
        take(worker, delivery);
        return true;
    case CONSUMER_NOTHING:
        return false;
    case CONSUMER_CONNECTED:
        note_connected(worker);
        return false;
    case CONSUMER_AWAY:
        worker_part_bad(worker->status, PART_BROKER, error.text, clock_monotonic_ms());
        return false;
    case CONSUMER_LOST:
        lost(worker, &error);
        return false;
    }
    return false;
}

static void step_batch(struct worker *worker, int64_t now_ms)
{
    struct error error = {0};
    if (batch_count(first_batch(worker)) == 0 && batch_due_ms(next_batch(worker)) <= now_ms)
        worker->first = !worker->first;
    switch (batch_step(first_batch(worker), now_ms, &error)) {
    case BATCH_DONE:
        worker_count(worker->status, WORKER_BATCHES, 1);
        break;
    case BATCH_LOST:
        lost(worker, &error);
        break;
    case BATCH_KEPT:
        if (error.code == ERROR_NO_MEMORY)
            log_error("%s", error.text);
        break;
    case BATCH_NOT_DUE:
    case BATCH_FURTHER:
    case BATCH_WAITS:
        break;
    }
}

/* Whether another message could wait for the rejected queue. */
static bool has_room(const struct worker *worker)
{
    return !parked_full(worker->parked) && worker->held.bytes < LIMIT_HELD_BYTES;
}

static void note_rejecting(struct worker *worker, const struct error *problem)
{
    struct error full = *problem;
    if (!has_room(worker))
        error_set(&full, problem->code,
                  "%zu messages wait for the rejected queue, as many as may: no more is taken, nor counted; %s",
                  parked_count(worker->parked), problem->text);
    worker_count(worker->status, WORKER_REJECT_RETRIES, 1);
    worker_part_bad(worker->status, PART_REJECTED_QUEUE, full.text, clock_monotonic_ms());
}

static void step_parked(struct worker *worker)
{
    struct error error = {0};
    switch (parked_step(worker->parked, &error)) {
    case PARKED_NOT_DUE:
    case PARKED_ON:
        break;
    case PARKED_SETTLED:
        worker_part_good(worker->status, PART_REJECTED_QUEUE, clock_monotonic_ms());
        break;
    case PARKED_FAILED:
        note_rejecting(worker, &error);
        break;
    case PARKED_LOST:
        lost(worker, &error);
        break;
    }
}

static void tell_held(struct worker *worker)
{
    size_t parked = parked_count(worker->parked);
    size_t held = in_batches(worker) + worker->waiting + parked;
    if (held > 0 || worker->paused)
        worker->idle_since_ms = clock_monotonic_ms();
    worker_note_room(worker->status, has_room(worker));
    metric_set(&worker->status->metrics[WORKER_HELD], (int64_t)held);
    metric_set(&worker->status->metrics[WORKER_HELD_BYTES], (int64_t)worker->held.bytes);
    metric_set(&worker->status->metrics[WORKER_PARKED], (int64_t)parked);
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
    worker_part_bad(worker->status, PART_BROKER, worker->newer ? waits_for_upgrade : away, now_ms);
}

/* Returns whether Redis was asked something, which may have taken as long as a call to it can. */
static bool tend_redis(struct worker *worker, int64_t now_ms)
{
    struct error error = {0};
    /* A batch in hand goes to Redis by itself; but while it fails, something else must tell whether Redis is there. */
    bool looks = (in_batches(worker) == 0 || (worker->absence.away && !batch_waits(first_batch(worker)))) && now_ms >= worker->redis_check_at_ms;
    if (looks && check_redis(worker, &error) && worker->paused) {
        worker->paused = false;
        log_info("Redis is back: consuming again");
    }
    tell_findings(worker);
    if (!worker->paused && (worker->newer || absence_too_long(&worker->absence, clock_monotonic_ms())) && protection("pause"))
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
    print_lines(worker, now_ms);
    renew_if_idle(worker, now_ms);
    rejecter_tend(worker->rejecter);
    /* With nothing to reject nothing is known to be wrong with rejecting. */
    if (parked_count(worker->parked) == 0)
        worker_part_good(worker->status, PART_REJECTED_QUEUE, now_ms);
    return tend_redis(worker, now_ms);
}

/* How long to wait for the next message. */
static int64_t patience_ms(struct worker *worker, int64_t now_ms)
{
    int64_t parked_ms = parked_due_ms(worker->parked);
    int64_t due_ms = batch_due_ms(batch_count(first_batch(worker)) > 0 ? first_batch(worker) : next_batch(worker));
    bool given_up = stopping(worker) && parked_failing(worker->parked);
    if (parked_ms < due_ms && !given_up)
        due_ms = parked_ms;
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < TICK_MS ? due_ms - now_ms : TICK_MS;
}

/* Rejections are waited for only as long as nothing is wrong with them. */
static bool unfinished(const struct worker *worker)
{
    return in_batches(worker) > 0 || (parked_count(worker->parked) > 0 && !parked_failing(worker->parked));
}

/* Finishes the batch in hand and what is parked; what else was delivered goes back to the queue when the connection
   closes. */
static void finish(struct worker *worker)
{
    int64_t deadline_ms = atomic_load(&worker->stopping_at_ms) + WORKER_STOP_MS;
    int64_t now_ms = clock_monotonic_ms();
    eventfd_t woken;
    (void)eventfd_read(worker->wake_fd, &woken); /* from here on waits are waits */
    log_info("stopping: finishing %zu messages", in_batches(worker) + parked_count(worker->parked));
    service_notify_stopping();
    batch_hurry(next_batch(worker), now_ms);
    while (unfinished(worker) && now_ms < deadline_ms) {
        if (!parked_failing(worker->parked))
            step_parked(worker);
        step_batch(worker, clock_monotonic_ms());
        serve_connection(worker, patience_ms(worker, clock_monotonic_ms()));
        drop_waiting(worker);
        now_ms = clock_monotonic_ms();
    }
    tell_held(worker);
    if (in_batches(worker) + parked_count(worker->parked) > 0)
        log_warn("stopping: %zu messages go back to the queue",
                 in_batches(worker) + parked_count(worker->parked));
    worker->remarks.next_ms = 0;
    worker->rejections.next_ms = 0;
    worker->alone.next_ms = 0;
    worker->returned.next_ms = 0;
    print_lines(worker, now_ms);
}

/* Takes in what comes: some messages a turn as long as the batch waits for more. When it takes no more, or Redis is away,
   all that have arrived: a call to Redis may then take seconds, and the library sends our heartbeats, and finds the end of
   the connection, only behind the last message. The prefetch bounds them. */
static void consume(struct worker *worker, int64_t now_ms)
{
    bool came = false;
    if (worker->paused) {
        struct pollfd wake = {.fd = worker->wake_fd, .events = POLLIN};
        (void)poll(&wake, 1, TICK_MS);
        return;
    }
    fill_batch(worker, now_ms);
    if (!(worker->waiting > 0 && batch_open(next_batch(worker))))
        came = serve_connection(worker, patience_ms(worker, now_ms));
    fill_batch(worker, clock_monotonic_ms());
    for (int taken = 1; came && protection("serve"); taken++) {
        if (taken >= TAKE_MAX && !worker->absence.away && batch_open(next_batch(worker)))
            break;
        came = serve_connection(worker, 0);
    }
}

void worker_run(struct worker *worker)
{
    int64_t tend_at_ms = 0;
    while (!stopping(worker)) {
        bool asked_redis = false;
        consume(worker, clock_monotonic_ms());
        tell_held(worker);
        if (clock_monotonic_ms() >= tend_at_ms) {
            asked_redis = tend(worker, clock_monotonic_ms());
            tend_at_ms = clock_monotonic_ms() + TICK_MS;
        }
        step_parked(worker);
        /* While Redis stands still each call to it takes seconds: no second one before the connection is served. */
        if (!asked_redis || !protection("serve"))
            step_batch(worker, clock_monotonic_ms());
        tell_held(worker);
    }
    finish(worker);
}
