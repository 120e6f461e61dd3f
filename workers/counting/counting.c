#include "counting.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/redis/schema.h"
#include "common/redis/arguments.h"
#include "common/drops/known.h"
#include "plan.h"

#include <stdlib.h>
#include <string.h>

extern const char apply_lua[];
extern const unsigned long apply_lua_length;

enum {
    ARGUMENTS_LIMIT = 64 * 1024 * 1024,
    SEEN_FOR_MS = 60000, /* a bucket that was deleted by hand comes back with an end soon after */
    TRIES = 8, /* that others may come in between before it is put off */
};

static const char doing[] = "counting a batch";

enum stage {
    STAGE_NONE,   /* no batch */
    STAGE_BEGIN,  /* nothing of the plan holds yet, or any more */
    STAGE_CALL,   /* the plan has groups that are to be sent */
    STAGE_CALLED, /* they are on their way */
    STAGE_DONE,
};

/* A batch that is under way. */
struct batch_call {
    struct plan *plan;
    enum stage stage;
    const struct event *const *events;
    size_t count;
    enum applied *results;
    int tries;
    char under[EPOCH_TEXT]; /* that it was planned under, on this connection; empty: nothing of it has applied there */
    bool failed; /* the last answer says so: `error` is to be told before anything else is done */
    struct error error;
};

struct counting {
    struct redis_primary *session; /* not owned */
    char sha[REDIS_SHA1_HEX + 1];  /* empty: the script is to be loaded */
    struct known known;
    struct damage damage; /* since the epoch began: an operator who mended it begins another */
    struct arguments arguments;
    struct batch_call batches[COUNTING_BATCHES];
    struct batch_call *owed[COUNTING_BATCHES]; /* whose calls will be answered, in that order */
    size_t owed_count;
};

struct counting *counting_new(const struct counting_settings *settings, struct redis_primary *session)
{
    struct counting *counting = calloc(1, sizeof *counting);
    struct plan_settings planning = {.call = {.prefix = settings->prefix,
                                              .result_ttl_s = settings->result_ttl_s,
                                              .results_stream_max = settings->results_stream_max},
                                     .limit = COUNTING_BATCH_MAX};
    bool made;

    if (!counting)
        return NULL;
    counting->session = session;
    arguments_init(&counting->arguments, ARGUMENTS_LIMIT);
    made = known_init(&counting->known, session, settings->prefix, settings->retention_s);
    for (size_t i = 0; made && i < COUNTING_BATCHES; i++) {
        planning.names = campaigns_names(counting->known.campaigns);
        counting->batches[i].plan = plan_new(&planning);
        made = counting->batches[i].plan != NULL;
    }
    if (made)
        return counting;
    counting_free(counting);
    return NULL;
}

void counting_free(struct counting *counting)
{
    if (!counting)
        return;
    for (size_t i = 0; i < COUNTING_BATCHES; i++)
        plan_free(counting->batches[i].plan);
    known_clear(&counting->known);
    arguments_clear(&counting->arguments);
    free(counting);
}

/* What plans were made of, or their calls, is gone. */
static void begin_all_anew(struct counting *counting)
{
    counting->owed_count = 0;
    for (size_t i = 0; i < COUNTING_BATCHES; i++)
        if (counting->batches[i].stage == STAGE_CALL || counting->batches[i].stage == STAGE_CALLED)
            counting->batches[i].stage = STAGE_BEGIN;
}

static void drop_connection(struct counting *counting)
{
    redis_primary_drop(counting->session);
    begin_all_anew(counting);
}

static bool connected(const struct counting *counting, struct error *error)
{
    return redis_primary_connected(counting->session) || redis_primary_broke(counting->session, doing, error);
}

static bool load_script(struct counting *counting, struct error *error)
{
    return redis_primary_load(counting->session, "loading the script", apply_lua, apply_lua_length, counting->sha,
                              error);
}

bool counting_prepare(struct counting *counting, struct error *error)
{
    begin_all_anew(counting);
    for (size_t i = 0; i < COUNTING_BATCHES; i++)
        counting->batches[i].under[0] = '\0';
    known_forget(&counting->known);
    return load_script(counting, error);
}

bool counting_check(struct counting *counting, struct error *error)
{
    return known_check(&counting->known, error);
}

const char *counting_emptied(const struct counting *counting, uint64_t *times)
{
    *times = counting->known.times_emptied;
    return counting->known.emptied;
}

uint64_t counting_new_campaigns(const struct counting *counting)
{
    return counting->known.new_campaigns;
}

const struct damage *counting_damage(const struct counting *counting)
{
    return &counting->damage;
}

/* --- Answers ------------------------------------------------------------------------------------------------------ */

/* A batch has been counted under the epoch. */
static void note_epoch(struct counting *counting)
{
    struct known *known = &counting->known;

    if (known->epoch[0] == '\0') /* the answer to another batch says that it is over */
        return;
    if (strcmp(known->wrote, known->epoch) != 0)
        counting->damage.count = 0;
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
    else if (named && len + strlen("optouts") <= strlen(named) && strcmp(named + strlen(named) - strlen("optouts"), "optouts") == 0)
        log_warn("%s: %s does not hold as many phones as were counted (opt_out): some that must not be called may have been deleted "
                 "there by hand. Add them again from a copy of the list; dropctl verify says how many",
                 redis_primary_name(counting->session), named);
    else if (named)
        log_warn("%s: counts were deleted or changed by hand in %s: sums are not what the drops add up to. Counting goes on. "
                 "Run dropctl verify --repair, which mends what other keys tell",
                 redis_primary_name(counting->session), named);
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

/* Drops that conflict are merged over what is there, and go in a call of their own. What else was in the call has applied,
   also beside a record that cannot be read. */
static enum stage take_text(struct counting *counting, struct batch_call *batch, struct bytes text)
{
    struct plan_told told = {0};

    batch->failed = !plan_answer(batch->plan, text, batch->results, &told);
    if (batch->failed) {
        redis_primary_unexpected(counting->session, doing, &batch->error);
        return STAGE_BEGIN;
    }
    note_epoch(counting);
    tell_damaged(counting, told.damaged);
    batch->failed = told.verdict != RECORD_OK;
    if (batch->failed)
        (void)redis_primary_judge_key(counting->session, doing, told.unreadable,
                                      told.verdict == RECORD_NEWER ? "ERR a record in it is one that only a newer worker knows"
                                                            : "ERR a record in it is none that a worker wrote",
                                      &batch->error);
    return plan_left(batch->plan) > 0 ? STAGE_CALL : STAGE_DONE;
}

static bool starts_with(const struct redis_answer *answer, const char *prefix)
{
    return answer->kind == REDIS_ANSWER_ERROR && strncmp(answer->text, prefix, strlen(prefix)) == 0;
}

static enum stage take_answer(struct counting *counting, struct batch_call *batch, const struct redis_answer *answer)
{
    if (starts_with(answer, "EPOCH") || starts_with(answer, "SCHEMA")) {
        counting->known.epoch[0] = '\0';
        return STAGE_BEGIN;
    }
    if (starts_with(answer, "NOSCRIPT")) { /* after SCRIPT FLUSH */
        counting->sha[0] = '\0';
        return STAGE_CALL;
    }
    batch->failed = !redis_primary_judge(counting->session, doing, answer, &batch->error);
    if (batch->failed)
        return STAGE_CALL;
    return take_text(counting, batch, bytes_of(answer->text, answer->kind == REDIS_ANSWER_TEXT ? answer->len : 0));
}

/* The oldest answer that is owed. False with *error if the connection broke, and then none is owed any more. */
static bool collect(struct counting *counting, struct error *error)
{
    struct batch_call *batch = counting->owed[0];
    struct redis_answer answer;

    if (!redis_connection_collect(redis_primary_connection(counting->session), doing, &answer, error)) {
        drop_connection(counting);
        return false;
    }
    memmove(counting->owed, counting->owed + 1, --counting->owed_count * sizeof(struct batch_call *));
    batch->stage = take_answer(counting, batch, &answer);
    if (!redis_primary_connected(counting->session)) /* it is the primary no longer */
        begin_all_anew(counting);
    return true;
}

/* Before anything is asked that waits for its answer. As collect. */
static bool quieten(struct counting *counting, struct error *error)
{
    while (counting->owed_count > 0)
        if (!collect(counting, error))
            return false;
    return connected(counting, error);
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

static bool learn_number(struct counting *counting, const char *campaign, struct error *error)
{
    return campaigns_number(counting->known.campaigns, campaign) != CAMPAIGN_NUMBER_UNKNOWN ||
           (quieten(counting, error) && known_learn_number(&counting->known, campaign, error));
}

static bool fill_plan(struct counting *counting, struct batch_call *batch, struct error *error)
{
    struct call_place place = {.schema = REDIS_SCHEMA,
                               .seen_under = counting->known.times_learned + (uint64_t)(clock_monotonic_ms() / SEEN_FOR_MS),
                               .generations = counting->known.generations};

    memcpy(place.epoch, counting->known.epoch, sizeof place.epoch);
    if (epoch_same_incarnation(batch->under, place.epoch))
        plan_begin_again(batch->plan, &place);
    else
        plan_begin(batch->plan, &place);
    memcpy(batch->under, place.epoch, sizeof batch->under);
    for (size_t i = 0; i < batch->count; i++) {
        const struct event *event = batch->events[i];

        if (!learn_number(counting, event->campaign, error))
            return false;
        plan_copy(batch->plan, event, (uint32_t)campaigns_number(counting->known.campaigns, event->campaign));
    }
    return true;
}

/* False with *error; or the stage stays as it is, if another epoch has begun meanwhile. */
static bool begin(struct counting *counting, struct batch_call *batch, struct error *error)
{
    struct known *known = &counting->known;
    /* An alias is learned with its campaign. */
    bool room = campaigns_room(known->campaigns, 2 * (1 + RECORD_CAMPAIGNS) * batch->count);

    if (++batch->tries > TRIES) {
        error_set(error, ERROR_UNAVAILABLE, "%s: %s: others came in between %d times",
                  redis_primary_name(counting->session), doing, TRIES);
        return false;
    }
    if (known->epoch[0] == '\0' || !room) {
        if (!quieten(counting, error))
            return false;
        begin_all_anew(counting); /* their campaigns have no names any more */
        if (!room)
            campaigns_forget(known->campaigns);
        if (!known_ready(known, error))
            return false;
    }
    if (fill_plan(counting, batch, error))
        batch->stage = STAGE_CALL;
    else if (known->epoch[0] != '\0')
        return false;
    return true;
}

/* The names that the records will be asked for. */
static bool learn_names(struct counting *counting, const struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan_groups(plan); i++) {
        const struct record *record = plan_record(plan, i);

        for (size_t n = 0; record && n < record->campaign_count; n++)
            if (!campaigns_name(counting->known.campaigns, record->campaigns[n]) &&
                (!quieten(counting, error) || !known_learn_name(&counting->known, record->campaigns[n], error)))
                return false;
    }
    return true;
}

static bool write_call(struct counting *counting, struct plan *plan, struct error *error)
{
    struct arguments *arguments = &counting->arguments;

    arguments_reset(arguments);
    arguments_add_text(arguments, "EVALSHA");
    arguments_add_text(arguments, counting->sha);
    arguments_add_text(arguments, "0");
    if (plan_write(plan, arguments))
        return true;
    error_set(error, ERROR_NO_MEMORY, "no memory for a batch");
    return false;
}

/* As begin. */
static bool call(struct counting *counting, struct batch_call *batch, struct error *error)
{
    const struct arguments *arguments = &counting->arguments;

    if (!learn_names(counting, batch->plan, error)) {
        batch->stage = STAGE_BEGIN;
        return counting->known.epoch[0] == '\0';
    }
    if ((counting->sha[0] == '\0' && (!quieten(counting, error) || !load_script(counting, error))) ||
        !write_call(counting, batch->plan, error))
        return false;
    if (!redis_connection_send(redis_primary_connection(counting->session), doing, arguments->count,
                               bytes_of(arguments->bytes.data, arguments->bytes.len), error)) {
        drop_connection(counting);
        return false;
    }
    batch->stage = STAGE_CALLED;
    counting->owed[counting->owed_count++] = batch;
    return true;
}

/* One step of the batch. False with *error, also if an answer that was taken meanwhile says that its call failed: that is
   told before it goes on. */
static bool go_on(struct counting *counting, struct batch_call *batch, struct error *error)
{
    bool done = connected(counting, error);

    if (done && !batch->failed) {
        if (batch->stage == STAGE_BEGIN)
            done = begin(counting, batch, error);
        else if (batch->stage == STAGE_CALL)
            done = call(counting, batch, error);
        else
            done = collect(counting, error);
    }
    if (!done)
        batch->stage = STAGE_BEGIN;
    if (done && batch->failed)
        *error = batch->error;
    done = done && !batch->failed;
    batch->failed = false;
    return done;
}

enum counting_progress counting_apply(struct counting *counting, size_t which, const struct event *const *events,
                                      size_t count, enum applied *results, struct error *error)
{
    struct batch_call *batch = &counting->batches[which];
    struct error ignored;

    if (batch->stage == STAGE_NONE)
        *batch = (struct batch_call){
            .plan = batch->plan, .stage = STAGE_BEGIN, .events = events, .count = count, .results = results};
    while (batch->stage != STAGE_DONE) {
        if (!go_on(counting, batch, error)) {
            batch->tries = 0;
            (void)quieten(counting, &ignored);
            return COUNTING_FAILED;
        }
        if (batch->stage == STAGE_CALLED && !redis_connection_answered(redis_primary_connection(counting->session)))
            return COUNTING_WAITS;
    }
    batch->stage = STAGE_NONE;
    return COUNTING_DONE;
}

bool counting_waits(const struct counting *counting, size_t which)
{
    return counting->batches[which].stage == STAGE_CALLED;
}

bool counting_owed(const struct counting *counting)
{
    return counting->owed_count > 0;
}

void counting_abandon(struct counting *counting, size_t which)
{
    if (counting_waits(counting, which))
        drop_connection(counting);
    counting->batches[which].stage = STAGE_NONE;
}
