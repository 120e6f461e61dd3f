#include "pending_rejects.h"

#include "common/backoff.h"

#include <stdlib.h>

struct parked {
    const struct parked_ports *ports;
    struct backoff backoff;
    int64_t due_ms;
    int64_t look_ms;
    bool failing;
    size_t limit;
    size_t count, reserved;
    struct rejection *rejections; /* in the order of parking */
};

struct parked *parked_new(size_t limit, const struct parked_ports *ports, uint64_t seed)
{
    struct parked *parked = calloc(1, sizeof *parked);
    if (!parked)
        return NULL;
    parked->ports = ports;
    parked->limit = limit > 0 ? limit : 1;
    parked->look_ms = PARKED_LOOK_FIRST_MS;
    parked->rejections = calloc(parked->limit, sizeof *parked->rejections);
    if (!parked->rejections) {
        free(parked);
        return NULL;
    }
    backoff_init(&parked->backoff, PARKED_RETRY_FIRST_MS, PARKED_RETRY_MAX_MS, seed);
    return parked;
}

void parked_free(struct parked *parked)
{
    if (!parked)
        return;
    parked_drop(parked);
    free(parked->rejections);
    free(parked);
}

size_t parked_count(const struct parked *parked)
{
    return parked->count;
}

size_t parked_room(const struct parked *parked)
{
    return parked->limit - parked->count - parked->reserved;
}

bool parked_full(const struct parked *parked)
{
    return parked->count == parked->limit;
}

void parked_reserve(struct parked *parked)
{
    parked->reserved++;
}

void parked_release(struct parked *parked, size_t places)
{
    parked->reserved -= places;
}

uint64_t parked_oldest(const struct parked *parked)
{
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < parked->count; i++) {
        if (parked->rejections[i].delivery->tag < oldest)
            oldest = parked->rejections[i].delivery->tag;
    }
    return oldest;
}

void parked_add(struct parked *parked, struct delivery *delivery)
{
    parked->rejections[parked->count++] = (struct rejection){.delivery = delivery};
    if (!parked->failing) {
        parked->due_ms = 0; /* now */
        parked->look_ms = PARKED_LOOK_FIRST_MS;
    }
}

int64_t parked_due_ms(const struct parked *parked)
{
    return parked->count > 0 ? parked->due_ms : INT64_MAX;
}

bool parked_failing(const struct parked *parked)
{
    return parked->failing;
}

/* Acknowledges what is confirmed. False with *error when the connection is lost. */
static bool settle(struct parked *parked, size_t *settled, struct error *error)
{
    const struct parked_ports *ports = parked->ports;
    size_t count = parked->count, kept = 0;
    bool alive = true;
    for (size_t i = 0; i < count; i++) {
        struct rejection *rejection = &parked->rejections[i];
        if (!rejection->confirmed || !alive) {
            if (kept != i)
                parked->rejections[kept] = *rejection;
            kept++;
            continue;
        }
        ports->rejected(ports->context, rejection);
        alive = ports->acknowledge(ports->context, rejection->delivery->tag, error);
        delivery_free(rejection->delivery);
    }
    parked->count = kept;
    *settled = count - kept;
    return alive;
}

static void schedule_look(struct parked *parked, bool moved)
{
    if (moved)
        parked->look_ms = PARKED_LOOK_FIRST_MS;
    parked->due_ms = parked->ports->now_ms(parked->ports->context) + parked->look_ms;
    parked->look_ms = parked->look_ms * 2 < PARKED_LOOK_MAX_MS ? parked->look_ms * 2 : PARKED_LOOK_MAX_MS;
}

static void schedule_retry(struct parked *parked, int64_t began_ms)
{
    int64_t now_ms = parked->ports->now_ms(parked->ports->context);
    int64_t wait_ms = backoff_next_ms(&parked->backoff);
    int64_t rest_ms = (now_ms - began_ms) * PARKED_REST;
    if (rest_ms > PARKED_REST_MAX_MS)
        rest_ms = PARKED_REST_MAX_MS;
    parked->due_ms = now_ms + (rest_ms > wait_ms ? rest_ms : wait_ms);
}

enum parked_progress parked_step(struct parked *parked, struct error *error)
{
    const struct parked_ports *ports = parked->ports;
    struct error reason = {0};
    size_t settled = 0;
    int64_t began_ms = ports->now_ms(ports->context);
    if (parked_due_ms(parked) > began_ms)
        return PARKED_NOT_DUE;
    bool good = ports->reject(ports->context, parked->rejections, parked->count, &reason);
    if (!settle(parked, &settled, error)) {
        parked_drop(parked);
        return PARKED_LOST;
    }
    if (settled > 0)
        backoff_reset(&parked->backoff);
    parked->failing = !good;
    if (good) {
        schedule_look(parked, settled > 0);
        return settled > 0 ? PARKED_SETTLED : PARKED_ON;
    }
    schedule_retry(parked, began_ms);
    *error = reason;
    return PARKED_FAILED;
}

void parked_drop(struct parked *parked)
{
    for (size_t i = 0; i < parked->count; i++)
        delivery_free(parked->rejections[i].delivery);
    parked->count = 0;
    parked->failing = false;
    backoff_reset(&parked->backoff);
}
