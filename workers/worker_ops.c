#include "common/clock.h"
#include "worker_state.h"

static enum apply_progress op_apply(void *context, size_t which, const struct event *const *events, size_t count,
                                    enum applied *results, struct error *error)
{
    struct worker *worker = context;
    enum apply_progress progress = redis_store_apply(worker->store, which, events, count, results, error);
    if (progress != APPLY_WAITS)
        redis_health_note(&worker->redis, progress == APPLY_DONE, error);
    metric_set(&worker->status->metrics[WORKER_NEW_CAMPAIGNS], (int64_t)redis_store_new_campaigns(worker->store));
    for (size_t i = 0; progress == APPLY_DONE && i < count; i++) {
        if (!events[i]->rejected_as) /* what is rejected as well counts as that alone: every message becomes one thing */
            worker_count_applied(worker->status, results[i]);
    }
    return progress;
}

static void op_abandon(void *context, size_t which)
{
    struct worker *worker = context;
    redis_store_abandon(worker->store, which);
}

static int64_t op_now_ms(void *context)
{
    (void)context;
    return clock_monotonic_ms();
}

static bool op_publish(void *context, struct delivery *first, struct error *error)
{
    struct worker *worker = context;
    return rejecter_publish(worker->rejecter, first, error);
}

static void op_rejected(void *context, const char *reason)
{
    struct worker *worker = context;
    worker_count_rejected(worker->status, reason);
    frequent_log_note(&worker->log, FREQUENT_REJECTION, reason);
}

static bool op_acknowledge(void *context, uint64_t tag, bool multiple, struct error *error)
{
    struct worker *worker = context;
    return consumer_acknowledge(worker->consumer, tag, multiple, error);
}

static void read_first(const void *context, struct delivery *delivery)
{
    const struct worker *worker = context;
    char ignored[PARSE_DETAIL];
    (void)delivery_read(delivery, worker->config->campaign_from_foreign_id, ignored);
}

struct quarantine worker_quarantine(const struct worker *worker)
{
    return (struct quarantine){.read = read_first, .context = worker, .limit_s = QUARANTINE_S};
}

struct batch_ops worker_batch_ops(struct worker *worker)
{
    return (struct batch_ops){.context = worker,
                              .apply = op_apply,
                              .abandon = op_abandon,
                              .acknowledge = op_acknowledge};
}

struct reject_ops worker_reject_ops(struct worker *worker)
{
    return (struct reject_ops){.context = worker,
                               .now_ms = op_now_ms,
                               .publish = op_publish,
                               .rejected = op_rejected,
                               .acknowledge = op_acknowledge};
}
