/* The local spool: messages that RabbitMQ has not confirmed, in one SQLite file, synced to the disk before anyone is told so.
   One writer thread opens the file, takes messages as they come and commits many with one sync; the drain reads and deletes
   between its commits. After a failed write nothing is taken until the file has been opened again and all that its log holds
   is synced into it. A file of another version or a damaged one is renamed and kept (FILE.set-aside-YYYYMMDDTHHMMSSZ), with
   a sentence in the log, and a new one begun. Into a file that is moved or deleted while in use nothing more is taken; what
   it holds is drained through its descriptors, then a new one is begun. If it is put back it is used again. */
#ifndef DROPBRIDGE_SPOOL_SPOOL_H
#define DROPBRIDGE_SPOOL_SPOOL_H

#include "bridge/metrics.h"
#include "bridge/handoff.h"
#include "common/error.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

struct spool_settings {
    const char *path;  /* SPOOL_PATH */
    int64_t max_bytes; /* SPOOL_MAX_BYTES: of the database file; the log beside it takes at most SPOOL_LOG_BYTES more */
    /* For tests; 0: the usual. How often the writer looks whether the file is in its place, and the longest pause between two
       attempts to open it again. */
    int64_t look_ms;
    int64_t reopen_max_ms;
};

/* The log is written back from 4 MiB on; before that one more commit may come, of 8 MiB or one body of 16. */
enum { SPOOL_LOG_BYTES = 24 * 1024 * 1024 };

/* Takes the file's lock and starts the writer, which opens or makes the file and checks it, for as long as that takes. What is
   found in it counts as found_at_start. NULL with *error: ERROR_NOT_YET (no such folder), ERROR_CONFIG (no right to write, a
   database of another program), ERROR_REFUSED (another process holds it). Any other trouble (a full or failing disk) is
   logged: the spool is failed then and tries again by itself. The strings must outlive it. */
struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error);

/* Any thread: hands the message over and waits until it is on the disk. PUBLISH_CONFIRMED: synced. PUBLISH_FULL: past
   max_bytes. PUBLISH_AWAY: the spool is not open. PUBLISH_FAILED: writing or syncing failed. PUBLISH_TIMEOUT: not synced by
   deadline_ms (CLOCK_MONOTONIC); it may be later. The caller keeps its share. */
enum publish_outcome spool_submit(struct spool *spool, struct pending_message *message, int64_t deadline_ms);

enum spool_state {
    SPOOL_OPENING, /* for the first time */
    SPOOL_OPEN,
    SPOOL_IS_FULL, /* an ordinary message would not fit; none is taken until something has been taken out */
    SPOOL_HAS_FAILED
};

struct spool_status {
    enum spool_state state;
    int64_t waiting;          /* messages */
    int64_t bytes;            /* of the file, free pages not counted */
    char problem[ERROR_TEXT]; /* a sentence; empty while open */
};

/* Any thread; does not wait for the disk. While open a large message may still be refused as PUBLISH_FULL. */
void spool_status(struct spool *spool, struct spool_status *out);

/* ---- for the drain: one thread ---- */

/* Reads up to `max` messages (and about `max_bytes` of bodies, at least one message) with an id above after_id, oldest first.
   *count may be 0: there are none. The messages are the caller's. A record whose checksum does not hold comes as a message for
   the rejected queue with the reason `spool_damaged`. False with *error when the spool has failed. */
bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error);
/* Deletes them, synced: they are safe elsewhere. Those that are not there are ignored. False with *error: they may come
   again. */
bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error);
/* Waits up to timeout_ms for a message to be there; true if one is. spool_wake ends it early (any thread). */
bool spool_wait(struct spool *spool, int64_t timeout_ms);
void spool_wake(struct spool *spool);

/* Nobody may use it any more. Writes what is handed over, closes the file, frees; waits for an opening that is under way. NULL
   is fine. */
void spool_stop(struct spool *spool);

/* What SPOOL_MAX_BYTES must be at the least for a body of so many bytes to fit into an empty spool. */
int64_t spool_bytes_for(int64_t body_bytes);

#endif
