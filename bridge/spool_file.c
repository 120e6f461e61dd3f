#include "spool_file.h"

#include "../common/protection.h"
#include "spool_sql.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPLICATION_ID = 0x44627370, /* "Dbsp" */
    VERSION = 1,
    PAGE_BYTES = 4096,
    /* Of an overflow page: four bytes name the next one. */
    PAGE_PAYLOAD = PAGE_BYTES - 4,
    /* A row begins a leaf at the worst, besides its overflow pages; rows split inner pages now and then. */
    PAGES_A_ROW = 2,
    PAGES_A_COMMIT = 8,
    /* The header and the schema, and an empty leaf. */
    PAGES_EMPTY = 3,
    PAGES_MAX = 1073741823, /* SQLite's own bound */
    CACHE_KIB = 8 * 1024,
    /* Behind the id and the time. */
    FIRST_COLUMN = 2,
    DIGEST_COLUMN = FIRST_COLUMN + SPOOL_COLUMNS,
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_INSERT,
    STATEMENT_INSERT_COPY,
    STATEMENT_DELETE,
    STATEMENT_READ,
    STATEMENT_HAS,
    STATEMENT_STOCK,
    STATEMENT_PAGES,
    STATEMENT_FREE_PAGES,
    STATEMENT_COUNT
};

static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_INSERT] = "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_INSERT_COPY] = "INSERT OR IGNORE INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_DELETE] = "DELETE FROM message WHERE id = ?",
    [STATEMENT_READ] = "SELECT * FROM message WHERE id > ? ORDER BY id LIMIT ?",
    [STATEMENT_HAS] = "SELECT count(*) FROM message WHERE id = ?",
    [STATEMENT_STOCK] = "SELECT count(*), max(id) FROM message",
    [STATEMENT_PAGES] = "PRAGMA page_count",
    [STATEMENT_FREE_PAGES] = "PRAGMA freelist_count",
};

/* The columns of spool_row.h in their order. One transaction: a file without the table is never ours. */
static const char schema[] = "BEGIN EXCLUSIVE;"
                             "PRAGMA application_id = 1147302768;"
                             "PRAGMA user_version = 1;"
                             "CREATE TABLE message (id INTEGER PRIMARY KEY, received_at_ms INTEGER, target TEXT,"
                             " type TEXT, scheme TEXT, message_id BLOB, campaign BLOB, event_id BLOB, attempt BLOB,"
                             " reject_reason BLOB, reject_detail BLOB, body BLOB, checksum BLOB);"
                             "COMMIT;";

struct spool_file {
    struct spool_place place;
    bool distrusted;
    bool detached;
    atomic_bool interrupted;
    struct spool_sql *sql;
    int64_t max_pages;
    int64_t pages;
    int64_t free_pages;
    bool damaged;
    const char *damage; /* in the library's words; NULL: in those of an error */
};

static void note_damage(struct spool_file *file)
{
    const char *damage = spool_sql_damage(file->sql);

    if (!damage)
        return;
    file->damaged = true;
    file->damage = damage;
}

/* Says how the last call has failed. Always false. */
static bool failed(struct spool_file *file, const char *doing, struct error *error)
{
    note_damage(file);
    return spool_sql_failed(file->sql, doing, error);
}

static bool run(struct spool_file *file, const char *text, const char *doing, struct error *error)
{
    return spool_sql_run(file->sql, text) || failed(file, doing, error);
}

static bool write_back(struct spool_file *file, struct error *error)
{
    return spool_sql_write_back(file->sql, true) || failed(file, "writing back the log of", error);
}

static bool measure(struct spool_file *file)
{
    int64_t pages = 0;
    int64_t free_pages = 0;

    if (!spool_sql_ask(file->sql, STATEMENT_PAGES, &pages, 1) ||
        !spool_sql_ask(file->sql, STATEMENT_FREE_PAGES, &free_pages, 1))
        return false;
    file->pages = pages;
    file->free_pages = free_pages;
    return true;
}

/* ---- opening ---- */

static bool connect(struct spool_file *file, struct error *error)
{
    static const char settings[] =
        "PRAGMA locking_mode = EXCLUSIVE;" /* before the log is looked at: no shared memory */
        "PRAGMA trusted_schema = OFF;"
        "PRAGMA temp_store = MEMORY;"
        "PRAGMA mmap_size = 0;";

    if (!spool_sql_open(file->sql, file->place.path, error)) {
        note_damage(file);
        return false;
    }
    return run(file, settings, "opening", error);
}

/* Whether the content is a spool of this version, whole. False with file->damaged and *error if not, or with another
 *error if nobody can say. */
static bool check(struct spool_file *file, struct error *error)
{
    int64_t version = 0;
    char said[ERROR_TEXT / 2];

    if (!spool_sql_run_for_integer(file->sql, "PRAGMA user_version", &version))
        return failed(file, "opening", error);
    if (version != VERSION) {
        file->damaged = true;
        error_set(error, ERROR_UNAVAILABLE, "it is of version %lld and this program knows version %d",
                  (long long)version, VERSION);
        return false;
    }
    if (!spool_sql_run_for_text(file->sql, "PRAGMA quick_check(1)", said, sizeof said))
        return failed(file, "checking", error);
    if (strcmp(said, "ok") == 0)
        return true;
    file->damaged = true;
    error_set(error, ERROR_UNAVAILABLE, "it is damaged: %.200s", said[0] ? said : "the check says nothing");
    return false;
}

static bool prepare(struct spool_file *file, struct error *error)
{
    if (spool_sql_prepare(file->sql, statement_texts, STATEMENT_COUNT))
        return true;
    /* A table that is not as we made it. */
    file->damaged |= spool_sql_misfits(file->sql);
    return failed(file, "using", error);
}

/* The whole log into the file, synced, and a log that is there. The version is written anew although it is the same: a
   disk that takes nothing is found out now, not by the next message. */
static bool sync_log(struct spool_file *file, struct error *error)
{
    char text[64];

    snprintf(text, sizeof text, "PRAGMA user_version = %d", VERSION);
    return (spool_sql_write_back(file->sql, true) && spool_sql_run(file->sql, text) &&
            spool_sql_write_back(file->sql, true)) ||
           failed(file, "syncing", error);
}

static bool make_ready(struct spool_file *file, struct error *error)
{
    char sql[512];

    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 0;"
             "PRAGMA journal_size_limit = %d; PRAGMA max_page_count = %lld; PRAGMA cache_size = -%d;"
             /* Zeroes what is deleted where that costs no writing. */
             "PRAGMA secure_delete = FAST;",
             protection("spool-sync") ? "FULL" : "NORMAL", SPOOL_CHECKPOINT_BYTES, (long long)file->max_pages,
             CACHE_KIB);
    if (!run(file, sql, "opening", error))
        return false;
    spool_sql_watch_log(file->sql);
    return sync_log(file, error);
}

/* The mode that the file says it is in: a log that could not be begun leaves another one in force. */
static bool check_mode(struct spool_file *file, struct error *error)
{
    char mode[16];

    if (!spool_sql_run_for_text(file->sql, "PRAGMA journal_mode", mode, sizeof mode))
        return failed(file, "opening", error);
    if (strcmp(mode, "wal") == 0)
        return true;
    error_set(error, ERROR_CONFIG, "the spool: %s cannot have a write-ahead log: choose another file system for it",
              file->place.path);
    return false;
}

/* That the names are those of what is open, and from here on noticed when they are not any more. The log is empty now:
   it harms no other file. */
static bool pin(struct spool_file *file, struct error *error)
{
    if (!spool_place_pin(&file->place, error))
        return false;
    if (!spool_sql_has_moved(file->sql))
        return true;
    error_set(error, ERROR_UNAVAILABLE,
              "the spool: another file has come into the place of %s while that was being opened: leave it where it is",
              file->place.path);
    return false;
}

/* With what was found at the place. False with *error; file->damaged if it must be set aside first. */
static bool open_found(struct spool_file *file, enum spool_found found, struct error *error)
{
    int64_t pages = 0;

    if (found == SPOOL_NOTHING && !spool_place_make(&file->place, error))
        return false;
    if (!connect(file, error))
        return false;
    /* Also what is left of a creation that was interrupted, and is rolled back by now. */
    if (!spool_sql_run_for_integer(file->sql, "PRAGMA page_count", &pages))
        return failed(file, "opening", error);
    if (pages == 0 && !run(file, schema, "making", error))
        return false;
    if (!check(file, error) || !make_ready(file, error) || !check_mode(file, error) || !prepare(file, error) ||
        !pin(file, error))
        return false;
    return measure(file) || failed(file, "measuring", error);
}

/* Opens what is there. False with file->damaged and *error, the reason, if it must be set aside first. That it can be
   told means that no other process holds it: its lock comes before its content. */
static bool open_as_found(struct spool_file *file, bool distrusted, struct error *error)
{
    enum spool_found found;

    /* Once more: it was looked at before the place was locked. */
    if (!spool_place_look(&file->place, APPLICATION_ID, &found, error))
        return false;
    if (found == SPOOL_FOREIGN)
        return spool_place_refuse_foreign(&file->place, error);
    if (found == SPOOL_NOTHING && spool_place_has_log(&file->place)) {
        file->damaged = true;
        error_set(error, ERROR_UNAVAILABLE, "only its log is there, without the file");
        return false;
    }
    if (!open_found(file, found, error))
        return false;
    if (distrusted && found == SPOOL_OURS) {
        file->damaged = true;
        error_set(error, ERROR_UNAVAILABLE, "it was found damaged while it was in use");
        return false;
    }
    return true;
}

/* A check that was ended early says nothing about the file. */
static bool was_interrupted(struct spool_file *file, struct error *error)
{
    if (!atomic_load(&file->interrupted))
        return false;
    file->damaged = false;
    error_set(error, ERROR_UNAVAILABLE, "the spool: opening %s was ended by a stop", file->place.path);
    return true;
}

static bool open_or_set_aside(struct spool_file *file, struct error *error)
{
    char why[ERROR_TEXT];

    if (open_as_found(file, file->distrusted, error))
        return true;
    if (was_interrupted(file, error) || !file->damaged)
        return false;
    spool_sql_close(file->sql);
    if (file->damage)
        snprintf(why, sizeof why, "it is damaged: %s", file->damage);
    else
        snprintf(why, sizeof why, "%s", error->text);
    if (!spool_place_set_aside(&file->place, why, error))
        return false;
    file->damaged = false;
    file->damage = NULL;
    return open_as_found(file, false, error);
}

bool spool_file_open(struct spool_file *file, struct error *error)
{
    struct error problem = {0};

    if (open_or_set_aside(file, &problem) && !was_interrupted(file, &problem))
        return true;
    spool_sql_close(file->sql);
    if (problem.code == ERROR_REFUSED)
        spool_place_say_held(file->place.path, error);
    else
        error_set(error, problem.code, "%s", problem.text);
    return false;
}

void spool_file_interrupt(struct spool_file *file)
{
    atomic_store(&file->interrupted, true);
    spool_sql_interrupt(file->sql);
}

static int64_t pages_within(int64_t max_bytes)
{
    if (!protection("spool-bound") || max_bytes / PAGE_BYTES > PAGES_MAX)
        return PAGES_MAX;
    return max_bytes / PAGE_BYTES;
}

struct spool_file *spool_file_take(const struct spool_file_settings *settings, struct error *error)
{
    struct spool_file *file = calloc(1, sizeof *file);

    if (file)
        file->sql = spool_sql_new();
    if (!file || !file->sql) {
        free(file);
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
        return NULL;
    }
    file->distrusted = settings->distrusted;
    file->max_pages = pages_within(settings->max_bytes);
    if (spool_place_take(settings->path, APPLICATION_ID, settings->lock_wait_ms, &file->place, error))
        return file;
    spool_sql_free(file->sql);
    free(file);
    return NULL;
}

void spool_file_drop(struct spool_file *file)
{
    if (!file)
        return;
    spool_sql_free(file->sql);
    /* After it: the lock is let go of last. */
    spool_place_leave(&file->place);
    free(file);
}

void spool_file_close(struct spool_file *file)
{
    if (!file)
        return;
    /* SQLite does so by itself only if the file is in its place. */
    if (file->detached)
        (void)spool_sql_write_back(file->sql, true);
    else
        spool_sql_write_at_close(file->sql);
    spool_file_drop(file);
}

bool spool_file_damaged(const struct spool_file *file)
{
    return file->damaged;
}

/* ---- what is in it ---- */

bool spool_file_stock(struct spool_file *file, struct spool_stock *out, struct error *error)
{
    int64_t values[2] = {0, 0};

    if (!spool_sql_ask(file->sql, STATEMENT_STOCK, values, 2))
        return failed(file, "counting", error);
    *out = (struct spool_stock){.messages = values[0], .last_id = values[1]};
    return true;
}

bool spool_file_has(struct spool_file *file, int64_t id, bool *out, struct error *error)
{
    int64_t count = 0;

    if (!spool_sql_bind_integer(file->sql, STATEMENT_HAS, 0, id) || !spool_sql_ask(file->sql, STATEMENT_HAS, &count, 1))
        return failed(file, "reading", error);
    *out = count > 0;
    return true;
}

int64_t spool_file_bytes(const struct spool_file *file)
{
    return (file->pages - file->free_pages) * PAGE_BYTES;
}

/* ---- writing ---- */

/* At the most. */
static int64_t pages_of_row(size_t row_size)
{
    return (int64_t)(row_size / PAGE_PAYLOAD) + PAGES_A_ROW;
}

static int64_t pages_of(const struct ticket *ticket)
{
    return pages_of_row(spool_row_size_of(ticket));
}

/* Whether so many pages more are within max_bytes. */
static bool have_room(const struct spool_file *file, int64_t pages)
{
    return file->pages - file->free_pages + pages + PAGES_A_COMMIT <= file->max_pages;
}

bool spool_file_has_room(const struct spool_file *file, size_t row_size)
{
    return have_room(file, pages_of_row(row_size));
}

int64_t spool_file_needs(size_t row_size)
{
    return (PAGES_EMPTY + pages_of_row(row_size) + PAGES_A_COMMIT) * PAGE_BYTES;
}

static bool bind_row(struct spool_sql *sql, enum statement which, const struct spool_row *row, struct bytes digest)
{
    bool done =
        spool_sql_bind_integer(sql, which, 0, row->id) && spool_sql_bind_integer(sql, which, 1, row->received_at_ms);

    for (int i = 0; i < SPOOL_COLUMNS && done; i++) {
        if (i <= SPOOL_SCHEME)
            done = spool_sql_bind_text(sql, which, FIRST_COLUMN + i, row->columns[i]);
        else
            done = spool_sql_bind_blob(sql, which, FIRST_COLUMN + i, row->columns[i]);
    }
    return done && spool_sql_bind_blob(sql, which, DIGEST_COLUMN, digest);
}

static bool insert_row(struct spool_file *file, enum statement which, const struct ticket *ticket, int64_t id)
{
    uint8_t digest[SHA256_SIZE];
    struct spool_row row;
    bool done;

    spool_row_of_ticket(ticket, id, &row);
    if (!spool_row_checksum(&row, digest))
        return spool_sql_no_memory(file->sql);
    done = bind_row(file->sql, which, &row, bytes_of(digest, sizeof digest)) && spool_sql_finish(file->sql, which);
    /* What it points to is gone soon. */
    spool_sql_unbind(file->sql, which);
    return done;
}

/* What is to be inserted: tickets with ids from first_id on; or copies with their own, as far as these are free. */
struct input {
    bool is_copies;
    struct ticket *const *tickets; /* of these two, one */
    const struct spooled *copies;
    size_t count;
    int64_t first_id;
};

static const struct ticket *ticket_at(const struct input *input, size_t at)
{
    return input->is_copies ? input->copies[at].ticket : input->tickets[at];
}

/* *id: the one it has got. */
static bool insert_one(struct spool_file *file, const struct input *input, size_t at, int64_t *id)
{
    const struct ticket *ticket = ticket_at(input, at);

    if (input->is_copies) {
        *id = input->copies[at].id;
        if (!insert_row(file, STATEMENT_INSERT_COPY, ticket, *id))
            return false;
        if (spool_sql_changes(file->sql) > 0)
            return true;
    }
    *id = input->first_id + (int64_t)at;
    return insert_row(file, STATEMENT_INSERT, ticket, *id);
}

/* *done: those that were inserted before there was no room. */
static bool insert_rows(struct spool_file *file, const struct input *input, struct spool_change *done)
{
    int64_t pages = 0;
    bool plenty;

    for (size_t i = 0; i < input->count; i++)
        pages += pages_of(ticket_at(input, i));
    /* Near the bound the file is measured before each: rows share pages, so there is mostly more room than reckoned. */
    plenty = have_room(file, pages);
    for (size_t i = 0; i < input->count; i++) {
        int64_t id;

        if (!plenty && !measure(file))
            return false;
        if (!plenty && !have_room(file, pages_of(ticket_at(input, i))))
            break;
        if (!insert_one(file, input, i, &id))
            return false;
        if (done->rows++ == 0)
            done->first_id = id;
    }
    return true;
}

/* Ends the transaction of a write that has gone well so far, or not. */
static enum spool_write end_write(struct spool_file *file, bool good, const char *doing, struct error *error)
{
    if (good && spool_sql_finish(file->sql, STATEMENT_COMMIT)) {
        /* Done, whatever this says: if it cannot be read the next call will tell. */
        (void)measure(file);
        return SPOOL_WRITTEN;
    }
    failed(file, doing, error);
    spool_sql_roll_back(file->sql);
    return good ? SPOOL_WRITE_UNKNOWN : SPOOL_WRITE_FAILED;
}

static enum spool_write insert(struct spool_file *file, const struct input *input, struct spool_change *change,
                               struct error *error)
{
    enum spool_write result;
    struct spool_change done = {0};
    const bool good = spool_sql_finish(file->sql, STATEMENT_BEGIN) && insert_rows(file, input, &done);

    result = end_write(file, good, "writing to", error);
    if (result != SPOOL_WRITE_FAILED)
        *change = done;
    return result;
}

enum spool_write spool_file_insert(struct spool_file *file, struct ticket *const *tickets, size_t count,
                                   int64_t first_id, struct spool_change *change, struct error *error)
{
    const struct input input = {.tickets = tickets, .count = count, .first_id = first_id};

    return insert(file, &input, change, error);
}

enum spool_write spool_file_insert_copies(struct spool_file *file, const struct spooled *rows, size_t count,
                                          int64_t spare_id, struct spool_change *change, struct error *error)
{
    const struct input input = {.is_copies = true, .copies = rows, .count = count, .first_id = spare_id};

    return insert(file, &input, change, error);
}

enum spool_write spool_file_delete(struct spool_file *file, const int64_t *ids, size_t count,
                                   struct spool_change *change, struct error *error)
{
    bool good = spool_sql_finish(file->sql, STATEMENT_BEGIN);
    struct spool_change done = {0};
    enum spool_write result;

    for (size_t i = 0; i < count && good; i++) {
        good = spool_sql_bind_integer(file->sql, STATEMENT_DELETE, 0, ids[i]) &&
               spool_sql_finish(file->sql, STATEMENT_DELETE);
        if (good && spool_sql_changes(file->sql) > 0 && done.rows++ == 0)
            done.first_id = ids[i];
    }
    result = end_write(file, good, "deleting from", error);
    if (result != SPOOL_WRITE_FAILED)
        *change = done;
    return result;
}

/* ---- files that lose their names ---- */

enum spool_presence spool_file_presence(const struct spool_file *file)
{
    return spool_place_presence(&file->place);
}

/* Without its name the file must not get another log: SQLite would look for it beside the name, and take the one of a
   new spool for it. */
static bool still_in_place(const struct spool_file *file, struct error *error)
{
    switch (spool_file_presence(file)) {
    case SPOOL_PRESENT:
    case SPOOL_LOG_GONE:
        return true;
    case SPOOL_MOVED:
    case SPOOL_DELETED:
        break;
    }
    error_set(error, ERROR_UNAVAILABLE, "the spool: %s was moved or deleted while in use, and so was its log",
              file->place.path);
    return false;
}

/* Leaving the mode closes the log, which has no name any more; entering it makes another. Between the two, and for good
   if the file goes meanwhile, the journal is in memory: that needs no name. */
bool spool_file_renew_log(struct spool_file *file, struct error *error)
{
    static const char without_log[] = "PRAGMA journal_mode = MEMORY";
    static const char with_log[] = "PRAGMA journal_mode = WAL";
    static const char doing[] = "making a new log for";
    struct error ignored;

    if (!write_back(file, error) || !run(file, without_log, doing, error))
        return false;
    if (still_in_place(file, error) && run(file, with_log, doing, error) && check_mode(file, error) &&
        sync_log(file, error) && spool_place_pin_log(&file->place, error))
        return true;
    (void)run(file, without_log, doing, &ignored);
    return false;
}

bool spool_file_detach(struct spool_file *file, struct error *error)
{
    if (file->detached)
        return true;
    if (spool_place_names_log(&file->place)) {
        /* Another file's log would be written into this one. */
        if (!write_back(file, error) || !spool_place_unlink_log(&file->place, error))
            return false;
    }
    spool_place_let_go(&file->place);
    file->detached = true;
    return true;
}

bool spool_file_is_at(const struct spool_file *file, const char *path)
{
    return spool_place_is_at(&file->place, path);
}

bool spool_file_make_whole(struct spool_file *file, struct error *error)
{
    return write_back(file, error);
}

bool spool_file_disk_has(const struct spool_file *file, int64_t bytes)
{
    return spool_place_disk_has(&file->place, bytes);
}

/* ---- keeping the log and the file small ---- */

bool spool_file_checkpoint(struct spool_file *file, struct error *error)
{
    if (spool_sql_log_frames(file->sql) < SPOOL_CHECKPOINT_BYTES / PAGE_BYTES)
        return true;
    return spool_sql_write_back(file->sql, false) || failed(file, "writing back the log of", error);
}

/* VACUUM copies what there is: nothing. (incremental_vacuum looks through the list of free pages for each that it gives
   back: minutes for a gigabyte.) */
bool spool_file_shrink(struct spool_file *file, struct error *error)
{
    if (file->free_pages < SPOOL_SHRINK_BYTES / PAGE_BYTES)
        return true;
    return (spool_sql_run(file->sql, "VACUUM") && spool_sql_write_back(file->sql, true) && measure(file)) ||
           failed(file, "shrinking", error);
}

/* ---- reading ---- */

static struct ticket *read_row(const struct spool_sql *sql, int64_t *id, size_t *size)
{
    const struct bytes checksum = spool_sql_bytes(sql, STATEMENT_READ, DIGEST_COLUMN);
    struct spool_row row = {.id = spool_sql_integer(sql, STATEMENT_READ, 0),
                            .received_at_ms = spool_sql_integer(sql, STATEMENT_READ, 1)};

    for (int i = 0; i < SPOOL_COLUMNS; i++)
        row.columns[i] = spool_sql_bytes(sql, STATEMENT_READ, FIRST_COLUMN + i);
    *id = row.id;
    *size = spool_row_size(&row);
    return spool_row_to_ticket(&row, checksum);
}

/* *read: how many of `out` are filled, also on failure. */
static bool read_rows(struct spool_file *file, size_t max, size_t max_bytes, struct spooled *out, size_t *read)
{
    size_t bytes = 0;

    while (*read < max && (*read == 0 || bytes < max_bytes)) {
        const enum spool_sql_step step = spool_sql_step(file->sql, STATEMENT_READ);
        struct spooled *row = &out[*read];
        size_t size = 0;

        if (step != SPOOL_SQL_ROW)
            return step == SPOOL_SQL_END;
        row->ticket = read_row(file->sql, &row->id, &size);
        if (!row->ticket)
            return spool_sql_no_memory(file->sql);
        *read += 1;
        bytes += size;
    }
    return true;
}

bool spool_file_read(struct spool_file *file, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                     size_t *count, struct error *error)
{
    const int64_t limit = max <= INT64_MAX ? (int64_t)max : INT64_MAX;
    size_t read = 0;
    const bool done = spool_sql_bind_integer(file->sql, STATEMENT_READ, 0, after_id) &&
                      spool_sql_bind_integer(file->sql, STATEMENT_READ, 1, limit) &&
                      read_rows(file, max, max_bytes, out, &read);

    spool_sql_reset(file->sql, STATEMENT_READ);
    if (done) {
        *count = read;
        return true;
    }
    while (read > 0)
        ticket_release(out[--read].ticket);
    return failed(file, "reading", error);
}
