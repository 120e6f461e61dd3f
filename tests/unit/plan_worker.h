/* A worker with a plan, at a server of call_server.h: for the tests of the plan. */
#ifndef DROPBRIDGE_TEST_PLAN_WORKER_H
#define DROPBRIDGE_TEST_PLAN_WORKER_H

#include "call_server.h"
#include "copies.h"
#include "workers/counting/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORKER_BATCH = 16,
    WORKER_UNTOLD = 99, /* the result of a copy of which nothing was told */
    WORKER_STUCK = 1000,
};

struct worker {
    struct plan *plan;
    struct server *server;
    struct event events[WORKER_BATCH];
    enum applied results[WORKER_BATCH];
    size_t count;
    uint32_t generation;
};

/* With lookups and the stream. */
void worker_init(struct worker *worker, struct server *server);
void worker_init_with(struct worker *worker, struct server *server, int64_t result_ttl_s, int64_t results_stream_max);
void worker_clear(struct worker *worker);

/* This generation and those before, down to 1. */
struct call_place worker_place(uint32_t generation);
/* Takes a batch, in that generation. */
void worker_take(struct worker *worker, const struct given *copies, size_t count, uint32_t generation);
/* One call, and its answer; what the call was is added to `text`, if it is not NULL. */
enum record_verdict worker_call_told(struct worker *worker, struct buf *text);
enum record_verdict worker_call(struct worker *worker);
/* Calls until all has applied; how many it took. */
size_t worker_finish(struct worker *worker);

/* The number of buckets of a generation. */
uint32_t worker_buckets(uint32_t generation);
/* The bucket of that generation in which the first group of the batch stands. */
void worker_bucket(const struct worker *worker, uint32_t generation, char key[KEY_TEXT]);

/* "counted duplicate": the results of the batch. */
void worker_results(const struct worker *worker, struct buf *out);

/* Whether the counts at the server are what the records there, and its lists, add up to; if not, fails the test. */
void worker_check_sums(const struct server *server, const char *name);

#endif
