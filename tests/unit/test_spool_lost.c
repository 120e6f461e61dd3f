#include "bridge/spool_lost.h"

#include "cases.h"
#include "common/envelope.h"
#include "spool_disk.h"
#include "spool_folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MEGABYTE = 1024 * 1024, BODY = 3000, SPARE_ID = 1000000 };

static struct bridge_metrics *metrics;
static struct spool_lost lost;

static int make_folder(void **state)
{
    metrics = bridge_metrics_new();
    spool_lost_init(&lost, spool_path, metrics);
    return metrics ? spool_folder_make(state) : -1;
}

static int remove_folder(void **state)
{
    spool_lost_clear(&lost);
    bridge_metrics_free(metrics);
    return spool_folder_remove(state);
}

static struct spool_file *opened(int64_t max_bytes)
{
    const struct spool_file_settings settings = {.path = spool_path, .max_bytes = max_bytes};
    struct error error;
    struct spool_file *file = spool_file_take(&settings, &error);

    if (!file || !spool_file_open(file, &error))
        fail_msg("%s", error.text);
    return file;
}

static struct ticket *ticket_of(int64_t id)
{
    struct envelope envelope = {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_GUIDE};
    struct ticket *ticket = ticket_new(BODY);

    assert_non_null(ticket);
    memset(ticket_body(ticket), ' ', BODY);
    snprintf((char *)ticket_body(ticket), BODY, "%lld", (long long)id);
    ticket_set_body_len(ticket, BODY);
    ticket_set_event(ticket, &envelope);
    return ticket;
}

/* With ids from first_id on, which the bodies begin with; in several commits. */
static void fill(struct spool_file *file, int64_t first_id, int count)
{
    enum { COMMIT = 20 };

    for (int done = 0; done < count; done += COMMIT) {
        const int rows = count - done < COMMIT ? count - done : COMMIT;
        struct ticket *tickets[COMMIT];
        struct spool_change change;
        struct error error;

        for (int i = 0; i < rows; i++)
            tickets[i] = ticket_of(first_id + done + i);
        assert_int_equal(spool_file_insert(file, tickets, (size_t)rows, first_id + done, &change, &error),
                         SPOOL_WRITTEN);
        assert_int_equal(change.rows, rows);
        for (int i = 0; i < rows; i++)
            ticket_release(tickets[i]);
    }
}

static int64_t messages_in(struct spool_file *file)
{
    struct spool_stock stock;
    struct error error;

    assert_true(spool_file_stock(file, &stock, &error));
    return stock.messages;
}

/* Takes out all of it; true if the bodies are those of `count` ids from first_id on, in their order. */
static bool gives(struct spool_file *file, int64_t first_id, int count)
{
    struct spooled rows[256];
    int64_t ids[256];
    struct spool_change change;
    struct error error;
    bool right;
    size_t read;

    assert_true(spool_file_read(file, 0, 256, 64 * MEGABYTE, rows, &read, &error));
    right = read == (size_t)count;
    for (size_t i = 0; i < read; i++) {
        char wanted[32];

        snprintf(wanted, sizeof wanted, "%lld", (long long)first_id + (int64_t)i);
        right &= strcmp((const char *)ticket_body(rows[i].ticket), wanted) == 0;
        ids[i] = rows[i].id;
        ticket_release(rows[i].ticket);
    }
    assert_int_equal(spool_file_delete(file, ids, read, &change, &error), SPOOL_WRITTEN);
    return right;
}

/* A file with ids from 1 on that has lost its name, and its place cleared. */
static void lose(int count, void (*take_away)(void), bool deleted)
{
    struct spool_file *file = opened(64 * MEGABYTE);
    int64_t returned = 0;
    struct error error;

    fill(file, 1, count);
    take_away();
    assert_true(spool_lost_add(&lost, file, count, deleted));
    assert_true(spool_lost_clear_place(&lost, &returned, &error));
    assert_int_equal(returned, 0);
}

static enum spool_copy copy_all(struct spool_file *to)
{
    enum spool_copy result = SPOOL_COPIED;
    struct error error;
    size_t copied;

    while (spool_lost_any(&lost) && result == SPOOL_COPIED)
        result = spool_lost_copy(&lost, to, SPARE_ID, &copied, &error);
    return result;
}

static const struct {
    const char *name;
    void (*take_away)(void);
    bool deleted;
} ways[] = {
    {"the file deleted, its log left", spool_delete_file, true},
    {"both deleted", spool_delete_both, true},
    {"the file moved, its log left", spool_move_file, false},
};

static void what_is_in_a_lost_file_is_copied_and_the_file_let_go_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct spool_file *file;

        lose(200, ways[i].take_away, ways[i].deleted);
        file = opened(64 * MEGABYTE);
        fill(file, 201, 3);
        CHECK_CASE(ways[i].name, spool_lost_waiting(&lost) == 200);
        CHECK_CASE(ways[i].name, copy_all(file) == SPOOL_COPIED);
        CHECK_CASE(ways[i].name, !spool_lost_any(&lost) && spool_nameless_open() == 0);
        /* What a kill would leave. */
        spool_file_drop(file);
        file = opened(64 * MEGABYTE);
        CHECK_CASE(ways[i].name, gives(file, 1, 203));
        spool_file_close(file);
        if (!ways[i].deleted) {
            spool_move_file_back();
            file = opened(64 * MEGABYTE);
            CHECK_CASE(ways[i].name, messages_in(file) == 0);
            spool_file_close(file);
        }
    }
    assert_int_equal(metric_get(&metrics->rows[METRIC_SPOOL_SET_ASIDE]), 0);
    assert_int_equal(metric_get(&metrics->rows[METRIC_SPOOL_DRAINED]), 0);
}

static void what_does_not_fit_waits_until_there_is_room(void **state)
{
    struct spool_file *file;
    int64_t there;

    (void)state;
    lose(200, spool_delete_both, true);
    file = opened(MEGABYTE / 4);
    assert_int_equal(copy_all(file), SPOOL_COPY_NO_ROOM);
    there = messages_in(file);
    assert_in_range(there, 20, 100);
    assert_int_equal(spool_lost_waiting(&lost), 200 - there);
    assert_true(gives(file, 1, (int)there));
    assert_int_equal(copy_all(file), SPOOL_COPY_NO_ROOM);
    assert_true(gives(file, 1 + there, (int)messages_in(file)));
    while (spool_lost_any(&lost)) {
        (void)copy_all(file);
        assert_true(gives(file, 201 - spool_lost_waiting(&lost) - messages_in(file), (int)messages_in(file)));
    }
    assert_int_equal(metric_get(&metrics->rows[METRIC_SPOOL_SET_ASIDE]), 0);
    spool_file_close(file);
}

static void a_copy_that_fails_leaves_the_messages_where_they_are(void **state)
{
    struct spool_file *file;
    struct error error;
    size_t copied;

    (void)state;
    lose(200, spool_delete_both, true);
    file = opened(64 * MEGABYTE);
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_int_equal(spool_lost_copy(&lost, file, SPARE_ID, &copied, &error), SPOOL_COPY_FAILED);
    assert_int_equal(spool_lost_waiting(&lost), 200);
    spool_file_drop(file);
    assert_int_equal(unlink(spool_path), 0);
    (void)unlink(spool_log_path());
    file = opened(64 * MEGABYTE);
    assert_int_equal(copy_all(file), SPOOL_COPIED);
    assert_true(gives(file, 1, 200));
    spool_file_close(file);
}

/* The sync of a commit fails, and the commit is in the log all the same. */
static void a_copy_that_failed_and_turns_out_done_is_not_made_again(void **state)
{
    static const struct {
        const char *name;
        int drained;      /* from the lost file, before anybody knows */
        int64_t other_id; /* of one that is there: so the first sync is that of the commit, not of the log's header */
    } cases[] = {
        {"none drained meanwhile", 0, 1000},
        {"some drained meanwhile", 10, 1000},
        {"all drained meanwhile", 200, 1000},
        {"the first one's id taken", 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spool_file *file;
        struct error error;
        int64_t ids[200];
        int64_t settled = 0;
        size_t copied = 0;
        size_t deleted = 0;

        lose(200, spool_delete_both, true);
        file = opened(64 * MEGABYTE);
        fill(file, cases[i].other_id, 1);
        atomic_store(&spool_disk.syncs_to_fail, 1);
        CHECK_CASE(cases[i].name,
                   spool_lost_copy(&lost, file, SPARE_ID, &copied, &error) == SPOOL_COPY_FAILED && copied == 0);
        for (int k = 0; k < 200; k++)
            ids[k] = k + 1;
        CHECK_CASE(cases[i].name, spool_lost_delete(&lost, ids, (size_t)cases[i].drained, &deleted, &error));
        CHECK_CASE(cases[i].name, deleted == (size_t)cases[i].drained);
        spool_file_drop(file);
        file = opened(64 * MEGABYTE);
        CHECK_CASE(cases[i].name, messages_in(file) == 201);
        CHECK_CASE(cases[i].name, spool_lost_settle(&lost, file, &settled, &error));
        CHECK_CASE(cases[i].name, settled == (cases[i].drained == 200 ? 0 : 200 - cases[i].drained));
        CHECK_CASE(cases[i].name, spool_lost_waiting(&lost) == 0 && !spool_lost_any(&lost));
        CHECK_CASE(cases[i].name, copy_all(file) == SPOOL_COPIED && messages_in(file) == 201);
        spool_file_drop(file);
        spool_delete_both();
    }
}

static void a_copy_that_failed_and_was_rolled_back_is_made_again(void **state)
{
    struct spool_file *file;
    struct error error;
    int64_t settled = 0;
    size_t copied;

    (void)state;
    lose(200, spool_delete_both, true);
    file = opened(64 * MEGABYTE);
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_int_equal(spool_lost_copy(&lost, file, SPARE_ID, &copied, &error), SPOOL_COPY_FAILED);
    spool_lost_forget_unknown(&lost);
    spool_file_drop(file);
    spool_delete_both();
    file = opened(64 * MEGABYTE);
    assert_true(spool_lost_settle(&lost, file, &settled, &error));
    assert_int_equal(settled, 0);
    assert_int_equal(copy_all(file), SPOOL_COPIED);
    assert_true(gives(file, 1, 200));
    spool_file_close(file);
}

/* Such as an older spool that was put there, from which the first of the messages once came. */
static void a_copy_that_failed_is_made_again_when_another_file_has_come_into_the_place(void **state)
{
    struct spool_file *file;
    struct error error;
    int64_t settled = 0;
    size_t copied;

    (void)state;
    lose(200, spool_delete_both, true);
    file = opened(64 * MEGABYTE);
    fill(file, 1000, 1);
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_int_equal(spool_lost_copy(&lost, file, SPARE_ID, &copied, &error), SPOOL_COPY_FAILED);
    spool_file_drop(file);
    spool_delete_both();
    file = opened(64 * MEGABYTE);
    fill(file, 1, 100);
    assert_true(spool_lost_settle(&lost, file, &settled, &error));
    assert_int_equal(settled, 0);
    assert_int_equal(spool_lost_waiting(&lost), 200);
    assert_int_equal(copy_all(file), SPOOL_COPIED);
    assert_int_equal(messages_in(file), 300);
    spool_file_close(file);
}

static void a_message_whose_id_is_taken_gets_another(void **state)
{
    struct spool_file *file;
    struct error error;
    bool there;

    (void)state;
    lose(10, spool_move_file, false);
    file = opened(64 * MEGABYTE);
    fill(file, 5, 3);
    assert_int_equal(copy_all(file), SPOOL_COPIED);
    assert_int_equal(messages_in(file), 13);
    assert_true(spool_file_has(file, SPARE_ID + 5, &there, &error) && there);
    spool_file_close(file);
}

static void what_is_copied_is_neither_read_nor_deleted_here_again(void **state)
{
    enum { COUNT_LOST = 600 }; /* more than one copy takes */
    int64_t ids[COUNT_LOST];
    struct spooled rows[COUNT_LOST];
    struct spool_file *file;
    struct error error;
    size_t copied = 0;
    size_t deleted = 0;
    size_t read = 0;

    (void)state;
    lose(COUNT_LOST, spool_delete_both, true);
    file = opened(64 * MEGABYTE);
    assert_int_equal(spool_lost_copy(&lost, file, SPARE_ID, &copied, &error), SPOOL_COPIED);
    assert_in_range(copied, 100, COUNT_LOST - 100);
    assert_true(spool_lost_read(&lost, 0, COUNT_LOST, 64 * MEGABYTE, rows, &read, &error));
    assert_int_equal(read, COUNT_LOST - copied);
    assert_int_equal(rows[0].id, copied + 1);
    for (size_t i = 0; i < read; i++)
        ticket_release(rows[i].ticket);
    for (size_t i = 0; i < COUNT_LOST; i++)
        ids[i] = (int64_t)i + 1;
    assert_true(spool_lost_delete(&lost, ids, copied + 10, &deleted, &error));
    assert_int_equal(deleted, 10);
    assert_int_equal(spool_lost_waiting(&lost), COUNT_LOST - copied - 10);
    assert_int_equal(copy_all(file), SPOOL_COPIED);
    assert_int_equal(messages_in(file), COUNT_LOST - 10);
    spool_file_close(file);
}

static void a_file_that_is_put_back_is_closed_whole_with_what_is_left(void **state)
{
    struct spool_file *file;
    int64_t returned = 0;
    struct error error;
    size_t copied;

    (void)state;
    lose(600, spool_move_file, false);
    file = opened(64 * MEGABYTE);
    assert_int_equal(spool_lost_copy(&lost, file, SPARE_ID, &copied, &error), SPOOL_COPIED);
    spool_file_close(file);
    spool_move_file_back();
    atomic_store(&spool_disk.syncs_to_fail, 1);
    assert_false(spool_lost_clear_place(&lost, &returned, &error));
    assert_true(spool_lost_any(&lost));
    assert_true(spool_lost_clear_place(&lost, &returned, &error));
    assert_int_equal(returned, 600 - copied);
    assert_false(spool_lost_any(&lost));
    file = opened(64 * MEGABYTE);
    assert_int_equal(messages_in(file), 600 - copied);
    spool_file_close(file);
}

static void put_another_in_its_place(void)
{
    char other[160];

    spool_move_file();
    snprintf(other, sizeof other, "%s.other", spool_path);
    assert_int_equal(rename(other, spool_path), 0);
}

/* It would be taken for the other file's, and damage it. */
static void the_log_of_a_lost_file_goes_before_another_is_opened_also_when_the_disk_has_failed(void **state)
{
    static const struct {
        const char *name;
        int waiting; /* when it is lost; all drained before the place is cleared */
    } cases[] = {{"nothing in it", 0}, {"all drained meanwhile", 5}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t ids[] = {1, 2, 3, 4, 5, 6};
        struct spool_file *file = opened(64 * MEGABYTE);
        struct spool_change change;
        int64_t returned = 0;
        size_t deleted = 0;
        struct error error;

        fill(file, 101, 100);
        spool_file_close(file);
        spool_move_file();
        char from[160], to[160];
        snprintf(from, sizeof from, "%s.moved", spool_path);
        snprintf(to, sizeof to, "%s.other", spool_path);
        assert_int_equal(rename(from, to), 0);
        file = opened(64 * MEGABYTE);
        fill(file, 1, 6);
        assert_int_equal(spool_file_delete(file, ids + cases[i].waiting, 6 - (size_t)cases[i].waiting, &change, &error),
                         SPOOL_WRITTEN);
        put_another_in_its_place();
        atomic_store(&spool_disk.syncs_to_fail, 1);
        CHECK_CASE(cases[i].name, spool_lost_add(&lost, file, cases[i].waiting, false));
        if (cases[i].waiting > 0) {
            CHECK_CASE(cases[i].name, !spool_lost_clear_place(&lost, &returned, &error));
            atomic_store(&spool_disk.syncs_to_fail, 2); /* the first is that of the deletion */
            (void)spool_lost_delete(&lost, ids, 5, &deleted, &error);
            atomic_store(&spool_disk.syncs_to_fail, 0);
            CHECK_CASE(cases[i].name, spool_lost_delete(&lost, ids, 5, &deleted, &error) && deleted == 5);
        }
        atomic_store(&spool_disk.syncs_to_fail, 0);
        CHECK_CASE(cases[i].name, spool_lost_clear_place(&lost, &returned, &error));
        CHECK_CASE(cases[i].name, !spool_lost_any(&lost) && returned == 0);
        file = opened(64 * MEGABYTE);
        CHECK_CASE(cases[i].name, messages_in(file) == 100 && gives(file, 101, 100));
        spool_file_close(file);
        spool_delete_file();
    }
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(what_is_in_a_lost_file_is_copied_and_the_file_let_go_of),
        CASE(what_does_not_fit_waits_until_there_is_room),
        CASE(a_copy_that_fails_leaves_the_messages_where_they_are),
        CASE(a_copy_that_failed_and_turns_out_done_is_not_made_again),
        CASE(a_copy_that_failed_and_was_rolled_back_is_made_again),
        CASE(a_copy_that_failed_is_made_again_when_another_file_has_come_into_the_place),
        CASE(a_message_whose_id_is_taken_gets_another),
        CASE(what_is_copied_is_neither_read_nor_deleted_here_again),
        CASE(a_file_that_is_put_back_is_closed_whole_with_what_is_left),
        CASE(the_log_of_a_lost_file_goes_before_another_is_opened_also_when_the_disk_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
