/* A batch of copies over what Redis holds becomes one call; what conflicts is merged again over what is there then. */
#include "workers/counting/plan.h"

#include "call_reader.h"
#include "cases.h"
#include "plan_worker.h"

#include <stdio.h>
#include <string.h>

enum { TEXT = 64 * 1024, OLDER = 1, CURRENT = 2, PARTS = 8 };

#define COSTS(...) .costs = {true, {__VA_ARGS__}}
#define OPT_OUT .kind = EVENT_OPT_OUT, .opts_out = true, .phone = "+15552224444"
#define NOTE .kind = EVENT_OPT_OUT, .opts_out = true, .id = "e", .drop = "a"
#define OPT_IN .kind = EVENT_OPT_IN, .name = "contact.opted_in", .phone = "+2"
#define OTHER .kind = EVENT_OTHER, .name = "contact.tag.added"

/* `batch` is read after `earlier` was applied by another worker, and called for after `between` was. */
static const struct {
    const char *name;
    struct given earlier[PARTS]; /* each as far as times are given */
    uint32_t earlier_in; /* 0: the current generation */
    struct given batch[PARTS], between[PARTS];
    size_t calls;
    const char *results, *totals, *stream;
    size_t drops_here; /* how many the current generation holds then */
} rows[] = {
    {"a batch of nothing", .calls = 0, .results = "", .totals = "", .stream = ""},
    {"copies of different drops",
     .batch = {{.id = "a", .at = 10}, {.id = "b", .at = 10, .failure = 9}}, .calls = 1, .results = "counted counted",
     .totals = "failure 1 messages 2 success 1", .stream = "result result ", .drops_here = 2},
    {"copies of one drop",
     .batch = {{.at = 10}, {.at = 10}}, .calls = 1, .results = "counted duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = "result ", .drops_here = 1},
    {"a revision in a batch",
     .batch = {{.at = 10}, {.at = 11, .failure = 9}}, .calls = 1, .results = "counted revised",
     .totals = "failure 1 messages 1 revised 1", .stream = "result revised ", .drops_here = 1},
    {"a revision, and back",
     .batch = {{.at = 10}, {.at = 11, .failure = 9}, {.at = 12}}, .calls = 1, .results = "counted revised revised",
     .totals = "messages 1 revised 2 success 1", .stream = "result revised revised ", .drops_here = 1},
    {"copies of one drop among others",
     .batch = {{.id = "a", .at = 10}, {.id = "b", .at = 10}, {.id = "a", .at = 10}, {.id = "c", .at = 10},
               {.id = "b", .at = 9}},
     .calls = 1, .results = "counted counted duplicate counted duplicate",
     .totals = "duplicate 2 messages 3 success 3", .stream = "result result result ", .drops_here = 3},
    {"one id of every kind",
     .batch = {{.at = 10}, {OPT_OUT, .at = 10}, {.kind = EVENT_CAMPAIGN, .at = 10, .campaign = COPIES_SPRING},
               {OTHER, .at = 10}},
     .calls = 1, .results = "counted opt_out campaign unrecognized",
     .totals = "messages 1 opt_out 1 success 1 unrecognized 1", .stream = "opt_out result ", .drops_here = 4},
    {"an event twice",
     .batch = {{OPT_OUT, .at = 10}, {OPT_OUT, .at = 9}}, .calls = 1, .results = "opt_out duplicate",
     .totals = "duplicate 1 opt_out 1", .stream = "opt_out ", .drops_here = 1},
    {"an id that looks like that of another kind",
     .batch = {{.id = "=1td", .at = 10}, {OPT_OUT, .at = 10}}, .calls = 1, .results = "counted opt_out",
     .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out result ", .drops_here = 2},
    {"a drop that is known",
     .earlier = {{.at = 10}}, .batch = {{.at = 10}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = "", .drops_here = 1},
    {"a revision of a drop that is known",
     .earlier = {{.at = 10, COSTS(5, 0, 0)}}, .batch = {{.at = 11, .failure = 9, COSTS(2, 1, 0)}}, .calls = 2,
     .results = "revised", .totals = "compliance_fee_micros 1 failure 1 messages 1 product_cost_micros 2 revised 1",
     .stream = "revised ", .drops_here = 1},
    {"costs and campaign that come later",
     .earlier = {{.at = 10}}, .batch = {{.at = 9, COSTS(5, 0, 0), .campaign = COPIES_SPRING}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1 messages 1 product_cost_micros 5 success 1", .stream = "filled ",
     .drops_here = 1},
    {"an event that is known",
     .earlier = {{OPT_OUT, .at = 10}}, .batch = {{OPT_OUT, .at = 10}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 opt_out 1", .stream = "", .drops_here = 1},
    {"a drop of an older generation that does not change stays there",
     .earlier = {{.at = 10}}, .earlier_in = OLDER, .batch = {{.at = 10}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = ""},
    {"a drop of an older generation that changes moves",
     .earlier = {{.at = 10}}, .earlier_in = OLDER, .batch = {{.at = 11, .failure = 9}}, .calls = 2,
     .results = "revised", .totals = "failure 1 messages 1 revised 1", .stream = "revised ", .drops_here = 1},
    {"an event of an older generation stays there",
     .earlier = {{OTHER, .at = 10}}, .earlier_in = OLDER, .batch = {{OTHER, .at = 10}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1 unrecognized 1", .stream = ""},
    {"a drop of a campaign that became an alias does not change by that",
     .earlier = {{.at = 10, .campaign = COPIES_ALIAS}}, .earlier_in = OLDER,
     .batch = {{.at = 10, .campaign = COPIES_SPRING}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = ""},
    {"a drop of both names has one campaign once they are one",
     .earlier = {{.at = 10, .campaign = COPIES_ALIAS}, {.at = 10, .received = 1, .campaign = COPIES_SPRING}},
     .earlier_in = OLDER, .batch = {{.at = 11, .failure = 9, .campaign = COPIES_SPRING}}, .calls = 2,
     .results = "revised", .totals = "duplicate 1 failure 1 messages 1 revised 1", .stream = "revised ", .drops_here = 1},
    {"an opt-out before its drop, of a campaign that became an alias",
     .earlier = {{NOTE, .at = 10, .campaign = COPIES_ALIAS}},
     .batch = {{.id = "a", .at = 20, .phone = "+2", .campaign = COPIES_SPRING}}, .calls = 2, .results = "counted",
     .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out result ", .drops_here = 2},
    {"another was faster, of a campaign that became an alias",
     .batch = {{.at = 10, .campaign = COPIES_SPRING}}, .between = {{.at = 10, .campaign = COPIES_ALIAS}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1 messages 1 success 1", .stream = "result ", .drops_here = 1},
    {"another was faster",
     .batch = {{.at = 10}}, .between = {{.at = 10}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = "result ", .drops_here = 1},
    {"another was faster, and revised it",
     .earlier = {{.at = 10}}, .batch = {{.at = 12}}, .between = {{.at = 11, .failure = 9}}, .calls = 2,
     .results = "revised", .totals = "messages 1 revised 2 success 1", .stream = "revised revised ", .drops_here = 1},
    {"another was faster, and has the winner",
     .batch = {{.at = 10}}, .between = {{.at = 11, .failure = 9}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 failure 1 messages 1", .stream = "result ", .drops_here = 1},
    {"another was faster, and the copy fills in",
     .batch = {{.at = 10, .phone = "+2"}}, .between = {{.at = 11}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 success 1", .stream = "result filled ", .drops_here = 1},
    {"another moved it in between",
     .earlier = {{.at = 10}}, .earlier_in = OLDER, .batch = {{.at = 10, .phone = "+2"}},
     .between = {{.at = 11, .failure = 9}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 failure 1 messages 1 revised 1", .stream = "revised filled ", .drops_here = 1},
    {"another came first with one of three",
     .batch = {{.id = "a", .at = 10}, {.id = "b", .at = 10}, {.id = "c", .at = 10}},
     .between = {{.id = "b", .at = 9}}, .calls = 2, .results = "counted duplicate counted",
     .totals = "duplicate 1 messages 3 success 3", .stream = "result result result ", .drops_here = 3},
    {"another came first with all",
     .batch = {{.id = "a", .at = 10}, {.id = "b", .at = 10}}, .between = {{.id = "b", .at = 9}, {.id = "a", .at = 9}},
     .calls = 2, .results = "duplicate duplicate", .totals = "duplicate 2 messages 2 success 2",
     .stream = "result result ", .drops_here = 2},
    {"another told of an event",
     .batch = {{OTHER, .at = 10}, {OTHER, .at = 10}}, .between = {{OTHER, .at = 10}}, .calls = 2,
     .results = "duplicate duplicate", .totals = "duplicate 2 unrecognized 1", .stream = "", .drops_here = 1},
    {"an opt-out in a drop that conflicts is listed once",
     .batch = {{.at = 10, .opts_out = true, .phone = "+2", .campaign = COPIES_SPRING}},
     .between = {{.at = 11, .phone = "+2"}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 opt_out 1 success 1", .stream = "result opt_out filled ", .drops_here = 1},
    {"an opt-out event that names a drop alone",
     .batch = {{NOTE, .at = 10}}, .calls = 1, .results = "opt_out", .totals = "", .stream = "", .drops_here = 2},
    {"an opt-out event that names a drop and a phone",
     .batch = {{NOTE, .at = 10, .phone = "+2"}}, .calls = 1, .results = "opt_out", .totals = "opt_out 1",
     .stream = "opt_out ", .drops_here = 2},
    {"an opt-out event after its drop in a batch",
     .batch = {{.id = "a", .at = 10, .phone = "+2"}, {NOTE, .at = 10}, {.id = "b", .at = 10}}, .calls = 1,
     .results = "counted opt_out counted", .totals = "messages 2 opt_out 1 success 2",
     .stream = "opt_out result result ", .drops_here = 3},
    {"an opt-out event before its drop in a batch",
     .batch = {{NOTE, .at = 10}, {.id = "b", .at = 10}, {.id = "a", .at = 10, .phone = "+2"}, {.id = "a", .at = 10}},
     .calls = 1, .results = "opt_out counted counted duplicate",
     .totals = "duplicate 1 messages 2 opt_out 1 success 2", .stream = "opt_out result result ", .drops_here = 3},
    {"an opt-out event, and later its drop",
     .earlier = {{NOTE, .at = 10}}, .batch = {{.id = "a", .at = 20, .phone = "+2"}}, .calls = 2, .results = "counted",
     .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out result ", .drops_here = 2},
    {"a drop, and later its opt-out event",
     .earlier = {{.id = "a", .at = 20, .phone = "+2"}}, .batch = {{NOTE, .at = 10}}, .calls = 2, .results = "opt_out",
     .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out ", .drops_here = 2},
    {"an opt-out event of a drop, twice",
     .earlier = {{NOTE, .at = 10}}, .batch = {{NOTE, .at = 10}, {NOTE, .at = 11}}, .calls = 2,
     .results = "duplicate duplicate", .totals = "duplicate 2", .stream = "", .drops_here = 2},
    {"an opt-out event of an older generation, and its drop",
     .earlier = {{NOTE, .at = 10}}, .earlier_in = OLDER, .batch = {{.id = "a", .at = 20, .phone = "+2"}}, .calls = 2,
     .results = "counted", .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out result ", .drops_here = 1},
    {"a drop without a result moves when its opt-out does",
     .earlier = {{NOTE, .at = 10}}, .earlier_in = OLDER, .batch = {{NOTE, .at = 9}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1", .stream = "", .drops_here = 1},
    {"a drop without a result stays where it is otherwise",
     .earlier = {{NOTE, .at = 10}}, .earlier_in = OLDER, .batch = {{NOTE, .at = 11}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1", .stream = ""},
    {"another was faster with the drop that an opt-out event names",
     .batch = {{NOTE, .at = 10}}, .between = {{.id = "a", .at = 20, .phone = "+2"}}, .calls = 2, .results = "opt_out",
     .totals = "messages 1 opt_out 1 success 1", .stream = "result opt_out ", .drops_here = 2},
    {"another was faster with the opt-out event, and the drop has a phone",
     .batch = {{.id = "a", .at = 20, .phone = "+2"}}, .between = {{NOTE, .at = 10}}, .calls = 2, .results = "counted",
     .totals = "messages 1 opt_out 1 success 1", .stream = "opt_out result ", .drops_here = 2},
    {"another was faster with an event of that id, that names no drop",
     .batch = {{NOTE, .at = 10}}, .between = {{OPT_OUT, .id = "e", .at = 10}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 opt_out 1", .stream = "opt_out ", .drops_here = 2},
    {"another was faster with the same opt-out event of a drop",
     .batch = {{NOTE, .at = 10}, {.id = "a", .at = 20}}, .between = {{NOTE, .at = 10}}, .calls = 2,
     .results = "duplicate counted", .totals = "duplicate 1 messages 1 success 1", .stream = "result ",
     .drops_here = 2},
    {"another told of what a send was blocked for",
     .batch = {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2", .campaign = COPIES_SPRING}},
     .between = {{.at = 11, .opts_out = true, .phone = "+2"}}, .calls = 2, .results = "duplicate",
     .totals = "duplicate 1 messages 1 opt_out 1 success 1", .stream = "opt_out result opt_out filled ",
     .drops_here = 1},
    {"an opt-in, and a later one",
     .batch = {{OPT_IN, .at = 10}, {OPT_IN, .at = 10}, {OPT_IN, .at = 11}}, .calls = 1,
     .results = "opt_in duplicate duplicate", .totals = "duplicate 2", .stream = "opt_in opt_in ",
     .drops_here = 1},
    {"another opted out, and the copy has the phone",
     .batch = {{.at = 10, .phone = "+2"}}, .between = {{.at = 11, .opts_out = true}}, .calls = 2,
     .results = "duplicate", .totals = "duplicate 1 messages 1 opt_out 1 success 1",
     .stream = "result opt_out filled ", .drops_here = 1},
};

static size_t count_of(const struct given *copies)
{
    size_t count = 0;

    while (count < PARTS && copies[count].at != 0)
        count++;
    return count;
}

static void apply(struct server *server, const struct given *copies, uint32_t generation)
{
    struct worker worker;

    worker_init(&worker, server);
    worker_take(&worker, copies, count_of(copies), generation);
    (void)worker_finish(&worker);
    worker_clear(&worker);
}

static size_t drops_in(const struct server *server, uint32_t generation)
{
    char bucket[64];
    size_t count = 0;
    int len = snprintf(bucket, sizeof bucket, "dc:drops:%u:", generation);

    for (size_t i = 0; i < server->drop_count; i++)
        count += strncmp(server->drops[i].bucket, bucket, (size_t)len) == 0;
    return count;
}

static void check_text(const char *name, const char *what, const char *is, const char *expected)
{
    if (strcmp(is, expected) != 0)
        fail_msg("%s: %s: %s", name, what, is);
}

static void a_batch_applies_exactly_once(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server *server = server_new();
        struct worker worker;

        worker_init(&worker, server);
        apply(server, rows[i].earlier, rows[i].earlier_in > 0 ? rows[i].earlier_in : CURRENT);
        buf_reset(&server->stream);
        worker_take(&worker, rows[i].batch, count_of(rows[i].batch), CURRENT);
        apply(server, rows[i].between, CURRENT);
        CHECK_CASE(rows[i].name, worker_finish(&worker) == rows[i].calls);
        buf_append_text(&text, "");
        worker_results(&worker, &text);
        check_text(rows[i].name, "results", text.data, rows[i].results);
        server_hash_text(server, "dc:totals", &text);
        check_text(rows[i].name, "totals", text.data, rows[i].totals);
        check_text(rows[i].name, "stream", server->stream.data, rows[i].stream);
        CHECK_CASE(rows[i].name, drops_in(server, CURRENT) == rows[i].drops_here);
        worker_check_sums(server, rows[i].name);
        worker_clear(&worker);
        server_free(server);
    }
    buf_clear(&text);
}

static void a_moved_drop_counts_for_the_size_of_its_new_generation(void **state)
{
    static const struct given first[PARTS] = {{.id = "a", .at = 10}, {.id = "b", .at = 10}, {OTHER, .at = 10}};
    static const struct given later[PARTS] = {
        {.id = "a", .at = 11}, {.id = "b", .at = 10}, {.id = "c", .at = 10}, {.id = "a", .at = 12}, {OTHER, .at = 10}};
    static const struct given again[PARTS] = {{.id = "a", .at = 13}, {.id = "b", .at = 10}, {.id = "c", .at = 13}};
    struct server *server = server_new();

    (void)state;
    apply(server, first, OLDER);
    apply(server, later, CURRENT);
    apply(server, again, CURRENT);
    assert_int_equal(server_count(server, "dc:drops:sizes", "1"), 3);
    assert_int_equal(server_count(server, "dc:drops:sizes", "2"), 2);
    server_free(server);
}

/* Where a drop stands is part of the schema: workers of all versions must agree on it. */
static void a_drop_stands_in_its_bucket(void **state)
{
    static const struct {
        const char *name;
        struct given copy;
        const char *bucket; /* of a generation 7 with 32,768 buckets */
    } buckets[] = {
        {"a drop", {.at = 10}, "dc:drops:7:16453"},
        {"another", {.id = "=1td", .at = 10}, "dc:drops:7:29268"},
        {"an event that is no result", {OPT_OUT, .at = 10}, "dc:drops:7:e29268"},
    };
    const struct call_place place = {.generations = {.count = 2, .list = {{.number = 8, .buckets = 1}, {.number = 7, .buckets = 32768}}}};
    struct server *server = server_new();
    struct worker worker;

    (void)state;
    worker_init(&worker, server);
    for (size_t i = 0; i < COUNT(buckets); i++) {
        char bucket[KEY_TEXT];

        struct event event = copies_event(&buckets[i].copy);

        plan_begin(worker.plan, &place);
        plan_copy(worker.plan, &event, 0);
        plan_bucket(worker.plan, 0, 1, bucket);
        check_text(buckets[i].name, "bucket", bucket, buckets[i].bucket);
    }
    worker_clear(&worker);
    server_free(server);
}

/* Whether the call of one drop says that its bucket may be new. */
static bool tells_of_a_new_bucket(struct worker *worker, const char *id, uint64_t seen_under)
{
    const struct given copy = {.id = id, .at = 10};
    struct call_place place = worker_place(CURRENT);
    struct buf text;
    bool tells;

    place.seen_under = seen_under;
    place.generations.list[0].buckets = 1;
    worker->events[0] = copies_event(&copy);
    plan_begin(worker->plan, &place);
    plan_copy(worker->plan, &worker->events[0], copy.campaign);
    buf_init(&text, TEXT);
    assert_int_equal(worker_call_told(worker, &text), RECORD_OK);
    tells = strstr(text.data, " in a new bucket") != NULL;
    assert_int_equal(worker_finish(worker), plan_left(worker->plan));
    buf_clear(&text);
    return tells;
}

static void a_bucket_may_be_new_until_it_was_written(void **state)
{
    struct server *server = server_new();
    struct worker first, second;

    (void)state;
    worker_init(&first, server);
    worker_init(&second, server);
    assert_true(tells_of_a_new_bucket(&first, "a", 1));
    assert_false(tells_of_a_new_bucket(&first, "b", 1));
    assert_true(tells_of_a_new_bucket(&second, "a", 1)); /* it conflicts: nothing was written */
    assert_true(tells_of_a_new_bucket(&second, "c", 1));
    assert_false(tells_of_a_new_bucket(&second, "d", 1));
    assert_true(tells_of_a_new_bucket(&second, "e", 2)); /* another epoch, or connection */
    worker_clear(&first);
    worker_clear(&second);
    server_free(server);
}

static void a_record_that_is_gone_by_then_is_made_anew(void **state)
{
    static const struct given copies[PARTS] = {{.at = 10}};
    struct server *server = server_new();
    struct worker worker;
    char bucket[KEY_TEXT];

    (void)state;
    worker_init(&worker, server);
    apply(server, copies, CURRENT);
    worker_take(&worker, copies, 1, CURRENT);
    assert_int_equal(worker_call(&worker), RECORD_OK);
    worker_bucket(&worker, CURRENT, bucket);
    server_delete_drop(server, bucket, plan_field(worker.plan, 0)); /* by hand */
    assert_int_equal(worker_finish(&worker), 2);
    assert_int_equal(worker.results[0], APPLIED_COUNTED);
    assert_int_equal(server_count(server, "dc:totals", "messages"), 2);
    worker_clear(&worker);
    server_free(server);
}

static void results_are_told_of_what_applied_only(void **state)
{
    static const struct given batch[] = {{NOTE, .at = 10}, {.id = "b", .at = 10}, {.id = "a", .at = 10}};
    static const struct given between[PARTS] = {{.id = "a", .at = 10}};
    struct server *server = server_new();
    struct worker worker;
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    worker_init(&worker, server);
    worker_take(&worker, batch, COUNT(batch), CURRENT);
    apply(server, between, CURRENT);
    assert_int_equal(plan_left(worker.plan), 3);
    assert_int_equal(worker_call(&worker), RECORD_OK);
    assert_int_equal(plan_left(worker.plan), 1);
    worker_results(&worker, &text);
    assert_string_equal(text.data, "opt_out counted untold");
    assert_int_equal(worker_call(&worker), RECORD_OK);
    assert_int_equal(plan_left(worker.plan), 0);
    worker_results(&worker, &text);
    assert_string_equal(text.data, "opt_out counted duplicate");
    worker_clear(&worker);
    server_free(server);
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_applies_exactly_once),
        cmocka_unit_test(a_moved_drop_counts_for_the_size_of_its_new_generation),
        cmocka_unit_test(a_drop_stands_in_its_bucket),
        cmocka_unit_test(a_bucket_may_be_new_until_it_was_written),
        cmocka_unit_test(a_record_that_is_gone_by_then_is_made_anew),
        cmocka_unit_test(results_are_told_of_what_applied_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
