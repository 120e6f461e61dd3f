/* The accounts of the spool's file: found + spooled = drained + set aside + waiting, also across writes that failed in
   their last step and a file that was damaged, moved or deleted (those that are lost: spool_lost.h). One thread at a
   time. */
#ifndef DROPBRIDGE_SPOOL_BOOKS_H
#define DROPBRIDGE_SPOOL_BOOKS_H

#include "bridge_metrics.h"
#include "spool_file.h"

#include <stdbool.h>
#include <stdint.h>

struct spool_books {
    const char *path; /* SPOOL_PATH, for people */
    struct bridge_metrics *metrics;
    int64_t in_file; /* messages in the file, or in the one that failed and is to be opened again */
    bool begun;      /* what was found has been counted */
    /* The last write, if nobody knows how it ended: the reopened file tells by its first message. */
    bool unknown_is_delete;
    struct spool_change unknown; /* rows 0: there is none */
};

/* Both must outlive it. */
void spool_books_init(struct spool_books *books, const char *path, struct bridge_metrics *metrics);

/* A write that has succeeded; one before it that ended nobody knows how has been rolled back. */
void spool_books_add(struct spool_books *books, const struct spool_change *spooled);
void spool_books_subtract(struct spool_books *books, const struct spool_change *drained);
/* A write that ended as SPOOL_WRITE_UNKNOWN. */
void spool_books_note_unknown(struct spool_books *books, bool is_delete, const struct spool_change *change);
/* It has been rolled back, in a file that stays open. */
void spool_books_forget_unknown(struct spool_books *books);
/* From lost files (spool_lost.h): they have been counted before. */
void spool_books_bring_in(struct spool_books *books, int64_t messages);
/* The file is gone to those that are lost (spool_lost.h): nothing is in it. */
void spool_books_clear(struct spool_books *books);

/* Finds out in the opened file how the unknown write ended. False with *error: it could not be read. */
bool spool_books_settle(struct spool_books *books, struct spool_file *file, struct error *error);
/* Then: `there` messages are in it. */
void spool_books_take_stock(struct spool_books *books, int64_t there);

#endif
