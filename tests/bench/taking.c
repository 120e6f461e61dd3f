#include "taking.h"

#include <sys/time.h>

enum { PREFETCH = 1024, ACK_EACH = 256, ANSWER_S = 20 };

static void acknowledge(amqp_connection_state_t connection, uint64_t tag, uint64_t taken, uint64_t events)
{
    if (taken % ACK_EACH == 0 || taken == events)
        (void)amqp_basic_ack(connection, AMQP_CHANNEL, tag, true);
}

static bool take_from(struct amqp_session *session, const char *queue, uint64_t events, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);
    struct timeval timeout = {.tv_sec = ANSWER_S};

    if (!amqp_basic_qos(connection, AMQP_CHANNEL, 0, PREFETCH, false) ||
        !amqp_basic_consume(connection, AMQP_CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, false, false, false,
                            amqp_empty_table)) {
        error_set(error, ERROR_UNAVAILABLE, "the queue cannot be consumed");
        return false;
    }
    for (uint64_t taken = 1; taken <= events; taken++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &timeout, 0);
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
            amqp_error_of_reply(error, "consuming from", amqp_session_peer(session), reply);
            return false;
        }
        acknowledge(connection, envelope.delivery_tag, taken, events);
        amqp_destroy_envelope(&envelope);
    }
    return true;
}

bool take_all(const struct amqp_settings *settings, uint64_t events, struct error *error)
{
    struct amqp_session *session = amqp_session_open(settings, 0, "bench out", NULL, error);
    bool good = session && take_from(session, settings->queue, events, error);

    amqp_session_close(session);
    return good;
}
