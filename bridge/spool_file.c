#include "spool_file.h"

#include "../common/clock.h"
#include "../common/protection.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
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
    LOCK_STEP_MS = 50,
    DIGEST_COLUMN = 2 + SPOOL_COLUMNS,
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_INSERT,
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
    pthread_mutex_t mutex; /* guards `database` against spool_file_interrupt: held where it changes */
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int64_t max_pages;
    int64_t pages;
    int64_t free_pages;
    int log_frames;
    bool damaged;
    const char *damage; /* in the library's words; NULL: in those of an error */
};

/* ---- errors ---- */

static bool is_damage(int status)
{
    const int primary = status & 0xff;

    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

static enum error_code code_of(sqlite3 *database, int status)
{
    switch (status & 0xff) {
    case SQLITE_BUSY:
        return ERROR_REFUSED;
    case SQLITE_NOMEM:
        return ERROR_NO_MEMORY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERROR_CONFIG;
    case SQLITE_CANTOPEN:
        return spool_place_code(sqlite3_system_errno(database));
    default:
        return ERROR_UNAVAILABLE;
    }
}

/* Always false. */
static bool failed(struct spool_file *file, const char *doing, int status, struct error *error)
{
    const bool of_system = (status & 0xff) == SQLITE_IOERR || (status & 0xff) == SQLITE_CANTOPEN;
    const int number = of_system ? sqlite3_system_errno(file->database) : 0;

    if (is_damage(status)) {
        file->damaged = true;
        file->damage = sqlite3_errstr(status);
    }
    /* The extended code tells a write from a sync: sqlite.org/rescode.html. */
    error_set(error, code_of(file->database, status), "the spool: %s %s: %s (code %d)%s%s", doing, file->place.path,
              sqlite3_errstr(status), status, number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    return false;
}

/* ---- statements ---- */

static bool run(struct spool_file *file, const char *sql, const char *doing, struct error *error)
{
    const int status = sqlite3_exec(file->database, sql, NULL, NULL, NULL);

    return status == SQLITE_OK || failed(file, doing, status, error);
}

/* Runs a statement that gives no row. */
static int finish(struct spool_file *file, enum statement which)
{
    const int status = sqlite3_step(file->statements[which]);

    sqlite3_reset(file->statements[which]);
    return status == SQLITE_DONE || status == SQLITE_ROW ? SQLITE_OK : status;
}

/* Runs one that gives one row of integers. */
static int ask(struct spool_file *file, enum statement which, int64_t *values, int columns)
{
    sqlite3_stmt *statement = file->statements[which];
    const int status = sqlite3_step(statement);

    if (status == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            values[i] = sqlite3_column_int64(statement, i);
    }
    sqlite3_reset(statement);
    return status == SQLITE_ROW ? SQLITE_OK : status == SQLITE_DONE ? SQLITE_ERROR : status;
}

static int measure(struct spool_file *file)
{
    int64_t pages = 0;
    int64_t free_pages = 0;
    int status = ask(file, STATEMENT_PAGES, &pages, 1);

    if (status == SQLITE_OK)
        status = ask(file, STATEMENT_FREE_PAGES, &free_pages, 1);
    if (status == SQLITE_OK) {
        file->pages = pages;
        file->free_pages = free_pages;
    }
    return status;
}

/* ---- opening ---- */

static int on_log(void *context, sqlite3 *database, const char *name, int frames)
{
    struct spool_file *file = context;

    (void)database;
    (void)name;
    file->log_frames = frames;
    return SQLITE_OK;
}

/* One integer of a new connection, before there are prepared statements. */
static int ask_new(struct spool_file *file, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(file->database, sql, -1, &statement, NULL);

    if (status == SQLITE_OK)
        status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        status = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return status;
}

static void set_database(struct spool_file *file, sqlite3 *database)
{
    pthread_mutex_lock(&file->mutex);
    file->database = database;
    pthread_mutex_unlock(&file->mutex);
}

static bool connect(struct spool_file *file, struct error *error)
{
    static const char settings[] =
        "PRAGMA locking_mode = EXCLUSIVE;" /* before the log is looked at: no shared memory */
        "PRAGMA trusted_schema = OFF;"
        "PRAGMA temp_store = MEMORY;"
        "PRAGMA mmap_size = 0;";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3 *database = NULL;
    const int status = sqlite3_open_v2(file->place.path, &database, flags, NULL);

    set_database(file, database);
    if (!database) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool %s", file->place.path);
        return false;
    }
    sqlite3_extended_result_codes(file->database, 1);
    if (status != SQLITE_OK)
        return failed(file, "opening", status, error);
    /* A file that has failed, or is another's, is left as it is. */
    sqlite3_db_config(file->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_db_readonly(file->database, "main") != 0) {
        error_set(error, ERROR_CONFIG, "the spool: %s cannot be written: let this user write it", file->place.path);
        return false;
    }
    return run(file, settings, "opening", error);
}

/* Whether the content is a spool of this version, whole. False with file->damaged and *error if not, or with another
 *error if nobody can say. */
static bool check(struct spool_file *file, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int64_t version = 0;
    int status = ask_new(file, "PRAGMA user_version", &version);

    if (status != SQLITE_OK)
        return failed(file, "opening", status, error);
    if (version != VERSION) {
        file->damaged = true;
        error_set(error, ERROR_UNAVAILABLE, "it is of version %lld and this program knows version %d",
                  (long long)version, VERSION);
        return false;
    }
    status = sqlite3_prepare_v2(file->database, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);

        status = SQLITE_OK;
        if (!said || strcmp(said, "ok") != 0) {
            file->damaged = true;
            error_set(error, ERROR_UNAVAILABLE, "it is damaged: %.200s", said ? said : "the check says nothing");
        }
    }
    sqlite3_finalize(statement);
    if (file->damaged)
        return false;
    return status == SQLITE_OK || failed(file, "checking", status, error);
}

static bool prepare(struct spool_file *file, struct error *error)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        const int status = sqlite3_prepare_v3(file->database, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                              &file->statements[i], NULL);

        /* A table that is not as we made it. */
        if (status == SQLITE_ERROR)
            file->damaged = true;
        if (status != SQLITE_OK)
            return failed(file, "using", status, error);
    }
    return true;
}

/* The whole log into the file, synced, and a log that is there. The version is written anew although it is the same: a
   disk that takes nothing is found out now, not by the next message. */
static bool sync_log(struct spool_file *file, struct error *error)
{
    char sql[64];
    int status;

    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", VERSION);
    status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_exec(file->database, sql, NULL, NULL, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (status != SQLITE_OK)
        return failed(file, "syncing", status, error);
    file->log_frames = 0;
    return true;
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
    sqlite3_wal_hook(file->database, on_log, file);
    return sync_log(file, error);
}

/* The mode that the file says it is in: a log that could not be begun leaves another one in force. */
static bool check_mode(struct spool_file *file, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(file->database, "PRAGMA journal_mode", -1, &statement, NULL);
    bool is_wal = false;

    if (status == SQLITE_OK)
        status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);

        is_wal = mode && strcmp(mode, "wal") == 0;
    }
    sqlite3_finalize(statement);
    if (status != SQLITE_ROW)
        return failed(file, "opening", status, error);
    if (!is_wal)
        error_set(error, ERROR_CONFIG, "the spool: %s cannot have a write-ahead log: choose another file system for it",
                  file->place.path);
    return is_wal;
}

static void disconnect(struct spool_file *file)
{
    sqlite3 *database = file->database;

    set_database(file, NULL);
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    sqlite3_close_v2(database);
}

/* With what was found at the place. False with *error; file->damaged if it must be set aside first. */
static bool open_found(struct spool_file *file, enum spool_found found, struct error *error)
{
    int64_t pages = 0;
    int status;

    if (found == SPOOL_NOTHING && !spool_place_make(&file->place, error))
        return false;
    if (!connect(file, error))
        return false;
    /* Also what is left of a creation that was interrupted, and is rolled back by now. */
    status = ask_new(file, "PRAGMA page_count", &pages);
    if (status != SQLITE_OK)
        return failed(file, "opening", status, error);
    if (pages == 0 && !run(file, schema, "making", error))
        return false;
    if (!check(file, error) || !make_ready(file, error) || !check_mode(file, error) || !prepare(file, error) ||
        !spool_place_pin(&file->place, error))
        return false;
    status = measure(file);
    return status == SQLITE_OK || failed(file, "measuring", status, error);
}

static bool refuse_foreign(const struct spool_file *file, struct error *error)
{
    error_set(error, ERROR_CONFIG,
              "the spool: %s is a database of another program (or of this one, with a damaged first page): choose "
              "another SPOOL_PATH, or move that file away",
              file->place.path);
    return false;
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
        return refuse_foreign(file, error);
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
    disconnect(file);
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

static void say_held(const char *path, struct error *error)
{
    error_set(error, ERROR_REFUSED,
              "the spool: another process holds %s: is a second bridge running with the same SPOOL_PATH? Give each "
              "one of its own",
              path);
}

bool spool_file_open(struct spool_file *file, struct error *error)
{
    struct error problem = {0};

    if (open_or_set_aside(file, &problem) && !was_interrupted(file, &problem))
        return true;
    disconnect(file);
    if (problem.code == ERROR_REFUSED)
        say_held(file->place.path, error);
    else
        error_set(error, problem.code, "%s", problem.text);
    return false;
}

void spool_file_interrupt(struct spool_file *file)
{
    atomic_store(&file->interrupted, true);
    pthread_mutex_lock(&file->mutex);
    /* Forgotten when it comes between two statements. */
    if (file->database)
        sqlite3_interrupt(file->database);
    pthread_mutex_unlock(&file->mutex);
}

/* Another program's database gets no lock beside it. */
static bool take_place(struct spool_file *file, const char *path, struct error *error)
{
    enum spool_found found;

    if (!spool_place_enter(path, &file->place, error))
        return false;
    if (!spool_place_look(&file->place, APPLICATION_ID, &found, error))
        return false;
    if (found == SPOOL_FOREIGN)
        return refuse_foreign(file, error);
    return spool_place_lock(&file->place, error);
}

static int64_t pages_within(int64_t max_bytes)
{
    if (!protection("spool-bound") || max_bytes / PAGE_BYTES > PAGES_MAX)
        return PAGES_MAX;
    return max_bytes / PAGE_BYTES;
}

struct spool_file *spool_file_take(const struct spool_file_settings *settings, struct error *error)
{
    const int64_t deadline = clock_monotonic_ms() + settings->lock_wait_ms;
    struct spool_file *file = calloc(1, sizeof *file);
    struct error problem = {0};

    if (!file) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
        return NULL;
    }
    file->place = (struct spool_place){.folder = -1, .lock = -1, .file = -1, .log = -1};
    file->distrusted = settings->distrusted;
    file->max_pages = pages_within(settings->max_bytes);
    pthread_mutex_init(&file->mutex, NULL);
    while (!take_place(file, settings->path, &problem)) {
        spool_place_leave(&file->place);
        if (problem.code != ERROR_REFUSED || clock_monotonic_ms() >= deadline) {
            spool_file_drop(file);
            if (problem.code == ERROR_REFUSED)
                say_held(settings->path, error);
            else
                error_set(error, problem.code, "%s", problem.text);
            return NULL;
        }
        clock_sleep_ms(LOCK_STEP_MS);
    }
    return file;
}

void spool_file_drop(struct spool_file *file)
{
    if (!file)
        return;
    disconnect(file);
    /* After it: the lock is let go of last. */
    spool_place_leave(&file->place);
    pthread_mutex_destroy(&file->mutex);
    free(file);
}

void spool_file_close(struct spool_file *file)
{
    if (!file)
        return;
    /* SQLite does so by itself only if the file is in its place. */
    if (file->detached)
        (void)sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    else
        sqlite3_db_config(file->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
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
    const int status = ask(file, STATEMENT_STOCK, values, 2);

    if (status != SQLITE_OK)
        return failed(file, "counting", status, error);
    *out = (struct spool_stock){.messages = values[0], .last_id = values[1]};
    return true;
}

bool spool_file_has(struct spool_file *file, int64_t id, bool *out, struct error *error)
{
    int64_t count = 0;
    int status = sqlite3_bind_int64(file->statements[STATEMENT_HAS], 1, id);

    if (status == SQLITE_OK)
        status = ask(file, STATEMENT_HAS, &count, 1);
    if (status != SQLITE_OK)
        return failed(file, "reading", status, error);
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
    struct spool_row row;

    spool_row_of_ticket(ticket, 0, &row);
    return pages_of_row(spool_row_size(&row));
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

static int insert_row(struct spool_file *file, const struct ticket *ticket, int64_t id)
{
    sqlite3_stmt *statement = file->statements[STATEMENT_INSERT];
    uint8_t digest[SHA256_SIZE];
    struct spool_row row;
    int status;

    spool_row_of_ticket(ticket, id, &row);
    if (!spool_row_checksum(&row, digest))
        return SQLITE_NOMEM;
    status = sqlite3_bind_int64(statement, 1, id);
    if (status == SQLITE_OK)
        status = sqlite3_bind_int64(statement, 2, row.received_at_ms);
    for (int i = 0; i < SPOOL_COLUMNS && status == SQLITE_OK; i++) {
        const struct bytes column = row.columns[i];

        if (i <= SPOOL_SCHEME)
            status = sqlite3_bind_text64(statement, 3 + i, (const char *)column.data, column.len, SQLITE_STATIC,
                                         SQLITE_UTF8);
        else
            status = sqlite3_bind_blob64(statement, 3 + i, column.len > 0 ? column.data : (const uint8_t *)"",
                                         column.len, SQLITE_STATIC);
    }
    if (status == SQLITE_OK)
        status = sqlite3_bind_blob(statement, 1 + DIGEST_COLUMN, digest, sizeof digest, SQLITE_STATIC);
    if (status == SQLITE_OK)
        status = finish(file, STATEMENT_INSERT);
    /* What it points to is gone soon. */
    sqlite3_clear_bindings(statement);
    return status;
}

/* *rows: how many were inserted before there was no room. */
static int insert_rows(struct spool_file *file, struct ticket *const *tickets, size_t count, int64_t first_id,
                       size_t *rows)
{
    int status = SQLITE_OK;
    int64_t pages = 0;
    bool plenty;

    for (size_t i = 0; i < count; i++)
        pages += pages_of(tickets[i]);
    /* Near the bound the file is measured before each: rows share pages, so there is mostly more room than reckoned. */
    plenty = have_room(file, pages);
    *rows = 0;
    for (size_t i = 0; i < count && status == SQLITE_OK; i++) {
        if (!plenty)
            status = measure(file);
        if (status != SQLITE_OK || (!plenty && !have_room(file, pages_of(tickets[i]))))
            break;
        status = insert_row(file, tickets[i], first_id + (int64_t)i);
        if (status == SQLITE_OK)
            *rows = i + 1;
    }
    return status;
}

/* Of a transaction that has failed, so that a file that stays open can be used on. */
static void roll_back(struct spool_file *file)
{
    if (!sqlite3_get_autocommit(file->database))
        (void)sqlite3_exec(file->database, "ROLLBACK", NULL, NULL, NULL);
}

/* Ends the transaction of a write that has gone well so far, or not. */
static enum spool_write end_write(struct spool_file *file, int status, const char *doing, struct error *error)
{
    if (status != SQLITE_OK) {
        failed(file, doing, status, error);
        roll_back(file);
        return SPOOL_WRITE_FAILED;
    }
    status = finish(file, STATEMENT_COMMIT);
    if (status != SQLITE_OK) {
        failed(file, doing, status, error);
        roll_back(file);
        return SPOOL_WRITE_UNKNOWN;
    }
    /* Done, whatever this says: if it cannot be read the next call will tell. */
    (void)measure(file);
    return SPOOL_WRITTEN;
}

enum spool_write spool_file_insert(struct spool_file *file, struct ticket *const *tickets, size_t count,
                                   int64_t first_id, struct spool_change *change, struct error *error)
{
    int status = finish(file, STATEMENT_BEGIN);
    enum spool_write result;
    size_t rows = 0;

    if (status == SQLITE_OK)
        status = insert_rows(file, tickets, count, first_id, &rows);
    result = end_write(file, status, "writing to", error);
    if (result != SPOOL_WRITE_FAILED)
        *change = (struct spool_change){.first_id = first_id, .rows = rows};
    return result;
}

enum spool_write spool_file_delete(struct spool_file *file, const int64_t *ids, size_t count,
                                   struct spool_change *change, struct error *error)
{
    int status = finish(file, STATEMENT_BEGIN);
    struct spool_change done = {0};
    enum spool_write result;

    for (size_t i = 0; i < count && status == SQLITE_OK; i++) {
        status = sqlite3_bind_int64(file->statements[STATEMENT_DELETE], 1, ids[i]);
        if (status == SQLITE_OK)
            status = finish(file, STATEMENT_DELETE);
        if (status == SQLITE_OK && sqlite3_changes(file->database) > 0 && done.rows++ == 0)
            done.first_id = ids[i];
    }
    result = end_write(file, status, "deleting from", error);
    if (result != SPOOL_WRITE_FAILED)
        *change = done;
    return result;
}

/* ---- files that lose their names ---- */

enum spool_presence spool_file_presence(const struct spool_file *file)
{
    return spool_place_presence(&file->place);
}

/* Leaving the mode closes the log, which has no name any more, and entering it makes another. */
bool spool_file_renew_log(struct spool_file *file, struct error *error)
{
    const int status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (status != SQLITE_OK)
        return failed(file, "writing back the log of", status, error);
    return run(file, "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = WAL", "making a new log for", error) &&
           check_mode(file, error) && sync_log(file, error) && spool_place_pin(&file->place, error);
}

bool spool_file_detach(struct spool_file *file, struct error *error)
{
    if (file->detached)
        return true;
    if (spool_place_names_log(&file->place)) {
        /* Another file's log would be written into this one. */
        const int status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

        if (status != SQLITE_OK)
            return failed(file, "writing back the log of", status, error);
        if (!spool_place_unlink_log(&file->place, error))
            return false;
    }
    spool_place_leave(&file->place);
    file->detached = true;
    return true;
}

/* ---- keeping the log and the file small ---- */

bool spool_file_checkpoint(struct spool_file *file, struct error *error)
{
    int status;

    if (file->log_frames < SPOOL_CHECKPOINT_BYTES / PAGE_BYTES)
        return true;
    status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (status != SQLITE_OK)
        return failed(file, "writing back the log of", status, error);
    file->log_frames = 0;
    return true;
}

/* VACUUM copies what there is: nothing. (incremental_vacuum looks through the list of free pages for each that it gives
   back: minutes for a gigabyte.) */
bool spool_file_shrink(struct spool_file *file, struct error *error)
{
    int status;

    if (file->free_pages < SPOOL_SHRINK_BYTES / PAGE_BYTES)
        return true;
    if (!run(file, "VACUUM", "shrinking", error))
        return false;
    status = sqlite3_wal_checkpoint_v2(file->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (status == SQLITE_OK)
        status = measure(file);
    if (status != SQLITE_OK)
        return failed(file, "shrinking", status, error);
    file->log_frames = 0;
    return true;
}

/* ---- reading ---- */

static struct ticket *read_row(sqlite3_stmt *statement, int64_t *id, size_t *size)
{
    struct spool_row row = {.id = sqlite3_column_int64(statement, 0),
                            .received_at_ms = sqlite3_column_int64(statement, 1)};
    const void *digest = sqlite3_column_blob(statement, DIGEST_COLUMN);
    const struct bytes checksum = bytes_of(digest, (size_t)sqlite3_column_bytes(statement, DIGEST_COLUMN));

    for (int i = 0; i < SPOOL_COLUMNS; i++) {
        const void *data = sqlite3_column_blob(statement, 2 + i);

        row.columns[i] = bytes_of(data, (size_t)sqlite3_column_bytes(statement, 2 + i));
    }
    *id = row.id;
    *size = spool_row_size(&row);
    return spool_row_to_ticket(&row, checksum);
}

bool spool_file_read(struct spool_file *file, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                     size_t *count, struct error *error)
{
    sqlite3_stmt *statement = file->statements[STATEMENT_READ];
    size_t bytes = 0;
    size_t read = 0;
    int status = sqlite3_bind_int64(statement, 1, after_id);

    if (status == SQLITE_OK)
        status = sqlite3_bind_int64(statement, 2, max <= INT64_MAX ? (int64_t)max : INT64_MAX);
    while (status == SQLITE_OK && read < max && (read == 0 || bytes < max_bytes)) {
        size_t size = 0;

        status = sqlite3_step(statement);
        if (status != SQLITE_ROW)
            break;
        out[read].ticket = read_row(statement, &out[read].id, &size);
        status = out[read].ticket ? SQLITE_OK : SQLITE_NOMEM;
        read += out[read].ticket ? 1 : 0;
        bytes += size;
    }
    sqlite3_reset(statement);
    if (status == SQLITE_OK || status == SQLITE_DONE) {
        *count = read;
        return true;
    }
    while (read > 0)
        ticket_release(out[--read].ticket);
    return failed(file, "reading", status, error);
}
