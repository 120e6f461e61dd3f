/* What becomes of messages that wait for the rejected queue: in which order, how often, and when each is let go. */
#include "workers/queue/pending_rejects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 4, JOURNAL = 512 };

/* A broker that does in each round what the plan says, one letter for each message in hand: c confirms, w makes it
   wait; a ! at the end makes the round fail. The last round is repeated. */
struct world {
    const char *rounds[8];
    size_t round;
    int64_t now_ms;
    int64_t takes_ms; /* each round */
    bool acknowledge_fails;
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

static bool fake_reject(void *context, struct rejection *rejections, size_t count, struct error *error)
{
    struct world *world = context;
    const char *plan = world->rounds[world->round];
    size_t len = strcspn(plan, "!");
    bool fails = plan[len] == '!';
    if (world->rounds[world->round + 1])
        world->round++;
    world->now_ms += world->takes_ms;
    for (size_t i = 0; i < count; i++)
        rejections[i].confirmed = i < len && plan[i] == 'c';
    note(world, fails ? "reject!" : "reject", count);
    if (fails)
        error_set(error, ERROR_UNAVAILABLE, "no queue");
    return !fails;
}

static void fake_rejected(void *context, const struct rejection *rejection)
{
    assert_true(rejection->confirmed);
    assert_string_equal(rejection->delivery->reason, "invalid_json");
    note(context, "told", rejection->delivery->tag);
}

static bool fake_acknowledge(void *context, uint64_t tag, struct error *error)
{
    struct world *world = context;
    note(world, world->acknowledge_fails ? "ack!" : "ack", tag);
    if (world->acknowledge_fails)
        error_set(error, ERROR_UNAVAILABLE, "connection lost");
    return !world->acknowledge_fails;
}

static struct parked_ports ports_of(struct world *world)
{
    return (struct parked_ports){.context = world,
                                 .now_ms = fake_now_ms,
                                 .reject = fake_reject,
                                 .rejected = fake_rejected,
                                 .acknowledge = fake_acknowledge};
}

static struct held held;

static void add(struct parked *parked, uint64_t first_tag, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct delivery *delivery = delivery_new(0, &held);
        assert_non_null(delivery);
        delivery->tag = first_tag + i;
        delivery->reason = "invalid_json";
        assert_true(parked_room(parked) > 0);
        parked_add(parked, delivery);
    }
}

static enum parked_progress step(struct parked *parked, struct world *world)
{
    struct error error = {0};
    if (parked_due_ms(parked) > world->now_ms)
        world->now_ms = parked_due_ms(parked);
    enum parked_progress progress = parked_step(parked, &error);
    assert_int_equal(error.text[0] != '\0', progress == PARKED_FAILED || progress == PARKED_LOST);
    assert_int_equal(parked_failing(parked), progress == PARKED_FAILED);
    return progress;
}

static void lets_each_go_when_it_is_confirmed(void **state)
{
    static const struct {
        struct world world;
        size_t count;
        enum parked_progress steps[4];
        size_t left;
        uint64_t oldest;
        const char *journal;
    } cases[] = {
        {{.rounds = {"c"}}, 1, {PARKED_SETTLED}, 0, UINT64_MAX, "reject1 told10 ack10"},
        {{.rounds = {"ccc"}}, 3, {PARKED_SETTLED}, 0, UINT64_MAX, "reject3 told10 ack10 told11 ack11 told12 ack12"},
        {{.rounds = {"w", "w", "c"}},
         1,
         {PARKED_ON, PARKED_ON, PARKED_SETTLED},
         0,
         UINT64_MAX,
         "reject1 reject1 reject1 told10 ack10"},
        {{.rounds = {"wcw", "wc", "c"}},
         3,
         {PARKED_SETTLED, PARKED_SETTLED},
         1,
         10,
         "reject3 told11 ack11 reject2 told12 ack12"},
        {{.rounds = {"cww"}}, 3, {PARKED_SETTLED}, 2, 11, "reject3 told10 ack10"},
        {{.rounds = {"w!", "c"}}, 1, {PARKED_FAILED, PARKED_SETTLED}, 0, UINT64_MAX, "reject!1 reject1 told10 ack10"},
        /* What a failing round has brought counts all the same. */
        {{.rounds = {"cwc!", "w"}}, 3, {PARKED_FAILED, PARKED_ON}, 1, 11, "reject!3 told10 ack10 told12 ack12 reject1"},
        {{.rounds = {"wcc"}, .acknowledge_fails = true}, 3, {PARKED_LOST}, 0, UINT64_MAX, "reject3 told11 ack!11"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        const struct parked_ports ports = ports_of(&world);
        struct parked *parked = parked_new(LIMIT, &ports, 7);
        assert_non_null(parked);
        add(parked, 10, cases[i].count);
        for (size_t k = 0; k < 4 && cases[i].steps[k] != PARKED_NOT_DUE; k++)
            assert_int_equal(step(parked, &world), cases[i].steps[k]);
        assert_int_equal(parked_count(parked), cases[i].left);
        assert_int_equal(parked_room(parked), LIMIT - cases[i].left);
        assert_true(parked_oldest(parked) == cases[i].oldest);
        assert_string_equal(world.journal, cases[i].journal);
        parked_free(parked);
    }
}

static void an_empty_one_wants_nothing(void **state)
{
    struct world world = {.rounds = {"c"}, .now_ms = 1000};
    const struct parked_ports ports = ports_of(&world);
    struct parked *parked = parked_new(0, &ports, 7);
    struct error error = {0};
    (void)state;
    assert_int_equal(parked_room(parked), 1); /* at least */
    assert_true(parked_due_ms(parked) == INT64_MAX);
    assert_int_equal(parked_step(parked, &error), PARKED_NOT_DUE);
    add(parked, 1, 1);
    assert_int_equal(step(parked, &world), PARKED_SETTLED);
    assert_true(parked_due_ms(parked) == INT64_MAX);
    parked_free(parked);
}

static void looks_for_confirms_ever_less_often(void **state)
{
    struct world world = {.rounds = {"w"}, .now_ms = 1000};
    const struct parked_ports ports = ports_of(&world);
    struct parked *parked = parked_new(LIMIT, &ports, 7);
    struct error error = {0};
    (void)state;
    add(parked, 1, 1);
    for (int64_t wait_ms = PARKED_LOOK_FIRST_MS, i = 0; i < 10; i++) {
        assert_true(parked_due_ms(parked) <= world.now_ms);
        assert_int_equal(parked_step(parked, &error), PARKED_ON);
        assert_int_equal(parked_due_ms(parked) - world.now_ms, wait_ms);
        assert_int_equal(parked_step(parked, &error), PARKED_NOT_DUE);
        world.now_ms = parked_due_ms(parked);
        wait_ms = wait_ms * 2 < PARKED_LOOK_MAX_MS ? wait_ms * 2 : PARKED_LOOK_MAX_MS;
    }
    world.now_ms -= 10;
    add(parked, 2, 1); /* a new one goes at once */
    assert_int_equal(parked_step(parked, &error), PARKED_ON);
    assert_int_equal(parked_due_ms(parked) - world.now_ms, PARKED_LOOK_FIRST_MS);
    parked_free(parked);
}

static void after_a_failure_it_rests_and_a_new_one_changes_nothing(void **state)
{
    static const struct {
        int64_t takes_ms;
        int64_t waits_ms[2]; /* of the first pause, from and to */
        int64_t later_ms;    /* of the tenth at the least */
    } cases[] = {
        {0, {PARKED_RETRY_FIRST_MS / 2, PARKED_RETRY_FIRST_MS}, PARKED_RETRY_MAX_MS / 2},
        {1, {PARKED_RETRY_FIRST_MS / 2, PARKED_RETRY_FIRST_MS}, PARKED_RETRY_MAX_MS / 2},
        {TIMER_MS(1000), {TIMER_MS(1000) * PARKED_REST, TIMER_MS(1000) * PARKED_REST}, TIMER_MS(1000) * PARKED_REST},
        {5000, {PARKED_REST_MAX_MS, PARKED_REST_MAX_MS}, PARKED_REST_MAX_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = {.rounds = {"w!"}, .now_ms = 1000, .takes_ms = cases[i].takes_ms};
        const struct parked_ports ports = ports_of(&world);
        struct parked *parked = parked_new(LIMIT, &ports, 7);
        add(parked, 1, 1);
        assert_int_equal(step(parked, &world), PARKED_FAILED);
        int64_t due_ms = parked_due_ms(parked);
        assert_in_range(due_ms - world.now_ms, cases[i].waits_ms[0], cases[i].waits_ms[1]);
        add(parked, 2, 1);
        assert_int_equal(parked_due_ms(parked), due_ms);
        for (int k = 1; k < 10; k++)
            assert_int_equal(step(parked, &world), PARKED_FAILED);
        assert_true(parked_due_ms(parked) - world.now_ms >= cases[i].later_ms);
        parked_free(parked);
    }
}

static void what_is_dropped_is_forgotten_with_its_failure(void **state)
{
    struct world world = {.rounds = {"w!", "c"}, .now_ms = 1000};
    const struct parked_ports ports = ports_of(&world);
    struct parked *parked = parked_new(LIMIT, &ports, 7);
    struct error error = {0};
    (void)state;
    add(parked, 1, 3);
    assert_int_equal(step(parked, &world), PARKED_FAILED);
    parked_drop(parked);
    assert_int_equal(parked_count(parked), 0);
    assert_false(parked_failing(parked));
    add(parked, 1, 1); /* delivered again, by a new connection */
    assert_int_equal(parked_step(parked, &error), PARKED_SETTLED);
    assert_string_equal(world.journal, "reject!3 reject1 told1 ack1");
    parked_free(parked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_each_go_when_it_is_confirmed),
        cmocka_unit_test(an_empty_one_wants_nothing),
        cmocka_unit_test(looks_for_confirms_ever_less_often),
        cmocka_unit_test(after_a_failure_it_rests_and_a_new_one_changes_nothing),
        cmocka_unit_test(what_is_dropped_is_forgotten_with_its_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
