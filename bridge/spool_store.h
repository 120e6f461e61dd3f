/* The spool's file through its life: opened, written, failed, opened again, lost and begun anew; with the accounts of
   what is in it. Two threads use it, each for itself: the writer and the drain. They take turns, also while the disk
   works; the board (spool_board.h) says to all others how it stands. */
#ifndef DROPBRIDGE_SPOOL_STORE_H
#define DROPBRIDGE_SPOOL_STORE_H

#include "../common/error.h"
#include "bridge_metrics.h"
#include "spool.h"
#include "spool_board.h"
#include "ticket_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_store;

/* Opens nothing yet. The gate of `queue` is open while the file takes messages. All that it is given must outlive it.
   NULL without memory. */
struct spool_store *spool_store_new(const struct spool_settings *settings, struct spool_board *board,
                                    struct ticket_queue *queue, struct bridge_metrics *metrics);
/* The quick half of the first opening; before there are other threads. False with *error only for what trying again
   will not mend (ERROR_CONFIG, ERROR_NOT_YET, ERROR_REFUSED). */
bool spool_store_take(struct spool_store *store, struct error *error);
/* Any thread, again and again until the writer has ended: ends an opening that is under way. No other follows. */
void spool_store_interrupt(struct spool_store *store);
/* Nobody may use it any more. Takes up to two seconds to copy what lost files still have into the one in use; what is
   left counts as set aside. NULL is fine. */
void spool_store_free(struct spool_store *store);

/* ---- the writer ---- */

/* Before anything is written: sees to a file that has lost its name or its log, opens the file if there is none and it
   is time to, and copies some of what lost files have into it. */
void spool_store_tend(struct spool_store *store);
/* How long the next look may wait. */
int64_t spool_store_rest_ms(struct spool_store *store);

struct spool_commit {
    size_t rows; /* of the first so many tickets ... */
    enum publish_outcome outcome;
    bool full; /* the one behind them does not fit */
};

/* One commit, synced, of all the tickets or of the first that fit. The others, behind the one that does not fit, have
   not been tried. Settles nothing. */
void spool_store_commit(struct spool_store *store, struct ticket *const *tickets, size_t count,
                        struct spool_commit *out);
/* After the waiters have been told: what the log holds goes into the file from time to time. */
void spool_store_write_back(struct spool_store *store);

/* ---- the drain: as spool_read and spool_delete ---- */

bool spool_store_read(struct spool_store *store, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error);
bool spool_store_delete(struct spool_store *store, const int64_t *ids, size_t count, struct error *error);

#endif
