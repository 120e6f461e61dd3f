#include "counting.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/redis/schema.h"
#include "arguments.h"
#include "common/drops/known.h"
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char apply_lua[];
extern const unsigned long apply_lua_length;

enum {
    ARGUMENTS_LIMIT = 64 * 1024 * 1024,
    TRIES = 8,           /* that others may come in between before it is put off */
};

static const char doing[] = "counting a batch";

/* What the answers that are owed are to. */
enum stage { STAGE_NONE, STAGE_READING, STAGE_CALLING };

struct counting {
    struct redis_primary *session; /* not owned */
    char sha[REDIS_SHA1_HEX + 1];
    struct known known;
    struct damage damage; /* since the epoch began: an operator who mended it begins another */
    struct plan *plan;
    struct arguments arguments;
    enum stage stage;
    const struct event *const *events; /* of the batch under way */
    size_t count;
    enum applied *results;
    int tries;
};

struct counting *counting_new(const struct counting_settings *settings, struct redis_primary *session)
{
    struct counting *counting = calloc(1, sizeof *counting);
    struct plan_settings planning = {.call = {.prefix = settings->prefix,
                                              .result_ttl_s = settings->result_ttl_s,
                                              .results_stream_max = settings->results_stream_max},
                                     .limit = COUNTING_BATCH_MAX};

    if (!counting)
        return NULL;
    counting->session = session;
    arguments_init(&counting->arguments, ARGUMENTS_LIMIT);
    if (known_init(&counting->known, session, settings->prefix, settings->retention_s)) {
        planning.names = campaigns_names(counting->known.campaigns);
        counting->plan = plan_new(&planning);
    }
    if (counting->plan)
        return counting;
    counting_free(counting);
    return NULL;
}

void counting_free(struct counting *counting)
{
    if (!counting)
        return;
    plan_free(counting->plan);
    known_clear(&counting->known);
    arguments_clear(&counting->arguments);
    free(counting);
}

static bool load_script(struct counting *counting, struct error *error)
{
    return redis_primary_load(counting->session, "loading the script", apply_lua, apply_lua_length, counting->sha,
                              error);
}

bool counting_prepare(struct counting *counting, struct error *error)
{
    known_forget(&counting->known);
    return load_script(counting, error);
}

bool counting_check(struct counting *counting, struct error *error)
{
    return known_check(&counting->known, error);
}

void counting_findings(const struct counting *counting, struct redis_findings *findings)
{
    findings->emptied = counting->known.emptied;
    findings->times_emptied = counting->known.times_emptied;
    findings->damage = &counting->damage;
}

/* The names that the records of the groups which are left will be asked for. */
static bool learn_names(struct counting *counting, struct error *error)
{
    for (size_t i = 0; i < plan_groups(counting->plan); i++) {
        const struct record *record = plan_record(counting->plan, i);

        for (size_t n = 0; record && n < record->campaign_count; n++)
            if (!known_learn_name(&counting->known, record->campaigns[n], error))
                return false;
    }
    return true;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

/* Redis's time first: the generation may have ended. */
static bool append_reads(struct counting *counting, struct error *error)
{
    struct redis_connection *connection = redis_primary_connection(counting->session);
    const char *time[] = {"TIME"};

    if (!redis_connection_append(connection, doing, 1, time, NULL, error))
        return false;
    for (size_t i = 0; i < plan_groups(counting->plan); i++) {
        struct bytes field = plan_field(counting->plan, i);

        for (size_t n = 0; n < counting->known.generations.count; n++) {
            const struct generation *generation = &counting->known.generations.list[n];
            char key[KEY_TEXT];
            const char *command[] = {"HGET", key, (const char *)field.data};
            size_t lens[] = {4, 0, field.len};

            plan_bucket(counting->plan, i, generation->number, generation->buckets, key);
            lens[1] = strlen(key);
            if (!redis_connection_append(connection, doing, 3, command, lens, error))
                return false;
        }
    }
    return true;
}

static bool unreadable(struct counting *counting, size_t group, const struct generation *generation, const char *why,
                       struct error *error)
{
    char key[KEY_TEXT], text[KEY_TEXT + ERROR_TEXT];
    struct redis_answer told;

    plan_bucket(counting->plan, group, generation->number, generation->buckets, key);
    snprintf(text, sizeof text, "KEY %s: %s", key, why);
    told = (struct redis_answer){.kind = REDIS_ANSWER_ERROR, .text = text, .len = strlen(text)};
    return redis_primary_judge(counting->session, doing, &told, error);
}

static const char *record_problem(enum record_verdict verdict)
{
    switch (verdict) {
    case RECORD_OK:
        return NULL;
    case RECORD_NEWER:
        return "ERR a record in it is one that only a newer worker knows";
    case RECORD_DAMAGED:
        break;
    }
    return "ERR a record in it is none that a worker wrote";
}

static bool collect(struct counting *counting, struct redis_answer *answer, struct error *error)
{
    struct redis_connection *connection = redis_primary_connection(counting->session);

    /* None: an answer before this one has ended it, and *error says why. */
    if (connection && redis_connection_collect(connection, doing, answer, error))
        return true;
    redis_primary_drop(counting->session);
    return false;
}

/* Collects the answers to one group, also behind one that cannot be used; `problem` names the first of these. */
static bool collect_group(struct counting *counting, size_t group, bool *good, struct error *error)
{
    bool found = false;

    for (size_t n = 0; n < counting->known.generations.count; n++) {
        struct redis_answer answer;
        const char *problem = NULL;

        if (!collect(counting, &answer, error))
            return false;
        if (answer.kind == REDIS_ANSWER_ERROR)
            problem = answer.text;
        else if (answer.kind == REDIS_ANSWER_TEXT && !found)
            problem = record_problem(plan_found(counting->plan, group, bytes_of(answer.text, answer.len), n == 0));
        found |= answer.kind == REDIS_ANSWER_TEXT;
        if (problem && *good)
            *good = unreadable(counting, group, &counting->known.generations.list[n], problem, error);
    }
    return true;
}

static bool collect_reads(struct counting *counting, int64_t *now_ms, struct error *error)
{
    struct redis_answer answer;
    bool good;

    if (!collect(counting, &answer, error))
        return false;
    good = redis_primary_judge(counting->session, doing, &answer, error) &&
           known_read_time(&counting->known, &answer, now_ms, error);
    for (size_t i = 0; i < plan_groups(counting->plan); i++)
        if (!collect_group(counting, i, &good, error))
            return false;
    return good;
}

/* --- Applying ----------------------------------------------------------------------------------------------------- */

static enum counting_progress wait_in(struct counting *counting, enum stage stage)
{
    counting->stage = stage;
    return COUNTING_WAITS;
}

static enum counting_progress fail(struct counting *counting)
{
    counting->stage = STAGE_NONE;
    return COUNTING_FAILED;
}

/* Hands over what was prepared; a connection that broke is dropped. */
static bool flush(struct counting *counting, bool prepared, struct error *error)
{
    if (prepared && redis_connection_flush(redis_primary_connection(counting->session), doing, error))
        return true;
    redis_primary_drop(counting->session);
    return false;
}

static bool fill_plan(struct counting *counting, struct error *error)
{
    const struct generation *current = &counting->known.generations.list[0];
    struct call_place place = {.schema = REDIS_SCHEMA,
                               .generation = current->number,
                               .buckets = current->buckets,
                               .end_ms = generation_end_ms(current)};

    memcpy(place.epoch, counting->known.epoch, sizeof place.epoch);
    plan_begin(counting->plan, &place);
    for (size_t i = 0; i < counting->count; i++) {
        const struct event *event = counting->events[i];

        if (campaigns_number(counting->known.campaigns, event->campaign) == CAMPAIGN_NUMBER_UNKNOWN &&
            !known_learn_number(&counting->known, event->campaign, error))
            return false;
        plan_copy(counting->plan, event, (uint32_t)campaigns_number(counting->known.campaigns, event->campaign));
    }
    return true;
}

/* From the beginning, also when what was known no longer holds. */
static enum counting_progress start(struct counting *counting, struct error *error)
{
    if (++counting->tries > TRIES) {
        error_set(error, ERROR_UNAVAILABLE, "%s: %s: others came in between %d times",
                  redis_primary_name(counting->session), doing, TRIES);
        return fail(counting);
    }
    if (!known_ready(&counting->known, error))
        return fail(counting);
    if (!fill_plan(counting, error))
        return counting->known.epoch[0] == '\0' ? start(counting, error) : fail(counting);
    if (!flush(counting, append_reads(counting, error), error))
        return fail(counting);
    return wait_in(counting, STAGE_READING);
}

static bool append_call(struct counting *counting, struct error *error)
{
    struct arguments *arguments = &counting->arguments;

    arguments_reset(arguments);
    arguments_add_text(arguments, "EVALSHA");
    arguments_add_text(arguments, counting->sha);
    arguments_add_text(arguments, "0");
    if (!plan_write(counting->plan, arguments) || !arguments_finish(arguments)) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a batch");
        return false;
    }
    return redis_connection_append(redis_primary_connection(counting->session), doing, (int)arguments->count,
                                   arguments->argv, arguments->argv_len, error);
}

static enum counting_progress call(struct counting *counting, struct error *error)
{
    if (!learn_names(counting, error) || !flush(counting, append_call(counting, error), error))
        return fail(counting);
    return wait_in(counting, STAGE_CALLING);
}

static enum counting_progress after_reading(struct counting *counting, struct error *error)
{
    int64_t now_ms = 0;

    if (!collect_reads(counting, &now_ms, error))
        return fail(counting);
    if (generations_current(&counting->known.generations, now_ms, counting->known.retention_ms))
        return call(counting, error);
    counting->known.epoch[0] = '\0';
    return start(counting, error);
}

/* A batch has been counted under the epoch. */
static void note_epoch(struct counting *counting)
{
    struct known *known = &counting->known;

    if (strcmp(known->wrote, known->epoch) != 0)
        damage_forget(&counting->damage);
    memcpy(known->wrote, known->epoch, sizeof known->wrote);
}

static void tell_damaged_key(struct counting *counting, struct bytes key)
{
    const char *prefix = counting->known.prefix;
    const char *named = damage_note(&counting->damage, prefix, key, clock_monotonic_ms());
    size_t len = strlen(prefix);

    if (named && strncmp(named, prefix, len) == 0 && strcmp(named + len, "results") == 0)
        log_warn("%s: %s takes no more entries, for its last id is the greatest there can be. Counting goes on. Move it away "
                 "(RENAME)",
                 redis_primary_name(counting->session), named);
    else if (named)
        log_warn("%s: counts were deleted or changed by hand in %s: its sums are not what the drops add up to. Counting goes "
                 "on. Compare %stotals with the sums over all %scampaign:{id}:counters, and the failures of each with the sum "
                 "of its reasons; restore what is wrong",
                 redis_primary_name(counting->session), named, prefix, prefix);
}

/* A line each. */
static void tell_damaged(struct counting *counting, struct bytes damaged)
{
    while (damaged.len > 0) {
        const uint8_t *end = memchr(damaged.data, '\n', damaged.len);
        size_t len = end ? (size_t)(end - damaged.data) : damaged.len;
        size_t used = end ? len + 1 : len;

        tell_damaged_key(counting, bytes_of(damaged.data, len));
        damaged = bytes_of(damaged.data + used, damaged.len - used);
    }
}

static bool take_answer(struct counting *counting, const struct redis_answer *answer, enum applied *results,
                        struct error *error)
{
    struct bytes damaged = {0};

    if (answer->kind != REDIS_ANSWER_TEXT)
        return redis_primary_unexpected(counting->session, doing, error);
    switch (plan_answer(counting->plan, bytes_of(answer->text, answer->len), results, &damaged)) {
    case PLAN_OK:
        note_epoch(counting);
        tell_damaged(counting, damaged);
        return true;
    case PLAN_UNEXPECTED:
        return redis_primary_unexpected(counting->session, doing, error);
    case PLAN_NEWER:
        return unreadable(counting, 0, &counting->known.generations.list[0], record_problem(RECORD_NEWER), error);
    case PLAN_DAMAGED:
        break;
    }
    return unreadable(counting, 0, &counting->known.generations.list[0], record_problem(RECORD_DAMAGED), error);
}

static bool starts_with(const struct redis_answer *answer, const char *prefix)
{
    return answer->kind == REDIS_ANSWER_ERROR && strncmp(answer->text, prefix, strlen(prefix)) == 0;
}

/* Drops that conflict are merged again over what is there now, and go in a call of their own. */
static enum counting_progress after_calling(struct counting *counting, struct error *error)
{
    struct redis_answer answer;

    if (!collect(counting, &answer, error))
        return fail(counting);
    if (starts_with(&answer, "EPOCH") || starts_with(&answer, "SCHEMA")) {
        counting->known.epoch[0] = '\0';
        return start(counting, error);
    }
    if (starts_with(&answer, "NOSCRIPT")) /* after SCRIPT FLUSH */
        return load_script(counting, error) ? start(counting, error) : fail(counting);
    if (!redis_primary_judge(counting->session, doing, &answer, error) ||
        !take_answer(counting, &answer, counting->results, error))
        return fail(counting);
    if (plan_left(counting->plan) > 0)
        return call(counting, error);
    counting->stage = STAGE_NONE;
    return COUNTING_DONE;
}

enum counting_progress counting_begin(struct counting *counting, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error)
{
    counting->events = events;
    counting->count = count;
    counting->results = results;
    counting->tries = 0;
    if (!campaigns_room(counting->known.campaigns, (1 + RECORD_CAMPAIGNS) * count))
        campaigns_forget(counting->known.campaigns);
    return start(counting, error);
}

enum counting_progress counting_continue(struct counting *counting, struct error *error)
{
    switch (counting->stage) {
    case STAGE_READING:
        return after_reading(counting, error);
    case STAGE_CALLING:
        return after_calling(counting, error);
    case STAGE_NONE:
        break;
    }
    return COUNTING_DONE;
}

void counting_abandon(struct counting *counting)
{
    counting->stage = STAGE_NONE;
}
