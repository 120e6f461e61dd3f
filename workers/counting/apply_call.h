/* The arguments of one call of apply.lua: the only place that knows its layout, and that of its answer. Pure. */
#ifndef DROPBRIDGE_APPLY_CALL_H
#define DROPBRIDGE_APPLY_CALL_H

#include "common/bytes.h"
#include "common/drops/generations.h"
#include "common/redis/arguments.h"
#include "common/drops/record.h"
#include "tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where drops are remembered, as long as the epoch is that one: in the newest generation, and in those before. */
struct call_place {
    int schema;
    char epoch[EPOCH_TEXT];
    uint64_t seen_under; /* what was seen of buckets under another number is void */
    struct generations generations; /* at least one */
};

struct call_settings {
    const char *prefix;
    int64_t result_ttl_s;       /* 0: no lookups */
    int64_t results_stream_max; /* 0: no stream */
};

struct apply_call;

/* The settings' strings must outlive it. NULL when out of memory. */
struct apply_call *apply_call_new(const struct call_settings *settings);
void apply_call_free(struct apply_call *call);

/* Forgets the last one. */
void apply_call_begin(struct apply_call *call);
/* What the classes of the call are made in. */
struct tally *apply_call_tally(struct apply_call *call);

/* A campaign's times, ISO 8601 texts; "" is none. `json` is the stream's entry if the state becomes another one. */
struct call_campaign {
    const char *name;
    const char *first, *last;
    const char *state, *state_at;
    const char *last_result;
    int64_t score_ms;
    struct bytes json;
};
void apply_call_campaign(struct apply_call *call, const struct call_campaign *campaign);

/* As apply.lua tells them: {prefix}optouts, {prefix}campaign:{name}:optouts, {prefix}optins. */
enum call_list { LIST_OF_ALL, LIST_OF_CAMPAIGN, LIST_OF_OPT_INS };
/* One phone on one list, if the drop under way applies, with the cells that rise by 1 if it is new there (0: none). The
   lists of campaigns (`campaign`; else NULL) first, then the one of all, whose entry is made if none of theirs was. */
void apply_call_list(struct apply_call *call, enum call_list list, const char *campaign, const char *phone,
                     int64_t time_ms, const unsigned cells[2], struct bytes json);

/* One drop: begin, any of what follows and of what stands above, end. */
void apply_call_drop(struct apply_call *call);
/* Counts it in the class, or takes it back. */
void apply_call_count(struct apply_call *call, unsigned class, bool take_back, const struct costs *costs);
void apply_call_entry(struct apply_call *call, const char *kind, struct bytes json);
/* The lookup of the foreign_id shows this. Behind the entries. */
void apply_call_show(struct apply_call *call, struct bytes foreign_id, struct bytes json);
/* It shows this drop no longer; `mark` is the part of it that tells the drop. Behind what the drop shows. */
void apply_call_unshow(struct apply_call *call, struct bytes foreign_id, struct bytes mark);

struct call_drop {
    bool fresh; /* the current generation's bucket may have no expiry yet: the script looks, and sets it */
    size_t bucket_count; /* at least 1 */
    char buckets[GENERATIONS_MAX][KEY_TEXT]; /* in the current generation, and in the older ones that it must not be in */
    struct bytes field;
    struct bytes expected; /* what the current generation holds in that field; empty: nothing */
    struct bytes written;  /* what it is to hold; empty: as it is */
};
void apply_call_drop_end(struct apply_call *call, const struct call_drop *drop);

/* Whether it has enough: what is left of the batch is for the next call. */
bool apply_call_full(const struct apply_call *call);

/* Appends all of it, from ARGV[1] on. False when out of memory. */
bool apply_call_write(struct apply_call *call, const struct call_place *place, struct arguments *arguments);

/* The answer, read from the front. */
struct call_answer {
    struct bytes rest;
    size_t conflicts; /* that are still to be read */
    size_t drops, last; /* of the call; the number of the last conflict that was read */
};

struct call_conflict {
    size_t drop;          /* in the order of apply_call_drop, from 0 */
    struct bytes present; /* what is there; empty: nothing */
    size_t generation;    /* the newest that holds it, counted from the newest of all, 0 */
};

/* Both: false if apply.lua cannot have said this, of a call with so many drops. */
bool call_answer_begin(struct bytes answer, size_t drops, struct call_answer *out);
/* Conflicts come in the order of the drops. */
bool call_answer_next(struct call_answer *answer, struct call_conflict *conflict);
/* After the last conflict: the keys in which a count was damaged by hand, a line each; empty: none. */
struct bytes call_answer_damaged(const struct call_answer *answer);

#endif
