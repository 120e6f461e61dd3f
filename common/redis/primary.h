/* The connection to the Redis that takes our writes: the one that REDIS_URL names, or the primary that the sentinels
   name. Finds it, logs in, and leaves it when it is no longer the primary. One thread owns a session. Every call to a
   server that stands still returns within REDIS_CALL_TIMEOUT_MS, twice at the most. */
#ifndef DROPBRIDGE_REDIS_PRIMARY_H
#define DROPBRIDGE_REDIS_PRIMARY_H

#include "common/error.h"
#include "common/reread.h"
#include "common/timers.h"
#include "connection.h"

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

struct redis_primary;

struct redis_primary_settings {
    const char *url;                  /* REDIS_URL */
    const char *sentinel_password;    /* NULL or empty: none */
    struct reread *reread;            /* NULL, or who knows the present ones of both, which are used instead */
    const char *prefix;               /* REDIS_PREFIX, for what is said about keys */
    struct redis_tls_files tls_files; /* for rediss:// */
    bool quiet;                       /* that it is connected is no news */
    void *context;
    /* Called for each new connection, before it is used for anything else: whether the server will do. False with
     *error: the connection is given up. */
    bool (*prepare)(void *context, struct redis_primary *session, struct error *error);
};

/* Does not connect. The settings' strings must outlive the session. NULL with ERROR_CONFIG or ERROR_NO_MEMORY. */
struct redis_primary *redis_primary_new(const struct redis_primary_settings *settings, struct error *error);
void redis_primary_free(struct redis_primary *session);

/* Connects if needed: also when an answer is owed on the old connection, or the sentinels name another primary. */
bool redis_primary_open(struct redis_primary *session, struct error *error);
bool redis_primary_connected(const struct redis_primary *session);
/* Whether sentinels name the primary. */
bool redis_primary_has_sentinels(const struct redis_primary *session);
/* "Redis at 127.0.0.1:6379"; the URL's first server as long as there was no connection. */
const char *redis_primary_name(const struct redis_primary *session);
/* For calls whose answers are collected later; NULL without a connection. */
struct redis_connection *redis_primary_connection(struct redis_primary *session);
void redis_primary_drop(struct redis_primary *session);
/* What the server says is doubtful: before it is used again the sentinels are asked whether it is the primary still. */
void redis_primary_invalidate(struct redis_primary *session);

/* The session must be connected. True: *answer is no ERROR. False with *error, a sentence with what to do; a broken
   connection is dropped, as is one to a server that is a replica now. */
bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error);
/* The same, but an ERROR is an answer: what it is not for the caller to deal with goes to redis_primary_judge. */
bool redis_primary_try(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error);
bool redis_primary_judge(struct redis_primary *session, const char *doing, const struct redis_answer *answer,
                         struct error *error);
/* The same for what the server said, or what was found, of one key. Always false. */
bool redis_primary_judge_key(struct redis_primary *session, const char *doing, const char *key, const char *text,
                             struct error *error);
/* Sets *error, for whoever finds that the connection was dropped: that it broke. Always false. */
bool redis_primary_broke(const struct redis_primary *session, const char *doing, struct error *error);
/* Loads a script. `sha` gets the name to call it by, with its NUL. Fails as redis_primary_ask. */
bool redis_primary_load(struct redis_primary *session, const char *doing, const char *script, size_t len,
                        char sha[REDIS_SHA1_HEX + 1], struct error *error);
/* Sets *error: an answer that this question cannot have. Always false. */
bool redis_primary_unexpected(const struct redis_primary *session, const char *doing, struct error *error);

#endif
