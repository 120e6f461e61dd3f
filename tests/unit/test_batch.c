/* What a batch does with its deliveries when Redis or the connection fails, and with those that are no events. */
#include "batch_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void acknowledges_after_redis_and_never_what_is_to_be_rejected(void **state)
{
    static const struct {
        const char *kinds;
        struct world world;
        enum batch_progress end;
        const char *journal;
        size_t rejects;
    } cases[] = {
        {"g", {0}, BATCH_DONE, "apply1 upto1", 0},
        {"gggg", {0}, BATCH_DONE, "apply4 upto4", 0},
        {"b", {0}, BATCH_DONE, "", 1},
        {"bb", {0}, BATCH_DONE, "", 2},
        {"gb", {0}, BATCH_DONE, "apply1 upto1", 1},
        {"ggb", {0}, BATCH_DONE, "apply2 upto2", 1},
        {"bg", {0}, BATCH_DONE, "apply1 ack2", 1},
        {"bgb", {0}, BATCH_DONE, "apply1 ack2", 2},
        {"gbgg", {0}, BATCH_DONE, "apply3 upto1 ack3 ack4", 1},
        {"gbbg", {0}, BATCH_DONE, "apply2 upto1 ack4", 2},
        {"gg", {.apply_failures = 3}, BATCH_DONE, "apply!2 apply!2 apply!2 apply2 upto2", 0},
        {"gb", {.apply_failures = 1}, BATCH_DONE, "apply!1 apply1 upto1", 1},
        {"gg", {.apply_waits = 2}, BATCH_DONE, "wait2 wait2 apply2 upto2", 0},
        {"gb", {.apply_failures = 1, .apply_waits = 1}, BATCH_DONE, "apply!1 wait1 apply1 upto1", 1},
        {"gb", {.acknowledge_failures = 1}, BATCH_LOST, "apply1 upto!1", 1},
        {"gbgg", {.acknowledge_failures = 2}, BATCH_LOST, "apply3 upto1 ack!3", 1},
        {"o", {0}, BATCH_DONE, "apply1", 1},
        {"go", {0}, BATCH_DONE, "apply2 upto1", 1},
        {"og", {0}, BATCH_DONE, "apply2 ack2", 1},
        {"gogo", {0}, BATCH_DONE, "apply4 upto1 ack3", 2},
        {"gobg", {0}, BATCH_DONE, "apply3 upto1 ack4", 2},
        {"gbog", {0}, BATCH_DONE, "apply3 upto1 ack4", 2},
        {"go", {.apply_failures = 1}, BATCH_DONE, "apply!2 apply2 upto1", 1},
        {"go", {.acknowledge_failures = 1}, BATCH_LOST, "apply2 upto!1", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        struct scene scene;
        struct batch *batch = scene_open(&scene, &world);
        int64_t now_ms = 1000;
        scene_add(batch, cases[i].kinds, now_ms);
        assert_int_equal(scene_run(batch, &now_ms), cases[i].end);
        assert_string_equal(world.journal, cases[i].journal);
        assert_int_equal(scene.rejects.queue.count, cases[i].rejects);
        assert_int_equal(batch_count(batch), 0);
        assert_true(batch_open(batch));
        assert_int_equal(batch_due_ms(batch), INT64_MAX);
        scene_close(&scene);
    }
}

static void those_behind_a_reject_are_acknowledged_alone_until_it_is_gone(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1000;
    (void)state;
    scene_add(batch, "gb", now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    batch_add(batch, scene_delivery("{\"status\":\"success\"}", 3), now_ms);
    batch_add(batch, scene_delivery("{\"status\":\"success\"}", 4), now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    world.reject_confirms = true;
    assert_int_equal(pending_rejects_step(&scene.rejects, &error), REJECTS_CONFIRMED);
    batch_add(batch, scene_delivery("{\"status\":\"success\"}", 5), now_ms);
    batch_add(batch, scene_delivery("{\"status\":\"success\"}", 6), now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "apply1 upto1 apply2 ack3 ack4 rejected2 apply2 upto6");
    scene_close(&scene);
}

/* A rejection that is confirmed while its neighbours go to Redis costs them nothing. */
static void a_reject_is_on_its_way_before_redis_is_asked(void **state)
{
    struct world world = {.reject_confirms = true};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    scene_add(batch, "bgg", 1000);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(scene.rejects.queue.count, 1);
    assert_int_equal(pending_rejects_step(&scene.rejects, &error), REJECTS_CONFIRMED);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "rejected1 apply2 upto3");
    scene_close(&scene);
}

/* The opt-out of a message that is rejected waits for nothing but Redis, and the message is rejected after it. */
static void what_tells_of_an_opt_out_is_rejected_once_redis_has_it(void **state)
{
    struct world world = {.apply_failures = 1, .reject_confirms = true};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    scene_add(batch, "gobg", 1000);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(scene.rejects.queue.count, 1);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_KEPT);
    assert_int_equal(scene.rejects.queue.count, 1);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(scene.rejects.queue.count, 2);
    assert_int_equal(pending_rejects_oldest(&scene.rejects), 2);
    assert_int_equal(pending_rejects_step(&scene.rejects, &error), REJECTS_CONFIRMED);
    assert_string_equal(world.journal, "apply!3 apply3 upto1 ack4 rejected3 rejected2");
    scene_close(&scene);
}

static void waits_for_more_until_full_or_late(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    (void)state;
    assert_int_equal(batch_step(batch, 1000, &error), BATCH_NOT_DUE);
    scene_add(batch, "g", 1000);
    assert_int_equal(batch_due_ms(batch), 1020);
    assert_int_equal(batch_step(batch, 1019, &error), BATCH_NOT_DUE);
    scene_add(batch, "g", 1010); /* a later one does not prolong the wait */
    assert_int_equal(batch_due_ms(batch), 1020);
    scene_add(batch, "gg", 1015);
    assert_false(batch_open(batch));
    assert_int_equal(batch_due_ms(batch), 1015);
    assert_int_equal(batch_step(batch, 1015, &error), BATCH_FURTHER);
    scene_close(&scene);
}

static void takes_nothing_more_once_work_has_begun(void **state)
{
    struct world world = {.apply_failures = 1};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    (void)state;
    scene_add(batch, "g", 1000);
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_FURTHER);
    assert_false(batch_open(batch));
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_KEPT);
    assert_false(batch_open(batch));
    assert_int_equal(batch_count(batch), 1);
    scene_close(&scene);
}

static void waits_for_redis_without_being_due_and_looks_now_and_then(void **state)
{
    struct world world = {.apply_waits = 3};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    (void)state;
    scene_add(batch, "g", 1000);
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_FURTHER);
    assert_false(batch_waits(batch));
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_WAITS);
    assert_true(batch_waits(batch));
    assert_false(batch_open(batch));
    assert_int_equal(batch_due_ms(batch), 1020 + BATCH_LOOK_MS);
    assert_int_equal(batch_step(batch, 1021, &error), BATCH_WAITS); /* an answer came, and another is to come */
    batch_drop(batch);
    assert_string_equal(world.journal, "wait1 wait1 abandon0");
    assert_false(batch_waits(batch));
    scene_close(&scene);
}

/* It may be in Redis already, and not on enough replicas. */
static void gives_up_at_redis_what_is_dropped_after_a_failure(void **state)
{
    struct world world = {.apply_failures = 1};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    (void)state;
    scene_add(batch, "g", 1000);
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_FURTHER);
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_KEPT);
    batch_drop(batch);
    assert_string_equal(world.journal, "apply!1 abandon0");
    scene_close(&scene);
}

static void backs_off_with_jitter_and_not_past_its_longest_pause(void **state)
{
    struct world world = {.apply_failures = 20};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    scene_add(batch, "g", 1000);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    for (int64_t step = BATCH_RETRY_FIRST_MS; world.apply_failures > 0;
         step = step * 2 > BATCH_RETRY_MAX_MS ? BATCH_RETRY_MAX_MS : step * 2) {
        assert_int_equal(batch_step(batch, now_ms, &error), BATCH_KEPT);
        int64_t wait_ms = batch_due_ms(batch) - now_ms;
        assert_in_range(wait_ms, step / 2, step);
        assert_int_equal(batch_step(batch, batch_due_ms(batch) - 1, &error), BATCH_NOT_DUE);
        batch_hurry(batch, now_ms); /* does not cut a back-off short */
        assert_int_equal(batch_due_ms(batch) - now_ms, wait_ms);
        now_ms = batch_due_ms(batch);
    }
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    scene_close(&scene);
}

static void a_lost_connection_drops_all_in_any_phase(void **state)
{
    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        struct world world = {0};
        struct scene scene;
        struct batch *batch = scene_open(&scene, &world);
        struct error error = {0};
        int64_t now_ms = 1020;
        scene_add(batch, "gb", 1000);
        for (int i = 0; i < steps; i++)
            assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
        batch_drop(batch);
        pending_rejects_clear(&scene.rejects);
        assert_int_equal(batch_count(batch), 0);
        assert_int_equal(batch_step(batch, now_ms, &error), BATCH_NOT_DUE);
        assert_null(strstr(world.journal, "ack"));
        assert_null(strstr(world.journal, "upto"));
        world.journal[0] = '\0';
        scene_add(batch, "bg", now_ms); /* delivered again, with new tags */
        assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
        assert_string_equal(world.journal, "apply1 ack2");
        scene_close(&scene);
    }
}

static void hurrying_makes_a_waiting_batch_due(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    (void)state;
    batch_hurry(batch, 1000);
    assert_int_equal(batch_due_ms(batch), INT64_MAX);
    scene_add(batch, "g", 1000);
    batch_hurry(batch, 1001);
    assert_int_equal(batch_due_ms(batch), 1001);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledges_after_redis_and_never_what_is_to_be_rejected),
        cmocka_unit_test(those_behind_a_reject_are_acknowledged_alone_until_it_is_gone),
        cmocka_unit_test(a_reject_is_on_its_way_before_redis_is_asked),
        cmocka_unit_test(what_tells_of_an_opt_out_is_rejected_once_redis_has_it),
        cmocka_unit_test(waits_for_more_until_full_or_late),
        cmocka_unit_test(takes_nothing_more_once_work_has_begun),
        cmocka_unit_test(waits_for_redis_without_being_due_and_looks_now_and_then),
        cmocka_unit_test(gives_up_at_redis_what_is_dropped_after_a_failure),
        cmocka_unit_test(backs_off_with_jitter_and_not_past_its_longest_pause),
        cmocka_unit_test(a_lost_connection_drops_all_in_any_phase),
        cmocka_unit_test(hurrying_makes_a_waiting_batch_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
