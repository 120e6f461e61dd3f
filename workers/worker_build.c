#include "common/clock.h"
#include "common/stop_signal.h"
#include "common/timers.h"
#include "worker_state.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    REDIS_REVIEW_MS = TIMER_MS(30000), /* how often its settings are looked at */
};

static struct redis_settings redis_settings_of(const struct worker_config *config, struct reread *reread)
{
    return (struct redis_settings){.url = config->redis_url,
                                   .sentinel_password = config->redis_sentinel_password,
                                   .reread = reread,
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

static bool build_rest(struct worker *worker, struct reread *reread)
{
    const struct worker_config *config = worker->config;
    uint64_t seed = (uint64_t)clock_monotonic_us() ^ (uint64_t)getpid() << 32;
    struct amqp_settings amqp = SETTINGS_AMQP(config, reread);
    struct consumer_settings consuming = {.amqp = amqp,
                                          .dog = worker->dog,
                                          .prefetch = (uint16_t)config->prefetch,
                                          .name = "dropworker",
                                          .held = &worker->held,
                                          .seed = seed,
                                          .wake_fd = stop_signal_fd()};
    struct batch_settings batching = {.max = (size_t)config->batch_max, .wait_ms = config->batch_wait_ms};
    worker->consumer = consumer_new(&consuming);
    worker->rejecter = rejecter_new(&amqp, worker->dog);
    pending_rejects_init(&worker->rejects, &worker->reject_ops, seed + 2);
    for (size_t i = 0; i < 2; i++) {
        batching.which = i;
        batching.seed = seed + 3 + i;
        worker->batches[i] = batch_new(&batching, &worker->batch_ops, &worker->rejects);
    }
    return worker->consumer && worker->rejecter && worker->batches[0] && worker->batches[1];
}

static bool build(struct worker *worker, struct reread *reread, struct error *error)
{
    struct redis_settings redis = redis_settings_of(worker->config, reread);
    worker->dog = watchdog_start(error);
    if (!worker->dog)
        return false;
    worker->store = redis_store_new(&redis, error);
    if (!worker->store)
        return false;
    redis_health_init(&worker->redis, worker->store, worker->status, worker->config->redis_away_s * 1000);
    if (build_rest(worker, reread))
        return true;
    error_set(error, ERROR_NO_MEMORY, "out of memory at the start");
    return false;
}

struct worker *worker_new(const struct worker_config *config, struct worker_status *status, struct reread *reread,
                          struct error *error)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        error_set(error, ERROR_NO_MEMORY, "out of memory at the start");
        return NULL;
    }
    worker->config = config;
    worker->status = status;
    worker->batch_ops = worker_batch_ops(worker);
    worker->reject_ops = worker_reject_ops(worker);
    if (!build(worker, reread, error)) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    delivery_queue_clear(&worker->waiting);
    batch_free(worker->batches[0]);
    batch_free(worker->batches[1]);
    pending_rejects_clear(&worker->rejects);
    rejecter_free(worker->rejecter);
    consumer_free(worker->consumer);
    redis_store_free(worker->store);
    watchdog_stop(worker->dog);
    free(worker);
}
