#include "pending_rejects.h"

void pending_rejects_init(struct pending_rejects *rejects, const struct reject_ops *ops, uint64_t seed)
{
    *rejects = (struct pending_rejects){.ops = ops};
    backoff_init(&rejects->backoff, REJECTS_RETRY_FIRST_MS, REJECTS_RETRY_MAX_MS, seed);
}

void pending_rejects_clear(struct pending_rejects *rejects)
{
    delivery_queue_clear(&rejects->queue);
    rejects->failing = false;
    backoff_reset(&rejects->backoff);
}

void pending_rejects_add(struct pending_rejects *rejects, struct delivery *delivery)
{
    delivery_queue_push(&rejects->queue, delivery);
    if (!rejects->failing)
        rejects->due_ms = 0; /* now */
}

uint64_t pending_rejects_oldest(const struct pending_rejects *rejects)
{
    uint64_t oldest = UINT64_MAX;
    for (const struct delivery *delivery = rejects->queue.first; delivery; delivery = delivery->next) {
        if (delivery->tag < oldest)
            oldest = delivery->tag;
    }
    return oldest;
}

int64_t pending_rejects_due_ms(const struct pending_rejects *rejects)
{
    return rejects->queue.count > 0 ? rejects->due_ms : INT64_MAX;
}

/* Those that are not confirmed stay, in their order. False with *error when the connection is lost. */
static bool acknowledge_confirmed(struct pending_rejects *rejects, struct error *error)
{
    const struct reject_ops *ops = rejects->ops;
    bool alive = true;
    for (size_t left = rejects->queue.count; left > 0 && alive; left--) {
        struct delivery *delivery = delivery_queue_pop(&rejects->queue);
        if (!delivery->reject_confirmed) {
            delivery_queue_push(&rejects->queue, delivery);
            continue;
        }
        ops->rejected(ops->context, delivery->reason);
        alive = ops->acknowledge(ops->context, delivery->tag, false, error);
        delivery_free(delivery);
    }
    return alive;
}

static int64_t pause_ms(struct pending_rejects *rejects, int64_t took_ms)
{
    int64_t wait_ms = backoff_next_ms(&rejects->backoff);
    int64_t rest_ms = took_ms * REJECTS_REST < REJECTS_REST_MAX_MS ? took_ms * REJECTS_REST : REJECTS_REST_MAX_MS;
    return rest_ms > wait_ms ? rest_ms : wait_ms;
}

enum rejects_progress pending_rejects_step(struct pending_rejects *rejects, struct error *error)
{
    const struct reject_ops *ops = rejects->ops;
    const size_t count = rejects->queue.count;
    const int64_t began_ms = ops->now_ms(ops->context);
    struct error reason = {0};
    if (pending_rejects_due_ms(rejects) > began_ms)
        return REJECTS_NOTHING_NEW;
    rejects->failing = !ops->publish(ops->context, rejects->queue.first, &reason);
    if (!acknowledge_confirmed(rejects, error)) {
        pending_rejects_clear(rejects);
        return REJECTS_LOST;
    }
    if (rejects->queue.count < count)
        backoff_reset(&rejects->backoff);
    const int64_t now_ms = ops->now_ms(ops->context);
    if (!rejects->failing) {
        rejects->due_ms = now_ms + REJECTS_LOOK_MS;
        return rejects->queue.count < count ? REJECTS_CONFIRMED : REJECTS_NOTHING_NEW;
    }
    rejects->due_ms = now_ms + pause_ms(rejects, now_ms - began_ms);
    *error = reason;
    return REJECTS_FAILED;
}
