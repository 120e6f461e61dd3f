#include "bridge/spool/drain.h"

#include "cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A spool and a broker in memory: they take the place of bridge/spool/spool.c and bridge/publisher.c in this program. */

enum { ROWS = 2000, PAUSE_MAX_MS = 5, STOP_MS = 200, LARGE = 2 };

struct spool {
    pthread_mutex_t mutex;
    bool here[ROWS + 1]; /* by id, from 1 */
    int large;           /* ids up to this have a body of two bytes; the others none */
    int reads;           /* rows read */
    int attempts;        /* to read, also in vain */
    bool cannot_delete;
    bool cannot_read;
};

struct broker_pool {
    pthread_mutex_t mutex;
    struct handoff *queue;
    _Atomic int looks;       /* at the state */
    int published[ROWS + 1]; /* by id */
    int order[ROWS];         /* the ids, as first confirmed */
    int confirmed;
    int poison;    /* an id that ends the connection; 0: none */
    int refused;   /* an id that is nacked; 0: none */
    bool names_it; /* the poison is refused, and what was sent beside it is confirmed */
    size_t limit;  /* larger bodies are refused, and what is sent beside them is lost; 0: none are */
    int cut_off;     /* connections ended */
    size_t most_out; /* messages out at once */
    bool silent;     /* confirms nothing */
    bool stop;
    pthread_t thread;
};

bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    size_t n = 0;
    bool ok;

    (void)max_bytes;
    pthread_mutex_lock(&spool->mutex);
    spool->attempts++;
    ok = !spool->cannot_read;
    for (int64_t id = after_id + 1; ok && id <= ROWS && n < max; id++) {
        struct envelope envelope = {.received_at_ms = 0};

        if (!spool->here[id])
            continue;
        out[n].id = id;
        out[n].message = message_new(LARGE);
        assert_non_null(out[n].message);
        if (id <= spool->large)
            out[n].message->body_len = LARGE;
        spool->reads++;
        snprintf(envelope.message_id, sizeof envelope.message_id, "%d", (int)id);
        message_set_event(out[n].message, &envelope);
        n++;
    }
    pthread_mutex_unlock(&spool->mutex);
    if (ok)
        *count = n;
    else
        error_set(error, ERROR_UNAVAILABLE, "the spool is shut");
    return ok;
}

bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    bool ok;

    pthread_mutex_lock(&spool->mutex);
    ok = !spool->cannot_delete;
    for (size_t i = 0; ok && i < count; i++)
        spool->here[ids[i]] = false;
    pthread_mutex_unlock(&spool->mutex);
    if (!ok)
        error_set(error, ERROR_UNAVAILABLE, "the disk is full");
    return ok;
}

static int waiting(struct spool *spool)
{
    int count = 0;

    pthread_mutex_lock(&spool->mutex);
    for (int id = 1; id <= ROWS; id++)
        count += spool->here[id];
    pthread_mutex_unlock(&spool->mutex);
    return count;
}

bool spool_wait(struct spool *spool, int64_t timeout_ms)
{
    if (waiting(spool) == 0)
        clock_sleep_ms(timeout_ms < 5 ? timeout_ms : 5); /* clock: between two looks */
    return waiting(spool) > 0;
}

void spool_wake(struct spool *spool)
{
    (void)spool;
}

void spool_status(struct spool *spool, struct spool_status *out)
{
    *out = (struct spool_status){.waiting = waiting(spool)};
}

static int id_of(const struct pending_message *message)
{
    return atoi(message->envelope.message_id);
}

bool pool_offer(struct broker_pool *publishers, struct pending_message *message, enum publish_outcome *outcome)
{
    return handoff_offer(publishers->queue, message, outcome);
}

void pool_status(struct broker_pool *publishers, struct broker_status *out)
{
    atomic_fetch_add(&publishers->looks, 1);
    out->state = handoff_state(publishers->queue);
}

static bool is_too_large(struct broker_pool *broker, const struct pending_message *message)
{
    return broker->limit > 0 && message_body_bytes(message).len > broker->limit;
}

static void settle(struct broker_pool *broker, struct pending_message *message, bool lost)
{
    const int id = id_of(message);

    broker->published[id]++;
    if (is_too_large(broker, message) || (broker->names_it && id == broker->poison)) {
        message_settle(message, PUBLISH_REFUSED);
    } else if (lost) {
        message_settle(message, PUBLISH_LOST);
    } else if (id == broker->refused) {
        message_settle(message, PUBLISH_FAILED);
    } else {
        if (broker->confirmed < ROWS)
            broker->order[broker->confirmed++] = id;
        message_settle(message, PUBLISH_CONFIRMED);
    }
}

static void *broker_run(void *argument)
{
    struct broker_pool *broker = argument;
    struct pending_message *taken[512];

    for (;;) {
        pthread_mutex_lock(&broker->mutex);
        const bool stop = broker->stop;
        const bool silent = broker->silent;
        const size_t count = silent ? 0 : handoff_take(broker->queue, taken, 512);
        bool lost = false;

        for (size_t i = 0; i < count; i++)
            lost |= id_of(taken[i]) == broker->poison;
        broker->cut_off += lost;
        lost &= !broker->names_it;
        for (size_t i = 0; i < count; i++)
            lost |= is_too_large(broker, taken[i]);
        if (count > broker->most_out)
            broker->most_out = count;
        for (size_t i = 0; i < count; i++)
            settle(broker, taken[i], lost);
        pthread_mutex_unlock(&broker->mutex);
        if (stop)
            return NULL;
        if (count == 0)
            clock_sleep_ms(1); /* clock: between two looks */
    }
}

struct scene {
    struct spool spool;
    struct broker_pool broker;
    struct spool_drain *drain;
    int64_t pause_max_ms;
    int64_t round_ms; /* 0: the usual */
};

static struct scene *scene_new(int rows)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct error error;

    assert_non_null(scene);
    pthread_mutex_init(&scene->spool.mutex, NULL);
    pthread_mutex_init(&scene->broker.mutex, NULL);
    scene->broker.queue = handoff_new(4096, 1 << 20, &error);
    assert_non_null(scene->broker.queue);
    handoff_set_state(scene->broker.queue, BROKER_OPEN);
    scene->pause_max_ms = PAUSE_MAX_MS;
    for (int id = 1; id <= rows; id++)
        scene->spool.here[id] = true;
    return scene;
}

static void scene_start(struct scene *scene)
{
    struct error error;

    assert_int_equal(pthread_create(&scene->broker.thread, NULL, broker_run, &scene->broker), 0);
    scene->drain = spool_drain_start(&scene->spool, &scene->broker, scene->pause_max_ms, scene->round_ms, &error);
    assert_non_null(scene->drain);
}

static void scene_free(struct scene *scene)
{
    spool_drain_stop(scene->drain, clock_monotonic_ms() + STOP_MS);
    pthread_mutex_lock(&scene->broker.mutex);
    scene->broker.stop = true;
    pthread_mutex_unlock(&scene->broker.mutex);
    pthread_join(scene->broker.thread, NULL);
    handoff_free(scene->broker.queue);
    pthread_mutex_destroy(&scene->broker.mutex);
    pthread_mutex_destroy(&scene->spool.mutex);
    free(scene);
}

/* Until so many are left. */
static void wait_until_left(struct scene *scene, int left)
{
    WAIT_UNTIL(waiting(&scene->spool) <= left);
    assert_int_equal(waiting(&scene->spool), left);
}

/* In vain or not. */
static int attempts_to_read(struct scene *scene)
{
    int attempts;

    pthread_mutex_lock(&scene->spool.mutex);
    attempts = scene->spool.attempts;
    pthread_mutex_unlock(&scene->spool.mutex);
    return attempts;
}

static bool has_problem(struct scene *scene)
{
    char problem[ERROR_TEXT];

    spool_drain_problem(scene->drain, problem);
    return problem[0] != '\0';
}

static void the_oldest_goes_first_and_few_at_once(void **state)
{
    struct scene *scene = scene_new(1500);

    (void)state;
    scene_start(scene);
    wait_until_left(scene, 0);
    for (int i = 0; i < 1500; i++)
        assert_int_equal(scene->broker.order[i], i + 1);
    assert_true(scene->broker.most_out <= 256);
    scene_free(scene);
}

static void what_the_broker_refuses_stays_and_holds_up_nobody(void **state)
{
    struct scene *scene = scene_new(600);

    (void)state;
    scene->broker.refused = 1;
    scene_start(scene);
    wait_until_left(scene, 1);
    assert_true(scene->spool.here[1]);
    pthread_mutex_lock(&scene->broker.mutex);
    scene->broker.refused = 0;
    pthread_mutex_unlock(&scene->broker.mutex);
    wait_until_left(scene, 0);
    scene_free(scene);
}

static void a_message_that_ends_the_connection_is_left_alone_in_the_end(void **state)
{
    static const int poisons[] = {1, 130, 300};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene *scene = scene_new(300);

        scene->broker.poison = poisons[i];
        scene_start(scene);
        wait_until_left(scene, 1);
        assert_true(scene->spool.here[poisons[i]]);
        scene_free(scene);
    }
}

static int times_published(struct scene *scene, int id)
{
    int times;

    pthread_mutex_lock(&scene->broker.mutex);
    times = scene->broker.published[id];
    pthread_mutex_unlock(&scene->broker.mutex);
    return times;
}

static void a_message_that_ends_each_connection_is_held_back_and_named(void **state)
{
    (void)state;
    for (int names_it = 0; names_it <= 1; names_it++) {
        struct scene *scene = scene_new(300);
        char problem[ERROR_TEXT];

        scene->broker.poison = 130;
        scene->broker.names_it = names_it;
        scene_start(scene);
        WAIT_UNTIL(has_problem(scene));
        spool_drain_problem(scene->drain, problem);
        assert_non_null(strstr(problem, "message 130 of the spool (0 bytes)"));
        wait_until_left(scene, 1);
        const int times = times_published(scene, 130);
        pthread_mutex_lock(&scene->spool.mutex);
        scene->spool.here[300] = true;
        pthread_mutex_unlock(&scene->spool.mutex);
        wait_until_left(scene, 1);
        assert_int_equal(times_published(scene, 130), times);
        scene_free(scene);
    }
}

/* More than there are places for: the others are struck again and again, and nobody else waits. */
static void any_number_of_messages_that_end_the_connection_hold_up_nobody(void **state)
{
    struct scene *scene = scene_new(100);

    (void)state;
    scene->spool.large = 80;
    scene->broker.limit = LARGE - 1;
    scene_start(scene);
    wait_until_left(scene, 80);
    WAIT_UNTIL(has_problem(scene));
    scene_free(scene);
}

static void nothing_is_offered_behind_a_shut_gate(void **state)
{
    struct scene *scene = scene_new(10);

    (void)state;
    handoff_set_state(scene->broker.queue, BROKER_BLOCKED);
    scene_start(scene);
    WAIT_UNTIL(atomic_load(&scene->broker.looks) >= 3);
    assert_int_equal(waiting(&scene->spool), 10);
    assert_int_equal(attempts_to_read(scene), 0);
    handoff_set_state(scene->broker.queue, BROKER_OPEN);
    wait_until_left(scene, 0);
    scene_free(scene);
}

static void what_cannot_be_deleted_is_published_again(void **state)
{
    struct scene *scene = scene_new(5);

    (void)state;
    scene->spool.cannot_delete = true;
    scene_start(scene);
    WAIT_UNTIL(times_published(scene, 5) >= 2);
    pthread_mutex_lock(&scene->spool.mutex);
    scene->spool.cannot_delete = false;
    pthread_mutex_unlock(&scene->spool.mutex);
    wait_until_left(scene, 0);
    scene_free(scene);
}

static void a_spool_that_cannot_be_read_is_tried_again(void **state)
{
    struct scene *scene = scene_new(5);

    (void)state;
    scene->spool.cannot_read = true;
    scene_start(scene);
    WAIT_UNTIL(attempts_to_read(scene) >= 2);
    pthread_mutex_lock(&scene->spool.mutex);
    scene->spool.cannot_read = false;
    pthread_mutex_unlock(&scene->spool.mutex);
    wait_until_left(scene, 0);
    scene_free(scene);
}

static void a_stop_does_not_wait_for_a_silent_broker(void **state)
{
    struct scene *scene = scene_new(300);

    (void)state;
    scene->broker.silent = true;
    scene->round_ms = FOREVER_MS;
    scene_start(scene);
    WAIT_UNTIL(attempts_to_read(scene) > 0);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_first_and_few_at_once),
        cmocka_unit_test(what_the_broker_refuses_stays_and_holds_up_nobody),
        cmocka_unit_test(a_message_that_ends_the_connection_is_left_alone_in_the_end),
        cmocka_unit_test(a_message_that_ends_each_connection_is_held_back_and_named),
        cmocka_unit_test(any_number_of_messages_that_end_the_connection_hold_up_nobody),
        cmocka_unit_test(nothing_is_offered_behind_a_shut_gate),
        cmocka_unit_test(what_cannot_be_deleted_is_published_again),
        cmocka_unit_test(a_spool_that_cannot_be_read_is_tried_again),
        cmocka_unit_test(a_stop_does_not_wait_for_a_silent_broker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
