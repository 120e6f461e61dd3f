#include "bridge/spool/db.h"

#include "bridge/spool/spool.h"
#include "cases.h"
#include "common/envelope.h"
#include "spool_disk.h"
#include "spool_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The marks in the header of a database (https://sqlite.org/fileformat2.html, section 1.3). */
enum { AT_USER_VERSION = 60, AT_APPLICATION_ID = 68, PAGE = 4096, MEGABYTE = 1024 * 1024 };

static char *const path = spool_path;

/* ---- the folder ---- */

/* How many names in the folder contain the text. */
static int names_with(const char *text)
{
    DIR *listing = opendir(spool_folder);
    struct dirent *entry;
    int count = 0;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL)
        count += strstr(entry->d_name, text) != NULL;
    closedir(listing);
    return count;
}

static long size_of(const char *name)
{
    struct stat status;

    return stat(name, &status) == 0 ? (long)status.st_size : -1;
}

static void put_bytes(const void *bytes, size_t len, off_t at)
{
    const int file = open(path, O_WRONLY | O_CREAT, 0600);

    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, len, at), len);
    close(file);
}

/* ---- spools ---- */

/* The file of a database stands beside it, and both are let go of together. */
struct opened {
    struct spool_file file;
    struct spool_db *db;
    struct spool_stock stock;
};

static struct opened *open_at(const char *name, int64_t max_bytes, struct error *error)
{
    struct opened *opened = calloc(1, sizeof *opened);

    assert_non_null(opened);
    *error = (struct error){0};
    if (spool_file_lock(name, &opened->file, error)) {
        opened->db = spool_db_open(&opened->file, max_bytes, &opened->stock, error);
        if (opened->db)
            return opened;
        spool_file_unlock(&opened->file);
    }
    free(opened);
    return NULL;
}

static struct opened *open_spool(int64_t max_bytes, struct error *error)
{
    return open_at(path, max_bytes, error);
}

static struct opened *opened(void)
{
    struct error error;
    struct opened *file = open_spool(64 * MEGABYTE, &error);

    if (!file)
        fail_msg("%s", error.text);
    return file;
}

static void let_go(struct opened *opened, bool write_back)
{
    spool_db_close(opened->db, write_back);
    spool_file_unlock(&opened->file);
    free(opened);
}

static void close_spool(struct opened *opened)
{
    let_go(opened, true);
}

/* As a kill leaves it. */
static void drop_spool(struct opened *opened)
{
    let_go(opened, false);
}

static struct pending_message *event_of(size_t body_len, int seed)
{
    struct pending_message *message = message_new(body_len);
    struct envelope envelope = {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_GUIDE, .received_at_ms = 1774000000000};

    assert_non_null(message);
    snprintf(envelope.message_id, sizeof envelope.message_id, "m-%d", seed);
    for (size_t i = 0; i < body_len; i++)
        message->body[i] = (uint8_t)(i * 31 + (size_t)seed);
    message->body_len = body_len;
    message_set_event(message, &envelope);
    return message;
}

/* Inserts `count` events with ids from 1 on. */
static void fill(struct opened *file, int count, size_t body_len)
{
    for (int i = 0; i < count; i++) {
        struct pending_message *message = event_of(body_len, i + 1);
        struct error error;
        size_t rows;

        assert_true(spool_db_insert(file->db, &message, 1, i + 1, &rows, &error));
        assert_int_equal(rows, 1);
        message_release(message);
    }
}

/* When it was opened. */
static int64_t messages_in(const struct opened *file)
{
    return file->stock.messages;
}

static struct pending_message *read_one(struct opened *file, int64_t after_id)
{
    struct spooled row;
    struct error error;
    size_t count;

    assert_true(spool_db_read(file->db, after_id, 1, 1, &row, &count, &error));
    assert_int_equal(count, 1);
    return row.message;
}

/* ---- opening ---- */

static void nothing(void)
{
}

static void an_empty_file(void)
{
    put_bytes("", 0, 0);
}

static void a_spool_of_ten(void)
{
    struct opened *file = opened();

    fill(file, 10, 300);
    close_spool(file);
}

static void a_spool_with_a_log(void)
{
    struct opened *file = opened();

    fill(file, 10, 300);
    drop_spool(file);
}

static void another_version(void)
{
    static const uint8_t version[4] = {0, 0, 0, 2};

    a_spool_of_ten();
    put_bytes(version, sizeof version, AT_USER_VERSION);
}

static void another_programs(void)
{
    static const uint8_t mark[4] = {1, 2, 3, 4};

    a_spool_of_ten();
    put_bytes(mark, sizeof mark, AT_APPLICATION_ID);
}

static void garbage(void)
{
    char text[3 * PAGE];

    memset(text, 'x', sizeof text);
    put_bytes(text, sizeof text, 0);
}

static void a_short_text(void)
{
    put_bytes("hello\n", 6, 0);
}

static void a_spool_of_pages(void)
{
    struct opened *file = opened();

    fill(file, 50, 2 * PAGE);
    close_spool(file);
}

static void a_truncated_spool(void)
{
    a_spool_of_pages();
    assert_int_equal(truncate(path, 20 * PAGE), 0);
}

static void a_spool_with_a_wild_page(void)
{
    uint8_t noise[PAGE];

    a_spool_of_pages();
    memset(noise, 0xa5, sizeof noise);
    put_bytes(noise, sizeof noise, PAGE);
}

static void a_folder(void)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void a_pipe(void)
{
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void opening_takes_what_is_ours_and_sets_aside_what_cannot_be_used(void **state)
{
    static const struct {
        const char *name;
        void (*make)(void);
        enum error_code code; /* NONE: it opens, ... */
        int messages;         /* ... with so many */
        bool set_aside;
        const char *text; /* of the error */
    } cases[] = {
        {"no file", nothing, ERROR_NONE, 0, false, NULL},
        {"an empty file", an_empty_file, ERROR_NONE, 0, false, NULL},
        {"a spool", a_spool_of_ten, ERROR_NONE, 10, false, NULL},
        {"a spool whose process died", a_spool_with_a_log, ERROR_NONE, 10, false, NULL},
        {"another version", another_version, ERROR_NONE, 0, true, NULL},
        {"another program's database", another_programs, ERROR_CONFIG, 0, false, "another program"},
        {"garbage", garbage, ERROR_NONE, 0, true, NULL},
        {"a short text", a_short_text, ERROR_NONE, 0, true, NULL},
        {"a truncated spool", a_truncated_spool, ERROR_NONE, 0, true, NULL},
        {"a spool with a wild page", a_spool_with_a_wild_page, ERROR_NONE, 0, true, NULL},
        {"a folder in its place", a_folder, ERROR_CONFIG, 0, false, "SPOOL_PATH"},
        {"a pipe in its place", a_pipe, ERROR_CONFIG, 0, false, "not a regular file"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opened *file;
        struct error error;
        long size;

        spool_folder_remove(NULL);
        spool_folder_make(NULL);
        cases[i].make();
        size = size_of(path);
        file = open_spool(64 * MEGABYTE, &error);
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        CHECK_CASE(cases[i].name, (file != NULL) == (cases[i].code == ERROR_NONE));
        CHECK_CASE(cases[i].name, (names_with(".set-aside-") > 0) == cases[i].set_aside);
        if (file) {
            CHECK_CASE(cases[i].name, messages_in(file) == cases[i].messages);
            /* And it can be used. */
            struct pending_message *message = event_of(100, 1);
            size_t rows;

            CHECK_CASE(cases[i].name, spool_db_insert(file->db, &message, 1, 100, &rows, &error) && rows == 1);
            message_release(message);
            close_spool(file);
        } else {
            CHECK_CASE(cases[i].name, strstr(error.text, cases[i].text) != NULL);
            CHECK_CASE(cases[i].name, size_of(path) == size);
        }
        if (rmdir(path) == 0)
            CHECK_CASE(cases[i].name, file == NULL);
    }
}

static void a_path_that_cannot_be_used_is_refused_with_what_to_do(void **state)
{
    static const struct {
        const char *name;
        const char *path;
        enum error_code code;
        const char *text;
    } cases[] = {
        {"a folder that may be mounted later", "/no/such/folder/spool.db", ERROR_NOT_YET, "make it"},
        {"a file as a folder", "/etc/hostname/spool.db", ERROR_CONFIG, "to a file in one that exists"},
        {"no name", "/tmp/", ERROR_CONFIG, "not the name of a file"},
        {"nothing", "", ERROR_CONFIG, "not the name of a file"},
        {"a device", "/dev/null", ERROR_CONFIG, "not a regular file"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;

        CHECK_CASE(cases[i].name, open_at(cases[i].path, MEGABYTE, &error) == NULL);
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        if (!strstr(error.text, cases[i].text))
            fail_msg("%s: %s", cases[i].name, error.text);
    }
}

static void what_was_set_aside_keeps_its_log_and_never_covers_another(void **state)
{
    static const uint8_t version[4] = {0, 0, 0, 9};
    const int64_t guard_ms = hang_guard();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct error error;
        struct opened *file;

        a_spool_with_a_log();
        /* Both in the file and in the log, whose page would cover it. */
        file = opened();
        drop_spool(file);
        put_bytes(version, sizeof version, AT_USER_VERSION);
        /* Two within one second would have one name: the second one is left, and tried again. */
        while (!(file = open_spool(64 * MEGABYTE, &error)) && goes_on_waiting(guard_ms))
            assert_non_null(strstr(error.text, "File exists"));
        assert_non_null(file);
        assert_int_equal(messages_in(file), 0);
        close_spool(file);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(names_with(".set-aside-"), 4); /* each with its log */
}

/* What is logged of it is all that people ever hear: the next try finds nothing. */
static void what_is_set_aside_is_named_also_when_the_disk_fails_then(void **state)
{
    char text[4096] = "";
    struct error error;
    int ends[2];
    ssize_t len;

    (void)state;
    garbage();
    atomic_store(&spool_disk.syncs_to_fail, 1);
    const int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    struct opened *file = open_spool(MEGABYTE, &error);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    len = read(ends[0], text, sizeof text - 1);
    (void)close(ends[0]);
    assert_null(file);
    assert_int_equal(names_with(".set-aside-"), 1);
    assert_true(len > 0 && strstr(text, "it is kept as") != NULL);
    close_spool(opened());
}

static void a_new_spool_is_its_owners_alone_and_has_no_shared_memory(void **state)
{
    struct stat status;
    struct opened *file = opened();

    (void)state;
    fill(file, 1, 10);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(names_with("-wal"), 1);
    assert_int_equal(names_with("-shm"), 0);
    close_spool(file);
    assert_int_equal(names_with("-wal"), 0);
}

static void a_spool_that_another_process_holds_is_refused_until_that_has_ended(void **state)
{
    struct error error;
    struct opened *file;
    char byte = 0;
    int ready[2];
    int leave[2];
    pid_t child;

    (void)state;
    a_spool_of_ten();
    assert_int_equal(pipe(ready) | pipe(leave), 0);
    child = fork();
    if (child == 0) {
        file = open_spool(MEGABYTE, &error);
        close(leave[1]);
        if (!file || write(ready[1], "r", 1) != 1)
            _exit(1);
        (void)!read(leave[0], &byte, 1);
        close_spool(file);
        _exit(0);
    }
    close(leave[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_null(open_spool(MEGABYTE, &error));
    assert_int_equal(error.code, ERROR_REFUSED);
    assert_non_null(strstr(error.text, "another process"));
    close(leave[1]);
    WAIT_UNTIL((file = open_spool(MEGABYTE, &error)) != NULL);
    assert_int_equal(messages_in(file), 10);
    close_spool(file);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
}

/* ---- messages ---- */

static bool texts_equal(amqp_bytes_t a, amqp_bytes_t b)
{
    return bytes_equal(bytes_of(a.bytes, a.len), bytes_of(b.bytes, b.len));
}

static void check_properties(const char *name, const struct pending_message *before, const struct pending_message *after)
{
    struct envelope_properties a;
    struct envelope_properties b;

    CHECK_CASE(name, before->target == after->target);
    envelope_to_properties(&before->envelope, &a);
    envelope_to_properties(&after->envelope, &b);
    if (before->target == MESSAGE_REJECTED) {
        envelope_add_rejection(&a, before->reject_reason, before->reject_detail);
        envelope_add_rejection(&b, after->reject_reason, after->reject_detail);
    }
    CHECK_CASE(name, a.basic._flags == b.basic._flags);
    CHECK_CASE(name, a.basic.delivery_mode == b.basic.delivery_mode);
    CHECK_CASE(name, a.basic.timestamp == b.basic.timestamp);
    CHECK_CASE(name, texts_equal(a.basic.message_id, b.basic.message_id));
    CHECK_CASE(name, texts_equal(a.basic.type, b.basic.type));
    CHECK_CASE(name, texts_equal(a.basic.app_id, b.basic.app_id));
    CHECK_CASE(name, a.basic.headers.num_entries == b.basic.headers.num_entries);
    for (int i = 0; i < a.basic.headers.num_entries; i++) {
        CHECK_CASE(name, texts_equal(a.headers[i].key, b.headers[i].key));
        CHECK_CASE(name, a.headers[i].value.kind == b.headers[i].value.kind);
        if (a.headers[i].value.kind == AMQP_FIELD_KIND_I64)
            CHECK_CASE(name, a.headers[i].value.value.i64 == b.headers[i].value.value.i64);
        else
            CHECK_CASE(name, texts_equal(a.headers[i].value.value.bytes, b.headers[i].value.value.bytes));
    }
}

static char long_text[ENVELOPE_REJECT_DETAIL + 100];
static const struct {
    const char *name;
    struct envelope envelope;
    size_t body_len;
    const char *reason;
    const char *detail;
} messages[] = {
    {"a webhook",
     {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_GUIDE, .message_id = "a", .received_at_ms = 1},
     2,
     NULL,
     NULL},
    {"a signed webhook with all headers",
     {.type = ENVELOPE_WEBHOOK,
      .scheme = ENVELOPE_V1,
      .message_id = "0123456789abcdef0123456789abcdef-123456",
      .received_at_ms = 4102444800123,
      .event_id = "\x01\xff\xfe not UTF-8",
      .attempt = "123456789012345"},
     400,
     NULL,
     NULL},
    {"a callback of a campaign",
     {.type = ENVELOPE_CALLBACK, .scheme = ENVELOPE_TOKEN, .message_id = "b", .campaign = "spring.2026_a-b"},
     4096,
     NULL,
     NULL},
    {"a callback that nobody verified", {.type = ENVELOPE_CALLBACK, .scheme = ENVELOPE_OFF}, 1, NULL, NULL},
    {"an empty body", {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_GUIDE, .message_id = "c"}, 0, NULL, NULL},
    {"a body of 1 MiB", {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_V1, .message_id = "d"}, MEGABYTE, NULL, NULL},
    {"a rejected body",
     {.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_V1, .message_id = "e"},
     100,
     "invalid_json",
     "the body is not UTF-8"},
    {"a rejected body with a long sentence",
     {.type = ENVELOPE_CALLBACK, .scheme = ENVELOPE_OFF, .campaign = "c"},
     3,
     "invalid_json",
     long_text},
    {"a rejection without words", {.type = ENVELOPE_CALLBACK, .scheme = ENVELOPE_TOKEN}, 3, "", ""},
};

static void a_message_comes_back_byte_for_byte_and_property_for_property(void **state)
{
    struct opened *file = opened();
    struct error error;
    size_t rows;

    (void)state;
    memset(long_text, 'y', sizeof long_text - 1);
    for (size_t i = 0; i < COUNT(messages); i++) {
        /* Bodies of all byte values, NUL among them. */
        struct pending_message *before = event_of(messages[i].body_len, (int)i);

        message_set_event(before, &messages[i].envelope);
        if (messages[i].reason)
            message_set_rejected(before, &messages[i].envelope, messages[i].reason, messages[i].detail);
        CHECK_CASE(messages[i].name, spool_db_insert(file->db, &before, 1, (int64_t)i + 1, &rows, &error));
        /* Read from the disk, not from the memory of this connection. */
        drop_spool(file);
        file = opened();
        struct pending_message *after = read_one(file, (int64_t)i);

        CHECK_CASE(messages[i].name, bytes_equal(message_body_bytes(before), message_body_bytes(after)));
        CHECK_CASE(messages[i].name,
                   memcmp(&before->envelope, &after->envelope, sizeof(struct envelope)) == 0);
        check_properties(messages[i].name, before, after);
        message_release(before);
        message_release(after);
    }
    close_spool(file);
}

static void a_damaged_message_comes_as_a_rejected_one(void **state)
{
    enum { BODY = 3 * PAGE };
    struct opened *file = opened();
    struct pending_message *message;
    long size;

    (void)state;
    fill(file, 3, BODY);
    close_spool(file);
    /* A byte within the body of the last: on a page that has nothing but body. */
    size = size_of(path);
    put_bytes("?", 1, size - PAGE / 2);
    file = opened();
    assert_int_equal(names_with(".set-aside-"), 0);
    for (int id = 1; id <= 3; id++) {
        const bool damaged = id == 3;

        message = read_one(file, id - 1);
        assert_int_equal(message->target, damaged ? MESSAGE_REJECTED : MESSAGE_EVENT);
        if (damaged)
            assert_string_equal(message->reject_reason, "spool_damaged");
        assert_int_equal(message_body_bytes(message).len, BODY);
        message_release(message);
    }
    close_spool(file);
}

static void messages_are_read_oldest_first_within_bounds(void **state)
{
    static const struct {
        const char *name;
        int64_t after;
        size_t max;
        size_t max_bytes;
        size_t count;
        int64_t first;
    } cases[] = {
        {"all", 0, 100, MEGABYTE, 20, 1},         {"after one", 7, 100, MEGABYTE, 13, 8},
        {"some", 0, 5, MEGABYTE, 5, 1},           {"by bytes", 0, 100, 2500, 3, 1},
        {"at least one", 3, 100, 1, 1, 4},        {"behind the last", 20, 100, MEGABYTE, 0, 0},
        {"the last one", 19, 1, MEGABYTE, 1, 20},
    };
    struct opened *file = opened();

    (void)state;
    fill(file, 20, 1000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spooled rows[100];
        struct error error;
        size_t count = 99;

        CHECK_CASE(cases[i].name,
                   spool_db_read(file->db, cases[i].after, cases[i].max, cases[i].max_bytes, rows, &count, &error));
        CHECK_CASE(cases[i].name, count == cases[i].count);
        for (size_t k = 0; k < count; k++) {
            CHECK_CASE(cases[i].name, rows[k].id == cases[i].first + (int64_t)k);
            message_release(rows[k].message);
        }
    }
    close_spool(file);
}

static void deleting_counts_only_what_was_there(void **state)
{
    static const int64_t ids[] = {99, 3, 1, 3};
    struct opened *file = opened();
    struct error error;
    size_t rows;

    (void)state;
    fill(file, 5, 100);
    assert_true(spool_db_delete(file->db, ids, COUNT(ids), &rows, &error));
    assert_int_equal(rows, 2);
    close_spool(file);
    file = opened();
    assert_int_equal(messages_in(file), 3);
    assert_int_equal(file->stock.last_id, 5);
    close_spool(file);
}

/* ---- bounds ---- */

static size_t insert_until_full(struct opened *file, size_t body_len, int64_t *id)
{
    enum { GROUP = 200 };
    struct pending_message *message = event_of(body_len, 1);
    struct pending_message *group[GROUP];
    struct error error;
    size_t rows = 0, inserted = GROUP;

    for (int i = 0; i < GROUP; i++)
        group[i] = message;
    while (inserted == GROUP) {
        assert_true(spool_db_insert(file->db, group, GROUP, *id, &inserted, &error));
        assert_true(spool_db_checkpoint(file->db, &error));
        *id += GROUP;
        rows += inserted;
    }
    message_release(message);
    return rows;
}

static size_t delete_all(struct opened *file)
{
    enum { GROUP = 200 };
    size_t deleted = 0;

    for (;;) {
        struct spooled rows[GROUP];
        int64_t ids[GROUP];
        struct error error;
        size_t count, gone;

        assert_true(spool_db_read(file->db, 0, GROUP, 64 * MEGABYTE, rows, &count, &error));
        if (count == 0)
            return deleted;
        for (size_t i = 0; i < count; i++) {
            ids[i] = rows[i].id;
            message_release(rows[i].message);
        }
        assert_true(spool_db_delete(file->db, ids, count, &gone, &error));
        assert_true(spool_db_checkpoint(file->db, &error));
        deleted += gone;
    }
}

/* Those of all ids up to last_id, without reading them. Returns how many there were. */
static size_t delete_up_to(struct opened *file, int64_t last_id)
{
    enum { GROUP = 200 };
    size_t deleted = 0;

    for (int64_t first_id = 1; first_id <= last_id; first_id += GROUP) {
        int64_t ids[GROUP];
        struct error error;
        size_t gone;

        for (int i = 0; i < GROUP; i++)
            ids[i] = first_id + i;
        assert_true(spool_db_delete(file->db, ids, GROUP, &gone, &error));
        assert_true(spool_db_checkpoint(file->db, &error));
        deleted += gone;
    }
    return deleted;
}

static void the_file_stays_within_its_bound_whatever_the_size_of_messages(void **state)
{
    static const size_t bodies[] = {100, 400, 1900, 2100, 4000, 4096, 5000, 20000, 200000};
    enum { BOUND = 5 * MEGABYTE / 4 }; /* of which more can be free than it takes to be worth shrinking */

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const char *log = spool_log_path();
        char name[64];
        struct error error;
        struct opened *file;
        int64_t id = 1;
        size_t rows;

        snprintf(name, sizeof name, "bodies of %zu", bodies[i]);
        file = open_spool(BOUND, &error);
        assert_non_null(file);
        for (int round = 0; round < 2; round++) {
            rows = insert_until_full(file, bodies[i], &id);
            /* Not much is left unused either: half-empty pages are the messages' own doing. */
            CHECK_CASE(name, rows * (bodies[i] + 100) * 5 > BOUND * 2);
            CHECK_CASE(name, spool_db_bytes(file->db) <= BOUND);
            CHECK_CASE(name, size_of(path) <= BOUND);
            CHECK_CASE(name, size_of(log) <= SPOOL_LOG_BYTES);
            CHECK_CASE(name, delete_up_to(file, id) == rows);
            CHECK_CASE(name, size_of(log) <= SPOOL_LOG_BYTES);
            CHECK_CASE(name, spool_db_bytes(file->db) <= 4 * PAGE);
        }
        CHECK_CASE(name, spool_db_shrink(file->db, &error));
        CHECK_CASE(name, size_of(path) <= 4 * PAGE);
        CHECK_CASE(name, insert_until_full(file, bodies[i], &id) == rows);
        close_spool(file);
        CHECK_CASE(name, unlink(path) == 0);
    }
}

static void a_lower_bound_than_what_is_there_takes_nothing_until_it_is_drained(void **state)
{
    struct pending_message *message = event_of(100, 1);
    struct error error;
    struct opened *file = opened();
    size_t rows;

    (void)state;
    fill(file, 50, 100000);
    close_spool(file);
    file = open_spool(MEGABYTE, &error);
    assert_non_null(file);
    assert_int_equal(messages_in(file), 50);
    assert_true(spool_db_insert(file->db, &message, 1, 100, &rows, &error));
    assert_int_equal(rows, 0);
    assert_int_equal(delete_all(file), 50);
    assert_true(spool_db_insert(file->db, &message, 1, 100, &rows, &error));
    assert_int_equal(rows, 1);
    close_spool(file);
    message_release(message);
}

/* ---- files that lose their names ---- */

static void put_another_there(void)
{
    spool_move_file();
    put_bytes("", 0, 0);
}

static void a_file_without_its_name_is_noticed_and_can_be_drained(void **state)
{
    static const struct {
        const char *name;
        void (*take_away)(void);
        enum spool_presence presence;
    } cases[] = {
        {"the file deleted, its log left", spool_delete_file, SPOOL_GONE},
        {"both deleted", spool_delete_both, SPOOL_GONE},
        {"the file moved, its log left", spool_move_file, SPOOL_GONE},
        {"another in its place", put_another_there, SPOOL_GONE},
        {"its log alone", spool_delete_log, SPOOL_LOG_GONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opened *file;

        spool_folder_remove(NULL);
        spool_folder_make(NULL);
        file = opened();
        fill(file, 30, 3000);
        CHECK_CASE(cases[i].name, spool_file_presence(&file->file) == SPOOL_PRESENT);
        cases[i].take_away();
        CHECK_CASE(cases[i].name, spool_file_presence(&file->file) == cases[i].presence);
        CHECK_CASE(cases[i].name, delete_all(file) == 30);
        spool_db_close(file->db, true);
        /* The place is still this process's. */
        file->db = spool_db_open(&file->file, 64 * MEGABYTE, &file->stock, &(struct error){0});
        CHECK_CASE(cases[i].name, file->db != NULL && messages_in(file) == 0);
        CHECK_CASE(cases[i].name, spool_file_presence(&file->file) == SPOOL_PRESENT);
        fill(file, 5, 3000);
        close_spool(file);
        file = opened();
        CHECK_CASE(cases[i].name, messages_in(file) == 5);
        CHECK_CASE(cases[i].name, names_with(".set-aside-") == 0);
        close_spool(file);
    }
}

static void a_moved_file_is_whole_once_it_is_closed(void **state)
{
    struct opened *file = opened();

    (void)state;
    fill(file, 30, 3000);
    spool_move_file();
    close_spool(file);
    assert_int_equal(unlink(spool_log_path()), 0);
    spool_move_file_back();
    file = opened();
    assert_int_equal(messages_in(file), 30);
    close_spool(file);
}

static void a_log_that_was_deleted_is_written_back(void **state)
{
    struct opened *file = opened();
    struct error error;

    (void)state;
    fill(file, 3, 300);
    spool_delete_log();
    assert_true(spool_db_write_back(file->db, &error));
    drop_spool(file); /* what a kill would leave */
    file = opened();
    assert_int_equal(messages_in(file), 3);
    close_spool(file);
}

static void looking_at_the_files_does_not_let_go_of_the_lock(void **state)
{
    struct opened *file = opened();
    struct error error;
    char lock[128];
    int status = -1;
    pid_t child;

    (void)state;
    assert_int_equal(spool_file_presence(&file->file), SPOOL_PRESENT);
    snprintf(lock, sizeof lock, "%s.lock", path);
    /* SQLite's own, when ours is deleted. */
    assert_int_equal(unlink(lock), 0);
    child = fork();
    if (child == 0) {
        struct opened *second = open_spool(MEGABYTE, &error);

        _exit(second ? 1 : error.code == ERROR_REFUSED ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_spool(file);
    assert_int_equal(names_with("lock"), 0);
}

static void two_spools_in_one_folder_do_not_get_in_each_others_way(void **state)
{
    struct opened *first;
    struct opened *second;

    (void)state;
    first = opened();
    snprintf(spool_path, sizeof spool_path, "%s/other.db", spool_folder);
    second = opened();
    fill(second, 1, 10);
    close_spool(first);
    close_spool(second);
    assert_int_equal(names_with("lock"), 0);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, spool_folder_make, spool_folder_remove)
    const struct CMUnitTest tests[] = {
        CASE(opening_takes_what_is_ours_and_sets_aside_what_cannot_be_used),
        CASE(a_path_that_cannot_be_used_is_refused_with_what_to_do),
        CASE(what_was_set_aside_keeps_its_log_and_never_covers_another),
        CASE(what_is_set_aside_is_named_also_when_the_disk_fails_then),
        CASE(a_new_spool_is_its_owners_alone_and_has_no_shared_memory),
        CASE(a_spool_that_another_process_holds_is_refused_until_that_has_ended),
        CASE(a_message_comes_back_byte_for_byte_and_property_for_property),
        CASE(a_damaged_message_comes_as_a_rejected_one),
        CASE(messages_are_read_oldest_first_within_bounds),
        CASE(deleting_counts_only_what_was_there),
        CASE(the_file_stays_within_its_bound_whatever_the_size_of_messages),
        CASE(a_lower_bound_than_what_is_there_takes_nothing_until_it_is_drained),
        CASE(a_file_without_its_name_is_noticed_and_can_be_drained),
        CASE(a_moved_file_is_whole_once_it_is_closed),
        CASE(a_log_that_was_deleted_is_written_back),
        CASE(looking_at_the_files_does_not_let_go_of_the_lock),
        CASE(two_spools_in_one_folder_do_not_get_in_each_others_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
