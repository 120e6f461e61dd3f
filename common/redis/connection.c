#include "connection.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#ifdef DROPBRIDGE_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { NAME_SIZE = URI_PART + 40, BEFORE_SIZE = NAME_SIZE + 64, HEAD_SIZE = 32 };

struct redis_connection {
    redisContext *context;
    struct redis_tls *tls; /* NULL: none */
    redisReply *reply;     /* the last one; what redis_answer points into */
    size_t owed;
    bool asked; /* something */
    bool answered;
    struct redis_address address;
    char name[NAME_SIZE];
};

static const char no_answer[] = "no answer in time";

static struct timeval timeval_of_ms(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* By errno, which the call that failed has left. */
static bool is_late(const redisContext *context)
{
    return context->errstr[0] == '\0' ||
           (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS));
}

/* What OpenSSL has to say goes first: hiredis knows errno only. */
static const char *problem_of(const struct redis_connection *connection)
{
    const bool late = is_late(connection->context);
    const char *reason = connection->tls ? redis_tls_reason() : NULL;

    if (reason)
        return reason;
    return late ? no_answer : connection->context->errstr;
}

/* What may be behind an end before the first answer. */
static const char *remedy_of(const struct redis_connection *connection)
{
    if (!connection->asked || connection->answered)
        return "";
    return connection->tls
               ? "; if it asks for a certificate (tls-auth-clients), set REDIS_CERT_FILE to one that it takes"
               : "; if TLS is spoken there: only rediss:// does that";
}

static void name_call(const struct redis_connection *connection, const char *doing, char before[BEFORE_SIZE])
{
    snprintf(before, BEFORE_SIZE, "%s: %s", connection->name, doing);
}

/* Always false. */
static bool broken(const struct redis_connection *connection, const char *doing, struct error *error)
{
    const char *problem = connection->context ? problem_of(connection) : "out of memory";
    char before[BEFORE_SIZE];

    name_call(connection, doing, before);
    error_set(error, ERROR_UNAVAILABLE, "%s: %s%s", before, problem, problem == no_answer ? "" : remedy_of(connection));
    return false;
}

/* ---- connecting ---- */

#ifdef DROPBRIDGE_REDIS_TLS
/* hiredis would give each read of the handshake the whole time: it only begins it, on a socket that does not block. */
static bool shake_hands(struct redis_connection *connection, int64_t until_ms)
{
    redisContext *context = connection->context;
    const int flags = fcntl(context->fd, F_GETFL);
    bool done;

    if (flags < 0 || fcntl(context->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return false;
    context->flags &= ~REDIS_BLOCK;
    done = redisInitiateSSL(context, redis_tls_lend(connection->tls)) == REDIS_OK;
    if (!done)
        redis_tls_return(connection->tls);
    done = done && redis_tls_shake_hands(connection->tls, context->fd, until_ms);
    context->flags |= REDIS_BLOCK;
    return fcntl(context->fd, F_SETFL, flags) == 0 && done;
}

static bool begin_tls(struct redis_connection *connection, const struct redis_target *target, int64_t until_ms,
                      struct error *error)
{
    char before[BEFORE_SIZE];

    connection->tls = redis_tls_new(target->tls, target->address.host, error);
    if (!connection->tls)
        return false;
    if (shake_hands(connection, until_ms))
        return true;
    name_call(connection, "connecting", before);
    redis_tls_explain(connection->tls, before, error);
    return false;
}
#else
/* redis_url_read takes no rediss:// here. */
static bool begin_tls(struct redis_connection *connection, const struct redis_target *target, int64_t until_ms,
                      struct error *error)
{
    (void)target;
    (void)until_ms;
    error_set(error, ERROR_UNAVAILABLE, "%s: this program has no TLS to Redis", connection->name);
    return false;
}
#endif

struct redis_connection *redis_connection_open(const struct redis_target *target, struct error *error)
{
    const int64_t until_ms = clock_monotonic_ms() + target->connect_ms;
    struct redis_connection *connection = calloc(1, sizeof *connection);

    if (!connection) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a connection to %s", target->kind);
        return NULL;
    }
    connection->address = target->address;
    snprintf(connection->name, sizeof connection->name, "%s at %s:%u", target->kind, target->address.host,
             target->address.port);
    connection->context =
        redisConnectWithTimeout(target->address.host, target->address.port, timeval_of_ms(target->connect_ms));
    if (!connection->context || connection->context->err) {
        broken(connection, "connecting", error);
        goto fail;
    }
    if (target->tls && !begin_tls(connection, target, until_ms, error))
        goto fail;
    if (redisSetTimeout(connection->context, timeval_of_ms(target->answer_ms)) != REDIS_OK) {
        broken(connection, "setting the time limit", error);
        goto fail;
    }
    redisEnableKeepAlive(connection->context);
    return connection;
fail:
    redis_connection_close(connection);
    return NULL;
}

void redis_connection_close(struct redis_connection *connection)
{
    if (!connection)
        return;
    if (connection->reply)
        freeReplyObject(connection->reply);
    if (connection->context)
        redisFree(connection->context);
    redis_tls_free(connection->tls);
    free(connection);
}

const char *redis_connection_name(const struct redis_connection *connection)
{
    return connection->name;
}

bool redis_connection_is_to(const struct redis_connection *connection, const struct redis_address *address)
{
    return connection->address.port == address->port && strcmp(connection->address.host, address->host) == 0;
}

static struct redis_answer answer_of(const redisReply *reply)
{
    struct redis_answer answer = {.kind = REDIS_ANSWER_OTHER, .text = ""};

    switch (reply->type) {
    case REDIS_REPLY_NIL:
        answer.kind = REDIS_ANSWER_NIL;
        break;
    case REDIS_REPLY_INTEGER:
        answer.kind = REDIS_ANSWER_INTEGER;
        answer.integer = reply->integer;
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        answer.kind = reply->type == REDIS_REPLY_ERROR ? REDIS_ANSWER_ERROR : REDIS_ANSWER_TEXT;
        answer.text = reply->str;
        answer.len = (size_t)reply->len;
        break;
    case REDIS_REPLY_ARRAY:
        answer.kind = REDIS_ANSWER_LIST;
        answer.count = reply->elements;
        answer.list = reply;
        break;
    default:
        break;
    }
    return answer;
}

struct redis_answer redis_answer_item(const struct redis_answer *answer, size_t place)
{
    const redisReply *list = answer->list;

    if (place >= answer->count)
        return (struct redis_answer){.kind = REDIS_ANSWER_NIL, .text = ""};
    return answer_of(list->element[place]);
}

static void begin_call(struct redis_connection *connection)
{
    connection->asked = true;
    if (connection->tls)
        redis_tls_begin_call();
}

/* Keeps the reply for as long as the answer points into it. NULL: the connection broke. */
static bool take(struct redis_connection *connection, void *reply, const char *doing, struct redis_answer *answer,
                 struct error *error)
{
    if (!reply)
        return broken(connection, doing, error);
    if (connection->reply)
        freeReplyObject(connection->reply);
    connection->reply = reply;
    connection->answered = true;
    *answer = answer_of(connection->reply);
    return true;
}

bool redis_connection_ask(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                          const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    begin_call(connection);
    return take(connection, redisCommandArgv(connection->context, argc, argv, argv_len), doing, answer, error);
}

bool redis_connection_append(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                             const size_t *argv_len, struct error *error)
{
    if (redisAppendCommandArgv(connection->context, argc, argv, argv_len) != REDIS_OK)
        return broken(connection, doing, error);
    connection->owed++;
    return true;
}

bool redis_connection_flush(struct redis_connection *connection, const char *doing, struct error *error)
{
    int done = 0;

    begin_call(connection);
    while (!done) {
        if (redisBufferWrite(connection->context, &done) != REDIS_OK)
            return broken(connection, doing, error);
    }
    return true;
}

bool redis_connection_send(struct redis_connection *connection, const char *doing, size_t argc, struct bytes arguments,
                           struct error *error)
{
    char head[HEAD_SIZE];
    int len = snprintf(head, sizeof head, "*%zu\r\n", argc);

    if (redisAppendFormattedCommand(connection->context, head, (size_t)len) != REDIS_OK ||
        redisAppendFormattedCommand(connection->context, (const char *)arguments.data, arguments.len) != REDIS_OK)
        return broken(connection, doing, error);
    connection->owed++;
    return redis_connection_flush(connection, doing, error);
}

bool redis_connection_answered(const struct redis_connection *connection)
{
    return connection->context->reader->pos < connection->context->reader->len;
}

int redis_connection_fd(const struct redis_connection *connection)
{
    return connection->context->fd;
}

bool redis_connection_collect(struct redis_connection *connection, const char *doing, struct redis_answer *answer,
                              struct error *error)
{
    void *reply = NULL;

    begin_call(connection);
    if (redisGetReply(connection->context, &reply) != REDIS_OK)
        return broken(connection, doing, error);
    connection->owed--;
    return take(connection, reply, doing, answer, error);
}

size_t redis_connection_owed(const struct redis_connection *connection)
{
    return connection->owed;
}
