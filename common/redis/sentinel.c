#include "sentinel.h"

#include "common/clock.h"
#include "connection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void tell_refusal(const char *text, const char *name, struct error *error)
{
    if (starts_with(text, "NOAUTH") || starts_with(text, "WRONGPASS") || strstr(text, "AUTH") || strstr(text, "NOPERM"))
        error_set(
            error, ERROR_REFUSED,
            "%s: %.200s; REDIS_SENTINEL_PASSWORD must be the sentinels' own password, which REDIS_URL does not have",
            name, text);
    else if (starts_with(text, "ERR unknown command"))
        error_set(error, ERROR_REFUSED, "%s is no sentinel; redis-sentinel:// names sentinels, mostly on port %d", name,
                  REDIS_SENTINEL_PORT);
    else
        error_set(error, ERROR_UNAVAILABLE, "%s: asking for the primary: %.200s", name, text);
}

static bool log_in(struct redis_connection *connection, const char *password, struct error *error)
{
    const char *auth[] = {"AUTH", password};
    struct redis_answer answer;

    if (password[0] == '\0')
        return true;
    if (!redis_connection_ask(connection, "logging in", 2, auth, NULL, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_ERROR)
        return true;
    tell_refusal(answer.text, redis_connection_name(connection), error);
    return false;
}

/* The primary, out of the answer to SENTINEL get-master-addr-by-name: address and port, or nil for an unknown name. */
static bool read_primary(const struct redis_answer *answer, const char *name, const char *primary_name,
                         struct redis_address *primary, struct error *error)
{
    const char *host = redis_answer_item(answer, 0).text;
    unsigned long port = strtoul(redis_answer_item(answer, 1).text, NULL, 10);

    if (answer->kind == REDIS_ANSWER_ERROR) {
        tell_refusal(answer->text, name, error);
        return false;
    }
    if (answer->kind == REDIS_ANSWER_NIL) {
        error_set(error, ERROR_UNAVAILABLE,
                  "%s knows no primary of the name \"%s\": REDIS_URL must have the name of its "
                  "\"sentinel monitor\" line",
                  name, primary_name);
        return false;
    }
    if (answer->kind != REDIS_ANSWER_LIST || host[0] == '\0' || strlen(host) >= sizeof primary->host ||
        port < 1 || port > UINT16_MAX) {
        error_set(error, ERROR_UNAVAILABLE, "%s: asking for the primary: an answer that names none", name);
        return false;
    }
    snprintf(primary->host, sizeof primary->host, "%s", host);
    primary->port = (uint16_t)port;
    return true;
}

bool redis_sentinels_ask_first(struct redis_sentinels *sentinels, struct redis_address *primary, struct error *error)
{
    const struct redis_target target = {.kind = "the sentinel",
                                        .address = sentinels->url->servers[sentinels->first],
                                        .connect_ms = REDIS_SENTINEL_TIMEOUT_MS,
                                        .answer_ms = REDIS_SENTINEL_TIMEOUT_MS};
    const char *name = sentinels->url->primary;
    const char *ask[] = {"SENTINEL", "get-master-addr-by-name", name};
    struct redis_connection *connection = redis_connection_open(&target, error);
    struct redis_answer answer;
    bool known;

    if (!connection)
        return false;
    known = log_in(connection, sentinels->password, error) &&
            redis_connection_ask(connection, "asking for the primary", 3, ask, NULL, &answer, error) &&
            read_primary(&answer, redis_connection_name(connection), name, primary, error);
    redis_connection_close(connection);
    return known;
}

void redis_sentinels_invalidate(struct redis_sentinels *sentinels)
{
    sentinels->first = (sentinels->first + 1) % sentinels->url->count;
}

bool redis_sentinels_ask(struct redis_sentinels *sentinels, struct redis_address *primary, struct error *error)
{
    /* The last one may still take its own time. */
    int64_t until_ms = clock_monotonic_ms() + REDIS_SENTINELS_TIMEOUT_MS - 2 * REDIS_SENTINEL_TIMEOUT_MS;
    size_t count = sentinels->url->count, asked = 0, refused = 0;
    struct error reason = {0};

    while (asked < count && (asked == 0 || clock_monotonic_ms() <= until_ms)) {
        if (redis_sentinels_ask_first(sentinels, primary, &reason))
            return true;
        redis_sentinels_invalidate(sentinels);
        asked++;
        refused += reason.code == ERROR_REFUSED;
    }
    if (count == 1)
        *error = reason;
    else
        error_set(error, refused == count ? ERROR_REFUSED : ERROR_UNAVAILABLE,
                  "none of %zu sentinels named a primary; the last of them: %.400s", asked, reason.text);
    return false;
}
