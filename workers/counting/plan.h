/* A batch of copies → one call of apply.lua; its answer → what became of each copy. Pure. One thread owns a plan.

   plan_begin, then plan_copy for each copy: those of one identity make a group. Then, until plan_left is 0: plan_write, the
   call, plan_answer. Nothing is read beforehand: a group goes out as if Redis did not know it. One that it knows conflicts,
   and the answer brings what is there, over which the next plan_write merges its copies. */
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
/* For the same copies once more, in another place: those that have applied stay as they are. */
void plan_begin_again(struct plan *plan, const struct call_place *place);
/* Adds a copy that names the campaign of that number. It must stay where it is until the batch is over. */
void plan_copy(struct plan *plan, const struct event *copy, uint32_t campaign);

size_t plan_groups(const struct plan *plan);
/* The field that remembers the group, and the bucket in which it stands: in the newest generation (0), the one before
   (1), … */
struct bytes plan_field(const struct plan *plan, size_t group);
void plan_bucket(const struct plan *plan, size_t group, size_t generation, char key[KEY_TEXT]);
/* The record of a group, for the campaigns whose names and numbers will be asked for; NULL if none has come. */
const struct record *plan_record(const struct plan *plan, size_t group);

/* Groups that have not applied yet. */
size_t plan_left(const struct plan *plan);

/* Appends the arguments of a call for the groups that are left, or as many as have room. False when out of memory. */
bool plan_write(struct plan *plan, struct arguments *arguments);

struct plan_told {
    struct bytes damaged;        /* the keys in which a count was damaged by hand, a line each; points into the answer */
    enum record_verdict verdict; /* RECORD_OK, or that of the first record that cannot be read, */
    char unreadable[KEY_TEXT];   /* and its bucket */
};

/* Takes the answer. results[i] is set for each copy, in the order of plan_copy, that has applied; a group whose record
   cannot be read is left, as if it had never been sent. False if apply.lua cannot have said this: begin the plan again. */
bool plan_answer(struct plan *plan, struct bytes answer, enum applied *results, struct plan_told *told);

#endif
