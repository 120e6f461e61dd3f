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

static enum apply_progress fake_apply(void *context, size_t which, const struct event *const *events, size_t count,
                                      enum applied *results, struct error *error)
{
    struct world *world = context;
    (void)which;
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

static void fake_abandon(void *context, size_t which)
{
    (void)which;
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

static struct batch_ops ops_of(struct world *world)
{
    return (struct batch_ops){
        .context = world, .apply = fake_apply, .abandon = fake_abandon, .acknowledge = fake_acknowledge};
}

static int64_t fake_now_ms(void *context)
{
    (void)context;
    return 1;
}

static bool fake_publish(void *context, struct delivery *first, struct error *error)
{
    struct world *world = context;
    (void)error;
    for (struct delivery *one = first; one; one = one->next) {
        assert_string_equal(one->reason, one->event ? "unusable_status" : "unrecognized_shape");
        assert_non_null(one->body);
        assert_true(strlen(one->detail) > 0);
        one->reject_confirmed = world->reject_confirms;
    }
    return true;
}

static void fake_rejected(void *context, const char *reason)
{
    (void)context;
    (void)reason;
}

static bool fake_acknowledge_reject(void *context, uint64_t tag, bool multiple, struct error *error)
{
    (void)multiple;
    (void)error;
    note(context, "rejected", (size_t)tag);
    return true;
}

static const struct batch_settings settings = {.max = 4, .wait_ms = 20, .seed = 7};

struct batch *scene_open(struct scene *scene, struct world *world)
{
    *scene = (struct scene){.world = world, .ops = ops_of(world)};
    scene->reject_ops = (struct reject_ops){.context = world,
                                            .now_ms = fake_now_ms,
                                            .publish = fake_publish,
                                            .rejected = fake_rejected,
                                            .acknowledge = fake_acknowledge_reject};
    pending_rejects_init(&scene->rejects, &scene->reject_ops, 7);
    scene->batch = batch_new(&settings, &scene->ops, &scene->rejects);
    assert_non_null(scene->batch);
    return scene->batch;
}

void scene_close(struct scene *scene)
{
    batch_free(scene->batch);
    pending_rejects_clear(&scene->rejects);
}

struct delivery *scene_delivery(const char *body, uint64_t tag)
{
    char ignored[PARSE_DETAIL];
    struct delivery *delivery = delivery_new(strlen(body), &scene_held);
    assert_non_null(delivery);
    memcpy(delivery->body, body, strlen(body));
    delivery->tag = tag;
    delivery->envelope.received_at_ms = 1780315200000;
    assert_true(delivery_read(delivery, NULL, ignored));
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
