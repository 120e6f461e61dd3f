/* What a batch does with its deliveries when Redis or the connection fails, with those that are no events, and with a
   message that may be what crashes workers. */
#include "workers/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { JOURNAL = 1024, ROOM = 3 };

/* A world that fails as often as it is told, and writes down what it is asked. */
struct world {
    int apply_failures;
    int apply_waits; /* how often Redis has not answered yet */
    int acknowledge_failures;
    bool reject_confirms; /* what is parked goes at the next step there */
    int remarks;
    int mark_failures;
    int unmark_failures;
    uint64_t earlier_marks[2]; /* what the first look finds, and each later one */
    int looks;
    char name[BATCH_MARK_NAME];
    char journal[JOURNAL];
};

static void note(struct world *world, const char *what, size_t count)
{
    size_t used = strlen(world->journal);
    snprintf(world->journal + used, JOURNAL - used, "%s%s%zu", used ? " " : "", what, count);
}

static enum apply_progress fake_apply(void *context, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error)
{
    struct world *world = context;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i]->kind, events[i]->rejected_as ? EVENT_OPT_OUT : EVENT_RESULT);
        results[i] = APPLIED_COUNTED;
    }
    if (world->apply_failures > 0) {
        world->apply_failures--;
        note(world, "apply!", count);
        error_set(error, ERROR_UNAVAILABLE, "no Redis");
        return APPLY_FAILED;
    }
    if (world->apply_waits > 0) {
        world->apply_waits--;
        note(world, "wait", count);
        return APPLY_WAITS;
    }
    note(world, "apply", count);
    return APPLY_DONE;
}

static void fake_abandon(void *context)
{
    note(context, "abandon", 0);
}

static bool fake_acknowledge(void *context, uint64_t tag, bool multiple, struct error *error)
{
    struct world *world = context;
    bool fails = world->acknowledge_failures == 1;
    if (world->acknowledge_failures > 0)
        world->acknowledge_failures--;
    note(world, multiple ? (fails ? "upto!" : "upto") : (fails ? "ack!" : "ack"), (size_t)tag);
    if (fails)
        error_set(error, ERROR_UNAVAILABLE, "connection lost");
    return !fails;
}

static bool fake_mark(void *context, const char *name, uint64_t *earlier_marks, struct error *error)
{
    struct world *world = context;
    snprintf(world->name, sizeof world->name, "%s", name);
    if (world->mark_failures > 0) {
        world->mark_failures--;
        note(world, "mark!", 1);
        error_set(error, ERROR_UNAVAILABLE, "no Redis");
        return false;
    }
    *earlier_marks = world->earlier_marks[world->looks > 0];
    world->looks++;
    note(world, "mark", *earlier_marks);
    return true;
}

static void fake_rehearse(void *context, const struct event *event)
{
    assert_true(event->kind == EVENT_RESULT || event->rejected_as);
    note(context, "rehearse", 1);
}

static bool fake_unmark(void *context, const char *name, bool all, struct error *error)
{
    struct world *world = context;
    bool fails = world->unmark_failures > 0;
    assert_string_equal(name, world->name);
    note(world, fails ? "unmark!" : "unmark", all);
    if (fails) {
        world->unmark_failures--;
        error_set(error, ERROR_UNAVAILABLE, "no Redis");
    }
    return !fails;
}

static void fake_unmark_later(void *context, const char *name, bool all)
{
    struct world *world = context;
    assert_string_equal(name, world->name);
    note(world, "later", all);
}

static void fake_remark(void *context, const char *remark)
{
    struct world *world = context;
    assert_true(strlen(remark) > 0);
    world->remarks++;
}

static struct batch_ports ports_of(struct world *world)
{
    return (struct batch_ports){.context = world,
                                .apply = fake_apply,
                                .abandon = fake_abandon,
                                .mark = fake_mark,
                                .rehearse = fake_rehearse,
                                .unmark = fake_unmark,
                                .unmark_later = fake_unmark_later,
                                .acknowledge = fake_acknowledge,
                                .remark = fake_remark};
}

static int64_t parked_now_ms(void *context)
{
    (void)context;
    return 1;
}

static bool parked_reject(void *context, struct rejection *rejections, size_t count, struct error *error)
{
    struct world *world = context;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        bool crashed = world->looks > 0 && world->earlier_marks[1] >= BATCH_MARKS_MAX;
        const char *reason = rejections[i].delivery->event ? "unusable_status" : "unrecognized_shape";
        assert_string_equal(rejections[i].delivery->reason, crashed ? "crashed_worker" : reason);
        assert_non_null(rejections[i].delivery->body);
        assert_string_equal(rejections[i].marks, crashed ? world->name : "");
        assert_true(strlen(rejections[i].delivery->detail) > 0);
        rejections[i].confirmed = world->reject_confirms;
    }
    return true;
}

static void parked_rejected(void *context, const struct rejection *rejection)
{
    (void)context;
    (void)rejection;
}

static bool parked_acknowledge(void *context, uint64_t tag, struct error *error)
{
    (void)error;
    note(context, "parked", (size_t)tag);
    return true;
}

/* A batch in that world, and where it parks. */
struct scene {
    struct world *world;
    struct batch_ports ports;
    struct parked_ports parked_ports;
    struct parked *parked;
    struct batch *batch;
};

static const struct batch_settings settings = {.max = 4, .wait_ms = 20, .seed = 7};

static struct batch *open_scene(struct scene *scene, struct world *world)
{
    *scene = (struct scene){.world = world, .ports = ports_of(world)};
    scene->parked_ports = (struct parked_ports){.context = world,
                                                .now_ms = parked_now_ms,
                                                .reject = parked_reject,
                                                .rejected = parked_rejected,
                                                .acknowledge = parked_acknowledge};
    scene->parked = parked_new(ROOM, &scene->parked_ports, 7);
    assert_non_null(scene->parked);
    scene->batch = batch_new(&settings, &scene->ports, scene->parked);
    assert_non_null(scene->batch);
    return scene->batch;
}

static void close_scene(struct scene *scene)
{
    batch_free(scene->batch);
    parked_free(scene->parked);
}

static struct held held;

static struct delivery *delivery_of(const char *body, uint64_t tag)
{
    struct delivery *delivery = delivery_new(strlen(body), &held);
    assert_non_null(delivery);
    memcpy(delivery->body, body, strlen(body));
    delivery->tag = tag;
    delivery->envelope.received_at_ms = 1780315200000;
    return delivery;
}

static const char BOTH[] = "{\"status\":\"perhaps\",\"dnc\":true,\"phone\":\"+13125550146\"}";

/* `kinds`: a letter for each delivery, g for a good one, b for a bad one, o for a bad one that tells of an opt-out; tags
   from 1. */
static void add_all(struct batch *batch, const char *kinds, int64_t now_ms)
{
    for (size_t i = 0; kinds[i]; i++) {
        const char *body = kinds[i] == 'g' ? "{\"status\":\"success\"}" : kinds[i] == 'o' ? BOTH : "{}";
        assert_true(batch_open(batch));
        batch_add(batch, delivery_of(body, i + 1), now_ms);
    }
}

/* Steps until the batch is over; the time jumps to what is due. Returns how it ended. */
static enum batch_progress run(struct batch *batch, int64_t *now_ms)
{
    for (int steps = 0; steps < 1000; steps++) {
        struct error error = {0};
        if (batch_due_ms(batch) > *now_ms)
            *now_ms = batch_due_ms(batch);
        enum batch_progress progress = batch_step(batch, *now_ms, &error);
        assert_int_not_equal(progress, BATCH_NOT_DUE);
        assert_int_equal(error.text[0] != '\0', progress == BATCH_KEPT || progress == BATCH_LOST);
        if (progress == BATCH_DONE || progress == BATCH_LOST)
            return progress;
    }
    fail_msg("the batch never ends");
    return BATCH_NOT_DUE;
}

static void acknowledges_after_redis_and_never_what_is_parked(void **state)
{
    static const struct {
        const char *kinds;
        struct world world;
        enum batch_progress end;
        const char *journal;
        size_t parked;
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
        {"go", {.acknowledge_failures = 1}, BATCH_LOST, "apply2 upto!1", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = cases[i].world;
        struct scene scene;
        struct batch *batch = open_scene(&scene, &world);
        int64_t now_ms = 1000;
        add_all(batch, cases[i].kinds, now_ms);
        assert_int_equal(run(batch, &now_ms), cases[i].end);
        assert_string_equal(world.journal, cases[i].journal);
        assert_int_equal(parked_count(scene.parked), cases[i].parked);
        assert_int_equal(batch_count(batch), 0);
        assert_true(batch_open(batch));
        assert_int_equal(batch_due_ms(batch), INT64_MAX);
        close_scene(&scene);
    }
}

static void those_behind_a_parked_one_are_acknowledged_alone_until_it_is_gone(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1000;
    (void)state;
    add_all(batch, "gb", now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    batch_add(batch, delivery_of("{\"status\":\"success\"}", 3), now_ms);
    batch_add(batch, delivery_of("{\"status\":\"success\"}", 4), now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    world.reject_confirms = true;
    assert_int_equal(parked_step(scene.parked, &error), PARKED_SETTLED);
    batch_add(batch, delivery_of("{\"status\":\"success\"}", 5), now_ms);
    batch_add(batch, delivery_of("{\"status\":\"success\"}", 6), now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "apply1 upto1 apply2 ack3 ack4 parked2 apply2 upto6");
    close_scene(&scene);
}

/* A rejection that is confirmed while its neighbours go to Redis costs them nothing. */
static void what_is_parked_is_on_its_way_before_redis_is_asked(void **state)
{
    struct world world = {.reject_confirms = true};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    add_all(batch, "bgg", 1000);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(parked_count(scene.parked), 1);
    assert_int_equal(parked_step(scene.parked, &error), PARKED_SETTLED);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "parked1 apply2 upto3");
    close_scene(&scene);
}

/* The opt-out of a message that is rejected must not wait for anything but Redis, and the message is parked after it. */
static void what_tells_of_an_opt_out_is_parked_once_redis_has_it(void **state)
{
    struct world world = {.apply_failures = 1, .reject_confirms = true};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    add_all(batch, "gobg", 1000);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(parked_count(scene.parked), 1);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_KEPT);
    assert_int_equal(parked_count(scene.parked), 1);
    assert_int_equal(parked_room(scene.parked), ROOM - 2);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(parked_count(scene.parked), 2);
    assert_int_equal(parked_room(scene.parked), ROOM - 2);
    assert_int_equal(parked_oldest(scene.parked), 2);
    assert_int_equal(parked_step(scene.parked, &error), PARKED_SETTLED);
    assert_string_equal(world.journal, "apply!3 apply3 upto1 ack4 parked3 parked2");
    assert_int_equal(parked_room(scene.parked), ROOM);
    close_scene(&scene);
}

static void what_is_dropped_gives_its_places_back(void **state)
{
    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        struct world world = {0};
        struct scene scene;
        struct batch *batch = open_scene(&scene, &world);
        struct error error = {0};
        add_all(batch, "obg", 1000);
        for (int i = 0; i < steps; i++)
            assert_int_equal(batch_step(batch, 1020, &error), BATCH_FURTHER);
        batch_drop(batch);
        parked_drop(scene.parked);
        assert_int_equal(parked_room(scene.parked), ROOM);
        close_scene(&scene);
    }
}

static void a_body_that_was_read_is_kept_only_for_the_rejected_queue(void **state)
{
    static const struct {
        const char *body;
        uint64_t delivery_count;
        bool read, kept;
    } cases[] = {
        {"{\"status\":\"success\"}", 0, true, false},
        {"{\"status\":\"success\"}", BATCH_SUSPECT_COUNT, false, true},
        {"{}", 0, true, true},
        {BOTH, 0, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = {0};
        struct scene scene;
        struct batch *batch = open_scene(&scene, &world);
        struct delivery *delivery = delivery_of(cases[i].body, 1);
        int64_t now_ms = 1000;
        delivery->delivery_count = cases[i].delivery_count;
        batch_read(batch, delivery);
        assert_int_equal(delivery_was_read(delivery), cases[i].read);
        assert_int_equal(delivery->body != NULL, cases[i].kept);
        assert_int_equal(held.bytes, sizeof *delivery + (cases[i].kept ? strlen(cases[i].body) : 0) +
                                         (delivery->event ? sizeof *delivery->event : 0));
        batch_add(batch, delivery, now_ms);
        assert_int_equal(run(batch, &now_ms), BATCH_DONE);
        assert_int_equal(held.bytes == 0, parked_count(scene.parked) == 0);
        close_scene(&scene);
        assert_int_equal(held.bytes, 0);
    }
}

static void takes_none_that_there_is_no_room_to_park(void **state)
{
    static const struct {
        const char *parked; /* by batches before */
        const char *kinds;  /* all that are taken */
        bool open;          /* then */
    } cases[] = {
        {"", "bb", true},    {"", "bbb", false},   {"b", "gb", true},
        {"b", "gbb", false}, {"bb", "ggb", false}, {"bbb", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world = {0};
        struct scene scene;
        struct batch *batch = open_scene(&scene, &world);
        struct error error = {0};
        int64_t now_ms = 1000;
        struct delivery *suspect = delivery_of("{}", 99);
        suspect->delivery_count = BATCH_SUSPECT_COUNT;
        add_all(batch, cases[i].parked, now_ms);
        if (cases[i].parked[0] != '\0')
            assert_int_equal(run(batch, &now_ms), BATCH_DONE);
        add_all(batch, cases[i].kinds, now_ms);
        assert_int_equal(batch_open(batch), cases[i].open);
        assert_int_equal(batch_count(batch) > 0 && batch_due_ms(batch) == now_ms,
                         !cases[i].open && batch_count(batch) > 0);
        if (batch_count(batch) > 0)
            assert_int_equal(run(batch, &now_ms), BATCH_DONE);
        assert_int_equal(batch_takes(batch, suspect), cases[i].open);
        world.reject_confirms = true;
        if (parked_count(scene.parked) > 0)
            assert_int_equal(parked_step(scene.parked, &error), PARKED_SETTLED);
        assert_true(batch_takes(batch, suspect));
        delivery_free(suspect);
        close_scene(&scene);
    }
}

static void waits_for_more_until_full_or_late(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    (void)state;
    assert_int_equal(batch_step(batch, 1000, &error), BATCH_NOT_DUE);
    add_all(batch, "g", 1000);
    assert_int_equal(batch_due_ms(batch), 1020);
    assert_int_equal(batch_step(batch, 1019, &error), BATCH_NOT_DUE);
    add_all(batch, "g", 1010); /* a later one does not prolong the wait */
    assert_int_equal(batch_due_ms(batch), 1020);
    add_all(batch, "gg", 1015);
    assert_false(batch_open(batch));
    assert_int_equal(batch_due_ms(batch), 1015);
    assert_int_equal(batch_step(batch, 1015, &error), BATCH_FURTHER);
    close_scene(&scene);
}

static void takes_nothing_more_once_work_has_begun(void **state)
{
    struct world world = {.apply_failures = 1};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    (void)state;
    add_all(batch, "g", 1000);
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_FURTHER);
    assert_false(batch_open(batch));
    assert_int_equal(batch_step(batch, 1020, &error), BATCH_KEPT);
    assert_false(batch_open(batch));
    assert_int_equal(batch_count(batch), 1);
    close_scene(&scene);
}

static void waits_for_redis_without_being_due_and_looks_now_and_then(void **state)
{
    struct world world = {.apply_waits = 3};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    (void)state;
    add_all(batch, "g", 1000);
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
    close_scene(&scene);
}

static void backs_off_with_jitter_and_not_past_its_longest_pause(void **state)
{
    struct world world = {.apply_failures = 20};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    int64_t now_ms = 1020;
    (void)state;
    add_all(batch, "g", 1000);
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
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    close_scene(&scene);
}

static void a_lost_connection_drops_all_in_any_phase(void **state)
{
    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        struct world world = {0};
        struct scene scene;
        struct batch *batch = open_scene(&scene, &world);
        struct error error = {0};
        int64_t now_ms = 1020;
        add_all(batch, "gb", 1000);
        for (int i = 0; i < steps; i++)
            assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
        batch_drop(batch);
        parked_drop(scene.parked);
        assert_int_equal(batch_count(batch), 0);
        assert_int_equal(batch_step(batch, now_ms, &error), BATCH_NOT_DUE);
        assert_null(strstr(world.journal, "ack"));
        assert_null(strstr(world.journal, "upto"));
        world.journal[0] = '\0';
        add_all(batch, "bg", now_ms); /* delivered again, with new tags */
        assert_int_equal(run(batch, &now_ms), BATCH_DONE);
        assert_string_equal(world.journal, "apply1 ack2");
        close_scene(&scene);
    }
}

static void hurrying_makes_a_waiting_batch_due(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    (void)state;
    batch_hurry(batch, 1000);
    assert_int_equal(batch_due_ms(batch), INT64_MAX);
    add_all(batch, "g", 1000);
    batch_hurry(batch, 1001);
    assert_int_equal(batch_due_ms(batch), 1001);
    close_scene(&scene);
}

static void remarks_are_passed_on(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    (void)state;
    batch_add(batch, delivery_of("{\"status\":\"success\",\"tts_fee\":-1}", 1), 1000);
    batch_add(batch, delivery_of("{\"status\":\"success\",\"tts_fee\":1}", 2), 1000);
    assert_int_equal(world.remarks, 1);
    close_scene(&scene);
}

static struct delivery *suspect_of(const char *body, uint64_t tag, const char *message_id)
{
    struct delivery *delivery = delivery_of(body, tag);
    delivery->delivery_count = BATCH_SUSPECT_COUNT;
    snprintf(delivery->envelope.message_id, sizeof delivery->envelope.message_id, "%s", message_id);
    return delivery;
}

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
        {BOTH, {0}, BATCH_DONE, "mark0 rehearse1 unmark1 apply1 parked1"},
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
        struct batch *batch = open_scene(&scene, &world);
        struct error error = {0};
        int64_t now_ms = 1000;
        batch_add(batch, suspect_of(cases[i].body, 1, "an id"), now_ms);
        assert_int_equal(batch_due_ms(batch), now_ms); /* it waits for nobody */
        assert_int_equal(run(batch, &now_ms), cases[i].end);
        world.reject_confirms = true;
        assert_int_equal(parked_step(scene.parked, &error),
                         strstr(cases[i].journal, "parked") ? PARKED_SETTLED : PARKED_NOT_DUE);
        assert_string_equal(world.journal, cases[i].journal);
        assert_string_equal(world.name, "an id");
        assert_int_equal(now_ms >= 1000 + BATCH_LOOK_AGAIN_MS, cases[i].world.earlier_marks[0] >= BATCH_MARKS_MAX);
        assert_true(batch_open(batch));
        close_scene(&scene);
    }
}

/* Parsing shows in a remark. */
static void a_suspect_is_not_read_before_it_is_marked(void **state)
{
    struct world world = {.mark_failures = 1};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct error error = {0};
    (void)state;
    batch_add(batch, suspect_of("{\"status\":\"success\",\"tts_fee\":-1}", 1, ""), 1000);
    assert_int_equal(batch_step(batch, 1000, &error), BATCH_KEPT);
    assert_int_equal(world.remarks, 0);
    int64_t now_ms = batch_due_ms(batch);
    assert_int_equal(batch_step(batch, now_ms, &error), BATCH_FURTHER);
    assert_int_equal(world.remarks, 1);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.remarks, 1); /* once */
    close_scene(&scene);
}

static void one_with_two_deaths_is_never_read(void **state)
{
    struct world world = {.earlier_marks = {2, 2}};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, suspect_of("{\"status\":\"success\",\"tts_fee\":-1}", 1, ""), now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.remarks, 0);
    close_scene(&scene);
}

static void a_suspect_shares_a_batch_with_nobody(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    struct delivery *suspect = suspect_of("{\"status\":\"success\"}", 2, "an id");
    struct delivery *other = delivery_of("{\"status\":\"success\"}", 3);
    int64_t now_ms = 1000;
    (void)state;
    other->delivery_count = BATCH_SUSPECT_COUNT - 1;
    add_all(batch, "g", now_ms);
    assert_true(batch_takes(batch, other));
    assert_false(batch_takes(batch, suspect));
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_true(batch_takes(batch, suspect));
    batch_add(batch, suspect, now_ms);
    assert_false(batch_open(batch));
    assert_false(batch_takes(batch, other));
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_true(batch_takes(batch, other));
    batch_add(batch, other, now_ms);
    assert_true(batch_open(batch));
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.journal, "apply1 upto1 mark0 rehearse1 unmark1 apply1 upto2 apply1 upto3");
    close_scene(&scene);
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
        {{0}, 2, "mark0 rehearse1 unmark1"},
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
        struct batch *batch = open_scene(&scene, &world);
        struct error error = {0};
        batch_add(batch, suspect_of("{\"status\":\"success\"}", 1, "an id"), 1000);
        for (int done = 0; done < cases[i].steps; done++)
            assert_int_not_equal(batch_step(batch, batch_due_ms(batch), &error), BATCH_NOT_DUE);
        batch_drop(batch);
        assert_string_equal(world.journal, cases[i].journal);
        close_scene(&scene);
        assert_string_equal(world.journal, cases[i].journal);
    }
}

static void a_mark_that_cannot_be_taken_off_does_not_hold_the_message_for_ever(void **state)
{
    struct world world = {.unmark_failures = BATCH_UNMARK_TRIES};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    static const char end[] = "unmark!1 later1 apply1 upto1";
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, suspect_of("{\"status\":\"success\"}", 1, "an id"), now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_int_equal(world.unmark_failures, 0);
    assert_true(strlen(world.journal) > strlen(end));
    assert_string_equal(world.journal + strlen(world.journal) - strlen(end), end);
    assert_in_range(now_ms, 1000 + TIMER_MS(30000), 1000 + TIMER_MS(120000));
    close_scene(&scene);
}

static void a_message_without_an_id_is_named_by_its_body(void **state)
{
    struct world world = {0};
    struct scene scene;
    struct batch *batch = open_scene(&scene, &world);
    int64_t now_ms = 1000;
    (void)state;
    batch_add(batch, suspect_of("{}", 1, ""), now_ms);
    assert_int_equal(run(batch, &now_ms), BATCH_DONE);
    assert_string_equal(world.name, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledges_after_redis_and_never_what_is_parked),
        cmocka_unit_test(those_behind_a_parked_one_are_acknowledged_alone_until_it_is_gone),
        cmocka_unit_test(what_is_parked_is_on_its_way_before_redis_is_asked),
        cmocka_unit_test(what_tells_of_an_opt_out_is_parked_once_redis_has_it),
        cmocka_unit_test(what_is_dropped_gives_its_places_back),
        cmocka_unit_test(a_body_that_was_read_is_kept_only_for_the_rejected_queue),
        cmocka_unit_test(takes_none_that_there_is_no_room_to_park),
        cmocka_unit_test(waits_for_more_until_full_or_late),
        cmocka_unit_test(takes_nothing_more_once_work_has_begun),
        cmocka_unit_test(waits_for_redis_without_being_due_and_looks_now_and_then),
        cmocka_unit_test(backs_off_with_jitter_and_not_past_its_longest_pause),
        cmocka_unit_test(a_lost_connection_drops_all_in_any_phase),
        cmocka_unit_test(hurrying_makes_a_waiting_batch_due),
        cmocka_unit_test(remarks_are_passed_on),
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
