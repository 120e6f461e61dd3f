/* What a call of apply.lua adds to counters. A cell is one field of one hash. A class is what drops that count alike add 1
   to: its cells, and the cells of their three costs. A drop names classes, so that the script sums what really applied.
   Pure. */
#ifndef DROPBRIDGE_TALLY_H
#define DROPBRIDGE_TALLY_H

#include "common/redis/arguments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TALLY_PLAIN = 0,
    TALLY_NAMED = 1,       /* fields have names from outside: past the limit they go to (more) */
    TALLY_CLASS_CELLS = 16 /* of one class, the costs aside */
};

struct tally;

struct tally *tally_new(void); /* NULL when out of memory */
void tally_free(struct tally *tally);
void tally_reset(struct tally *tally);

/* The number of the hash with that name, from 1; the first call says how it is treated. ttl_s 0: it has none. 0 when out
   of memory, and then tally_write fails. */
unsigned tally_key(struct tally *tally, const char *key, unsigned how, int64_t ttl_s);
/* The number of the field, from 1; of a name that was asked for before, the same. */
unsigned tally_cell(struct tally *tally, unsigned key, const void *field, size_t len);
unsigned tally_field(struct tally *tally, unsigned key, const char *field);

/* What tells classes apart; bytes compare, so it must be zeroed before it is filled. */
struct tally_class {
    int64_t minute;
    uint32_t campaign;
    uint8_t kind, outcome, reason, flags;
};

/* The number of the class, from 1. `*made` is whether it is new: then its cells are to be added. */
unsigned tally_class(struct tally *tally, const struct tally_class *class, bool *made);
/* A class of its own. */
unsigned tally_class_alone(struct tally *tally);
void tally_class_add(struct tally *tally, unsigned class, unsigned cell);
/* Of three cells that follow one another, in the order of struct costs. */
void tally_class_costs(struct tally *tally, unsigned class, unsigned campaign_cell, unsigned totals_cell);
/* The cell that all three add to. */
void tally_class_cost(struct tally *tally, unsigned class, unsigned cell);

struct tally_counts {
    size_t keys, cells, classes;
};
struct tally_counts tally_counts(const struct tally *tally);

/* Adds the arguments, as apply.lua reads them: the keys with their fields, then the classes. False when out of memory. */
bool tally_write(const struct tally *tally, struct arguments *arguments);

#endif
