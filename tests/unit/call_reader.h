/* A call of apply.lua, read as the head of that file says: for the tests of what writes calls. */
#ifndef DROPBRIDGE_TEST_CALL_READER_H
#define DROPBRIDGE_TEST_CALL_READER_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/redis/arguments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_hash {
    struct bytes key;
    bool named;
    int64_t ttl_s;
};

struct read_cell {
    size_t hash; /* all numbers are from 1 */
    struct bytes field;
};

struct read_class {
    size_t campaign_costs, totals_costs, cost;
    size_t count;
    const uint8_t *cells;
};

struct read_campaign {
    struct bytes key, name, first, last, state, state_at, last_result, score, json;
};

/* As apply.lua tells them. */
enum read_list { READ_LIST_OF_ALL, READ_LIST_OF_CAMPAIGN, READ_LIST_OF_OPT_INS };

struct read_opt_out {
    struct bytes key, phone, time, json;
    enum read_list list;
    size_t cells[2];
    size_t drop;
};

struct read_term {
    int class; /* below 0: taken back */
    int64_t costs[3];
};

struct read_drop {
    struct bytes bucket, field, expected, written, terms;
    bool fresh;    /* the bucket may not be there yet */
    size_t olders; /* buckets of older generations, from `older` on among the arguments */
    size_t older;
    size_t entries, shows, unshows;
    size_t rest; /* where these begin, among the arguments */
};

enum read_fixed {
    READ_EPOCH_KEY,
    READ_EPOCH,
    READ_SCHEMA_KEY,
    READ_SCHEMA,
    READ_CAMPAIGNS_KEY,
    READ_STREAM_KEY,
    READ_STREAM_MAX,
    READ_RESULT_TTL,
    READ_TAKES_UNTIL,
    READ_END,
    READ_SIZES_KEY,
    READ_GENERATION,
    READ_LIMIT,
    READ_COUNTS,
    READ_FIXED
};

struct read_call {
    struct bytes *arguments;
    size_t argument_count;
    struct bytes fixed[READ_FIXED];
    size_t hash_count, cell_count, class_count, campaign_count, opt_out_count, drop_count;
    struct read_hash *hashes;
    struct read_cell *cells;
    struct read_class *classes;
    struct read_campaign *campaigns;
    struct read_opt_out *opt_outs;
    struct read_drop *drops;
};

/* Fails the test if the arguments, from number `first` on, are no call. They must stay. */
void read_call(const struct arguments *arguments, size_t first, struct read_call *out);
void read_call_clear(struct read_call *call);

size_t read_class_cell(const struct read_class *class, size_t number);
size_t read_terms(const struct read_drop *drop);
struct read_term read_term(const struct read_drop *drop, size_t number);
struct bytes read_argument(const struct read_call *call, size_t number);

/* One part a line, in the order of the arguments. */
void read_call_text(const struct read_call *call, struct buf *out);

#endif
