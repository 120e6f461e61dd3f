#include "worker_status.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

enum { REPEAT_LOG_MS = 10000 };

static const struct {
    const char *name;
    const char *labels;
    const char *help;
    enum metric_type type;
} described[WORKER_METRICS] = {
    [WORKER_CONSUMED] = {"dropworker_consumed_total", NULL, "Messages dealt with, those delivered again included.",
                         METRIC_COUNTER},
    [WORKER_COUNTED] = {"dropworker_counted_total", NULL, "Results counted for the first time.", METRIC_COUNTER},
    [WORKER_REVISED] = {"dropworker_revised_total", NULL, "Results that changed an outcome or a reason.",
                        METRIC_COUNTER},
    [WORKER_DUPLICATE] = {"dropworker_duplicate_total", NULL, "Copies that changed no outcome.", METRIC_COUNTER},
    [WORKER_OPT_OUT_EVENTS] = {"dropworker_opt_out_events_total", NULL, "Opt-out events.", METRIC_COUNTER},
    [WORKER_CAMPAIGN_EVENTS] = {"dropworker_campaign_events_total", NULL, "Campaign events.", METRIC_COUNTER},
    [WORKER_UNRECOGNIZED] = {"dropworker_unrecognized_total", NULL, "Events of other kinds.", METRIC_COUNTER},
    [WORKER_REJECTED_INVALID_JSON] = {"dropworker_rejected_total", "reason=\"invalid_json\"",
                                      "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_REJECTED_UNRECOGNIZED_SHAPE] = {"dropworker_rejected_total", "reason=\"unrecognized_shape\"",
                                            "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_REJECTED_UNUSABLE_STATUS] = {"dropworker_rejected_total", "reason=\"unusable_status\"",
                                         "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_REJECTED_OPTOUT_WITHOUT_PHONE] = {"dropworker_rejected_total", "reason=\"optout_without_phone\"",
                                              "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_REJECTED_CAMPAIGN_UNNAMED] = {"dropworker_rejected_total", "reason=\"campaign_unnamed\"",
                                          "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_REJECTED_CRASHED_WORKER] = {"dropworker_rejected_total", "reason=\"crashed_worker\"",
                                        "Messages sent to the rejected queue.", METRIC_COUNTER},
    [WORKER_SUSPECTS] = {"dropworker_suspects_total", NULL,
                         "Messages delivered a third time or more, and so read in a child process first.", METRIC_COUNTER},
    [WORKER_REDELIVERED] = {"dropworker_redelivered_total", NULL,
                            "Messages that the broker marked as delivered before.", METRIC_COUNTER},
    [WORKER_BATCHES] = {"dropworker_batches_total", NULL, "Batches acknowledged.", METRIC_COUNTER},
    [WORKER_REDIS_RETRIES] = {"dropworker_redis_retries_total", NULL, "Calls to Redis that failed and are made again.",
                              METRIC_COUNTER},
    [WORKER_REJECT_RETRIES] = {"dropworker_reject_retries_total", NULL,
                               "Attempts to reject messages that failed and are made again.", METRIC_COUNTER},
    [WORKER_RECONNECTS] = {"dropworker_reconnects_total", NULL, "Connections to RabbitMQ made again.", METRIC_COUNTER},
    [WORKER_RENEWALS] = {"dropworker_renewals_total", NULL, "Channels renewed because nothing had come for a while.",
                         METRIC_COUNTER},
    [WORKER_PAUSES] = {"dropworker_pauses_total", NULL,
                       "Times that all messages were given back to the queue: Redis was away for too long, or a newer version "
                       "wrote what is there.",
                       METRIC_COUNTER},
    [WORKER_REDIS_EMPTIED] = {"dropworker_redis_emptied_total", NULL,
                              "Times that what this worker had counted was gone from Redis.", METRIC_COUNTER},
    [WORKER_REDIS_DAMAGED_KEYS] = {"dropworker_redis_damaged_keys", NULL,
                                   "Keys in which counts were deleted or changed by hand, as /readyz names them.",
                                   METRIC_GAUGE},
    [WORKER_HELD] =
        {"dropworker_held", NULL,
         "Messages read from the queue and not yet acknowledged. What arrives during a call to Redis is read after it.",
         METRIC_GAUGE},
    [WORKER_HELD_BYTES] = {"dropworker_held_bytes", NULL,
                           "What these take. At 32 MiB no more is read: bodies wait for the rejected queue.",
                           METRIC_GAUGE},
    [WORKER_PARKED] = {"dropworker_parked", NULL, "Of these, messages that the rejected queue has not yet confirmed.",
                       METRIC_GAUGE},
    [WORKER_LOG_LINES_DROPPED] = {"dropworker_log_lines_dropped_total", NULL,
                                  "Lines of the log that standard error did not take at once.", METRIC_COUNTER},
};

static const char *const part_names[WORKER_PARTS] = {
    [PART_BROKER] = "broker", [PART_REDIS] = "redis", [PART_REJECTED_QUEUE] = "rejected_queue"};
/* What the worker cannot do while a part is away. */
static const char *const part_verbs[WORKER_PARTS] = {
    [PART_BROKER] = "consume", [PART_REDIS] = "count", [PART_REJECTED_QUEUE] = "reject"};

void worker_status_init(struct worker_status *status)
{
    memset(status, 0, sizeof *status);
    for (int i = 0; i < WORKER_METRICS; i++) {
        status->metrics[i].name = described[i].name;
        status->metrics[i].labels = described[i].labels;
        status->metrics[i].help = described[i].help;
        status->metrics[i].type = described[i].type;
    }
    pthread_mutex_init(&status->mutex, NULL);
    for (int i = 0; i < WORKER_PARTS; i++)
        snprintf(status->parts[i].problem, sizeof status->parts[i].problem, "not connected yet");
    status->parts[PART_REJECTED_QUEUE].good = true;
    status->parts[PART_REJECTED_QUEUE].problem[0] = '\0';
}

void worker_status_clear(struct worker_status *status)
{
    pthread_mutex_destroy(&status->mutex);
}

void worker_count_applied(struct worker_status *status, const enum applied *results, size_t count)
{
    static const enum worker_metric metrics[] = {
        [APPLIED_COUNTED] = WORKER_COUNTED,          [APPLIED_REVISED] = WORKER_REVISED,
        [APPLIED_DUPLICATE] = WORKER_DUPLICATE,      [APPLIED_OPT_OUT] = WORKER_OPT_OUT_EVENTS,
        [APPLIED_CAMPAIGN] = WORKER_CAMPAIGN_EVENTS, [APPLIED_UNRECOGNIZED] = WORKER_UNRECOGNIZED,
    };
    for (size_t i = 0; i < count; i++)
        worker_count(status, metrics[results[i]], 1);
    worker_count(status, WORKER_CONSUMED, count);
}

void worker_count_rejected(struct worker_status *status, const char *slug)
{
    char labels[64];
    snprintf(labels, sizeof labels, "reason=\"%s\"", slug);
    for (int i = WORKER_REJECTED_INVALID_JSON; i <= WORKER_REJECTED_CRASHED_WORKER; i++) {
        if (strcmp(described[i].labels, labels) == 0)
            worker_count(status, (enum worker_metric)i, 1);
    }
    worker_count(status, WORKER_CONSUMED, 1);
}

void worker_part_good(struct worker_status *status, enum worker_part part, int64_t now_ms)
{
    pthread_mutex_lock(&status->mutex);
    bool changed = !status->parts[part].good;
    int64_t since_ms = status->parts[part].changed_at_ms;
    status->parts[part].good = true;
    status->parts[part].problem[0] = '\0';
    if (changed)
        status->parts[part].changed_at_ms = now_ms;
    pthread_mutex_unlock(&status->mutex);
    if (changed && since_ms == 0)
        log_info("can %s", part_verbs[part]);
    else if (changed)
        log_info("can %s again after %lld ms", part_verbs[part], (long long)(now_ms - since_ms));
}

void worker_part_bad(struct worker_status *status, enum worker_part part, const char *problem, int64_t now_ms)
{
    pthread_mutex_lock(&status->mutex);
    bool changed = status->parts[part].good || status->parts[part].changed_at_ms == 0;
    bool other = strcmp(status->parts[part].logged, problem) != 0;
    bool report = changed || (other && now_ms - status->parts[part].logged_at_ms >= REPEAT_LOG_MS);
    status->parts[part].good = false;
    snprintf(status->parts[part].problem, sizeof status->parts[part].problem, "%s", problem);
    if (changed)
        status->parts[part].changed_at_ms = now_ms;
    if (report) {
        snprintf(status->parts[part].logged, sizeof status->parts[part].logged, "%s", problem);
        status->parts[part].logged_at_ms = now_ms;
    }
    pthread_mutex_unlock(&status->mutex);
    if (report)
        log_warn("cannot %s: %s; trying again, what waits for it is not acknowledged meanwhile", part_verbs[part],
                 problem);
}

void worker_redis_bad(struct worker_status *status, const struct error *problem, int64_t now_ms)
{
    pthread_mutex_lock(&status->mutex);
    status->redis_newer = problem->code == ERROR_NEWER;
    pthread_mutex_unlock(&status->mutex);
    worker_part_bad(status, PART_REDIS, problem->text, now_ms);
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

/* For people and for programs: one that is away comes back by itself, a newer one does not. */
static const char *state_of(const struct worker_status *status, enum worker_part part)
{
    if (status->parts[part].good)
        return "ready";
    return part == PART_REDIS && status->redis_newer ? "newer_schema" : "away";
}

void worker_status_refresh(void *context)
{
    struct worker_status *status = context;
    metric_set(&status->metrics[WORKER_LOG_LINES_DROPPED], (int64_t)log_lines_dropped());
}

/* Whether the worker can go on as far as this part is concerned. */
static bool goes_on(const struct worker_status *status, enum worker_part part)
{
    return status->parts[part].good || (part == PART_REJECTED_QUEUE && !status->no_room);
}

bool worker_status_ready(void *context, struct buf *members)
{
    struct worker_status *status = context;
    bool ready = true;
    pthread_mutex_lock(&status->mutex);
    for (int i = 0; i < WORKER_PARTS; i++) {
        char name[32];
        buf_printf(members, "\"%s\":\"%s\",", part_names[i], state_of(status, (enum worker_part)i));
        ready = ready && goes_on(status, (enum worker_part)i);
        snprintf(name, sizeof name, "%s_problem", part_names[i]);
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
