/* What is wrong with a Redis that is used all the same. */
#ifndef DROPBRIDGE_REDIS_FINDINGS_H
#define DROPBRIDGE_REDIS_FINDINGS_H

#include "workers/counting/damage.h"

#include <stdint.h>

/* Sentences are empty for nothing. All of it belongs to who tells it, and is valid until the next call to him. */
struct redis_findings {
    const char *durability; /* a crash of it, or a failover, can lose writes */
    const char *eviction;   /* it may evict keys */
    const char *settings;   /* other workers have other settings */
    const char *emptied;    /* what this worker had counted is gone */
    uint64_t times_emptied;
    const struct damage *damage;
};

#endif
