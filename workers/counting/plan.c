#include "plan.h"

#include "common/fnv1a.h"
#include "effects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t NOTE = SIZE_MAX;

enum {
    COPIES_A_MESSAGE = 2, /* an opt-out event that names a drop is a copy of that, too */
    FIELD_MAX = EVENT_ID_PACKED + 4,
    PRESENT_LIMIT = 16 * 1024 * 1024,
    SEEN_BYTES = 2 * GENERATION_BUCKETS_MAX / 8, /* of drops, and of other events */
};

struct copy {
    const struct event *event;
    uint32_t campaign;
    uint32_t next; /* of the group, from 1; 0: the last */
    size_t result; /* whose outcome this is; NOTE: nobody's, an opt-out event in the group of the drop that it names */
    enum applied applied;
};

struct group {
    uint32_t first, last; /* copies that have not applied, from 1 */
    uint32_t rest;        /* of these, the first that the call under way has no room for; 0: none */
    bool of_drop;         /* else of an event that is no result */
    const struct event_id *id;
    uint32_t hash;
    bool written; /* by the call under way */
    uint8_t field_len;
    uint8_t field[FIELD_MAX];
    bool conflicts;
    bool has_record; /* Redis knows it, in whatever generation */
    size_t present, present_len; /* what the newest generation holds of it, in plan->present */
    struct record record;
};

struct plan {
    struct plan_settings settings;
    struct call_place place;
    struct merge_settings merging;
    struct copy *copies;
    bool *applied; /* of the messages */
    struct group *groups;
    uint32_t *slots;    /* of a hash table: groups, from 1 */
    uint32_t *in_call;  /* the groups of the call under way, in its order */
    size_t slot_count, message_count, copy_count, group_count, left, call_count;
    struct touch *touches;
    uint8_t *seen; /* buckets of the newest generation that are in Redis with their end, a bit each */
    uint64_t seen_under;
    struct buf present;
    struct apply_call *call;
    struct effects effects;
    bool failed; /* out of memory: nothing is written of this batch */
};

struct plan *plan_new(const struct plan_settings *settings)
{
    struct plan *plan = calloc(1, sizeof *plan);
    const size_t limit = COPIES_A_MESSAGE * settings->limit;

    if (!plan)
        return NULL;
    plan->settings = *settings;
    plan->merging = (struct merge_settings){
        .names = settings->names,
        .keep_foreign_id = settings->call.result_ttl_s > 0 || settings->call.results_stream_max > 0};
    buf_init(&plan->present, PRESENT_LIMIT);
    plan->slot_count = 1;
    while (plan->slot_count < 2 * limit)
        plan->slot_count *= 2;
    plan->copies = calloc(limit, sizeof *plan->copies);
    plan->applied = calloc(settings->limit, sizeof *plan->applied);
    plan->groups = calloc(limit, sizeof *plan->groups);
    plan->in_call = calloc(limit, sizeof *plan->in_call);
    plan->slots = calloc(plan->slot_count, sizeof *plan->slots);
    plan->touches = calloc(limit, sizeof *plan->touches);
    plan->seen = calloc(1, SEEN_BYTES);
    plan->call = apply_call_new(&settings->call);
    if (!plan->copies || !plan->applied || !plan->groups || !plan->in_call || !plan->slots || !plan->touches ||
        !plan->seen || !plan->call) {
        plan_free(plan);
        return NULL;
    }
    effects_init(&plan->effects, plan->call, &settings->call, &settings->names);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->copies);
    free(plan->applied);
    free(plan->groups);
    free(plan->in_call);
    free(plan->slots);
    free(plan->touches);
    free(plan->seen);
    apply_call_free(plan->call);
    effects_clear(&plan->effects);
    buf_clear(&plan->present);
    free(plan);
}

void plan_begin(struct plan *plan, const struct call_place *place)
{
    memset(plan->applied, 0, plan->settings.limit * sizeof *plan->applied);
    plan_begin_again(plan, place);
}

void plan_begin_again(struct plan *plan, const struct call_place *place)
{
    plan->place = *place;
    plan->message_count = plan->copy_count = plan->group_count = plan->left = plan->call_count = 0;
    memset(plan->slots, 0, plan->slot_count * sizeof *plan->slots);
    buf_reset(&plan->present);
    plan->failed = false;
    plan->effects.generation = place->generations.list[0].number;
    if (plan->seen_under != place->seen_under)
        memset(plan->seen, 0, SEEN_BYTES);
    plan->seen_under = place->seen_under;
}

/* --- Groups ----------------------------------------------------------------------------------------------------- */

/* Events of different kinds are different events, even with one id. */
static uint8_t field_of(const struct group *group, enum event_kind kind, uint8_t field[FIELD_MAX])
{
    size_t len = 0;

    if (!group->of_drop)
        field[len++] = (uint8_t)('0' + kind);
    memcpy(field + len, group->id->packed, group->id->packed_len);
    return (uint8_t)(len + group->id->packed_len);
}

static bool same_field(const struct group *group, const struct group *other)
{
    return group->hash == other->hash && group->field_len == other->field_len &&
           memcmp(group->field, other->field, group->field_len) == 0 && group->of_drop == other->of_drop;
}

static void place_copy(struct plan *plan, const struct copy *copy, const struct event_id *id, bool of_drop)
{
    struct group *made = &plan->groups[plan->group_count];
    uint32_t number = (uint32_t)++plan->copy_count;
    size_t slot;

    plan->copies[number - 1] = *copy;
    *made = (struct group){.first = number, .last = number, .of_drop = of_drop, .id = id};
    made->field_len = field_of(made, copy->event->kind, made->field);
    made->hash = fnv1a(made->field, made->field_len, FNV1A_BEGIN); /* also chooses the bucket */
    for (slot = made->hash & (plan->slot_count - 1); plan->slots[slot] != 0;
         slot = (slot + 1) & (plan->slot_count - 1)) {
        struct group *known = &plan->groups[plan->slots[slot] - 1];

        if (!same_field(known, made))
            continue;
        plan->copies[known->last - 1].next = number;
        known->last = number;
        return;
    }
    plan->slots[slot] = (uint32_t)++plan->group_count;
    plan->left++;
}

void plan_copy(struct plan *plan, const struct event *copy, uint32_t campaign)
{
    struct copy placed = {.event = copy, .campaign = campaign, .result = plan->message_count++};

    if (!plan->applied[placed.result])
        place_copy(plan, &placed, &copy->id, copy->kind == EVENT_RESULT);
    placed.result = NOTE; /* changes nothing when it is told again */
    if (copy->kind == EVENT_OPT_OUT && copy->drop.packed_len > 0)
        place_copy(plan, &placed, &copy->drop, true);
}

size_t plan_groups(const struct plan *plan)
{
    return plan->group_count;
}

struct bytes plan_field(const struct plan *plan, size_t group)
{
    return bytes_of(plan->groups[group].field, plan->groups[group].field_len);
}

void plan_bucket(const struct plan *plan, size_t group, size_t generation, char key[KEY_TEXT])
{
    const struct generation *in = &plan->place.generations.list[generation];
    const struct group *of = &plan->groups[group];

    snprintf(key, KEY_TEXT, "%sdrops:%" PRIu32 ":%s%" PRIu32, plan->settings.call.prefix, in->number,
             of->of_drop ? "" : "e", of->hash % in->buckets);
}

static size_t seen_bit(const struct plan *plan, const struct group *group)
{
    return 2 * (group->hash % plan->place.generations.list[0].buckets) + group->of_drop;
}

const struct record *plan_record(const struct plan *plan, size_t group)
{
    const struct group *of = &plan->groups[group];

    return of->has_record && of->of_drop ? &of->record : NULL;
}

size_t plan_left(const struct plan *plan)
{
    return plan->left;
}

/* --- Writing a call --------------------------------------------------------------------------------------------- */

static void merge_one(struct plan *plan, struct copy *copy, struct record *record, bool *exists)
{
    struct merged merged;

    if (copy->result == NOTE) {
        if (merge_opt_out(record, exists, copy->event, copy->campaign))
            effects_of_opt_out(&plan->effects, copy->event, copy->campaign, record, copy->event->drop.text);
        return;
    }
    merged = merge_copy(record, exists, copy->event, copy->campaign, &plan->merging);
    copy->applied = merged.applied;
    effects_of_result(&plan->effects, copy->event, copy->campaign, record, &merged);
}

/* The next copy of the group that goes into the call. One is always taken; when the call is full, the rest is for another. */
static struct copy *next_copy(struct plan *plan, struct group *group)
{
    struct copy *copy;

    if (group->rest == 0 || (group->rest != group->first && apply_call_full(plan->call)))
        return NULL;
    copy = &plan->copies[group->rest - 1];
    group->rest = copy->next;
    return copy;
}

/* Returns the length of what is to be written; 0: nothing. What an alias did to a record's campaigns is no change of it. */
static size_t merge_result(struct plan *plan, struct group *group, uint8_t written[RECORD_MAX])
{
    struct record *before = group->has_record ? &group->record : NULL;
    struct record record = {0};
    bool exists = before != NULL, counted_before;
    uint8_t as_before[RECORD_MAX];
    size_t len;

    if (before) {
        before->campaign_count =
            campaign_names_resolve(&plan->settings.names, before->campaigns, before->campaign_count);
        record = *before;
    }
    counted_before = exists && !record.uncounted;
    for (struct copy *copy = next_copy(plan, group); copy; copy = next_copy(plan, group))
        merge_one(plan, copy, &record, &exists);
    len = record_write(&record, written);
    if (before && record_write(before, as_before) == len && memcmp(as_before, written, len) == 0)
        return 0; /* as it is, in whatever generation */
    effects_of_record(&plan->effects, group->id->text, before, &record,
                      plan->effects.new_here && (counted_before || record.uncounted));
    return len;
}

/* Of an event that is no result only that it came is remembered. */
static size_t note_event(struct plan *plan, struct group *group, uint8_t written[RECORD_MAX])
{
    bool known = group->has_record;

    for (struct copy *copy = next_copy(plan, group); copy; copy = next_copy(plan, group)) {
        copy->applied = effects_of_event(&plan->effects, copy->event, copy->campaign, known);
        known = true;
    }
    written[0] = RECORD_VERSION;
    return group->has_record ? 0 : 1;
}

static void write_group(struct plan *plan, size_t number)
{
    struct group *group = &plan->groups[number];
    uint8_t written[RECORD_MAX];
    struct call_drop drop;

    plan->in_call[plan->call_count++] = (uint32_t)number;
    drop.bucket_count = group->has_record ? 1 : plan->place.generations.count;
    for (size_t i = 0; i < drop.bucket_count; i++)
        plan_bucket(plan, number, i, drop.buckets[i]);
    drop.field = plan_field(plan, number);
    drop.expected = bytes_of(NULL, 0);
    plan->effects.new_here = group->present_len == 0;
    if (group->present_len > 0)
        drop.expected = bytes_of(plan->present.data + group->present, group->present_len);
    group->rest = group->first;
    apply_call_drop(plan->call);
    drop.written.data = written;
    drop.written.len = group->of_drop ? merge_result(plan, group, written) : note_event(plan, group, written);
    group->written = drop.written.len > 0;
    drop.fresh = (plan->seen[seen_bit(plan, group) / 8] >> seen_bit(plan, group) % 8 & 1) == 0;
    apply_call_drop_end(plan->call, &drop);
}

/* Campaign events one by one, in their order; of the other copies what they give together. */
static void touch_campaigns(struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->copy_count; i++) {
        const struct event *event = plan->copies[i].event;
        struct touch one = {.campaign = plan->copies[i].campaign,
                            .first_ms = event->time_ms,
                            .last_ms = event->time_ms,
                            .result_ms = event->kind == EVENT_RESULT ? event->time_ms : 0};
        size_t at = 0;

        if (plan->copies[i].result == NOTE)
            continue;
        if (event->kind == EVENT_CAMPAIGN) {
            effects_of_touch(&plan->effects, &one, event);
            continue;
        }
        while (at < count && plan->touches[at].campaign != one.campaign)
            at++;
        if (at == count) {
            plan->touches[count++] = one;
            continue;
        }
        if (one.first_ms < plan->touches[at].first_ms)
            plan->touches[at].first_ms = one.first_ms;
        if (one.last_ms > plan->touches[at].last_ms)
            plan->touches[at].last_ms = one.last_ms;
        if (one.result_ms > plan->touches[at].result_ms)
            plan->touches[at].result_ms = one.result_ms;
    }
    for (size_t i = 0; i < count; i++)
        effects_of_touch(&plan->effects, &plan->touches[i], NULL);
}

bool plan_write(struct plan *plan, struct arguments *arguments)
{
    apply_call_begin(plan->call);
    plan->call_count = 0;
    touch_campaigns(plan);
    for (size_t i = 0; i < plan->group_count && !apply_call_full(plan->call); i++)
        if (plan->groups[i].first != 0)
            write_group(plan, i);
    return !plan->failed && apply_call_write(plan->call, &plan->place, arguments);
}

/* --- The answer ------------------------------------------------------------------------------------------------- */

static void forget_record(struct group *group)
{
    group->has_record = false;
    group->present_len = 0;
}

static enum record_verdict take_conflict(struct plan *plan, const struct call_conflict *conflict)
{
    struct group *group = &plan->groups[plan->in_call[conflict->drop]];
    enum record_verdict verdict = RECORD_OK;

    group->conflicts = true;
    forget_record(group);
    if (conflict->present.len == 0)
        return RECORD_OK;
    if (group->of_drop)
        verdict = record_read(conflict->present, &group->record);
    if (verdict != RECORD_OK)
        return verdict;
    group->has_record = true;
    if (conflict->generation > 0)
        return RECORD_OK;
    group->present = plan->present.len;
    group->present_len = conflict->present.len;
    plan->failed |= !buf_append(&plan->present, conflict->present.data, conflict->present.len);
    return RECORD_OK;
}

static void settle(struct plan *plan, struct group *group, enum applied *results)
{
    if (group->conflicts) {
        group->conflicts = false;
        return;
    }
    for (uint32_t at = group->first; at != group->rest; at = plan->copies[at - 1].next)
        if (plan->copies[at - 1].result != NOTE) {
            results[plan->copies[at - 1].result] = plan->copies[at - 1].applied;
            plan->applied[plan->copies[at - 1].result] = true;
        }
    if (group->written)
        plan->seen[seen_bit(plan, group) / 8] |= (uint8_t)(1U << seen_bit(plan, group) % 8);
    group->first = group->rest;
    forget_record(group);
    plan->left -= group->first == 0;
}

bool plan_answer(struct plan *plan, struct bytes text, enum applied *results, struct plan_told *told)
{
    struct call_answer answer;

    told->verdict = RECORD_OK;
    if (!call_answer_begin(text, plan->call_count, &answer))
        return false;
    while (answer.conflicts > 0) {
        struct call_conflict conflict;
        enum record_verdict read;

        if (!call_answer_next(&answer, &conflict) || conflict.generation >= plan->place.generations.count)
            return false;
        read = take_conflict(plan, &conflict);
        if (read != RECORD_OK && told->verdict == RECORD_OK) {
            told->verdict = read;
            plan_bucket(plan, plan->in_call[conflict.drop], conflict.generation, told->unreadable);
        }
    }
    for (size_t i = 0; i < plan->call_count; i++)
        settle(plan, &plan->groups[plan->in_call[i]], results);
    told->damaged = call_answer_damaged(&answer);
    return true;
}
