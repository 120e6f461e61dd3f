#include "batch_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct held scene_held;
const char SCENE_BOTH[] = "{\"status\":\"perhaps\",\"dnc\":true,\"phone\":\"+13125550146\"}";

static void note(struct world *world, const char *what, size_t count)
{
    size_t used = strlen(world->journal);
    snprintf(world->journal + used, SCENE_JOURNAL - used, "%s%s%zu", used ? " " : "", what, count);
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
        const char *reason = rejections[i].delivery->event ? "unusable_status" : "unrecognized_shape";
        assert_string_equal(rejections[i].delivery->reason, reason);
        assert_non_null(rejections[i].delivery->body);
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

static const struct batch_settings settings = {.max = 4, .wait_ms = 20, .seed = 7};

struct batch *scene_open(struct scene *scene, struct world *world)
{
    *scene = (struct scene){.world = world, .ports = ports_of(world)};
    scene->parked_ports = (struct parked_ports){.context = world,
                                                .now_ms = parked_now_ms,
                                                .reject = parked_reject,
                                                .rejected = parked_rejected,
                                                .acknowledge = parked_acknowledge};
    scene->parked = parked_new(SCENE_ROOM, &scene->parked_ports, 7);
    assert_non_null(scene->parked);
    scene->batch = batch_new(&settings, &scene->ports, scene->parked);
    assert_non_null(scene->batch);
    return scene->batch;
}

void scene_close(struct scene *scene)
{
    batch_free(scene->batch);
    parked_free(scene->parked);
}

struct delivery *scene_delivery(const char *body, uint64_t tag)
{
    struct delivery *delivery = delivery_new(strlen(body), &scene_held);
    assert_non_null(delivery);
    memcpy(delivery->body, body, strlen(body));
    delivery->tag = tag;
    delivery->envelope.received_at_ms = 1780315200000;
    return delivery;
}

void scene_add(struct batch *batch, const char *kinds, int64_t now_ms)
{
    for (size_t i = 0; kinds[i]; i++) {
        const char *body = kinds[i] == 'g' ? "{\"status\":\"success\"}" : kinds[i] == 'o' ? SCENE_BOTH : "{}";
        assert_true(batch_open(batch));
        batch_add(batch, scene_delivery(body, i + 1), now_ms);
    }
}

enum batch_progress scene_run(struct batch *batch, int64_t *now_ms)
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
