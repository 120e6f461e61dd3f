/* The sentinels: which server is the primary now (redis.io, "Sentinel client spec"). One thread owns them. */
#ifndef DROPBRIDGE_REDIS_SENTINEL_H
#define DROPBRIDGE_REDIS_SENTINEL_H

#include "common/error.h"
#include "url.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    REDIS_SENTINEL_TIMEOUT_MS = 500,   /* for connecting to one, and for its answer; they are near, or of no use */
    REDIS_SENTINELS_TIMEOUT_MS = 3000, /* for all of them together */
};

struct redis_sentinels {
    const struct redis_url *url; /* not owned */
    const char *password;        /* the sentinels' own, never that of Redis; empty: none. Not owned */
    size_t first;                /* who is asked first: who answered last time */
};

/* Asks one after the other, beginning with who answered last time, until one names the primary. False with *error if
   none did in time: ERROR_REFUSED if all were asked and refused us for good, else ERROR_UNAVAILABLE. */
bool redis_sentinels_ask(struct redis_sentinels *sentinels, struct redis_address *primary, struct error *error);
/* Asks only the first. */
bool redis_sentinels_ask_first(struct redis_sentinels *sentinels, struct redis_address *primary, struct error *error);
/* What the first one said is of no use, or it said nothing: another is asked first from now on. */
void redis_sentinels_invalidate(struct redis_sentinels *sentinels);

#endif
