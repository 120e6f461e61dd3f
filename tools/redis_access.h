/* dropctl's way to the counters: the Redis that takes the workers' writes, if its keys are of our schema. */
#ifndef DROPBRIDGE_REDIS_ACCESS_H
#define DROPBRIDGE_REDIS_ACCESS_H

#include "common/error.h"
#include "common/redis/primary.h"
#include "tool_config.h"

enum { REDIS_ACCESS_KEY = 512 }; /* any key of ours, with its NUL */

/* Connects. `config` must outlive the session, which is freed with redis_primary_free. NULL with *error: ERROR_CONFIG,
   ERROR_UNAVAILABLE (not there), ERROR_REFUSED (a wrong password, another schema), ERROR_NEWER or ERROR_NO_MEMORY.

   Ask with redis_primary_ask; what a list holds, redis_answer_item tells. An answer is valid until the next question. */
struct redis_primary *redis_access_open(const struct tool_config *config, struct error *error);

/* Writes REDIS_PREFIX and the name, as printf does. */
void redis_access_key(const struct tool_config *config, char out[REDIS_ACCESS_KEY], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
