#include "redis_connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { NAME_SIZE = URI_PART + 40 };

struct redis_connection {
    redisContext *context;
    redisReply *reply; /* the last one; what redis_answer points into */
    size_t owed;
    struct redis_address address;
    char name[NAME_SIZE];
};

static struct timeval timeval_of_ms(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static const char *problem_of(const redisContext *context)
{
    if (!context)
        return "out of memory";
    if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS))
        return "no answer in time";
    return context->errstr[0] ? context->errstr : "no answer in time";
}

/* Always false. */
static bool broken(const struct redis_connection *connection, const char *doing, struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "%s: %s: %s", connection->name, doing, problem_of(connection->context));
    return false;
}

struct redis_connection *redis_connection_open(const struct redis_target *target, struct error *error)
{
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

static const char *text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING && reply->str ? reply->str : NULL;
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
        for (size_t i = 0; i < answer.count && i < sizeof answer.items / sizeof answer.items[0]; i++)
            answer.items[i] = text_of(reply->element[i]);
        break;
    default:
        break;
    }
    return answer;
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
    *answer = answer_of(connection->reply);
    return true;
}

bool redis_connection_ask(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                          const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    return take(connection, redisCommandArgv(connection->context, argc, argv, argv_len), doing, answer, error);
}

bool redis_connection_post(struct redis_connection *connection, const char *doing, int argc, const char **argv,
                           struct error *error)
{
    int done = 0;

    if (redisAppendCommandArgv(connection->context, argc, argv, NULL) != REDIS_OK)
        return broken(connection, doing, error);
    while (!done) {
        if (redisBufferWrite(connection->context, &done) != REDIS_OK)
            return broken(connection, doing, error);
    }
    connection->owed++;
    return true;
}

bool redis_connection_collect(struct redis_connection *connection, const char *doing, struct redis_answer *answer,
                              struct error *error)
{
    void *reply = NULL;

    if (redisGetReply(connection->context, &reply) != REDIS_OK)
        return broken(connection, doing, error);
    connection->owed--;
    return take(connection, reply, doing, answer, error);
}

size_t redis_connection_owed(const struct redis_connection *connection)
{
    return connection->owed;
}

void redis_connection_hold_back(struct redis_connection *connection, bool on)
{
    int value = on;

    (void)setsockopt(connection->context->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}
