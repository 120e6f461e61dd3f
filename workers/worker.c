#include "worker.h"

#include "../common/clock.h"
#include "../common/log.h"
#include "../common/stop_signal.h"
#include "batch.h"
#include "consumer.h"
#include "redis_store.h"
#include "reject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 200,         /* how late a stop signal may be noticed when nothing happens */
    REDIS_CHECK_MS = 1000, /* how often Redis is looked at when no batch goes there */
    LINE_EVERY_MS = 1000,
};

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
    struct redis_store *store;
    struct consumer *consumer;
    struct rejecter *rejecter;
    struct batch *batch;
    struct batch_ports ports;
    struct delivery *waiting_first; /* delivered, not yet in the batch; the prefetch bounds them */
    struct delivery *waiting_last;
    size_t waiting;
    int64_t redis_check_at_ms;
    struct frequent_line remarks;
    struct frequent_line rejections;
    bool connected_before;
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
}

static bool port_apply(void *context, const struct event *const *events, size_t count, enum applied *results,
                       struct error *error)
{
    struct worker *worker = context;
    bool done = redis_store_apply(worker->store, events, count, results, error);
    int64_t now_ms = clock_monotonic_ms();
    worker->redis_check_at_ms = now_ms + REDIS_CHECK_MS;
    if (done) {
        worker_count_applied(worker->status, results, count);
        worker_part_good(worker->status, PART_REDIS, now_ms);
    } else {
        worker_count(worker->status, WORKER_REDIS_RETRIES, 1);
        worker_part_bad(worker->status, PART_REDIS, error->text, now_ms);
    }
    return done;
}

static bool port_reject(void *context, struct rejection *rejections, size_t count, struct error *error)
{
    struct worker *worker = context;
    bool done = rejecter_publish(worker->rejecter, rejections, count, error);
    int64_t now_ms = clock_monotonic_ms();
    if (!done) {
        worker_count(worker->status, WORKER_REJECT_RETRIES, 1);
        worker_part_bad(worker->status, PART_REJECTED_QUEUE, error->text, now_ms);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        worker_count_rejected(worker->status, rejections[i].reason);
        line_note(&worker->rejections, rejections[i].reason);
    }
    worker_part_good(worker->status, PART_REJECTED_QUEUE, now_ms);
    return true;
}

static bool port_acknowledge(void *context, uint64_t tag, struct error *error)
{
    struct worker *worker = context;
    return consumer_acknowledge(worker->consumer, tag, error);
}

static void port_remark(void *context, const char *remark)
{
    struct worker *worker = context;
    line_note(&worker->remarks, remark);
}

static struct redis_settings redis_settings_of(const struct worker_config *config)
{
    return (struct redis_settings){.url = config->redis_url,
                                   .prefix = config->redis_prefix,
                                   .retention_s = config->retention_s,
                                   .result_ttl_s = config->result_ttl_s,
                                   .results_stream_max = config->results_stream_max,
                                   .wait_replicas = config->redis_wait_replicas};
}

static bool build(struct worker *worker, struct error *error)
{
    const struct worker_config *config = worker->config;
    uint64_t seed = (uint64_t)clock_monotonic_us() ^ (uint64_t)getpid() << 32;
    struct amqp_settings amqp = {.urls = config->amqp_url,
                                 .exchange = config->amqp_exchange,
                                 .queue = config->amqp_queue,
                                 .rejected_queue = config->amqp_rejected_queue};
    struct redis_settings redis = redis_settings_of(config);
    worker->store = redis_store_new(&redis, error);
    if (!worker->store)
        return false;
    struct consumer_settings consuming = {
        .amqp = amqp, .prefetch = (uint16_t)config->prefetch, .name = "dropworker", .seed = seed};
    struct batch_settings batching = {.max = (size_t)config->batch_max,
                                      .wait_ms = config->batch_wait_ms,
                                      .parse = {.campaign_separator = config->campaign_from_foreign_id},
                                      .seed = seed + 1};
    worker->consumer = consumer_new(&consuming);
    worker->rejecter = rejecter_new(&amqp, "dropworker rejected");
    worker->batch = batch_new(&batching, &worker->ports);
    if (!worker->consumer || !worker->rejecter || !worker->batch) {
        error_set(error, ERROR_NO_MEMORY, "out of memory at the start");
        return false;
    }
    return true;
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
                                         .reject = port_reject,
                                         .acknowledge = port_acknowledge,
                                         .remark = port_remark};
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
    drop_waiting(worker);
    batch_free(worker->batch);
    rejecter_free(worker->rejecter);
    consumer_free(worker->consumer);
    redis_store_free(worker->store);
    free(worker);
}

static void note_connected(struct worker *worker)
{
    if (worker->connected_before)
        worker_count(worker->status, WORKER_RECONNECTS, 1);
    worker->connected_before = true;
    worker_part_good(worker->status, PART_BROKER, clock_monotonic_ms());
}

bool worker_start(struct worker *worker, struct error *error)
{
    if (redis_store_check(worker->store, error))
        worker_part_good(worker->status, PART_REDIS, clock_monotonic_ms());
    else if (error->code == ERROR_REFUSED)
        return false;
    else
        worker_part_bad(worker->status, PART_REDIS, error->text, clock_monotonic_ms());

    if (consumer_connect(worker->consumer, error))
        note_connected(worker);
    else if (error->code == ERROR_REFUSED)
        return false;
    else
        worker_part_bad(worker->status, PART_BROKER, error->text, clock_monotonic_ms());
    return true;
}

static void lost(struct worker *worker, const struct error *error)
{
    batch_drop(worker->batch);
    drop_waiting(worker);
    worker_part_bad(worker->status, PART_BROKER, error->text, clock_monotonic_ms());
}

static void take(struct worker *worker, struct delivery *delivery)
{
    worker_count(worker->status, WORKER_REDELIVERED, delivery->redelivered);
    if (delivery->envelope.received_at_ms <= 0 || delivery->envelope.received_at_ms > TIME_MAX_MS) {
        log_debug("a message without x-received-at: the time of its delivery counts");
        delivery->envelope.received_at_ms = clock_wall_ms();
    }
    if (worker->waiting_last)
        worker->waiting_last->next = delivery;
    else
        worker->waiting_first = delivery;
    worker->waiting_last = delivery;
    worker->waiting++;
}

static void fill_batch(struct worker *worker, int64_t now_ms)
{
    while (worker->waiting_first && batch_open(worker->batch)) {
        struct delivery *delivery = worker->waiting_first;
        worker->waiting_first = delivery->next;
        if (!worker->waiting_first)
            worker->waiting_last = NULL;
        worker->waiting--;
        delivery->next = NULL;
        batch_add(worker->batch, delivery, now_ms);
    }
}

/* One look at the connection. Returns whether something came. */
static bool serve_connection(struct worker *worker, int64_t timeout_ms)
{
    struct delivery *delivery = NULL;
    struct error error = {0};
    switch (consumer_next(worker->consumer, timeout_ms, &delivery, &error)) {
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
    switch (batch_step(worker->batch, now_ms, &error)) {
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
        break;
    }
}

static void tend(struct worker *worker, int64_t now_ms)
{
    print_lines(worker, now_ms);
    rejecter_tend(worker->rejecter);
    if (batch_count(worker->batch) > 0)
        return;
    /* With nothing to reject nothing is known to be wrong with rejecting. */
    worker_part_good(worker->status, PART_REJECTED_QUEUE, now_ms);
    if (now_ms < worker->redis_check_at_ms)
        return;
    struct error error = {0};
    if (redis_store_check(worker->store, &error))
        worker_part_good(worker->status, PART_REDIS, now_ms);
    else
        worker_part_bad(worker->status, PART_REDIS, error.text, clock_monotonic_ms());
    worker->redis_check_at_ms = clock_monotonic_ms() + REDIS_CHECK_MS;
}

/* How long to wait for the next message. */
static int64_t patience_ms(const struct worker *worker, int64_t now_ms)
{
    int64_t due_ms = batch_due_ms(worker->batch);
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < TICK_MS ? due_ms - now_ms : TICK_MS;
}

/* Finishes the batch in hand; what else was delivered goes back to the queue when the connection closes. */
static void finish(struct worker *worker)
{
    int64_t deadline_ms = clock_monotonic_ms() + WORKER_STOP_MS;
    int64_t now_ms = clock_monotonic_ms();
    log_info("stopping: finishing %zu messages", batch_count(worker->batch));
    batch_hurry(worker->batch, now_ms);
    while (batch_count(worker->batch) > 0 && now_ms < deadline_ms && !stop_signal_wait(0)) {
        step_batch(worker, now_ms);
        serve_connection(worker, patience_ms(worker, clock_monotonic_ms()));
        drop_waiting(worker);
        now_ms = clock_monotonic_ms();
    }
    if (batch_count(worker->batch) > 0)
        log_warn("stopping: %zu messages go back to the queue", batch_count(worker->batch));
    worker->remarks.next_ms = 0;
    worker->rejections.next_ms = 0;
    print_lines(worker, now_ms);
}

void worker_run(struct worker *worker)
{
    int64_t tend_at_ms = 0;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= tend_at_ms) {
            if (stop_signal_wait(0))
                break;
            tend(worker, now_ms);
            tend_at_ms = clock_monotonic_ms() + TICK_MS;
        }
        fill_batch(worker, now_ms);
        /* While a batch is kept, messages are still read, so that heartbeats among them are. */
        if (!(worker->waiting > 0 && batch_open(worker->batch)))
            serve_connection(worker, patience_ms(worker, now_ms));
        now_ms = clock_monotonic_ms();
        fill_batch(worker, now_ms);
        step_batch(worker, now_ms);
        metric_set(&worker->status->metrics[WORKER_HELD], (int64_t)(batch_count(worker->batch) + worker->waiting));
    }
    finish(worker);
}
