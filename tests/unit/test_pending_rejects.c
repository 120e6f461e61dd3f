/* What becomes of messages that wait for the rejected queue: in which order, how often, and when each is let go. */
#include "workers/queue/pending_rejects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { JOURNAL = 512 };

/* A broker that does in each round what the plan says, one letter for each message in hand: c confirms, w makes it
   wait; a ! at the end makes the round fail. The last round is repeated. */
struct world {
    const char *rounds[8];
    size_t round;
    int64_t now_ms;
    int64_t takes_ms; /* each round */
    bool acknowledge_fails;
    unsigned long long rejected; /* before the next acknowledgement */
    char journal[JOURNAL];
};

static void note(struct world *world, const char *what, unsigned long long number)
{
    size_t used = strlen(world->journal);
    snprintf(world->journal + used, JOURNAL - used, "%s%s%llu", used ? " " : "", what, number);
}

static int64_t fake_now_ms(void *context)
{
    return ((struct world *)context)->now_ms;
}

static bool fake_publish(void *context, struct delivery *first, struct error *error)
{
    struct world *world = context;
    const char *plan = world->rounds[world->round];
    size_t len = strcspn(plan, "!"), count = 0;
    bool fails = plan[len] == '!';
    if (world->rounds[world->round + 1])
        world->round++;
    world->now_ms += world->takes_ms;
    for (struct delivery *one = first; one; one = one->next, count++)
        one->reject_confirmed = count < len && plan[count] == 'c';
    note(world, fails ? "publish!" : "publish", count);
    if (fails)
        error_set(error, ERROR_UNAVAILABLE, "no queue");
    return !fails;
}

static void fake_rejected(void *context, const char *reason)
{
    struct world *world = context;
    assert_string_equal(reason, "invalid_json");
    world->rejected++;
}

static bool fake_acknowledge(void *context, uint64_t tag, bool multiple, struct error *error)
{
    struct world *world = context;
    assert_false(multiple);
    assert_int_equal(world->rejected, 1);
    world->rejected = 0;
    note(world, world->acknowledge_fails ? "ack!" : "ack", tag);
    if (world->acknowledge_fails)
        error_set(error, ERROR_UNAVAILABLE, "connection lost");
    return !world->acknowledge_fails;
}

static struct held held;
static struct reject_ops ops;
static struct pending_rejects rejects;

static void begin(struct world *world)
{
    ops = (struct reject_ops){.context = world,
                              .now_ms = fake_now_ms,
                              .publish = fake_publish,
                              .rejected = fake_rejected,
                              .acknowledge = fake_acknowledge};
    pending_rejects_init(&rejects, &ops, 7);
}

static void add(uint64_t first_tag, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct delivery *delivery = delivery_new(0, &held);
        assert_non_null(delivery);
        delivery->tag = first_tag + i;
        delivery->reason = "invalid_json";
        pending_rejects_add(&rejects, delivery);
    }
}

static enum rejects_progress step(struct world *world)
{
    struct error error = {0};
    if (pending_rejects_due_ms(&rejects) > world->now_ms)
        world->now_ms = pending_rejects_due_ms(&rejects);
    enum rejects_progress progress = pending_rejects_step(&rejects, &error);
    assert_int_equal(error.text[0] != '\0', progress == REJECTS_FAILED || progress == REJECTS_LOST);
    assert_int_equal(rejects.failing, progress == REJECTS_FAILED);
    return progress;
}

static void lets_each_go_when_it_is_confirmed(void **state)
{
    static const struct {
        struct world world;
        size_t count;
        const char *steps; /* what each comes to: n nothing new, c some confirmed, f failed, l lost */
        size_t left;
        uint64_t oldest;
        const char *journal;
    } cases[] = {
        {{.rounds = {"c"}}, 1, "c", 0, UINT64_MAX, "publish1 ack10"},
        {{.rounds = {"ccc"}}, 3, "c", 0, UINT64_MAX, "publish3 ack10 ack11 ack12"},
        {{.rounds = {"w", "w", "c"}}, 1, "nnc", 0, UINT64_MAX, "publish1 publish1 publish1 ack10"},
        {{.rounds = {"wcw", "wc", "c"}}, 3, "cc", 1, 10, "publish3 ack11 publish2 ack12"},
        {{.rounds = {"cww"}}, 3, "c", 2, 11, "publish3 ack10"},
        {{.rounds = {"w!", "c"}}, 1, "fc", 0, UINT64_MAX, "publish!1 publish1 ack10"},
        /* What a failing round has brought counts all the same. */
        {{.rounds = {"cwc!", "w"}}, 3, "fn", 1, 11, "publish!3 ack10 ack12 publish1"},
        {{.rounds = {"wcc"}, .acknowledge_fails = true}, 3, "l", 0, UINT64_MAX, "publish3 ack!11"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        begin(&world);
        add(10, cases[i].count);
        for (const char *one = cases[i].steps; *one; one++)
            assert_int_equal("ncfl"[step(&world)], *one);
        assert_int_equal(rejects.queue.count, cases[i].left);
        assert_true(pending_rejects_oldest(&rejects) == cases[i].oldest);
        assert_string_equal(world.journal, cases[i].journal);
        pending_rejects_clear(&rejects);
    }
}

static void an_empty_one_wants_nothing(void **state)
{
    struct world world = {.rounds = {"c"}, .now_ms = 1000};
    struct error error = {0};
    (void)state;
    begin(&world);
    assert_true(pending_rejects_due_ms(&rejects) == INT64_MAX);
    assert_int_equal(pending_rejects_step(&rejects, &error), REJECTS_NOTHING_NEW);
    add(1, 1);
    assert_int_equal(step(&world), REJECTS_CONFIRMED);
    assert_true(pending_rejects_due_ms(&rejects) == INT64_MAX);
    pending_rejects_clear(&rejects);
}

static void looks_for_confirms_now_and_then_and_sends_a_new_one_at_once(void **state)
{
    struct world world = {.rounds = {"w"}, .now_ms = 1000};
    (void)state;
    begin(&world);
    add(1, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(step(&world), REJECTS_NOTHING_NEW);
        assert_int_equal(pending_rejects_due_ms(&rejects) - world.now_ms, REJECTS_LOOK_MS);
    }
    add(2, 1);
    assert_true(pending_rejects_due_ms(&rejects) <= world.now_ms);
    assert_int_equal(step(&world), REJECTS_NOTHING_NEW);
    assert_string_equal(world.journal, "publish1 publish1 publish1 publish2");
    pending_rejects_clear(&rejects);
}

static void after_a_failure_it_rests_and_a_new_one_changes_nothing(void **state)
{
    static const struct {
        int64_t takes_ms;
        int64_t waits_ms[2]; /* of the first pause, from and to */
        int64_t later_ms;    /* of the tenth at the least */
    } cases[] = {
        {0, {REJECTS_RETRY_FIRST_MS / 2, REJECTS_RETRY_FIRST_MS}, REJECTS_RETRY_MAX_MS / 2},
        {1, {REJECTS_RETRY_FIRST_MS / 2, REJECTS_RETRY_FIRST_MS}, REJECTS_RETRY_MAX_MS / 2},
        {TIMER_MS(1000), {TIMER_MS(1000) * REJECTS_REST, TIMER_MS(1000) * REJECTS_REST}, TIMER_MS(1000) * REJECTS_REST},
        {5000, {REJECTS_REST_MAX_MS, REJECTS_REST_MAX_MS}, REJECTS_REST_MAX_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = {.rounds = {"w!"}, .now_ms = 1000, .takes_ms = cases[i].takes_ms};
        begin(&world);
        add(1, 1);
        assert_int_equal(step(&world), REJECTS_FAILED);
        int64_t due_ms = pending_rejects_due_ms(&rejects);
        assert_in_range(due_ms - world.now_ms, cases[i].waits_ms[0], cases[i].waits_ms[1]);
        add(2, 1);
        assert_int_equal(pending_rejects_due_ms(&rejects), due_ms);
        for (int k = 1; k < 10; k++)
            assert_int_equal(step(&world), REJECTS_FAILED);
        assert_true(pending_rejects_due_ms(&rejects) - world.now_ms >= cases[i].later_ms);
        pending_rejects_clear(&rejects);
    }
}

static void what_is_dropped_is_forgotten_with_its_failure(void **state)
{
    struct world world = {.rounds = {"w!", "c"}, .now_ms = 1000};
    struct error error = {0};
    (void)state;
    begin(&world);
    add(1, 3);
    assert_int_equal(step(&world), REJECTS_FAILED);
    pending_rejects_clear(&rejects);
    assert_int_equal(rejects.queue.count, 0);
    assert_false(rejects.failing);
    add(1, 1); /* delivered again, by a new connection */
    assert_int_equal(pending_rejects_step(&rejects, &error), REJECTS_CONFIRMED);
    assert_string_equal(world.journal, "publish!3 publish1 ack1");
    pending_rejects_clear(&rejects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_each_go_when_it_is_confirmed),
        cmocka_unit_test(an_empty_one_wants_nothing),
        cmocka_unit_test(looks_for_confirms_now_and_then_and_sends_a_new_one_at_once),
        cmocka_unit_test(after_a_failure_it_rests_and_a_new_one_changes_nothing),
        cmocka_unit_test(what_is_dropped_is_forgotten_with_its_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
