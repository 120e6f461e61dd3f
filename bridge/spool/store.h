/* Inside the spool: what its writer, its drain and those who ask share; and the life of its file: opened, written, failed, opened
   again, lost and begun anew. spool_read and spool_delete are there, too. */
#ifndef DROPBRIDGE_SPOOL_STORE_H
#define DROPBRIDGE_SPOOL_STORE_H

#include "common/backoff.h"
#include "common/log_limiter.h"
#include "db.h"
#include "file.h"
#include "spool.h"

#include <pthread.h>
#include <stdatomic.h>

struct spool {
    struct spool_settings settings;
    struct bridge_metrics *metrics;
    struct handoff *queue; /* to the writer; open while messages are taken */
    pthread_t writer;
    atomic_bool stopping;

    /* Who waits for the disk waits here, so that a busy writer lets the drain in between its commits. */
    pthread_mutex_t turnstile;
    pthread_mutex_t disk; /* guards what follows; held while the disk works, but not while the writer opens the file */
    struct spool_file file;
    bool locked;         /* the file is this process's */
    struct spool_db *db; /* NULL: opening, or failed; only the writer opens it */
    bool lost;           /* its names do not lead to it any more: it is only drained */
    int64_t lost_at_ms;
    bool begun;       /* what was found has been counted */
    int64_t messages; /* in it, or in what failed and is to be opened again */
    int64_t next_id;
    bool in_trouble; /* since the last success; for the log, as is the next */
    struct log_limiter limiter;
    struct backoff backoff;
    int64_t reopen_at_ms;

    pthread_mutex_t mutex; /* guards what follows; taken last. Who holds `disk` may read the state and the problem without it */
    pthread_cond_t changed;
    struct spool_status status;
    bool readable, woken;
};

/* Nobody may use it any more. Tells what a file without a name still holds; closes it and lets go of the lock. */
void store_close(struct spool *spool);

/* ---- the writer ---- */

/* Sees to a file that has lost its name, and opens the file if there is none and it is time to. Returns how long the next
   look may wait, in ms. */
int64_t store_tend(struct spool *spool);
/* One commit, synced, of all the messages or of the first that fit; first what the log holds goes into the file, if it is much.
   *rows: those that have the outcome; the one behind them, if there is one, does not fit. Settles nothing. */
enum publish_outcome store_commit(struct spool *spool, struct pending_message *const *messages, size_t count, size_t *rows);

#endif
