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
    static const char *const events[] = {"x", "y", "z"};
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
        .blocked = copies_random(random) % 2 == 0,
    };

    if (copies_random(random) % 6 == 0) {
        given.drop = given.id;
        given.id = events[copies_random(random) % COUNT(events)];
        given.kind = EVENT_OPT_OUT;
        given.opts_out = true;
    }
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

        if (copies[i].drop && strcmp(copies[i].drop, id) == 0)
            (void)merge_opt_out(record, &exists, &event, copies[i].campaign);
        if (!copies[i].drop && strcmp(copies[i].id, id) == 0)
            (void)merge_copy(record, &exists, &event, copies[i].campaign, &settings);
    }
    return exists;
}

/* The record of the drop, in the newest generation that has it. */
static bool stored(struct worker *worker, const char *id, uint32_t generation, struct record *record)
{
    const struct given copy = {.id = id};
    struct bytes found = {0};

    worker_take(worker, &copy, 1, generation);
    for (uint32_t n = generation; n > 0 && found.len == 0; n--) {
        char bucket[KEY_TEXT];

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
        assert_int_equal(worker_call(worker), RECORD_OK);
        if (plan_left(worker->plan) == 0)
            worker->count = 0;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        taken[i] = copies[copies_random(random) % COPIES];
    worker_take(worker, taken, count, generation);
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
    worker_take(&workers[0], copies, COPIES, generation); /* each at least once */
    finish_all(workers);
    check_drops(&workers[1], copies, name, generation);
    return taken;
}

/* What became of all copies together; of an event it is remembered once that it came. */
static int64_t told(const struct server *server)
{
    int64_t events = 0;

    for (size_t i = 0; i < server->drop_count; i++)
        events += strstr(server->drops[i].bucket, ":e") != NULL;
    return events + server_count(server, "dc:totals", "messages") + server_count(server, "dc:totals", "duplicate") +
           server_count(server, "dc:totals", "revised");
}

/* --- The lists ----------------------------------------------------------------------------------------------------*/

enum { PHONES = 3, CAMPAIGNS = 4 };

static const char *const phones[PHONES] = {"+15552224444", "+15552225555", "+4915112345678"};

/* When each phone is listed; INT64_MAX: it is not. Number 0 of the campaigns is the list of all. */
struct lists {
    int64_t at[CAMPAIGNS][PHONES];
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_of(const struct given *copy, const char *drop)
{
    return strcmp(copy->drop ? copy->drop : copy->id, drop) == 0;
}

/* What the copies of one drop say of the lists: each phone of its results, in each campaign that any copy names. */
static void add_drop(struct lists *lists, const struct given *copies, const char *drop)
{
    bool has_phone[PHONES] = {false}, named[CAMPAIGNS] = {false};
    int64_t any_ms = INT64_MAX, told_ms = INT64_MAX;

    for (size_t i = 0; i < COPIES; i++) {
        const struct given *copy = &copies[i];

        if (!is_of(copy, drop))
            continue;
        named[copy->campaign] = true;
        for (size_t n = 0; n < PHONES; n++)
            has_phone[n] |= !copy->drop && copy->phone && strcmp(copy->phone, phones[n]) == 0;
        if (copy->opts_out)
            any_ms = earlier(any_ms, COPIES_BEGIN_MS + copy->at);
        if (copy->opts_out && !copy->blocked)
            told_ms = earlier(told_ms, COPIES_BEGIN_MS + copy->at);
    }
    for (size_t n = 0; n < PHONES; n++) {
        if (!has_phone[n])
            continue;
        lists->at[0][n] = earlier(lists->at[0][n], any_ms);
        for (size_t c = 1; c < CAMPAIGNS; c++)
            if (named[c])
                lists->at[c][n] = earlier(lists->at[c][n], told_ms);
    }
}

/* An event lists its own phone besides. */
static void add_event(struct lists *lists, const struct given *copy)
{
    int64_t time_ms = COPIES_BEGIN_MS + copy->at;

    for (size_t n = 0; copy->drop && copy->phone && n < PHONES; n++) {
        if (strcmp(copy->phone, phones[n]) != 0)
            continue;
        lists->at[0][n] = earlier(lists->at[0][n], time_ms);
        if (copy->campaign > 0 && !copy->blocked)
            lists->at[copy->campaign][n] = earlier(lists->at[copy->campaign][n], time_ms);
    }
}

static void check_lists(const struct server *server, const struct given *copies, const char *name)
{
    struct lists expected;
    size_t count = 0;

    for (size_t c = 0; c < CAMPAIGNS; c++)
        for (size_t n = 0; n < PHONES; n++)
            expected.at[c][n] = INT64_MAX;
    for (size_t i = 0; i < DROPS; i++)
        add_drop(&expected, copies, ids[i]);
    for (size_t i = 0; i < COPIES; i++)
        add_event(&expected, &copies[i]);
    for (uint32_t c = 0; c < CAMPAIGNS; c++) {
        char key[64];

        snprintf(key, sizeof key, "dc:campaign:%s:optouts", copies_names().name_of(NULL, c));
        for (size_t n = 0; n < PHONES; n++) {
            int64_t listed = server_listed(server, c == 0 ? "dc:optouts" : key, phones[n]);

            if (listed != expected.at[c][n])
                fail_msg("%s: %s of %s: %lld", name, phones[n], key, (long long)(listed - COPIES_BEGIN_MS));
            count += listed != INT64_MAX;
        }
    }
    CHECK_CASE(name, server->opt_out_count == count);
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
        check_lists(server, copies, name);
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
