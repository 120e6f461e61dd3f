/* What is wrong with a Redis that is used all the same: its settings put counts at risk, or other workers have other settings
   than this one. One thread owns a review. */
#ifndef DROPBRIDGE_REDIS_REVIEW_H
#define DROPBRIDGE_REDIS_REVIEW_H

#include "common/error.h"
#include "primary.h"

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_REVIEW_SHARED = 160 };

struct redis_review {
    const char *prefix;
    char shared[REDIS_REVIEW_SHARED]; /* what must be alike on all workers, as text; {prefix}drops:settings has it of the
                                         worker that started last */
    bool written;                     /* ours, by this process */
    /* Sentences, empty for nothing. */
    char durability[ERROR_TEXT]; /* a crash of it can lose writes */
    char eviction[ERROR_TEXT];   /* it may evict keys */
    char settings[ERROR_TEXT];   /* how those of the others differ */
};

/* The prefix must outlive it. `separator` is CAMPAIGN_FROM_FOREIGN_ID; NULL: none. */
void redis_review_init(struct redis_review *review, const char *prefix, int64_t result_ttl_s, int64_t retention_s,
                       const char *separator);

/* Asks, and brings the sentences up to date; one that is new or mended is logged. A connection that breaks meanwhile is
   dropped; without one it does nothing. */
void redis_review_look(struct redis_review *review, struct redis_primary *session);

#endif
