/* The connection to the Redis that takes our writes: the one that REDIS_URL names, or the primary that the sentinels
   name. Finds it, logs in, and leaves it when it is no longer the primary. One thread owns a session. Every call to a
   server that stands still returns within REDIS_CALL_TIMEOUT_MS, twice at the most. */
#ifndef DROPBRIDGE_REDIS_SESSION_H
#define DROPBRIDGE_REDIS_SESSION_H

#include "../common/error.h"
#include "../common/timers.h"
#include "redis_connection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REDIS_CONNECT_TIMEOUT_MS = 2000,
    REDIS_CALL_TIMEOUT_MS = 5000,
    /* How long a sentinel's word holds: a primary that was stopped, replaced and goes on is written to for no longer.
     */
    REDIS_SENTINEL_WORD_MS = 1000,
    REDIS_SHA1_HEX = 40,
    /* None answers: how long until one is asked again; Redis is used meanwhile. */
    REDIS_SENTINEL_AWAY_MS = TIMER_MS(10000),
};

struct redis_session;

struct redis_session_settings {
    const char *url;                  /* REDIS_URL */
    const char *sentinel_password;    /* NULL or empty: none */
    const char *prefix;               /* REDIS_PREFIX, for what is said about keys */
    struct redis_tls_files tls_files; /* for rediss:// */
    void *context;
    /* Called for each new connection, before it is used for anything else: whether the server will do. False with
     *error: the connection is given up. */
    bool (*prepare)(void *context, struct redis_session *session, struct error *error);
};

/* Does not connect. The settings' strings must outlive the session. NULL with ERROR_CONFIG or ERROR_NO_MEMORY. */
struct redis_session *redis_session_new(const struct redis_session_settings *settings, struct error *error);
void redis_session_free(struct redis_session *session);

/* Connects if needed: also when an answer is owed on the old connection, or the sentinels name another primary. */
bool redis_session_open(struct redis_session *session, struct error *error);
bool redis_session_connected(const struct redis_session *session);
/* Whether sentinels name the primary. */
bool redis_session_has_sentinels(const struct redis_session *session);
/* "Redis at 127.0.0.1:6379"; the URL's first server as long as there was no connection. */
const char *redis_session_name(const struct redis_session *session);
/* For posting; NULL without a connection. */
struct redis_connection *redis_session_connection(struct redis_session *session);
void redis_session_drop(struct redis_session *session);
/* What the server says is doubtful: before it is used again the sentinels are asked whether it is the primary still. */
void redis_session_doubt(struct redis_session *session);

/* The session must be connected. True: *answer is no ERROR. False with *error, a sentence with what to do; a broken
   connection is dropped, as is one to a server that is a replica now. */
bool redis_session_ask(struct redis_session *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error);
/* The same, but an ERROR is an answer: what it is not for the caller to deal with goes to redis_session_judge. */
bool redis_session_try(struct redis_session *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error);
bool redis_session_judge(struct redis_session *session, const char *doing, const struct redis_answer *answer,
                         struct error *error);
/* Loads a script. `sha` gets the name to call it by, with its NUL. Fails as redis_session_ask. */
bool redis_session_load(struct redis_session *session, const char *doing, const char *script, size_t len,
                        char sha[REDIS_SHA1_HEX + 1], struct error *error);
/* Sets *error: an answer that this question cannot have. Always false. */
bool redis_session_unexpected(const struct redis_session *session, const char *doing, struct error *error);

#endif
