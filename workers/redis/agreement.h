/* Whether the settings that must be alike on all workers are. The first worker writes them into {prefix}drops:settings, each
   that starts writes its own over them; one that then finds others than its own says so. One thread owns it. */
#ifndef DROPBRIDGE_REDIS_AGREEMENT_H
#define DROPBRIDGE_REDIS_AGREEMENT_H

#include "common/error.h"
#include "common/redis/primary.h"

#include <stdbool.h>

enum { REDIS_AGREEMENT_SETTINGS = 3, REDIS_AGREEMENT_VALUE = 128 };

struct redis_agreement {
    const char *prefix;
    struct {
        const char *name;
        char value[REDIS_AGREEMENT_VALUE];
    } settings[REDIS_AGREEMENT_SETTINGS];
    bool written;              /* ours, by this process */
    char sentence[ERROR_TEXT]; /* how the others differ; empty: they do not */
};

/* The prefix must outlive it. `separator` is CAMPAIGN_FROM_FOREIGN_ID; NULL: none. */
void redis_agreement_init(struct redis_agreement *agreement, const char *prefix, int64_t result_ttl_s, int64_t retention_s,
                          const char *separator);

/* Looks, and brings the sentence up to date; a new one is logged. A connection that breaks meanwhile is dropped; without one
   it does nothing. */
void redis_agreement_review(struct redis_agreement *agreement, struct redis_primary *session);

#endif
