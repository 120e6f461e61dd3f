#include "schema.h"

#include <stdlib.h>

bool redis_schema_check(const char *schema, const char *prefix, const char *name, struct error *error)
{
    char *end;
    long number = strtol(schema, &end, 10);

    if (schema[0] == '\0' || (*end == '\0' && number == REDIS_SCHEMA))
        return true;
    if (*end == '\0' && number > REDIS_SCHEMA)
        error_set(error, ERROR_NEWER,
                  "%s: %sschema is %ld: a newer version wrote these keys; upgrade this worker, which knows schema %d", name,
                  prefix, number, REDIS_SCHEMA);
    else
        error_set(error, ERROR_REFUSED,
                  "%s: %sschema is \"%.16s\", which no released version wrote; use an empty Redis or another REDIS_PREFIX",
                  name, prefix, schema);
    return false;
}
