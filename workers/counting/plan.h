/* A batch of copies, and what Redis holds of their drops → one call of apply.lua; its answer → what became of each copy.
   Pure. One thread owns a plan.

   plan_begin, then plan_copy for each copy: those of one identity make a group. For each group that Redis knows plan_found
   says what it holds. Then, until plan_left is 0: plan_write, the call, plan_answer, which brings what is there now of
   the groups that conflict. */
#ifndef DROPBRIDGE_PLAN_H
#define DROPBRIDGE_PLAN_H

#include "common/bytes.h"
#include "workers/event/event.h"
#include "apply_call.h"
#include "merge.h"
#include "common/drops/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_settings {
    struct call_settings call;
    struct campaign_names names;
    size_t limit; /* copies in a batch */
};

struct plan;

/* The settings' strings must outlive the plan. NULL when out of memory. */
struct plan *plan_new(const struct plan_settings *settings);
void plan_free(struct plan *plan);

/* Forgets the last batch. */
void plan_begin(struct plan *plan, const struct call_place *place);
/* Adds a copy that names the campaign of that number. It must stay where it is until the batch is over. */
void plan_copy(struct plan *plan, const struct event *copy, uint32_t campaign);

size_t plan_groups(const struct plan *plan);
/* The field that remembers the group, and the bucket of a generation in which it stands. */
struct bytes plan_field(struct plan *plan, size_t group);
void plan_bucket(const struct plan *plan, size_t group, uint32_t generation, uint32_t buckets, char key[KEY_TEXT]);

/* What Redis holds of a group; of several generations the newest that has it. `current` is whether that is the one that
   is written. */
enum record_verdict plan_found(struct plan *plan, size_t group, struct bytes record, bool current);
/* The record of a group, for the campaigns whose names will be asked for; NULL if it has none. */
const struct record *plan_record(const struct plan *plan, size_t group);

/* Groups that have not applied yet. */
size_t plan_left(const struct plan *plan);

/* Appends the arguments of a call for the groups that are left, or as many as have room. False when out of memory. */
bool plan_write(struct plan *plan, struct arguments *arguments);

enum plan_verdict {
    PLAN_OK,
    PLAN_UNEXPECTED, /* apply.lua cannot have said this */
    PLAN_NEWER,      /* a record that only a newer worker knows */
    PLAN_DAMAGED,    /* a record that no worker wrote */
};

/* Takes the answer. On PLAN_OK results[i] is set for each copy, in the order of plan_copy, whose group applied, and
   `damaged` has the keys in which a count was damaged by hand, a line each; it points into the answer. */
enum plan_verdict plan_answer(struct plan *plan, struct bytes answer, enum applied *results, struct bytes *damaged);

/* Does to a copy what plan_write would, and keeps nothing of it. */
void plan_rehearse(const struct event *copy);

#endif
