#include "worker_status.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

enum { REPEAT_LOG_MS = 10000 };

static const struct metric described[WORKER_METRICS] = {
    {"dropworker_consumed_total", NULL, "Messages dealt with, those delivered again included.", METRIC_COUNTER, 0},
#define OUTCOME(name, slug, help) {"dropworker_" slug "_total", NULL, help, METRIC_COUNTER, 0},
#define REJECTION(name, slug)                                                                                          \
    {"dropworker_rejected_total", "reason=\"" slug "\"", "Messages sent to the rejected queue.", METRIC_COUNTER, 0},
#include "workers/outcomes.def"
#define COUNTER(name, slug, help) {"dropworker_" slug "_total", NULL, help, METRIC_COUNTER, 0},
#define GAUGE(name, slug, help) {"dropworker_" slug, NULL, help, METRIC_GAUGE, 0},
#include "workers/metrics.def"
};

static const struct {
    const char *name, *verb; /* what the worker cannot do while it is away */
} parts[WORKER_PARTS] = {[PART_BROKER] = {"broker", "consume"},
                         [PART_REDIS] = {"redis", "count"},
                         [PART_REJECTED_QUEUE] = {"rejected_queue", "reject"}};

void worker_status_init(struct worker_status *status)
{
    memset(status, 0, sizeof *status);
    memcpy(status->metrics, described, sizeof described);
    pthread_mutex_init(&status->mutex, NULL);
    for (int i = 0; i < WORKER_PARTS; i++)
        if (i != PART_REJECTED_QUEUE) {
            status->parts[i].state = PART_AWAY;
            snprintf(status->parts[i].problem, sizeof status->parts[i].problem, "not connected yet");
        }
}

void worker_status_clear(struct worker_status *status)
{
    pthread_mutex_destroy(&status->mutex);
}

void worker_count_applied(struct worker_status *status, enum applied applied)
{
    static const struct {
        enum worker_metric metric, within;
    } rows[] = {
#define OUTCOME(name, slug, help) [APPLIED_##name] = {WORKER_##name, WORKER_##name},
#define WITHIN(name, of, slug, help) [APPLIED_##name] = {WORKER_##name, WORKER_##of},
#include "workers/outcomes.def"
    };
    worker_count(status, rows[applied].metric, 1);
    if (rows[applied].within != rows[applied].metric)
        worker_count(status, rows[applied].within, 1);
    worker_count(status, WORKER_CONSUMED, 1);
}

void worker_count_rejected(struct worker_status *status, const char *slug)
{
    static const struct {
        const char *slug;
        enum worker_metric metric;
    } rejections[] = {
#define REJECTION(name, slug) {slug, WORKER_REJECTED_##name},
#include "workers/outcomes.def"
    };
    for (size_t i = 0; i < sizeof rejections / sizeof rejections[0]; i++) {
        if (strcmp(rejections[i].slug, slug) == 0)
            worker_count(status, rejections[i].metric, 1);
    }
    worker_count(status, WORKER_CONSUMED, 1);
}

void worker_part_good(struct worker_status *status, enum worker_part part, int64_t now_ms)
{
    pthread_mutex_lock(&status->mutex);
    bool changed = status->parts[part].state != PART_READY;
    int64_t since_ms = status->parts[part].changed_at_ms;
    status->parts[part].state = PART_READY;
    status->parts[part].problem[0] = '\0';
    if (changed)
        status->parts[part].changed_at_ms = now_ms;
    pthread_mutex_unlock(&status->mutex);
    if (changed && since_ms == 0)
        log_info("can %s", parts[part].verb);
    else if (changed)
        log_info("can %s again after %lld ms", parts[part].verb, (long long)(now_ms - since_ms));
}

void worker_part_bad(struct worker_status *status, enum worker_part part, enum part_state state, const char *problem,
                     int64_t now_ms)
{
    pthread_mutex_lock(&status->mutex);
    bool changed = status->parts[part].state == PART_READY || status->parts[part].changed_at_ms == 0;
    bool other = strcmp(status->parts[part].logged, problem) != 0;
    bool report = changed || (other && now_ms - status->parts[part].logged_at_ms >= REPEAT_LOG_MS);
    status->parts[part].state = state;
    snprintf(status->parts[part].problem, sizeof status->parts[part].problem, "%s", problem);
    if (changed)
        status->parts[part].changed_at_ms = now_ms;
    if (report) {
        snprintf(status->parts[part].logged, sizeof status->parts[part].logged, "%s", problem);
        status->parts[part].logged_at_ms = now_ms;
    }
    pthread_mutex_unlock(&status->mutex);
    if (report)
        log_warn("cannot %s: %s; trying again, what waits for it is not acknowledged meanwhile", parts[part].verb,
                 problem);
}

void worker_note_room(struct worker_status *status, bool room)
{
    if (status->no_room == !room) /* only this thread writes it, and it is called all the time */
        return;
    pthread_mutex_lock(&status->mutex);
    status->no_room = !room;
    pthread_mutex_unlock(&status->mutex);
}

void worker_note_redis(struct worker_status *status, const struct redis_findings *findings)
{
    pthread_mutex_lock(&status->mutex);
    snprintf(status->redis.durability, ERROR_TEXT, "%s", findings->durability);
    snprintf(status->redis.eviction, ERROR_TEXT, "%s", findings->eviction);
    snprintf(status->redis.settings, ERROR_TEXT, "%s", findings->settings);
    snprintf(status->redis.emptied, ERROR_TEXT, "%s", findings->emptied);
    status->redis.damage = *findings->damage;
    pthread_mutex_unlock(&status->mutex);
    metric_set(&status->metrics[WORKER_REDIS_EMPTIED], (int64_t)findings->times_emptied);
    metric_set(&status->metrics[WORKER_REDIS_DAMAGED_KEYS], (int64_t)findings->damage->count);
}

static void append_sentence(struct buf *members, const char *name, const char *sentence)
{
    if (sentence[0] == '\0')
        return;
    buf_printf(members, "\"%s\":", name);
    buf_append_json_string(members, sentence, strlen(sentence));
    buf_append_text(members, ",");
}

static void append_damage(struct buf *members, const struct damage *damage)
{
    if (damage->count == 0)
        return;
    buf_append_text(members, "\"redis_damaged\":");
    for (size_t i = 0; i < damage->count; i++) {
        buf_append_text(members, i == 0 ? "[" : ",");
        buf_append_json_string(members, damage->keys[i].key, strlen(damage->keys[i].key));
    }
    buf_append_text(members, "],");
}

void worker_status_refresh(void *context)
{
    struct worker_status *status = context;
    metric_set(&status->metrics[WORKER_LOG_LINES_DROPPED], (int64_t)log_lines_dropped());
}

/* Whether the worker can go on as far as this part is concerned. */
static bool goes_on(const struct worker_status *status, enum worker_part part)
{
    return status->parts[part].state == PART_READY || (part == PART_REJECTED_QUEUE && !status->no_room);
}

bool worker_status_ready(void *context, struct buf *members)
{
    struct worker_status *status = context;
    static const char *const states[] = {[PART_READY] = "ready",
                                         [PART_AWAY] = "away",
                                         [PART_PAUSED] = "paused",
                                         [PART_NEWER_SCHEMA] = "newer_schema"};
    bool ready = true;
    pthread_mutex_lock(&status->mutex);
    for (int i = 0; i < WORKER_PARTS; i++) {
        char name[32];
        buf_printf(members, "\"%s\":\"%s\",", parts[i].name, states[status->parts[i].state]);
        ready = ready && goes_on(status, (enum worker_part)i);
        snprintf(name, sizeof name, "%s_problem", parts[i].name);
        append_sentence(members, name, status->parts[i].problem);
    }
    append_sentence(members, "redis_durability", status->redis.durability);
    append_sentence(members, "redis_eviction", status->redis.eviction);
    append_sentence(members, "redis_settings", status->redis.settings);
    append_sentence(members, "redis_emptied", status->redis.emptied);
    append_damage(members, &status->redis.damage);
    pthread_mutex_unlock(&status->mutex);
    buf_printf(members, "\"held\":%lld", (long long)metric_get(&status->metrics[WORKER_HELD]));
    return ready;
}
