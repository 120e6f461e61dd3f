/* The spool's file through its life: opened, written, failed, opened again, lost and begun anew; with the accounts of what is
   in it, and what everybody may know of it. The writer and the drain take turns at the disk. */
#ifndef DROPBRIDGE_SPOOL_STORE_H
#define DROPBRIDGE_SPOOL_STORE_H

#include "spool.h"

struct spool_store;

/* Opens nothing yet. The state of `queue` is open while the file takes messages. All that it is given must outlive it. NULL
   without memory. */
struct spool_store *spool_store_new(const struct spool_settings *settings, struct handoff *queue,
                                    struct bridge_metrics *metrics);
/* The quick half of the first opening, before there are other threads: the lock. False with *error for what trying again will
   not mend, as spool_start. */
bool spool_store_lock(struct spool_store *store, struct error *error);
/* Nobody may use it any more. Tells what a file without a name still holds; closes. NULL is fine. */
void spool_store_free(struct spool_store *store);

/* ---- any thread; none waits for the disk: as in spool.h ---- */

void spool_store_status(struct spool_store *store, struct spool_status *out);
bool spool_store_wait(struct spool_store *store, int64_t timeout_ms);
void spool_store_wake(struct spool_store *store);

/* ---- the writer ---- */

/* Sees to a file that has lost its name, and opens the file if there is none and it is time to. Returns how long the next
   look may wait, in ms. */
int64_t spool_store_tend(struct spool_store *store);
/* One commit, synced, of all the messages or of the first that fit. *rows: those that have the outcome; the one behind them, if
   there is one, does not fit. Settles nothing. */
enum publish_outcome spool_store_commit(struct spool_store *store, struct pending_message *const *messages, size_t count, size_t *rows);
/* After the waiters have been told: what the log holds goes into the file from time to time. */
void spool_store_checkpoint(struct spool_store *store);

/* ---- the drain: as spool_read and spool_delete ---- */

bool spool_store_read(struct spool_store *store, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error);
bool spool_store_delete(struct spool_store *store, const int64_t *ids, size_t count, struct error *error);

#endif
