/* Whether a Redis can do what is asked of it. One thread at a time. */
#ifndef DROPBRIDGE_REDIS_PREFLIGHT_H
#define DROPBRIDGE_REDIS_PREFLIGHT_H

#include "common/error.h"
#include "common/redis/primary.h"

#include <stdbool.h>

/* The version is new enough, it is no shard of a cluster, and the user may do what a batch needs. ERROR_REFUSED if not;
   ERROR_UNAVAILABLE if the server cannot tell now. */
bool redis_preflight_check(struct redis_primary *session, const char *prefix, struct error *error);

#endif
