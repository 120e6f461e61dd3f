#include "db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    PAGE_BYTES = 4096,
    PAGE_PAYLOAD = PAGE_BYTES - 4, /* of an overflow page: four bytes name the next one */
    /* A record begins a leaf at the worst, besides its overflow pages; records split inner pages now and then. */
    PAGES_A_RECORD = 2,
    PAGES_A_COMMIT = 8,
    PAGES_EMPTY = 3,       /* the header and the schema, and an empty leaf */
    PAGES_MAX = 1073741823, /* SQLite's own bound */
    CACHE_KIB = 8 * 1024,
    CHECKPOINT_BYTES = 4 * 1024 * 1024, /* of the log, from which on it is written back */
    SHRINK_BYTES = 1024 * 1024,         /* of free pages, from which on the emptied file is worth making small */
    /* Columns of the table: the id, the time, those of record.h, the checksum. */
    FIRST_COLUMN = 2,
    DIGEST_COLUMN = FIRST_COLUMN + SPOOL_COLUMNS,
};

enum statement { STATEMENT_INSERT, STATEMENT_DELETE, STATEMENT_READ, STATEMENT_PAGES, STATEMENT_FREE_PAGES, STATEMENTS };

static const char *const statement_texts[STATEMENTS] = {
    [STATEMENT_INSERT] = "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_DELETE] = "DELETE FROM message WHERE id = ?",
    [STATEMENT_READ] = "SELECT * FROM message WHERE id > ? ORDER BY id",
    [STATEMENT_PAGES] = "PRAGMA page_count",
    [STATEMENT_FREE_PAGES] = "PRAGMA freelist_count",
};

/* The columns of record.h in their order. One transaction: a file without the table is never ours. */
static const char schema[] = "BEGIN EXCLUSIVE;"
                             "PRAGMA application_id = 1147302768;" /* "Dbsp", as in file.c */
                             "PRAGMA user_version = 1;"
                             "CREATE TABLE message (id INTEGER PRIMARY KEY, received_at_ms INTEGER, target TEXT,"
                             " type TEXT, scheme TEXT, message_id BLOB, campaign BLOB, event_id BLOB, attempt BLOB,"
                             " reject_reason BLOB, reject_detail BLOB, body BLOB, checksum BLOB);"
                             "COMMIT;";

struct spool_db {
    struct spool_file *file; /* not owned */
    sqlite3 *sqlite;
    sqlite3_stmt *statements[STATEMENTS];
    int status; /* of the last call */
    int log_frames; /* pages in the log since it was last written back */
    int64_t max_pages, pages, free_pages;
};

/* ---- calls of SQLite ---- */

static bool ended(struct spool_db *db, int status)
{
    db->status = status;
    return status == SQLITE_OK;
}

/* Says how the last call has failed; the extended code tells a write from a sync (sqlite.org/rescode.html). Always false. */
static bool failed(const struct spool_db *db, const char *doing, struct error *error)
{
    int primary = db->status & 0xff;
    int number = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? sqlite3_system_errno(db->sqlite) : 0;
    enum error_code code = primary == SQLITE_NOMEM ? ERROR_NO_MEMORY : ERROR_UNAVAILABLE;

    if (primary == SQLITE_BUSY)
        return spool_file_refuse_held(db->file->path, error);
    if (primary == SQLITE_READONLY || primary == SQLITE_PERM)
        code = ERROR_CONFIG;
    else if (primary == SQLITE_CANTOPEN)
        code = spool_file_code(number);
    error_set(error, code, "the spool: %s %s: %s (code %d)%s%s", doing, db->file->path, sqlite3_errstr(db->status),
              db->status, number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    return false;
}

static bool run(struct spool_db *db, const char *text)
{
    return ended(db, sqlite3_exec(db->sqlite, text, NULL, NULL, NULL));
}

/* Runs one that gives one text, "" for NULL; cut to `size`. */
static bool ask(struct spool_db *db, const char *text, char *out, size_t size)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(db->sqlite, text, -1, &statement, NULL);

    if (status == SQLITE_OK)
        status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);

        snprintf(out, size, "%s", said ? said : "");
        status = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return ended(db, status);
}

/* Steps a prepared one to its end; *value: the integer that it gives, if it gives one. */
static bool finish(struct spool_db *db, enum statement which, int64_t *value)
{
    sqlite3_stmt *statement = db->statements[which];
    int status = sqlite3_step(statement);

    if (status == SQLITE_ROW && value)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return ended(db, status == SQLITE_ROW || status == SQLITE_DONE ? SQLITE_OK : status);
}

static bool measure(struct spool_db *db)
{
    return finish(db, STATEMENT_PAGES, &db->pages) && finish(db, STATEMENT_FREE_PAGES, &db->free_pages);
}

static int on_log(void *context, sqlite3 *sqlite, const char *name, int frames)
{
    struct spool_db *db = context;

    (void)sqlite;
    (void)name;
    db->log_frames = frames;
    return SQLITE_OK;
}

static bool write_back(struct spool_db *db, int mode)
{
    int status = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, mode, NULL, NULL);

    if (status == SQLITE_OK)
        db->log_frames = 0;
    return ended(db, status);
}

/* ---- opening ---- */

static bool connect(struct spool_db *db, struct error *error)
{
    static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;" /* before the log is looked at: no shared memory */
                                   "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";

    if (!ended(db, sqlite3_open_v2(db->file->path, &db->sqlite,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL)))
        return failed(db, "opening", error);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return run(db, settings) || failed(db, "opening", error);
}

/* Whether the content is a spool of this version, whole. False with `why` if it must be set aside, else with *error. */
static bool check(struct spool_db *db, char why[ERROR_TEXT], struct error *error)
{
    char version[32] = "", said[ERROR_TEXT / 2] = "";

    if (!ask(db, "PRAGMA user_version", version, sizeof version) || !ask(db, "PRAGMA quick_check(1)", said, sizeof said))
        return failed(db, "checking", error);
    if (strtoll(version, NULL, 10) != VERSION)
        snprintf(why, ERROR_TEXT, "it is of version %s and this program knows version %d", version, VERSION);
    else if (strcmp(said, "ok") != 0)
        snprintf(why, ERROR_TEXT, "it is damaged: %.200s", said[0] ? said : "the check says nothing");
    return why[0] == '\0';
}

/* All of the log into the file, synced. The version is written anew although it is the same: a disk that takes nothing is
   found out now, not by the next message. The mode is what the file says: a log that cannot be begun leaves another in force. */
static bool begin_log(struct spool_db *db, struct error *error)
{
    char text[512], mode[16] = "";

    snprintf(text, sizeof text,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
             "PRAGMA journal_size_limit = %d; PRAGMA max_page_count = %lld; PRAGMA cache_size = -%d;"
             "PRAGMA secure_delete = FAST;", /* zeroes what is deleted where that costs no writing */
             CHECKPOINT_BYTES, (long long)db->max_pages, CACHE_KIB);
    if (!run(db, text))
        return failed(db, "opening", error);
    sqlite3_wal_hook(db->sqlite, on_log, db); /* wal_autocheckpoint undoes it */
    snprintf(text, sizeof text, "PRAGMA user_version = %d", VERSION);
    if (!write_back(db, SQLITE_CHECKPOINT_TRUNCATE) || !run(db, text) || !write_back(db, SQLITE_CHECKPOINT_TRUNCATE) ||
        !ask(db, "PRAGMA journal_mode", mode, sizeof mode))
        return failed(db, "syncing", error);
    if (strcmp(mode, "wal") == 0)
        return true;
    error_set(error, ERROR_CONFIG, "the spool: %s cannot have a write-ahead log: choose another file system for it",
              db->file->path);
    return false;
}

static bool prepare(struct spool_db *db, char why[ERROR_TEXT], struct error *error)
{
    int made = 0;

    while (made < STATEMENTS && ended(db, sqlite3_prepare_v3(db->sqlite, statement_texts[made], -1, SQLITE_PREPARE_PERSISTENT,
                                                             &db->statements[made], NULL)))
        made++;
    if (made < STATEMENTS && db->status == SQLITE_ERROR)
        snprintf(why, ERROR_TEXT, "its table is not as this program makes it: %.200s", sqlite3_errmsg(db->sqlite));
    return made == STATEMENTS || failed(db, "using", error);
}

static bool take_stock(struct spool_db *db, struct spool_stock *out, struct error *error)
{
    char said[64] = "", *last;

    if (!ask(db, "SELECT count(*) || ' ' || ifnull(max(id), 0) FROM message", said, sizeof said) || !measure(db))
        return failed(db, "counting", error);
    out->messages = strtoll(said, &last, 10);
    out->last_id = strtoll(last, NULL, 10);
    return true;
}

/* Opens what is there. False with `why` if it must be set aside first, else with *error. */
static bool open_found(struct spool_db *db, struct spool_stock *out, char why[ERROR_TEXT], struct error *error)
{
    char pages[32] = "";

    if (!spool_file_make(db->file, error) || !connect(db, error))
        return false;
    if (!ask(db, "PRAGMA page_count", pages, sizeof pages))
        return failed(db, "opening", error);
    /* An empty one is also what is left of a creation that was interrupted, and is rolled back by now. */
    if (strcmp(pages, "0") == 0 && !run(db, schema))
        return failed(db, "making", error);
    return check(db, why, error) && begin_log(db, error) && prepare(db, why, error) && take_stock(db, out, error) &&
           spool_file_pin(db->file, error);
}

struct spool_db *spool_db_open(struct spool_file *file, int64_t max_bytes, struct spool_stock *out, struct error *error)
{
    bool bounded = max_bytes / PAGE_BYTES < PAGES_MAX;

    for (bool set_aside = false;; set_aside = true) {
        struct spool_db *db = calloc(1, sizeof *db);
        char why[ERROR_TEXT] = "";
        struct error problem;

        if (!db) {
            error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
            return NULL;
        }
        db->file = file;
        error_set(&problem, ERROR_UNAVAILABLE, "the spool %s cannot be used, nor the one begun in its place", file->path);
        db->max_pages = bounded ? max_bytes / PAGE_BYTES : PAGES_MAX;
        *out = (struct spool_stock){.set_aside = set_aside};
        if (open_found(db, out, why, &problem))
            return db;
        if (why[0] == '\0' && ((db->status & 0xff) == SQLITE_CORRUPT || (db->status & 0xff) == SQLITE_NOTADB))
            snprintf(why, sizeof why, "it is damaged: %s", sqlite3_errstr(db->status));
        spool_db_close(db, false);
        if (why[0] != '\0' && !set_aside && spool_file_set_aside(file, why, &problem))
            continue;
        *error = problem;
        return NULL;
    }
}

void spool_db_close(struct spool_db *db, bool to_write_back)
{
    if (!db)
        return;
    if (to_write_back && write_back(db, SQLITE_CHECKPOINT_TRUNCATE) && spool_file_presence(db->file) == SPOOL_PRESENT)
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL); /* takes the log's name away */
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close_v2(db->sqlite);
    free(db);
}

/* ---- room ---- */

int64_t spool_db_bytes(const struct spool_db *db)
{
    return (db->pages - db->free_pages) * PAGE_BYTES;
}

/* At the most. */
static int64_t pages_of(size_t record_size)
{
    return (int64_t)(record_size / PAGE_PAYLOAD) + PAGES_A_RECORD;
}

static bool has_room(const struct spool_db *db, int64_t pages)
{
    return db->pages - db->free_pages + pages + PAGES_A_COMMIT <= db->max_pages;
}

bool spool_db_has_room(const struct spool_db *db, size_t record_size)
{
    return has_room(db, pages_of(record_size));
}

int64_t spool_db_needs(size_t record_size)
{
    return (PAGES_EMPTY + pages_of(record_size) + PAGES_A_COMMIT) * PAGE_BYTES;
}

/* ---- writing ---- */

static bool bind(struct spool_db *db, int at, struct bytes value, bool is_text)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_INSERT];
    const char *data = value.len > 0 ? (const char *)value.data : ""; /* NULL would be bound as NULL */

    return ended(db, is_text ? sqlite3_bind_text64(statement, 1 + at, data, value.len, SQLITE_STATIC, SQLITE_UTF8)
                             : sqlite3_bind_blob64(statement, 1 + at, data, value.len, SQLITE_STATIC));
}

static bool insert_one(struct spool_db *db, const struct pending_message *message, int64_t id)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_INSERT];
    uint8_t digest[SHA256_SIZE];
    struct spool_record record;
    bool done;

    spool_record_of_message(message, id, &record);
    if (!spool_record_checksum(&record, digest))
        return ended(db, SQLITE_NOMEM);
    done = ended(db, sqlite3_bind_int64(statement, 1, id)) &&
           ended(db, sqlite3_bind_int64(statement, 2, record.received_at_ms));
    for (int i = 0; i < SPOOL_COLUMNS && done; i++)
        done = bind(db, FIRST_COLUMN + i, record.columns[i], i <= SPOOL_SCHEME);
    done = done && bind(db, DIGEST_COLUMN, bytes_of(digest, sizeof digest), false) && finish(db, STATEMENT_INSERT, NULL);
    sqlite3_clear_bindings(statement); /* what they point to is gone soon */
    return done;
}

/* Near the bound the file is measured again and again: records share pages, so there is mostly more room than reckoned. */
static bool insert_all(struct spool_db *db, struct pending_message *const *messages, size_t count, int64_t first_id, size_t *rows)
{
    int64_t reckoned = 0; /* pages since it was measured */

    for (*rows = 0; *rows < count; ++*rows) {
        int64_t pages = pages_of(spool_record_size_of(messages[*rows]));

        if (!has_room(db, reckoned + pages)) {
            if (!measure(db))
                return false;
            reckoned = 0;
            if (!has_room(db, pages))
                break;
        }
        reckoned += pages;
        if (!insert_one(db, messages[*rows], first_id + (int64_t)*rows))
            return false;
    }
    return true;
}

/* Ends the transaction of a write that has gone well so far, or not. */
static bool end_write(struct spool_db *db, bool good, const char *doing, struct error *error)
{
    if (good && run(db, "COMMIT")) {
        (void)measure(db); /* done, whatever this says: the next call will tell */
        return true;
    }
    return failed(db, doing, error);
}

bool spool_db_insert(struct spool_db *db, struct pending_message *const *messages, size_t count, int64_t first_id, size_t *rows,
                     struct error *error)
{
    return end_write(db, run(db, "BEGIN IMMEDIATE") && insert_all(db, messages, count, first_id, rows), "writing to", error);
}

bool spool_db_delete(struct spool_db *db, const int64_t *ids, size_t count, size_t *rows, struct error *error)
{
    bool good = run(db, "BEGIN IMMEDIATE");

    *rows = 0;
    for (size_t i = 0; i < count && good; i++) {
        good = ended(db, sqlite3_bind_int64(db->statements[STATEMENT_DELETE], 1, ids[i])) &&
               finish(db, STATEMENT_DELETE, NULL);
        *rows += good && sqlite3_changes(db->sqlite) > 0;
    }
    return end_write(db, good, "deleting from", error);
}

/* ---- reading ---- */

static struct bytes column(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_blob(statement, at);

    return bytes_of(data, (size_t)sqlite3_column_bytes(statement, at));
}

/* False at the end, without memory and on an error: see the status. */
static bool read_next(struct spool_db *db, struct spooled *out, size_t *bytes)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_READ];
    int status = sqlite3_step(statement);
    struct spool_record record;

    if (status != SQLITE_ROW) {
        (void)ended(db, status == SQLITE_DONE ? SQLITE_OK : status);
        return false;
    }
    record.id = out->id = sqlite3_column_int64(statement, 0);
    record.received_at_ms = sqlite3_column_int64(statement, 1);
    for (int i = 0; i < SPOOL_COLUMNS; i++)
        record.columns[i] = column(statement, FIRST_COLUMN + i);
    *bytes += spool_record_size(&record);
    out->message = spool_record_to_message(&record, column(statement, DIGEST_COLUMN));
    return out->message || ended(db, SQLITE_NOMEM);
}

bool spool_db_read(struct spool_db *db, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                   struct error *error)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_READ];
    size_t read = 0, bytes = 0;

    if (ended(db, sqlite3_bind_int64(statement, 1, after_id))) {
        while (read < max && (read == 0 || bytes < max_bytes) && read_next(db, &out[read], &bytes))
            read++;
    }
    sqlite3_reset(statement);
    if (db->status == SQLITE_OK) {
        *count = read;
        return true;
    }
    while (read > 0)
        message_release(out[--read].message);
    return failed(db, "reading", error);
}

/* ---- keeping the log and the file small ---- */

bool spool_db_write_back(struct spool_db *db, struct error *error)
{
    return write_back(db, SQLITE_CHECKPOINT_TRUNCATE) || failed(db, "writing back the log of", error);
}

bool spool_db_checkpoint(struct spool_db *db, struct error *error)
{
    return db->log_frames < CHECKPOINT_BYTES / PAGE_BYTES || write_back(db, SQLITE_CHECKPOINT_PASSIVE) ||
           failed(db, "writing back the log of", error);
}

/* VACUUM copies what there is: nothing. (incremental_vacuum looks through the list of free pages for each that it gives back:
   minutes for a gigabyte.) */
bool spool_db_shrink(struct spool_db *db, struct error *error)
{
    return db->free_pages < SHRINK_BYTES / PAGE_BYTES ||
           (run(db, "VACUUM") && write_back(db, SQLITE_CHECKPOINT_TRUNCATE) && measure(db)) ||
           failed(db, "shrinking", error);
}
