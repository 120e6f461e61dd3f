#include "primary.h"

#include "common/clock.h"
#include "common/log.h"
#include "refusal.h"
#include "sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = URI_PART + 32, DB_TEXT = 16, KEY_SIZE = 512 };

struct redis_primary {
    struct redis_primary_settings settings;
    struct redis_url url;
    struct redis_sentinels sentinels;
    char *sentinel_password; /* that was read again; NULL: that of the settings */
    struct redis_connection *connection; /* NULL: none, or not yet usable */
    char name[NAME_SIZE];
    int64_t ask_sentinel_at_ms;
    size_t silent_sentinels; /* that were asked, one after the other, since one answered */
};

struct redis_primary *redis_primary_new(const struct redis_primary_settings *settings, struct error *error)
{
    struct redis_primary *session = calloc(1, sizeof *session);

    if (!session) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the Redis connection");
        return NULL;
    }
    session->settings = *settings;
    if (!redis_url_read(settings->url, &session->url, error)) {
        redis_primary_free(session);
        return NULL;
    }
    session->sentinels.url = &session->url;
    session->sentinels.password = settings->sentinel_password ? settings->sentinel_password : "";
    snprintf(session->name, sizeof session->name, "Redis at %s:%u", session->url.servers[0].host,
             session->url.servers[0].port);
    return session;
}

void redis_primary_free(struct redis_primary *session)
{
    if (!session)
        return;
    redis_primary_drop(session);
    reread_text_free(session->sentinel_password);
    free(session);
}

void redis_primary_drop(struct redis_primary *session)
{
    redis_connection_close(session->connection);
    session->connection = NULL;
}

bool redis_primary_connected(const struct redis_primary *session)
{
    return session->connection != NULL;
}

bool redis_primary_has_sentinels(const struct redis_primary *session)
{
    return session->url.primary[0] != '\0';
}

const char *redis_primary_name(const struct redis_primary *session)
{
    return session->name;
}

struct redis_connection *redis_primary_connection(struct redis_primary *session)
{
    return session->connection;
}

void redis_primary_invalidate(struct redis_primary *session)
{
    session->ask_sentinel_at_ms = 0;
    if (redis_primary_has_sentinels(session))
        redis_sentinels_invalidate(&session->sentinels);
}

/* --- Asking ----------------------------------------------------------------------------------------------------- */

bool redis_primary_try(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    if (redis_connection_ask(session->connection, doing, argc, argv, argv_len, answer, error))
        return true;
    redis_primary_drop(session);
    return false;
}

/* A server that has become a replica is left: behind a name or an address that moves, or by the sentinels, the next
   connection finds the primary. */
bool redis_primary_judge(struct redis_primary *session, const char *doing, const struct redis_answer *answer,
                         struct error *error)
{
    if (answer->kind != REDIS_ANSWER_ERROR)
        return true;
    redis_refusal_tell(answer->text, session->name, doing, session->settings.prefix,
                       redis_primary_has_sentinels(session), error);
    if (redis_refusal_for_replicas(answer->text)) /* of a primary that was replaced they have gone to the new one */
        redis_primary_invalidate(session);
    if (redis_refusal_by_replica(answer->text))
        redis_primary_drop(session);
    return false;
}

bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    return redis_primary_try(session, doing, argc, argv, argv_len, answer, error) &&
           redis_primary_judge(session, doing, answer, error);
}

bool redis_primary_unexpected(const struct redis_primary *session, const char *doing, struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "%s: %s: an answer of an unexpected kind", session->name, doing);
    return false;
}

bool redis_primary_judge_key(struct redis_primary *session, const char *doing, const char *key, const char *text,
                             struct error *error)
{
    char whole[KEY_SIZE + ERROR_TEXT];
    struct redis_answer told = {.kind = REDIS_ANSWER_ERROR, .text = whole};

    told.len = (size_t)snprintf(whole, sizeof whole, "KEY %.*s: %.*s", KEY_SIZE - 8, key, ERROR_TEXT - 1, text);
    return redis_primary_judge(session, doing, &told, error);
}

bool redis_primary_broke(const struct redis_primary *session, const char *doing, struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "%s: %s: the connection broke", session->name, doing);
    return false;
}

bool redis_primary_load(struct redis_primary *session, const char *doing, const char *script, size_t len,
                        char sha[REDIS_SHA1_HEX + 1], struct error *error)
{
    const char *load[] = {"SCRIPT", "LOAD", script};
    const size_t lens[] = {6, 4, len};
    struct redis_answer answer;

    if (!redis_primary_ask(session, doing, 3, load, lens, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_TEXT || answer.len != REDIS_SHA1_HEX)
        return redis_primary_unexpected(session, doing, error);
    memcpy(sha, answer.text, REDIS_SHA1_HEX + 1);
    return true;
}

/* --- Connecting ------------------------------------------------------------------------------------------------- */

static bool log_in(struct redis_primary *session, struct error *error)
{
    const struct redis_url *url = &session->url;
    struct redis_answer ignored;
    char db[DB_TEXT];

    /* A user without a password is one of the ACL (nopass): not to log in would be to work as another. */
    if (url->password[0] != '\0' || url->user[0] != '\0') {
        const char *with_user[] = {"AUTH", url->user, url->password};
        const char *without[] = {"AUTH", url->password};
        bool named = url->user[0] != '\0';

        if (!redis_primary_ask(session, "logging in", named ? 3 : 2, named ? with_user : without, NULL, &ignored,
                               error))
            return false;
    }
    if (url->db != 0) {
        const char *select[] = {"SELECT", db};

        snprintf(db, sizeof db, "%d", url->db);
        if (!redis_primary_ask(session, "selecting the database", 2, select, NULL, &ignored, error))
            return false;
    }
    return true;
}

/* A sentinel may name an old primary that has become a replica, or one that is not yet promoted. A server that does not
   tell its role (an ACL forbids it) is believed: a replica refuses the first write. */
static bool check_role(struct redis_primary *session, struct error *error)
{
    const char *role[] = {"ROLE"};
    struct redis_answer answer;

    if (!redis_primary_has_sentinels(session))
        return true;
    if (!redis_primary_try(session, "asking for its role", 1, role, NULL, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR)
        return strncmp(answer.text, "NOPERM", 6) == 0 ||
               redis_primary_judge(session, "asking for its role", &answer, error);
    if (strcmp(redis_answer_item(&answer, 0).text, "master") == 0)
        return true;
    error_set(
        error, ERROR_UNAVAILABLE,
        "%s is no primary, though a sentinel names it: a failover is under way, or this sentinel has not heard of "
        "it; the others are asked too",
        session->name);
    return false;
}

static bool find(struct redis_primary *session, struct redis_address *address, struct error *error)
{
    if (!redis_primary_has_sentinels(session)) {
        *address = session->url.servers[0];
        return true;
    }
    if (!redis_sentinels_ask(&session->sentinels, address, error))
        return false;
    session->silent_sentinels = 0;
    session->ask_sentinel_at_ms = clock_monotonic_ms() + REDIS_SENTINEL_WORD_MS;
    return true;
}

/* What was not taken over is what cannot be used, or no memory: then the old ones are used on. */
static void take_new_settings(struct redis_primary *session)
{
    char *url = reread_text(session->settings.reread, "REDIS_URL");
    char *password = reread_text(session->settings.reread, "REDIS_SENTINEL_PASSWORD");
    struct error ignored;

    if (url && redis_url_read(url, &session->url, &ignored))
        session->sentinels.first %= session->url.count;
    reread_text_free(url);
    if (!password)
        return;
    reread_text_free(session->sentinel_password);
    session->sentinel_password = password;
    session->sentinels.password = password;
}

static bool connect_session(struct redis_primary *session, struct error *error)
{
    struct redis_target target = {
        .kind = "Redis", .connect_ms = REDIS_CONNECT_TIMEOUT_MS, .answer_ms = REDIS_CALL_TIMEOUT_MS};

    if (session->settings.reread)
        take_new_settings(session);
    target.tls = session->url.tls ? &session->settings.tls_files : NULL;
    if (!find(session, &target.address, error))
        return false;
    snprintf(session->name, sizeof session->name, "Redis at %s:%u", target.address.host, target.address.port);
    session->connection = redis_connection_open(&target, error);
    if (!session->connection)
        return false;
    if (log_in(session, error) && check_role(session, error) &&
        session->settings.prepare(session->settings.context, session, error)) {
        if (!session->settings.quiet)
            log_info("connected to %s%s, database %d%s%s", session->name, session->url.tls ? " over TLS" : "",
                     session->url.db, redis_primary_has_sentinels(session) ? ", the primary of " : "",
                     session->url.primary);
        return true;
    }
    redis_primary_drop(session);
    return false;
}

/* One that does not answer is no reason to leave the primary; nor is that none does. */
static void note_silence(struct redis_primary *session, const struct error *reason)
{
    bool all = ++session->silent_sentinels >= session->url.count;

    if (session->silent_sentinels == session->url.count)
        log_warn("no sentinel answers, so a failover would go unnoticed; %s is used on. The last: %s", session->name,
                 reason->text);
    session->ask_sentinel_at_ms = clock_monotonic_ms() + (all ? REDIS_SENTINEL_AWAY_MS : REDIS_SENTINEL_WORD_MS);
    redis_sentinels_invalidate(&session->sentinels);
}

/* Whether a sentinel names another primary than the one that we are connected to. */
static bool replaced(struct redis_primary *session)
{
    struct redis_address primary;
    struct error reason = {0};

    if (!redis_primary_has_sentinels(session) || clock_monotonic_ms() < session->ask_sentinel_at_ms)
        return false;
    if (!redis_sentinels_ask_first(&session->sentinels, &primary, &reason)) {
        note_silence(session, &reason);
        return false;
    }
    session->silent_sentinels = 0;
    session->ask_sentinel_at_ms = clock_monotonic_ms() + REDIS_SENTINEL_WORD_MS;
    if (redis_connection_is_to(session->connection, &primary))
        return false;
    log_info("%s is no longer the primary: a sentinel names %s:%u", session->name, primary.host, primary.port);
    return true;
}

bool redis_primary_open(struct redis_primary *session, struct error *error)
{
    if (session->connection && (redis_connection_owed(session->connection) > 0 || replaced(session)))
        redis_primary_drop(session);
    if (session->connection)
        return true;
    if (connect_session(session, error))
        return true;
    /* The next sentinel may know better. */
    redis_primary_invalidate(session);
    return false;
}
