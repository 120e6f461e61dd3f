#include "spool_sql.h"

#include "spool_place.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spool_sql {
    const char *path;
    pthread_mutex_t mutex; /* guards `database` against spool_sql_interrupt: held where it changes */
    sqlite3 *database;
    sqlite3_stmt *statements[SPOOL_SQL_STATEMENTS];
    int status; /* of the last call */
    int log_frames;
};

/* ---- the connection ---- */

struct spool_sql *spool_sql_new(void)
{
    struct spool_sql *sql = calloc(1, sizeof *sql);

    if (sql)
        pthread_mutex_init(&sql->mutex, NULL);
    return sql;
}

void spool_sql_free(struct spool_sql *sql)
{
    if (!sql)
        return;
    spool_sql_close(sql);
    pthread_mutex_destroy(&sql->mutex);
    free(sql);
}

static void set_database(struct spool_sql *sql, sqlite3 *database)
{
    pthread_mutex_lock(&sql->mutex);
    sql->database = database;
    pthread_mutex_unlock(&sql->mutex);
}

static bool ended_with(struct spool_sql *sql, int status)
{
    sql->status = status;
    return status == SQLITE_OK;
}

bool spool_sql_open(struct spool_sql *sql, const char *path, struct error *error)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3 *database = NULL;
    const int status = sqlite3_open_v2(path, &database, flags, NULL);

    sql->path = path;
    sql->log_frames = 0;
    sql->status = status;
    set_database(sql, database);
    if (!database) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool %s", path);
        return false;
    }
    sqlite3_extended_result_codes(database, 1);
    if (status != SQLITE_OK)
        return spool_sql_failed(sql, "opening", error);
    /* A file that has failed, or is another's, is left as it is. */
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_db_readonly(database, "main") != 0) {
        error_set(error, ERROR_CONFIG, "the spool: %s cannot be written: let this user write it", path);
        return false;
    }
    return true;
}

void spool_sql_close(struct spool_sql *sql)
{
    sqlite3 *database = sql->database;

    set_database(sql, NULL);
    for (size_t i = 0; i < SPOOL_SQL_STATEMENTS; i++) {
        sqlite3_finalize(sql->statements[i]);
        sql->statements[i] = NULL;
    }
    sqlite3_close_v2(database);
}

void spool_sql_write_at_close(struct spool_sql *sql)
{
    sqlite3_db_config(sql->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

void spool_sql_interrupt(struct spool_sql *sql)
{
    pthread_mutex_lock(&sql->mutex);
    /* Forgotten when it comes between two statements. */
    if (sql->database)
        sqlite3_interrupt(sql->database);
    pthread_mutex_unlock(&sql->mutex);
}

/* ---- errors ---- */

static enum error_code code_of(const struct spool_sql *sql)
{
    switch (sql->status & 0xff) {
    case SQLITE_BUSY:
        return ERROR_REFUSED;
    case SQLITE_NOMEM:
        return ERROR_NO_MEMORY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERROR_CONFIG;
    case SQLITE_CANTOPEN:
        return spool_place_code(sqlite3_system_errno(sql->database));
    default:
        return ERROR_UNAVAILABLE;
    }
}

bool spool_sql_failed(const struct spool_sql *sql, const char *doing, struct error *error)
{
    const int primary = sql->status & 0xff;
    const bool of_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
    const int number = of_system ? sqlite3_system_errno(sql->database) : 0;

    /* The extended code tells a write from a sync: sqlite.org/rescode.html. */
    error_set(error, code_of(sql), "the spool: %s %s: %s (code %d)%s%s", doing, sql->path, sqlite3_errstr(sql->status),
              sql->status, number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    return false;
}

const char *spool_sql_damage(const struct spool_sql *sql)
{
    const int primary = sql->status & 0xff;

    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ? sqlite3_errstr(sql->status) : NULL;
}

bool spool_sql_misfits(const struct spool_sql *sql)
{
    return sql->status == SQLITE_ERROR;
}

bool spool_sql_no_memory(struct spool_sql *sql)
{
    return ended_with(sql, SQLITE_NOMEM);
}

bool spool_sql_has_moved(struct spool_sql *sql)
{
    int moved = 0;

    return sqlite3_file_control(sql->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

/* ---- statements that are run once ---- */

bool spool_sql_run(struct spool_sql *sql, const char *text)
{
    return ended_with(sql, sqlite3_exec(sql->database, text, NULL, NULL, NULL));
}

/* The first row, which may be read until *statement is finalized. */
static bool first_row(struct spool_sql *sql, const char *text, sqlite3_stmt **statement)
{
    int status = sqlite3_prepare_v2(sql->database, text, -1, statement, NULL);

    if (status == SQLITE_OK)
        status = sqlite3_step(*statement);
    return ended_with(sql, status == SQLITE_ROW ? SQLITE_OK : status);
}

bool spool_sql_run_for_integer(struct spool_sql *sql, const char *text, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    const bool done = first_row(sql, text, &statement);

    if (done)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return done;
}

bool spool_sql_run_for_text(struct spool_sql *sql, const char *text, char *out, size_t size)
{
    sqlite3_stmt *statement = NULL;
    const bool done = first_row(sql, text, &statement);

    if (done) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);

        snprintf(out, size, "%s", said ? said : "");
    }
    sqlite3_finalize(statement);
    return done;
}

/* ---- prepared statements ---- */

bool spool_sql_prepare(struct spool_sql *sql, const char *const *texts, size_t count)
{
    int status = SQLITE_OK;

    for (size_t i = 0; i < count && status == SQLITE_OK; i++)
        status = sqlite3_prepare_v3(sql->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &sql->statements[i], NULL);
    return ended_with(sql, status);
}

bool spool_sql_bind_integer(struct spool_sql *sql, size_t which, int at, int64_t value)
{
    return ended_with(sql, sqlite3_bind_int64(sql->statements[which], 1 + at, value));
}

bool spool_sql_bind_text(struct spool_sql *sql, size_t which, int at, struct bytes value)
{
    return ended_with(sql, sqlite3_bind_text64(sql->statements[which], 1 + at, (const char *)value.data, value.len,
                                               SQLITE_STATIC, SQLITE_UTF8));
}

bool spool_sql_bind_blob(struct spool_sql *sql, size_t which, int at, struct bytes value)
{
    /* NULL would be bound as NULL. */
    const void *data = value.len > 0 ? (const void *)value.data : "";

    return ended_with(sql, sqlite3_bind_blob64(sql->statements[which], 1 + at, data, value.len, SQLITE_STATIC));
}

void spool_sql_unbind(struct spool_sql *sql, size_t which)
{
    sqlite3_clear_bindings(sql->statements[which]);
}

bool spool_sql_finish(struct spool_sql *sql, size_t which)
{
    const int status = sqlite3_step(sql->statements[which]);

    sqlite3_reset(sql->statements[which]);
    return ended_with(sql, status == SQLITE_DONE || status == SQLITE_ROW ? SQLITE_OK : status);
}

bool spool_sql_ask(struct spool_sql *sql, size_t which, int64_t *values, int columns)
{
    sqlite3_stmt *statement = sql->statements[which];
    const int status = sqlite3_step(statement);

    if (status == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            values[i] = sqlite3_column_int64(statement, i);
    }
    sqlite3_reset(statement);
    return ended_with(sql, status == SQLITE_ROW ? SQLITE_OK : status == SQLITE_DONE ? SQLITE_ERROR : status);
}

enum spool_sql_step spool_sql_step(struct spool_sql *sql, size_t which)
{
    const int status = sqlite3_step(sql->statements[which]);

    (void)ended_with(sql, status == SQLITE_ROW || status == SQLITE_DONE ? SQLITE_OK : status);
    return status == SQLITE_ROW ? SPOOL_SQL_ROW : status == SQLITE_DONE ? SPOOL_SQL_END : SPOOL_SQL_FAILED;
}

int64_t spool_sql_integer(const struct spool_sql *sql, size_t which, int column)
{
    return sqlite3_column_int64(sql->statements[which], column);
}

struct bytes spool_sql_bytes(const struct spool_sql *sql, size_t which, int column)
{
    const void *data = sqlite3_column_blob(sql->statements[which], column);

    return bytes_of(data, (size_t)sqlite3_column_bytes(sql->statements[which], column));
}

void spool_sql_reset(struct spool_sql *sql, size_t which)
{
    sqlite3_reset(sql->statements[which]);
}

int spool_sql_changes(const struct spool_sql *sql)
{
    return sqlite3_changes(sql->database);
}

void spool_sql_roll_back(struct spool_sql *sql)
{
    if (!sqlite3_get_autocommit(sql->database))
        (void)sqlite3_exec(sql->database, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- the write-ahead log ---- */

static int on_log(void *context, sqlite3 *database, const char *name, int frames)
{
    struct spool_sql *sql = context;

    (void)database;
    (void)name;
    sql->log_frames = frames;
    return SQLITE_OK;
}

void spool_sql_watch_log(struct spool_sql *sql)
{
    sqlite3_wal_hook(sql->database, on_log, sql);
}

int spool_sql_log_frames(const struct spool_sql *sql)
{
    return sql->log_frames;
}

bool spool_sql_write_back(struct spool_sql *sql, bool whole)
{
    const int mode = whole ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    const int status = sqlite3_wal_checkpoint_v2(sql->database, NULL, mode, NULL, NULL);

    if (status == SQLITE_OK)
        sql->log_frames = 0;
    return ended_with(sql, status);
}
