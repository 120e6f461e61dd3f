#include "health.h"

#include "common/clock.h"
#include "common/timers.h"

enum { LOOK_EVERY_MS = TIMER_MS(1000) };

void redis_health_init(struct redis_health *health, struct redis_store *store, struct worker_status *status,
                       int64_t away_ms)
{
    *health = (struct redis_health){.store = store, .status = status, .outage = {.limit_ms = away_ms}};
}

void redis_health_tell(struct redis_health *health)
{
    struct redis_findings findings = redis_store_findings(health->store);
    worker_note_redis(health->status, &findings);
}

static void tell_bad(struct redis_health *health, const struct error *problem, int64_t now_ms)
{
    enum part_state state = problem->code == ERROR_NEWER ? PART_NEWER_SCHEMA : PART_AWAY;
    worker_part_bad(health->status, PART_REDIS, state, problem->text, now_ms);
}

void redis_health_note(struct redis_health *health, bool done, const struct error *problem)
{
    int64_t now_ms = clock_monotonic_ms();
    if (done) {
        health->look_at_ms = now_ms + LOOK_EVERY_MS;
        health->outage.away = false;
        worker_part_good(health->status, PART_REDIS, now_ms);
    } else {
        outage_note(&health->outage, now_ms);
        worker_count(health->status, WORKER_REDIS_RETRIES, 1);
        tell_bad(health, problem, now_ms);
    }
}

bool redis_health_check(struct redis_health *health, bool batch_in_hand, struct error *error)
{
    bool done = redis_store_check(health->store, error);
    int64_t now_ms = clock_monotonic_ms();
    health->look_at_ms = now_ms + LOOK_EVERY_MS;
    health->newer = !done && error->code == ERROR_NEWER;
    if (!done) {
        outage_note(&health->outage, now_ms);
        if (health->started || error->code != ERROR_REFUSED) /* else it ends with that, and does not try again */
            tell_bad(health, error, now_ms);
        return false;
    }
    health->outage.away = false;
    /* Before anybody may hear that it is ready. */
    redis_health_tell(health);
    if (!batch_in_hand)
        worker_part_good(health->status, PART_REDIS, now_ms);
    return true;
}
