/* SQLite, as far as the spool needs it: one connection to one file, its prepared statements, its log, and the errors as
   sentences. The only file that sees sqlite3.h. One thread at a time, but for spool_sql_interrupt. What returns false
   has failed, and spool_sql_failed says how, until the next call. */
#ifndef DROPBRIDGE_SPOOL_SQL_H
#define DROPBRIDGE_SPOOL_SQL_H

#include "../common/bytes.h"
#include "../common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPOOL_SQL_STATEMENTS = 16 };

struct spool_sql;

/* Not connected. NULL without memory. */
struct spool_sql *spool_sql_new(void);
/* Closes first. NULL is fine. */
void spool_sql_free(struct spool_sql *sql);

/* Connects to a file that is there and can be written; `path` must live until it is closed. False with *error. */
bool spool_sql_open(struct spool_sql *sql, const char *path, struct error *error);
/* Nothing is written, unless spool_sql_write_at_close was called. May be called again. */
void spool_sql_close(struct spool_sql *sql);
/* Lets closing write the log back into the file; it does so only if the file is in its place. */
void spool_sql_write_at_close(struct spool_sql *sql);
/* Any thread: ends the call that is under way, if there is one; it fails. */
void spool_sql_interrupt(struct spool_sql *sql);

/* Sets *error to what the last call failed of, "<doing> <path>: …"; ERROR_REFUSED: another process holds the file;
   ERROR_CONFIG: rights; ERROR_NO_MEMORY, ERROR_UNAVAILABLE. Always false. */
bool spool_sql_failed(const struct spool_sql *sql, const char *doing, struct error *error);
/* In the library's words, if the last call found the content damaged; else NULL. */
const char *spool_sql_damage(const struct spool_sql *sql);
/* Whether the last call failed because the tables are not what the statement expects. */
bool spool_sql_misfits(const struct spool_sql *sql);
/* For a caller that finds no memory in the midst of a write: as if the last call had. Always false. */
bool spool_sql_no_memory(struct spool_sql *sql);

/* Whether the path leads to another file by now than to the open one, or to none. */
bool spool_sql_has_moved(struct spool_sql *sql);

/* Runs statements that give nothing. */
bool spool_sql_run(struct spool_sql *sql, const char *text);
/* Runs one that gives an integer, or a text ("" for NULL; cut to `size`). */
bool spool_sql_run_for_integer(struct spool_sql *sql, const char *text, int64_t *out);
bool spool_sql_run_for_text(struct spool_sql *sql, const char *text, char *out, size_t size);

/* ---- prepared statements, named by their index; parameters and columns count from 0 ---- */

/* At most SPOOL_SQL_STATEMENTS. */
bool spool_sql_prepare(struct spool_sql *sql, const char *const *texts, size_t count);
/* What `value` points to must live until spool_sql_unbind. */
bool spool_sql_bind_integer(struct spool_sql *sql, size_t which, int at, int64_t value);
bool spool_sql_bind_text(struct spool_sql *sql, size_t which, int at, struct bytes value);
bool spool_sql_bind_blob(struct spool_sql *sql, size_t which, int at, struct bytes value);
void spool_sql_unbind(struct spool_sql *sql, size_t which);
/* Runs one that gives nothing; or one that gives one row of so many integers. */
bool spool_sql_finish(struct spool_sql *sql, size_t which);
bool spool_sql_ask(struct spool_sql *sql, size_t which, int64_t *values, int columns);

enum spool_sql_step { SPOOL_SQL_ROW, SPOOL_SQL_END, SPOOL_SQL_FAILED };

/* Row after row, then spool_sql_reset. The bytes live until the next step. */
enum spool_sql_step spool_sql_step(struct spool_sql *sql, size_t which);
int64_t spool_sql_integer(const struct spool_sql *sql, size_t which, int column);
struct bytes spool_sql_bytes(const struct spool_sql *sql, size_t which, int column);
void spool_sql_reset(struct spool_sql *sql, size_t which);

/* Rows changed by the last statement. */
int spool_sql_changes(const struct spool_sql *sql);
/* Of a transaction that has failed, so that a file that stays open can be used on. */
void spool_sql_roll_back(struct spool_sql *sql);

/* ---- the write-ahead log ---- */

/* From here on spool_sql_log_frames is right. Again after a change of wal_autocheckpoint, which undoes it. */
void spool_sql_watch_log(struct spool_sql *sql);
/* Pages in the log since it was last written back. */
int spool_sql_log_frames(const struct spool_sql *sql);
/* Writes the log back into the file, synced. `whole`: all of it, and the log is empty then. */
bool spool_sql_write_back(struct spool_sql *sql, bool whole);

#endif
