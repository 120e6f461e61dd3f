#include "redis_access.h"

#include "common/redis/schema.h"

#include <stdarg.h>
#include <stdio.h>

void redis_access_key(const struct tool_config *config, char out[REDIS_ACCESS_KEY], const char *format, ...)
{
    const int len = snprintf(out, REDIS_ACCESS_KEY, "%s", config->redis_prefix);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(out + len, (size_t)(REDIS_ACCESS_KEY - len), format, arguments);
    va_end(arguments);
}

static bool check_schema(void *context, struct redis_primary *session, struct error *error)
{
    const char *prefix = context;
    char key[REDIS_ACCESS_KEY];
    const char *get[] = {"GET", key};
    struct redis_answer answer;

    snprintf(key, sizeof key, "%sschema", prefix);
    if (!redis_primary_ask(session, "reading the schema", 2, get, NULL, &answer, error))
        return false;
    if (redis_schema_check(answer.text, prefix, redis_primary_name(session), error))
        return true;
    if (error->code == ERROR_NEWER) /* the sentence is for workers */
        error_set(error, ERROR_NEWER, "%s: %s is %.16s: a newer version wrote these keys; upgrade dropctl",
                  redis_primary_name(session), key, answer.text);
    return false;
}

struct redis_primary *redis_access_open(const struct tool_config *config, struct error *error)
{
    const struct redis_primary_settings settings = {
        .url = config->redis_url,
        .sentinel_password = config->redis_sentinel_password,
        .prefix = config->redis_prefix,
        .tls_files = {.ca_file = config->redis_ca_file, .cert_file = config->redis_cert_file},
        .quiet = true,
        .context = config->redis_prefix,
        .prepare = check_schema};
    struct redis_primary *session = redis_primary_new(&settings, error);

    if (session && redis_primary_open(session, error))
        return session;
    redis_primary_free(session);
    return NULL;
}
