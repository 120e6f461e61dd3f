#include "bridge/spool/spool.h"

#include "cases.h"
#include "spool_disk.h"
#include "spool_folder.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MEGABYTE = 1024 * 1024,
    /* Of the spool: short, since the tests wait for them. */
    LOOK_MS = 5,
    REOPEN_MAX_MS = 5,
};

static char *const path = spool_path;
static struct bridge_metrics *metrics;

/* ---- the folder and the spool in it ---- */

static int make_folder(void **state)
{
    metrics = bridge_metrics_new();
    return metrics ? spool_folder_make(state) : -1;
}

static int remove_folder(void **state)
{
    bridge_metrics_free(metrics);
    return spool_folder_remove(state);
}

static struct spool_settings settings_of(int64_t max_bytes)
{
    return (struct spool_settings){.path = path,
                                   .max_bytes = max_bytes,
                                   .look_ms = LOOK_MS,
                                   .reopen_max_ms = REOPEN_MAX_MS};
}

static struct spool_status status_of(struct spool *spool)
{
    struct spool_status status;

    spool_status(spool, &status);
    return status;
}

/* Until the first opening has succeeded or failed. */
static struct spool *start_spool(int64_t max_bytes)
{
    const struct spool_settings settings = settings_of(max_bytes);
    const int64_t guard_ms = hang_guard();
    struct error error;
    struct spool *spool = spool_start(&settings, metrics, &error);

    if (!spool)
        fail_msg("%s", error.text);
    while (status_of(spool).state == SPOOL_OPENING && goes_on_waiting(guard_ms))
        ;
    return spool;
}

/* As after the start of another process. */
static struct spool *restart_spool(struct spool *spool, int64_t max_bytes)
{
    spool_stop(spool);
    bridge_metrics_free(metrics);
    metrics = bridge_metrics_new();
    assert_non_null(metrics);
    return start_spool(max_bytes);
}

static bool comes_to(struct spool *spool, enum spool_state state)
{
    const int64_t guard_ms = hang_guard();

    while (status_of(spool).state != state && goes_on_waiting(guard_ms))
        ;
    return status_of(spool).state == state;
}

static int64_t metric(enum bridge_metric row)
{
    return metric_get(&metrics->rows[row]);
}

static bool is_balanced(struct spool *spool)
{
    return metric(METRIC_SPOOL_FOUND) + metric(METRIC_SPOOL_SPOOLED) ==
               metric(METRIC_SPOOL_DRAINED) + metric(METRIC_SPOOL_SET_ASIDE) + metric(METRIC_SPOOL_WAITING) &&
           status_of(spool).waiting == metric(METRIC_SPOOL_WAITING);
}

/* ---- messages ---- */

static enum publish_outcome submit(struct spool *spool, size_t body_len, int64_t wait_ms)
{
    static _Atomic int number;
    struct envelope envelope = {.scheme = ENVELOPE_GUIDE, .received_at_ms = 1774000000000};
    struct pending_message *message = message_new(body_len);
    enum publish_outcome outcome;

    if (!message)
        return PUBLISH_AWAY;
    snprintf(envelope.message_id, sizeof envelope.message_id, "m-%d", atomic_fetch_add(&number, 1));
    memset(message->body, 'b', body_len);
    message->body_len = body_len;
    message_set_event(message, &envelope);
    outcome = spool_submit(spool, message, clock_monotonic_ms() + wait_ms);
    message_release(message);
    return outcome;
}

/* Takes out up to `max`, oldest first. Returns how many, or -1 if the spool failed. */
static int take_out(struct spool *spool, size_t max)
{
    struct spooled rows[256];
    int64_t ids[256];
    struct error error;
    size_t count;

    if (!spool_read(spool, 0, max < 256 ? max : 256, 64 * MEGABYTE, rows, &count, &error))
        return -1;
    for (size_t i = 0; i < count; i++) {
        ids[i] = rows[i].id;
        message_release(rows[i].message);
    }
    return spool_delete(spool, ids, count, &error) ? (int)count : -1;
}

static int take_out_all(struct spool *spool)
{
    int total = 0;
    int taken;

    while ((taken = take_out(spool, 256)) > 0)
        total += taken;
    /* A file without its name is closed once it is empty. */
    return taken < 0 && status_of(spool).waiting > 0 ? -1 : total;
}

/* Of all senders: how many have not sent all of theirs, and how many wait for an outcome just now. */
static _Atomic int sending;
static _Atomic int in_flight;
static atomic_bool enough; /* ends them before that */

struct sender {
    struct spool *spool;
    pthread_t thread;
    int messages;
    size_t body_len;
    int64_t wait_ms;
    int by_outcome[PUBLISH_AWAY + 1];
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;

    for (int i = 0; i < sender->messages && !atomic_load(&enough); i++) {
        atomic_fetch_add(&in_flight, 1);
        sender->by_outcome[submit(sender->spool, sender->body_len, sender->wait_ms)]++;
        atomic_fetch_sub(&in_flight, 1);
    }
    atomic_fetch_sub(&sending, 1);
    return NULL;
}

static void start_senders(struct sender *senders, int count, const struct sender *like)
{
    for (int i = 0; i < count; i++) {
        senders[i] = *like;
        atomic_fetch_add(&sending, 1);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
}

static int finish_senders(struct sender *senders, int count, enum publish_outcome outcome)
{
    int total = 0;

    for (int i = 0; i < count; i++) {
        pthread_join(senders[i].thread, NULL);
        total += senders[i].by_outcome[outcome];
    }
    return total;
}

/* A sync takes as long as it takes all senders to come with their next message. */
static bool not_all_have_come(void)
{
    return atomic_load(&in_flight) < atomic_load(&sending);
}

/* ---- the cases ---- */

static void many_threads_share_a_sync(void **state)
{
    enum { THREADS = 64, EACH = 10 };
    struct spool *spool = start_spool(64 * MEGABYTE);
    const struct sender like = {.spool = spool, .messages = EACH, .body_len = 400, .wait_ms = HANG_GUARD_MS};
    struct sender senders[THREADS];

    (void)state;
    spool_disk.sync_waits = not_all_have_come;
    atomic_store(&spool_disk.syncs, 0);
    start_senders(senders, THREADS, &like);
    assert_int_equal(finish_senders(senders, THREADS, PUBLISH_CONFIRMED), THREADS * EACH);
    assert_true(atomic_load(&spool_disk.syncs) > 0);
    assert_true(atomic_load(&spool_disk.syncs) < THREADS * EACH / 4);
    assert_int_equal(status_of(spool).waiting, THREADS * EACH);
    assert_int_equal(metric(METRIC_SPOOL_SPOOLED), THREADS * EACH);
    assert_true(metric(METRIC_SPOOL_BYTES) >= THREADS * EACH * 400);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void what_waits_is_found_by_the_next_process_and_drained(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_int_equal(take_out(spool, 3), 3);
    assert_true(is_balanced(spool));
    spool = restart_spool(spool, 64 * MEGABYTE);
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 7);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(spool_wait(spool, HANG_GUARD_MS));
    assert_int_equal(take_out_all(spool), 8);
    assert_int_equal(status_of(spool).waiting, 0);
    assert_int_equal(metric(METRIC_SPOOL_DRAINED), 8);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void waiting_for_a_message_ends_with_the_message_the_time_or_a_call(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    assert_false(spool_wait(spool, 10));
    spool_wake(spool);
    assert_false(spool_wait(spool, FOREVER_MS));
    assert_int_equal(submit(spool, 1, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(spool_wait(spool, HANG_GUARD_MS));
    spool_stop(spool);
}

static void a_full_spool_says_so_and_takes_again_when_something_was_taken_out(void **state)
{
    struct spool *spool = start_spool(MEGABYTE);
    struct spool_status status;
    int taken = 0;

    (void)state;
    while (submit(spool, 5000, HANG_GUARD_MS) == PUBLISH_CONFIRMED)
        taken++;
    assert_true(taken > 80);
    status = status_of(spool);
    assert_int_equal(status.state, SPOOL_IS_FULL);
    assert_non_null(strstr(status.problem, "full"));
    assert_true(status.bytes <= MEGABYTE);
    assert_int_equal(submit(spool, 5000, HANG_GUARD_MS), PUBLISH_FULL);
    assert_int_equal(metric(METRIC_SPOOL_FAILURES), 0);
    assert_int_equal(take_out(spool, 20), 20);
    assert_int_equal(status_of(spool).state, SPOOL_OPEN);
    assert_int_equal(submit(spool, 5000, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_int_equal(take_out_all(spool), taken - 19);
    assert_true(status_of(spool).bytes < 64 * 1024);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_message_that_does_not_fit_leaves_the_spool_open_for_smaller_ones(void **state)
{
    static const size_t bodies[] = {MEGABYTE, 900000, 500000, 100000, 20000};
    struct spool *spool = start_spool(MEGABYTE);

    (void)state;
    assert_int_equal(submit(spool, MEGABYTE, HANG_GUARD_MS), PUBLISH_FULL);
    assert_int_equal(status_of(spool).state, SPOOL_OPEN);
    assert_int_equal(submit(spool, 100, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    /* Ever smaller ones fill what is left. */
    for (size_t i = 0; i < COUNT(bodies); i++) {
        while (submit(spool, bodies[i], HANG_GUARD_MS) == PUBLISH_CONFIRMED)
            ;
        assert_int_equal(status_of(spool).state, SPOOL_OPEN);
        assert_int_equal(submit(spool, bodies[i] + 1, HANG_GUARD_MS), PUBLISH_FULL);
        assert_int_equal(submit(spool, 100, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    }
    while (submit(spool, 2000, HANG_GUARD_MS) == PUBLISH_CONFIRMED)
        ;
    assert_int_equal(status_of(spool).state, SPOOL_IS_FULL);
    assert_int_equal(submit(spool, 10, HANG_GUARD_MS), PUBLISH_FULL);
    assert_true(take_out(spool, 6) == 6);
    assert_int_equal(status_of(spool).state, SPOOL_OPEN);
    assert_int_equal(submit(spool, 100000, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void small_messages_behind_a_large_one_are_taken(void **state)
{
    enum { THREADS = 6, EACH = 20 };
    struct spool *spool = start_spool(MEGABYTE);
    struct sender like = {.spool = spool, .messages = EACH, .body_len = 300, .wait_ms = HANG_GUARD_MS};
    struct sender small[THREADS];
    struct sender large[THREADS];

    (void)state;
    /* So that they come together: none is written before the first of each is there. */
    atomic_store(&sending, 2 * THREADS);
    spool_disk.sync_waits = not_all_have_come;
    start_senders(small, THREADS, &like);
    like.body_len = MEGABYTE;
    start_senders(large, THREADS, &like);
    atomic_fetch_sub(&sending, 2 * THREADS);
    assert_int_equal(finish_senders(large, THREADS, PUBLISH_FULL), THREADS * EACH);
    assert_int_equal(finish_senders(small, THREADS, PUBLISH_CONFIRMED), THREADS * EACH);
    assert_int_equal(status_of(spool).waiting, THREADS * EACH);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void an_emptied_spool_gives_its_room_back(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);
    struct stat status;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(submit(spool, MEGABYTE, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_int_equal(take_out_all(spool), 5);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 64 * 1024);
    assert_true(status_of(spool).bytes < 64 * 1024);
    assert_int_equal(submit(spool, 100, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    spool_stop(spool);
}

static void a_sync_that_fails_confirms_nothing_and_the_spool_comes_back(void **state)
{
    static const int failures[] = {1, 2, 3, 5};
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    for (size_t i = 0; i < COUNT(failures); i++) {
        const int64_t failed = metric(METRIC_SPOOL_FAILURES);

        atomic_store(&spool_disk.syncs_to_fail, failures[i]);
        assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_FAILED);
        assert_int_equal(metric(METRIC_SPOOL_FAILURES), failed + 1);
        assert_true(comes_to(spool, SPOOL_OPEN));
        assert_int_equal(atomic_load(&spool_disk.syncs_to_fail), 0);
        assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
        assert_true(is_balanced(spool));
    }
    /* Whether what failed is there or not: it was counted so. */
    spool = restart_spool(spool, 64 * MEGABYTE);
    assert_in_range(metric(METRIC_SPOOL_FOUND), 1 + COUNT(failures), 1 + 2 * COUNT(failures));
    assert_int_equal(take_out_all(spool), metric(METRIC_SPOOL_FOUND));
    spool_stop(spool);
}

static void a_failed_spool_refuses_at_once_and_says_why(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);
    struct spooled row;
    struct error error;
    size_t count;

    (void)state;
    atomic_store(&spool_disk.syncs_to_fail, 1000000);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_FAILED);
    assert_int_equal(status_of(spool).state, SPOOL_HAS_FAILED);
    assert_non_null(strstr(status_of(spool).problem, "I/O error"));
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_AWAY);
    assert_false(spool_read(spool, 0, 1, 1, &row, &count, &error));
    assert_false(spool_wait(spool, 10));
    atomic_store(&spool_disk.syncs_to_fail, 0);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_deletion_that_fails_is_counted_as_it_turns_out(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_int_equal(take_out(spool, 2), -1);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_true(is_balanced(spool));
    assert_int_equal(take_out_all(spool), metric(METRIC_SPOOL_SPOOLED) - metric(METRIC_SPOOL_DRAINED));
    assert_int_equal(metric(METRIC_SPOOL_DRAINED), 6);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void draining_beside_the_writers_loses_and_doubles_nothing(void **state)
{
    enum { THREADS = 8, EACH = 100 };
    struct spool *spool = start_spool(64 * MEGABYTE);
    const struct sender like = {.spool = spool, .messages = EACH, .body_len = 3000, .wait_ms = HANG_GUARD_MS};
    struct sender senders[THREADS];
    int64_t after_id = 0;
    int drained = 0;

    (void)state;
    start_senders(senders, THREADS, &like);
    while (drained < THREADS * EACH && spool_wait(spool, HANG_GUARD_MS)) {
        struct spooled rows[16];
        struct error error;
        size_t count;

        assert_true(spool_read(spool, 0, 16, MEGABYTE, rows, &count, &error));
        for (size_t i = 0; i < count; i++) {
            /* In the order of arrival, and none again. */
            assert_true(rows[i].id > after_id);
            after_id = rows[i].id;
            message_release(rows[i].message);
            assert_true(spool_delete(spool, &after_id, 1, &error));
        }
        drained += (int)count;
    }
    assert_int_equal(finish_senders(senders, THREADS, PUBLISH_CONFIRMED), THREADS * EACH);
    assert_int_equal(drained, THREADS * EACH);
    assert_int_equal(metric(METRIC_SPOOL_DRAINED), drained);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_disk_that_stands_still_delays_no_one_past_the_deadline(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);
    const struct sender like = {.spool = spool, .messages = 1, .body_len = 300, .wait_ms = 50};
    struct sender senders[4];

    (void)state;
    atomic_store(&spool_disk.syncs_held, true);
    start_senders(senders, 4, &like);
    assert_int_equal(status_of(spool).state, SPOOL_OPEN);
    assert_int_equal(finish_senders(senders, 4, PUBLISH_TIMEOUT), 4);
    atomic_store(&spool_disk.syncs_held, false);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_disk_that_fails_at_the_start_is_tried_again(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    spool_stop(spool);
    bridge_metrics_free(metrics);
    metrics = bridge_metrics_new();
    atomic_store(&spool_disk.syncs_to_fail, 3);
    spool = start_spool(64 * MEGABYTE);
    assert_int_equal(status_of(spool).state, SPOOL_HAS_FAILED);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 3);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_spool_damaged_while_in_use_is_set_aside_and_counted(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);
    uint8_t noise[4096];
    int file;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(submit(spool, 6000, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    spool = restart_spool(spool, 64 * MEGABYTE);
    memset(noise, 0xa5, sizeof noise);
    file = open(path, O_WRONLY);
    assert_int_equal(pwrite(file, noise, sizeof noise, 4096), sizeof noise);
    close(file);
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_FAILED);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_int_equal(metric(METRIC_SPOOL_SET_ASIDE), 20);
    assert_int_equal(status_of(spool).waiting, 0);
    assert_true(is_balanced(spool));
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    spool_stop(spool);
}

/* ---- opening ---- */

/* Of `messages`, and a spool over it that is not open before more of its reads are let through. */
static struct spool *start_slowly(int messages)
{
    const struct spool_settings settings = settings_of(64 * MEGABYTE);
    struct spool *spool = start_spool(64 * MEGABYTE);
    struct error error;

    for (int i = 0; i < messages; i++)
        assert_int_equal(submit(spool, 9000, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    spool_stop(spool);
    bridge_metrics_free(metrics);
    metrics = bridge_metrics_new();
    atomic_store(&spool_disk.reads, 0);
    atomic_store(&spool_disk.reads_held, true);
    spool = spool_start(&settings, metrics, &error);
    assert_non_null(spool);
    return spool;
}

static void a_long_check_holds_up_neither_the_start_nor_the_messages(void **state)
{
    struct spool *spool = start_slowly(100);

    (void)state;
    WAIT_UNTIL(atomic_load(&spool_disk.reads) > 0);
    assert_int_equal(status_of(spool).state, SPOOL_OPENING);
    assert_non_null(strstr(status_of(spool).problem, "opened and checked"));
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_AWAY);
    assert_false(spool_wait(spool, 10));
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 0);
    assert_int_equal(status_of(spool).state, SPOOL_OPENING);
    atomic_store(&spool_disk.reads_held, false);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 100);
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_int_equal(take_out_all(spool), 101);
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 100);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

/* ---- files that lose their names ---- */

static void confirm_some(struct spool *spool, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(submit(spool, 700, HANG_GUARD_MS), PUBLISH_CONFIRMED);
}

static const struct {
    const char *name;
    void (*take_away)(void);
    void (*put_back)(void); /* NULL: it is gone */
} losses[] = {
    {"both files deleted", spool_delete_both, NULL},
    {"the file deleted", spool_delete_file, NULL},
    {"the file moved", spool_move_file, spool_move_file_back},
    {"the folder moved", spool_move_folder, spool_move_folder_back},
};

static void into_a_spool_taken_away_nothing_is_taken_and_what_it_holds_is_drained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(losses); i++) {
        struct spool *spool = start_spool(64 * MEGABYTE);

        confirm_some(spool, 300);
        losses[i].take_away();
        CHECK_CASE(losses[i].name, submit(spool, 300, HANG_GUARD_MS) != PUBLISH_CONFIRMED);
        CHECK_CASE(losses[i].name, comes_to(spool, SPOOL_HAS_FAILED));
        CHECK_CASE(losses[i].name, strstr(status_of(spool).problem, "was moved or deleted while in use") != NULL);
        CHECK_CASE(losses[i].name, submit(spool, 300, HANG_GUARD_MS) == PUBLISH_AWAY);
        CHECK_CASE(losses[i].name, spool_wait(spool, HANG_GUARD_MS));
        CHECK_CASE(losses[i].name, take_out_all(spool) >= 300);
        if (losses[i].take_away == spool_move_folder)
            losses[i].put_back();
        CHECK_CASE(losses[i].name, comes_to(spool, SPOOL_OPEN));
        confirm_some(spool, 5);
        CHECK_CASE(losses[i].name, is_balanced(spool));
        CHECK_CASE(losses[i].name, metric(METRIC_SPOOL_SET_ASIDE) == 0);
        spool = restart_spool(spool, 64 * MEGABYTE);
        CHECK_CASE(losses[i].name, take_out_all(spool) == 5);
        spool_stop(spool);
        bridge_metrics_free(metrics);
        metrics = bridge_metrics_new();
    }
}

/* At the sync of its commit. */
static void what_is_written_while_the_file_goes_is_not_confirmed(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    confirm_some(spool, 1);
    spool_disk.syncs_before = 0;
    spool_disk.at_sync = spool_delete_file;
    assert_int_equal(submit(spool, 300, HANG_GUARD_MS), PUBLISH_FAILED);
    assert_true(comes_to(spool, SPOOL_HAS_FAILED));
    assert_int_equal(take_out_all(spool), 2);
    assert_true(comes_to(spool, SPOOL_OPEN));
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

static void a_spool_that_is_put_back_is_used_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(losses); i++) {
        struct spool *spool;

        if (!losses[i].put_back)
            continue;
        spool = start_spool(64 * MEGABYTE);
        confirm_some(spool, 30);
        losses[i].take_away();
        CHECK_CASE(losses[i].name, comes_to(spool, SPOOL_HAS_FAILED));
        CHECK_CASE(losses[i].name, take_out(spool, 10) == 10);
        losses[i].put_back();
        CHECK_CASE(losses[i].name, comes_to(spool, SPOOL_OPEN));
        confirm_some(spool, 5);
        CHECK_CASE(losses[i].name, is_balanced(spool));
        spool = restart_spool(spool, 64 * MEGABYTE);
        CHECK_CASE(losses[i].name, take_out_all(spool) == 25);
        spool_stop(spool);
        bridge_metrics_free(metrics);
        metrics = bridge_metrics_new();
    }
}

static void a_log_deleted_alone_costs_nothing(void **state)
{
    struct spool *spool = start_spool(64 * MEGABYTE);

    (void)state;
    confirm_some(spool, 10);
    spool_delete_log();
    WAIT_UNTIL(spool_file_exists(spool_log_path()));
    assert_true(comes_to(spool, SPOOL_OPEN));
    confirm_some(spool, 1);
    assert_true(is_balanced(spool));
    spool = restart_spool(spool, 64 * MEGABYTE);
    assert_int_equal(metric(METRIC_SPOOL_FOUND), 11);
    spool_stop(spool);
}

static void what_a_file_without_a_name_holds_at_the_stop_is_told(void **state)
{
    static const struct {
        void (*take_away)(void);
        bool kept;
    } cases[] = {{spool_delete_both, false}, {spool_move_file, true}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spool *spool = start_spool(64 * MEGABYTE);

        confirm_some(spool, 20);
        cases[i].take_away();
        spool_stop(spool);
        assert_int_equal(metric(METRIC_SPOOL_SET_ASIDE), 20);
        assert_int_equal(metric(METRIC_SPOOL_WAITING), 0);
        bridge_metrics_free(metrics);
        metrics = bridge_metrics_new();
        (void)unlink(spool_log_path());
        if (cases[i].kept)
            spool_move_file_back();
        spool = start_spool(64 * MEGABYTE);
        assert_int_equal(metric(METRIC_SPOOL_FOUND), cases[i].kept ? 20 : 0);
        spool_stop(spool);
        bridge_metrics_free(metrics);
        metrics = bridge_metrics_new();
    }
}

static void messages_that_come_while_the_file_goes_are_safe_or_not_confirmed(void **state)
{
    enum { THREADS = 8, LOSSES = 5 };
    struct spool *spool = start_spool(64 * MEGABYTE);
    const struct sender like = {.spool = spool, .messages = INT_MAX, .body_len = 400, .wait_ms = HANG_GUARD_MS};
    struct sender senders[THREADS];
    int confirmed, drained = 0;

    (void)state;
    atomic_store(&enough, false);
    start_senders(senders, THREADS, &like);
    for (int i = 0; i < LOSSES; i++) {
        const int64_t before = metric(METRIC_SPOOL_SPOOLED);

        assert_true(comes_to(spool, SPOOL_OPEN));
        WAIT_UNTIL(metric(METRIC_SPOOL_SPOOLED) > before);
        (void)unlink(path);
        assert_true(comes_to(spool, SPOOL_HAS_FAILED));
        drained += take_out_all(spool);
    }
    atomic_store(&enough, true);
    confirmed = finish_senders(senders, THREADS, PUBLISH_CONFIRMED);
    assert_true(comes_to(spool, SPOOL_OPEN));
    drained += take_out_all(spool);
    assert_true(confirmed > 0);
    assert_true(drained >= confirmed);
    assert_int_equal(metric(METRIC_SPOOL_SPOOLED), drained);
    assert_int_equal(metric(METRIC_SPOOL_SET_ASIDE), 0);
    assert_true(is_balanced(spool));
    spool_stop(spool);
}

/* ---- in a process of their own ---- */

struct endless_sender {
    struct spool *spool;
    _Atomic int64_t *confirmed; /* shared with the process that kills this one */
};

static void *send_until_killed(void *argument)
{
    struct endless_sender *sender = argument;

    for (;;) {
        if (submit(sender->spool, 700, HANG_GUARD_MS) == PUBLISH_CONFIRMED)
            atomic_fetch_add(sender->confirmed, 1);
    }
    return NULL;
}

static void be_killed_while_writing(_Atomic int64_t *confirmed)
{
    enum { THREADS = 8 };
    struct endless_sender sender = {.spool = start_spool(64 * MEGABYTE), .confirmed = confirmed};

    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, send_until_killed, &sender) != 0)
            _exit(1);
    }
    for (;;)
        pause();
}

static void what_was_confirmed_is_there_after_a_kill(void **state)
{
    _Atomic int64_t *confirmed =
        mmap(NULL, sizeof *confirmed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(confirmed, MAP_FAILED);
    atomic_init(confirmed, 0);
    for (int round = 1; round <= 5; round++) {
        const int64_t wanted = atomic_load(confirmed) + 200;
        const int64_t guard_ms = hang_guard();
        const pid_t child = fork();
        struct spool *spool;
        int64_t found;

        if (child == 0)
            be_killed_while_writing(confirmed);
        while (atomic_load(confirmed) < wanted && goes_on_waiting(guard_ms))
            ;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(atomic_load(confirmed) >= wanted);
        spool = start_spool(64 * MEGABYTE);
        found = status_of(spool).waiting;
        assert_true(found >= atomic_load(confirmed));
        spool_stop(spool);
        /* More than was told may be there: that is known now. */
        atomic_store(confirmed, found);
    }
    munmap(confirmed, sizeof *confirmed);
}

/* 0, or the number of the step that went wrong. */
static int fill_a_small_disk(void)
{
    enum { DISK = 300 * 1024 };
    struct rlimit limit;
    struct spool *spool = start_spool(64 * MEGABYTE);
    int confirmed = 0;
    int failed = 0;
    int64_t waiting;

    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    limit.rlim_cur = DISK;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    for (int i = 0; i < 200; i++) {
        const enum publish_outcome outcome = submit(spool, 10000, HANG_GUARD_MS);

        confirmed += outcome == PUBLISH_CONFIRMED;
        failed += outcome == PUBLISH_FAILED;
    }
    if (confirmed * 10000 > 2 * DISK || confirmed < 10)
        return 3;
    if (failed == 0)
        return 4;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 5;
    if (!comes_to(spool, SPOOL_OPEN))
        return 6;
    if (submit(spool, 10000, HANG_GUARD_MS) != PUBLISH_CONFIRMED)
        return 7;
    waiting = status_of(spool).waiting;
    if (!is_balanced(spool) || waiting < confirmed + 1 || waiting > confirmed + failed + 1)
        return 8;
    if (take_out_all(spool) != waiting)
        return 9;
    spool_stop(spool);
    return 0;
}

static void a_full_disk_confirms_nothing_that_is_not_there_and_recovers(void **state)
{
    int status = -1;
    const pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(fill_a_small_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(many_threads_share_a_sync),
        CASE(what_waits_is_found_by_the_next_process_and_drained),
        CASE(waiting_for_a_message_ends_with_the_message_the_time_or_a_call),
        CASE(a_full_spool_says_so_and_takes_again_when_something_was_taken_out),
        CASE(a_message_that_does_not_fit_leaves_the_spool_open_for_smaller_ones),
        CASE(small_messages_behind_a_large_one_are_taken),
        CASE(an_emptied_spool_gives_its_room_back),
        CASE(a_sync_that_fails_confirms_nothing_and_the_spool_comes_back),
        CASE(a_failed_spool_refuses_at_once_and_says_why),
        CASE(a_deletion_that_fails_is_counted_as_it_turns_out),
        CASE(draining_beside_the_writers_loses_and_doubles_nothing),
        CASE(a_disk_that_stands_still_delays_no_one_past_the_deadline),
        CASE(a_disk_that_fails_at_the_start_is_tried_again),
        CASE(a_spool_damaged_while_in_use_is_set_aside_and_counted),
        CASE(a_long_check_holds_up_neither_the_start_nor_the_messages),
        CASE(into_a_spool_taken_away_nothing_is_taken_and_what_it_holds_is_drained),
        CASE(what_is_written_while_the_file_goes_is_not_confirmed),
        CASE(a_spool_that_is_put_back_is_used_again),
        CASE(a_log_deleted_alone_costs_nothing),
        CASE(what_a_file_without_a_name_holds_at_the_stop_is_told),
        CASE(messages_that_come_while_the_file_goes_are_safe_or_not_confirmed),
        CASE(what_was_confirmed_is_there_after_a_kill),
        CASE(a_full_disk_confirms_nothing_that_is_not_there_and_recovers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
