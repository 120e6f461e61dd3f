/* The spool's database: one SQLite file (WAL, synchronous=FULL, held by this process alone), synchronous and without
   threads of its own: one thread at a time. After any call that failed the file must be closed, by spool_file_drop, and
   opened again: only opening knows what the disk holds. A detached file, which cannot be opened again, may be used on.
 */
#ifndef DROPBRIDGE_SPOOL_FILE_H
#define DROPBRIDGE_SPOOL_FILE_H

#include "../common/error.h"
#include "spool_place.h"
#include "spool_row.h"
#include "ticket_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_file;

enum {
    /* What one transaction may take, so that the log stays under SPOOL_LOG_BYTES: half-empty pages double it. A single
       message may be larger. */
    SPOOL_COMMIT_BYTES = 4 * 1024 * 1024,
    SPOOL_COMMIT_ROWS = 4096,
    /* The log is written back into the file from here on. */
    SPOOL_CHECKPOINT_BYTES = 4 * 1024 * 1024,
    /* Of free pages, from which the emptied file is worth making small. */
    SPOOL_SHRINK_BYTES = 1024 * 1024,
};

struct spool_file_settings {
    const char *path;
    int64_t max_bytes;
    int64_t lock_wait_ms; /* how long another process may still hold it */
    bool distrusted;      /* it was found damaged while in use: set it aside even if a check finds nothing */
};

/* The quick half: takes the lock of the place and looks at the header, nothing more. NULL with *error: ERROR_NOT_YET
   (no such folder), ERROR_CONFIG (no right, another program's database: untouched), ERROR_REFUSED (another process
   holds it), ERROR_UNAVAILABLE (a full or failing disk), ERROR_NO_MEMORY. */
struct spool_file *spool_file_take(const struct spool_file_settings *settings, struct error *error);
/* The half that takes its time: opens the file or makes one, checks it as a whole, then writes back all that its log
   holds and syncs it: after a failed sync the system's memory shows what the disk may not have. A file of another
   version or a damaged one is set aside, with a sentence in the log. False with *error as above. */
bool spool_file_open(struct spool_file *file, struct error *error);
/* Any thread, again and again until spool_file_open has returned: ends it, with false. */
void spool_file_interrupt(struct spool_file *file);
/* Writes the log back and closes. NULL is fine. */
void spool_file_close(struct spool_file *file);
/* Closes after a failure: leaves file and log as they are. NULL is fine. */
void spool_file_drop(struct spool_file *file);
/* Whether a call failed because the content is damaged. */
bool spool_file_damaged(const struct spool_file *file);

struct spool_stock {
    int64_t messages;
    int64_t last_id; /* 0: none */
};

bool spool_file_stock(struct spool_file *file, struct spool_stock *out, struct error *error);
/* Whether the message is there. */
bool spool_file_has(struct spool_file *file, int64_t id, bool *out, struct error *error);
/* Of the file without its free pages, as of the last call that succeeded. */
int64_t spool_file_bytes(const struct spool_file *file);
/* Whether a row of that size (spool_row_size) is sure to be within max_bytes. */
bool spool_file_has_room(const struct spool_file *file, size_t row_size);
/* What max_bytes must be at the least for such a row to fit into an empty file. */
int64_t spool_file_needs(size_t row_size);

enum spool_write {
    SPOOL_WRITTEN,       /* synced */
    SPOOL_WRITE_FAILED,  /* nothing has changed */
    SPOOL_WRITE_UNKNOWN, /* the last step failed: it may turn out done or not done after opening again, as a whole */
};

struct spool_change {
    int64_t first_id; /* of the first of them; rows 0: of no use */
    size_t rows;
};

/* Inserts the first tickets that fit, with ids from first_id on, in one transaction. *change (WRITTEN, UNKNOWN): how
   many; the next one would take the file past max_bytes. *error is set unless WRITTEN. */
enum spool_write spool_file_insert(struct spool_file *file, struct ticket *const *tickets, size_t count,
                                   int64_t first_id, struct spool_change *change, struct error *error);
/* Inserts messages of another file, under the ids that they have there; one whose id is taken here gets another, from
   spare_id on, of which `count` must be free. Else as spool_file_insert. */
enum spool_write spool_file_insert_copies(struct spool_file *file, const struct spooled *rows, size_t count,
                                          int64_t spare_id, struct spool_change *change, struct error *error);
/* Deletes them in one transaction. *change: of those that were there. */
enum spool_write spool_file_delete(struct spool_file *file, const int64_t *ids, size_t count,
                                   struct spool_change *change, struct error *error);

/* Reads up to `max` messages (until max_bytes are reached, at least one) with an id above after_id, oldest first. The
   tickets are the caller's. A damaged row: see spool_row_to_ticket. */
bool spool_file_read(struct spool_file *file, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                     size_t *count, struct error *error);

/* Whether so many bytes are free on its disk. */
bool spool_file_disk_has(const struct spool_file *file, int64_t bytes);

/* Whether the file and its log are still what their names say. */
enum spool_presence spool_file_presence(const struct spool_file *file);
/* After SPOOL_LOG_GONE: writes all that the open log holds into the file, synced, and begins a new log beside it. False
   with *error, also if the file has lost its name by then: see its presence. */
bool spool_file_renew_log(struct spool_file *file, struct error *error);
/* After SPOOL_MOVED and SPOOL_DELETED: lets go of the place, so that another file can be opened there; nothing is to be
   inserted any more. What is in it can be read and deleted through the descriptors. False with *error: the place is
   still taken, and the call may be repeated. */
bool spool_file_detach(struct spool_file *file, struct error *error);
/* Whether `path` leads to this file, whatever has become of it: then no other connection to it may be made. */
bool spool_file_is_at(const struct spool_file *file, const char *path);
/* Writes all that the log holds into the file, synced: then it may be dropped, and opened by any of its names. False
   with *error. */
bool spool_file_make_whole(struct spool_file *file, struct error *error);

/* After a write: writes the log back if it has grown to SPOOL_CHECKPOINT_BYTES. */
bool spool_file_checkpoint(struct spool_file *file, struct error *error);
/* Gives the room of an emptied file back to the disk, if it is worth it. */
bool spool_file_shrink(struct spool_file *file, struct error *error);

#endif
