/* The version of the keys in Redis, under {prefix}schema. Pure. */
#ifndef DROPBRIDGE_REDIS_SCHEMA_H
#define DROPBRIDGE_REDIS_SCHEMA_H

#include "common/error.h"

#include <stdbool.h>

enum { REDIS_SCHEMA = 2 };

/* Whether keys of that schema ("": none are there yet) are ours; `name` is the server's, for the sentence. If not: ERROR_NEWER if a
   newer version wrote them, else ERROR_REFUSED, with what to do. */
bool redis_schema_check(const char *schema, const char *prefix, const char *name, struct error *error);

#endif
