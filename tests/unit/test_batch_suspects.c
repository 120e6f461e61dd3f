/* What a batch does with a message that may be what crashes workers. */
#include "batch_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_third_delivery_is_marked_only_while_it_is_read(void **state)
{
    static const struct {
        const char *body;
        struct world world;
        enum batch_progress end;
        const char *journal;
    } cases[] = {
        {"{\"status\":\"success\"}", {0}, BATCH_DONE, "mark0 rehearse1 unmark1 apply1 upto1"},
        {"{\"status\":\"success\"}", {.earlier_marks = {1, 1}}, BATCH_DONE, "mark1 rehearse1 unmark1 apply1 upto1"},
        {"{}", {0}, BATCH_DONE, "mark0 unmark1 parked1"},
        {SCENE_BOTH, {0}, BATCH_DONE, "mark0 rehearse1 unmark1 apply1 parked1"},
        {"{\"status\":\"success\"}",
         {.mark_failures = 2, .apply_failures = 1},
         BATCH_DONE,
         "mark!1 mark!1 mark0 rehearse1 unmark1 apply!1 apply1 upto1"},
        /* With the mark on it waits for nothing else. */
        {"{\"status\":\"success\"}",
         {.unmark_failures = 2, .apply_failures = 1},
         BATCH_DONE,
         "mark0 rehearse1 unmark!1 unmark!1 unmark1 apply!1 apply1 upto1"},
        {"{}", {.unmark_failures = 1}, BATCH_DONE, "mark0 unmark!1 unmark1 parked1"},
        {"{\"status\":\"success\"}", {.acknowledge_failures = 1}, BATCH_LOST, "mark0 rehearse1 unmark1 apply1 upto!1"},
        /* Two marks, but the second look finds that one of them was a living worker's. */
        {"{\"status\":\"success\"}",
         {.earlier_marks = {2, 1}},
         BATCH_DONE,
         "mark2 mark1 rehearse1 unmark1 apply1 upto1"},
        {"{\"status\":\"success\"}", {.earlier_marks = {2, 2}}, BATCH_DONE, "mark2 mark2 parked1"},
        {"{\"status\":\"success\"}",
         {.mark_failures = 1, .earlier_marks = {3, 3}},
         BATCH_DONE,
         "mark!1 mark3 mark3 parked1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        struct scene scene;
        struct batch *batch = scene_open(&scene, &world);
        struct error error = {0};
        int64_t now_ms = 1000;
        batch_add(batch, scene_suspect(cases[i].body, 1, "an id"), now_ms);
        assert_int_equal(batch_due_ms(batch), now_ms); /* it waits for nobody */
        assert_int_equal(scene_run(batch, &now_ms), cases[i].end);
        world.reject_confirms = true;
        assert_int_equal(parked_step(scene.parked, &error),
                         strstr(cases[i].journal, "parked") ? PARKED_SETTLED : PARKED_NOT_DUE);
        assert_string_equal(world.journal, cases[i].journal);
        assert_string_equal(world.name, "an id");
        assert_int_equal(now_ms >= 1000 + BATCH_LOOK_AGAIN_MS, cases[i].world.earlier_marks[0] >= BATCH_MARKS_MAX);
        assert_true(batch_open(batch));
        scene_close(&scene);
    }
}

/* Parsing shows in a remark. */
static void a_suspect_is_not_read_before_it_is_marked(void **state)
{
    struct world world = {.mark_failures = 1};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct error error = {0};
    (void)state;
    batch_add(batch, scene_suspect("{\"status\":\"success\",\"tts_fee\":-1}", 1, ""), 1000);
    assert_int_equal(batch_step(batch, 1000, &error), BATCH_KEPT);
    assert_int_equal(world.remarks, 0);
    int64_t now_ms = batch_due_ms(batch);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(world.remarks, 1);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.remarks, 1); /* once */
    scene_close(&scene);
}

static void one_with_two_deaths_is_never_read(void **state)
{
    struct world world = {.earlier_marks = {2, 2}};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, scene_suspect("{\"status\":\"success\",\"tts_fee\":-1}", 1, ""), now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.remarks, 0);
    scene_close(&scene);
}

static void a_suspect_shares_a_batch_with_nobody(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    struct delivery *suspect = scene_suspect("{\"status\":\"success\"}", 2, "an id");
    struct delivery *other = scene_delivery("{\"status\":\"success\"}", 3);
    int64_t now_ms = 1000;
    (void)state;
    other->delivery_count = BATCH_SUSPECT_COUNT - 1;
    scene_add(batch, "g", now_ms);
    assert_true(batch_takes(batch, other));
    assert_false(batch_takes(batch, suspect));
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_true(batch_takes(batch, suspect));
    batch_add(batch, suspect, now_ms);
    assert_false(batch_open(batch));
    assert_false(batch_takes(batch, other));
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_true(batch_takes(batch, other));
    batch_add(batch, other, now_ms);
    assert_true(batch_open(batch));
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "apply1 upto1 mark0 rehearse1 unmark1 apply1 upto2 apply1 upto3");
    scene_close(&scene);
}

static void what_is_dropped_leaves_no_mark(void **state)
{
    static const struct {
        struct world world;
        int steps;
        const char *journal;
    } cases[] = {
        {{0}, 0, ""},
        {{0}, 1, "mark0 rehearse1 unmark1"},
        {{0}, 2, "mark0 rehearse1 unmark1 abandon0"},
        {{0}, 3, "mark0 rehearse1 unmark1 apply1"},
        /* An attempt whose answer was lost may have left one. */
        {{.mark_failures = 1}, 1, "mark!1 later0"},
        {{.unmark_failures = 9}, 1, "mark0 rehearse1 unmark!1 later0"},
        {{.unmark_failures = 9}, 2, "mark0 rehearse1 unmark!1 unmark!1 later0"},
        /* With two of others ours is not set. */
        {{.earlier_marks = {2, 2}}, 1, "mark2"},
        {{.earlier_marks = {2, 2}}, 3, "mark2 mark2"},
        {{.mark_failures = 1, .earlier_marks = {2, 2}}, 2, "mark!1 mark2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        struct scene scene;
        struct batch *batch = scene_open(&scene, &world);
        struct error error = {0};
        batch_add(batch, scene_suspect("{\"status\":\"success\"}", 1, "an id"), 1000);
        for (int done = 0; done < cases[i].steps; done++)
            assert_int_not_equal(batch_step(batch, batch_due_ms(batch), &error), BATCH_NOT_DUE);
        batch_drop(batch);
        assert_string_equal(world.journal, cases[i].journal);
        scene_close(&scene);
        assert_string_equal(world.journal, cases[i].journal);
    }
}

static void a_mark_that_cannot_be_taken_off_does_not_hold_the_message_for_ever(void **state)
{
    struct world world = {.unmark_failures = BATCH_UNMARK_TRIES};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    static const char end[] = "unmark!1 later1 apply1 upto1";
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, scene_suspect("{\"status\":\"success\"}", 1, "an id"), now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.unmark_failures, 0);
    assert_true(strlen(world.journal) > strlen(end));
    assert_string_equal(world.journal + strlen(world.journal) - strlen(end), end);
    assert_in_range(now_ms, 1000 + TIMER_MS(30000), 1000 + TIMER_MS(120000));
    scene_close(&scene);
}

static void a_message_without_an_id_is_named_by_its_body(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = scene_open(&scene, &world);
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, scene_suspect("{}", 1, ""), now_ms);
    assert_int_equal(scene_run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.name, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_third_delivery_is_marked_only_while_it_is_read),
        cmocka_unit_test(a_suspect_is_not_read_before_it_is_marked),
        cmocka_unit_test(one_with_two_deaths_is_never_read),
        cmocka_unit_test(a_suspect_shares_a_batch_with_nobody),
        cmocka_unit_test(what_is_dropped_leaves_no_mark),
        cmocka_unit_test(a_mark_that_cannot_be_taken_off_does_not_hold_the_message_for_ever),
        cmocka_unit_test(a_message_without_an_id_is_named_by_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
