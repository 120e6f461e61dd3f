/* Spool files that were deleted or moved while in use. They take nothing any more. What is in them is copied, through
   their descriptors, into the file that is in use now, and can be read and deleted here until it is: a file that is
   empty is closed, once its log does not lie beside the name any more. One thread at a time. */
#ifndef DROPBRIDGE_SPOOL_LOST_H
#define DROPBRIDGE_SPOOL_LOST_H

#include "bridge_metrics.h"
#include "spool_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one call of spool_lost_copy takes at the most, give or take a message. */
enum { SPOOL_COPY_ROWS = 512, SPOOL_COPY_BYTES = 1024 * 1024 };

struct spool_lost {
    const char *path; /* SPOOL_PATH */
    struct bridge_metrics *metrics;
    struct lost_file *first; /* NULL: none; oldest first */
    bool stuck_logged;       /* since the last copy */
};

/* Both must outlive it. */
void spool_lost_init(struct spool_lost *lost, const char *path, struct bridge_metrics *metrics);
/* At the stop: what is still in them is counted as set aside and named in the log. */
void spool_lost_clear(struct spool_lost *lost);

/* Takes the file over, with `waiting` messages in it (0: it is closed). `deleted`: else moved. False without memory: it
   stays the caller's. */
bool spool_lost_add(struct spool_lost *lost, struct spool_file *file, int64_t waiting, bool deleted);
/* Lets go of the place, so that a file can be opened in it. If one of the lost has come back there it is closed, whole,
   for it to be that file, and *returned rises by its messages. False with *error: nothing may be opened there yet, and
   the call may be repeated; *returned counts all the same. */
bool spool_lost_clear_place(struct spool_lost *lost, int64_t *returned, struct error *error);

bool spool_lost_any(const struct spool_lost *lost);
/* Messages in all of them, but for what has been copied. */
int64_t spool_lost_waiting(const struct spool_lost *lost);

enum spool_copy {
    SPOOL_COPIED,
    SPOOL_COPY_NO_ROOM, /* within SPOOL_MAX_BYTES, or on the disk */
    SPOOL_COPY_UNREAD,  /* they do not let themselves be read */
    SPOOL_COPY_FAILED,  /* writing failed: `to` is to be opened again and spool_lost_settle called; they still have the
                           messages */
};

/* Copies messages from the oldest that can be read, in one commit: *copied are in `to` then, and not here any more. Ids
   as in spool_file_insert_copies, SPOOL_COPY_ROWS of them. *error is set unless COPIED. Logs once that it does not get
   on, and when a file is done with. */
enum spool_copy spool_lost_copy(struct spool_lost *lost, struct spool_file *to, int64_t spare_id, size_t *copied,
                                struct error *error);

/* After SPOOL_COPY_FAILED, in the file that has been opened: finds out whether the copy turned out done, and *copied
   rises by those that had not been drained here meanwhile. False with *error: the file could not be read. */
bool spool_lost_settle(struct spool_lost *lost, struct spool_file *to, int64_t *copied, struct error *error);
/* The copy that failed has been rolled back, in a file that stays open. */
void spool_lost_forget_unknown(struct spool_lost *lost);

/* As spool_file_read, from the oldest that has something behind after_id. *count is set in any case, 0 if none has.
   False with *error if one of them does not let itself be read and the others have nothing: a damaged one is given up,
   and spool_lost_waiting falls. */
bool spool_lost_read(struct spool_lost *lost, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                     size_t *count, struct error *error);
/* Deletes those of the ids, which rise, that are in them; counts them as drained, and adds how many to *deleted. A file
   that is empty then is closed. False with *error if one of them failed; a damaged one is given up. */
bool spool_lost_delete(struct spool_lost *lost, const int64_t *ids, size_t count, size_t *deleted, struct error *error);

#endif
