/* Several workers with the same drops at the same time: whatever comes between reading and calling, all adds up. */
#include "workers/counting/plan.h"

#include "cases.h"
#include "plan_worker.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 3, DROPS = 3, COPIES = 12, STEPS = 60, ROUNDS = 300, TEXT = 4096, TAKEN_MAX = 5 };

static const char *const ids[DROPS] = {"a", "b", "c"};

/* A copy as it could come; of few different values, so that they meet. */
static struct given random_copy(uint64_t *random)
{
    static const uint8_t failures[] = {0, 0, 9, 23};
    static const char *const flags[] = {NULL, "", "d", "s", "ds"};
    static const char *const phones[] = {NULL, "+15552224444", "+15552225555", "+4915112345678"};
    static const char *const foreign_ids[] = {NULL, "8811", "8812"};
    struct given given = {
        .id = ids[copies_random(random) % DROPS],
        .at = 1 + copies_random(random) % 4,
        .received = 1 + copies_random(random) % 4,
        .receipt = copies_random(random) % 4 == 0,
        .failure = failures[copies_random(random) % COUNT(failures)],
        .flags = flags[copies_random(random) % COUNT(flags)],
        .phone = phones[copies_random(random) % COUNT(phones)],
        .foreign_id = foreign_ids[copies_random(random) % COUNT(foreign_ids)],
        .campaign = copies_random(random) % 4,
        .opts_out = copies_random(random) % 6 == 0,
    };

    given.rank = given.campaign > 0 ? 1 + copies_random(random) % 3 : 0;
    given.costs.given = copies_random(random) % 2 == 0;
    given.costs.value = (struct costs){copies_random(random) % 3, copies_random(random) % 3, copies_random(random) % 3};
    return given;
}

/* What the copies of one drop come to when they come one by one. */
static bool merged_alone(const struct given *copies, size_t count, const char *id, struct record *record)
{
    const struct merge_settings settings = {.keep_foreign_id = true, .names = copies_names()};
    bool exists = false;

    for (size_t i = 0; i < count; i++) {
        struct event event = copies_event(&copies[i]);

        if (strcmp(copies[i].id, id) == 0)
            (void)merge_copy(record, &exists, &event, copies[i].campaign, &settings);
    }
    return exists;
}

/* The record of the drop, in the newest generation that has it. */
static bool stored(struct worker *worker, const char *id, uint32_t generation, struct record *record)
{
    const struct given copy = {.id = id};
    struct bytes found = {0};

    worker_read(worker, &copy, 1, generation);
    for (uint32_t n = generation; n > 0 && found.len == 0; n--) {
        char bucket[CALL_KEY];

        worker_bucket(worker, n, bucket);
        found = server_drop(worker->server, bucket, plan_field(worker->plan, 0));
    }
    return found.len > 0 && record_read(found, record) == RECORD_OK;
}

static void check_drops(struct worker *worker, const struct given *copies, const char *name, uint32_t generation)
{
    struct buf alone, together;

    buf_init(&alone, TEXT);
    buf_init(&together, TEXT);
    for (size_t i = 0; i < DROPS; i++) {
        struct record record;
        bool exists = merged_alone(copies, COPIES, ids[i], &record);

        if (exists)
            copies_describe(&alone, &record, false);
        CHECK_CASE(name, stored(worker, ids[i], generation, &record) == exists);
        if (!exists)
            continue;
        copies_describe(&together, &record, false);
        if (strcmp(alone.data, together.data) != 0)
            fail_msg("%s, drop %s: %s, not %s", name, ids[i], together.data, alone.data);
    }
    buf_clear(&alone);
    buf_clear(&together);
}

/* A worker takes some copies, not always for the first time, or calls for those that it has; how many it took. */
static size_t step(struct worker *worker, const struct given *copies, uint32_t generation, uint64_t *random)
{
    struct given taken[TAKEN_MAX];
    size_t count = 1 + copies_random(random) % TAKEN_MAX;

    if (worker->count > 0) {
        assert_int_equal(worker_call(worker), PLAN_OK);
        if (plan_left(worker->plan) == 0)
            worker->count = 0;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        taken[i] = copies[copies_random(random) % COPIES];
    worker_read(worker, taken, count, generation);
    return count;
}

/* All that is under way ends; in reality it ends with an epoch that is another. */
static void finish_all(struct worker workers[WORKERS])
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (workers[i].count > 0)
            (void)worker_finish(&workers[i]);
        workers[i].count = 0;
    }
}

static size_t run_round(struct worker workers[WORKERS], const struct given *copies, uint64_t *random, const char *name)
{
    uint32_t generation = 1;
    size_t taken = COPIES;

    for (size_t i = 0; i < STEPS; i++) {
        if (i % (STEPS / 3) == STEPS / 3 - 1) {
            finish_all(workers);
            generation++;
        }
        taken += step(&workers[copies_random(random) % WORKERS], copies, generation, random);
    }
    finish_all(workers);
    worker_read(&workers[0], copies, COPIES, generation); /* each at least once */
    finish_all(workers);
    check_drops(&workers[1], copies, name, generation);
    return taken;
}

/* What became of all copies together. */
static int64_t told(const struct server *server)
{
    return server_count(server, "dc:totals", "messages") + server_count(server, "dc:totals", "duplicate") +
           server_count(server, "dc:totals", "revised");
}

static void any_number_of_workers_count_each_drop_once(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct server *server = server_new();
        struct worker workers[WORKERS];
        struct given copies[COPIES];
        size_t taken;
        char name[32];

        snprintf(name, sizeof name, "round %zu", i);
        for (size_t n = 0; n < WORKERS; n++)
            worker_init(&workers[n], server);
        for (size_t n = 0; n < COPIES; n++)
            copies[n] = random_copy(&random);
        taken = run_round(workers, copies, &random, name);
        worker_check_sums(server, name);
        CHECK_CASE(name, told(server) == (int64_t)taken);
        for (size_t n = 0; n < WORKERS; n++)
            worker_clear(&workers[n]);
        server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_count_each_drop_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
