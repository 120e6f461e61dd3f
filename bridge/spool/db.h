/* The spool's database: one SQLite file (WAL, synchronous=FULL, held by this process alone). The only file that sees
   sqlite3.h. No threads of its own; one thread at a time. After a call that failed it must be closed and opened again: only
   opening knows what the disk holds, and whether the last transaction is there. */
#ifndef DROPBRIDGE_SPOOL_DB_H
#define DROPBRIDGE_SPOOL_DB_H

#include "bridge/pending_message.h"
#include "common/error.h"
#include "file.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_db;

enum {
    /* What one transaction may take, so that the log stays under SPOOL_LOG_BYTES: half-empty pages double it. A single
       message may be larger. */
    SPOOL_COMMIT_BYTES = 4 * 1024 * 1024,
    SPOOL_COMMIT_ROWS = 4096,
};

struct spool_stock {
    int64_t messages;
    int64_t last_id;     /* 0: none */
    bool set_aside;      /* what was there could not be used, and is kept under another name */
};

/* Opens the file or makes one, checks it as a whole, then writes back all that its log holds and syncs it: after a failed
   sync the system's memory shows what the disk may not have. A file of another version or a damaged one is set aside, with a
   sentence in the log. `file` must outlive it. NULL with *error: ERROR_CONFIG (no right, another
   program's database: untouched), ERROR_REFUSED (another process holds it), ERROR_UNAVAILABLE (a full or failing disk),
   ERROR_NO_MEMORY. */
struct spool_db *spool_db_open(struct spool_file *file, int64_t max_bytes, struct spool_stock *out, struct error *error);
/* `write_back`: first writes the log into the file, wherever that is by now; else, and if that fails, leaves both as they
   are. NULL is fine. */
void spool_db_close(struct spool_db *db, bool write_back);

/* Of the file without its free pages, as of the last call that succeeded. */
int64_t spool_db_bytes(const struct spool_db *db);
/* Whether a record of that size (spool_record_size) is sure to be within max_bytes. */
bool spool_db_has_room(const struct spool_db *db, size_t record_size);
/* What max_bytes must be at the least for such a record to fit into an empty file. */
int64_t spool_db_needs(size_t record_size);

/* Inserts the first messages that fit, with ids from first_id on, in one transaction, synced. *rows: how many; the next one
   would take the file past max_bytes. False with *error: none, or all, as opening again will tell. */
bool spool_db_insert(struct spool_db *db, struct pending_message *const *messages, size_t count, int64_t first_id, size_t *rows,
                     struct error *error);
/* Deletes those that are there in one transaction, synced. *rows: how many. False with *error, as above. */
bool spool_db_delete(struct spool_db *db, const int64_t *ids, size_t count, size_t *rows, struct error *error);
/* Reads up to `max` messages (until max_bytes are reached, at least one) with an id above after_id, oldest first. The
   messages are the caller's. A damaged record: see spool_record_to_message. */
bool spool_db_read(struct spool_db *db, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                   struct error *error);

/* Writes all that the log holds into the file, synced. */
bool spool_db_write_back(struct spool_db *db, struct error *error);
/* The same if the log has grown large enough for it. */
bool spool_db_checkpoint(struct spool_db *db, struct error *error);
/* Gives the room of an emptied file back to the disk, if it is worth it. */
bool spool_db_shrink(struct spool_db *db, struct error *error);

#endif
