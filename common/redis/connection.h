/* One connection to one server that speaks the Redis protocol: Redis or a sentinel. The only place that sees hiredis.
   One thread owns a connection. Every call returns within the connection's deadlines, except for the resolution of a
   host's name (getaddrinfo has none). */
#ifndef DROPBRIDGE_REDIS_CONNECTION_H
#define DROPBRIDGE_REDIS_CONNECTION_H

#include "common/bytes.h"
#include "common/error.h"
#include "tls.h"
#include "url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_connection;

struct redis_target {
    const char *kind; /* for sentences: "Redis", "the sentinel" */
    struct redis_address address;
    const struct redis_tls_files *tls; /* for TLS; read while connecting. NULL: none */
    int connect_ms;                    /* deadlines: for connecting with the TLS handshake, and for each answer */
    int answer_ms;
};

enum redis_answer_kind {
    REDIS_ANSWER_NIL,
    REDIS_ANSWER_INTEGER,
    REDIS_ANSWER_TEXT,
    REDIS_ANSWER_LIST,
    REDIS_ANSWER_ERROR, /* the server's words are in `text` */
    REDIS_ANSWER_OTHER,
};

/* What the server said. Valid until the next call on the connection. */
struct redis_answer {
    enum redis_answer_kind kind;
    int64_t integer;
    const char *text; /* of TEXT and ERROR, NUL-terminated; else empty */
    size_t len;
    size_t count;     /* of a LIST, how many members it has */
    const void *list; /* for redis_answer_item */
};

/* The member at that place, which may be a LIST too; NIL past the end, and of what is no LIST. Valid as long as *answer. */
struct redis_answer redis_answer_item(const struct redis_answer *answer, size_t place);

/* NULL with ERROR_UNAVAILABLE (or ERROR_NO_MEMORY) if nobody is there. */
struct redis_connection *redis_connection_open(const struct redis_target *target, struct error *error);
void redis_connection_close(struct redis_connection *connection);

/* "Redis at 127.0.0.1:6379", to begin sentences with. */
const char *redis_connection_name(const struct redis_connection *connection);
bool redis_connection_is_to(const struct redis_connection *connection, const struct redis_address *address);

/* Sends one command (argv_len NULL: the arguments are texts) and reads the answer, which may be an ERROR. False with
   ERROR_UNAVAILABLE, "{name}: {doing}: {why}", if the connection broke or the answer did not come in time: then it must
   be closed, for a late answer would answer the wrong question. */
bool redis_connection_ask(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                          const size_t *argv_len, struct redis_answer *answer, struct error *error);

/* Prepares a command behind others; the next flush or collect hands them over together. As many answers as were prepared
   must be collected before anything else is asked. All fail as redis_connection_ask does. */
bool redis_connection_append(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                             const size_t *argv_len, struct error *error);
bool redis_connection_collect(struct redis_connection *connection, const char *doing, struct redis_answer *answer,
                              struct error *error);
/* Hands over a command whose arguments are RESP already ("$3\r\nGET\r\n…"); its answer is owed.
   arguments.h makes them. */
bool redis_connection_send(struct redis_connection *connection, const char *doing, size_t argc, struct bytes arguments,
                           struct error *error);
/* Whether an answer, or its beginning, has been read and not collected: then the descriptor does not tell of it. */
bool redis_connection_answered(const struct redis_connection *connection);
/* Hands over what was prepared. */
bool redis_connection_flush(struct redis_connection *connection, const char *doing, struct error *error);
/* Readable when an answer comes, or the connection ends. */
int redis_connection_fd(const struct redis_connection *connection);
/* Answers that were asked for and not collected. */
size_t redis_connection_owed(const struct redis_connection *connection);

#endif
