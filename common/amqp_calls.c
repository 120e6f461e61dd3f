#include "amqp_calls.h"

#include <sys/time.h>

bool amqp_check(const struct amqp_session *session, const char *doing, int status, struct error *error)
{
    if (status == AMQP_STATUS_OK)
        return true;
    amqp_error_of_status(error, doing, amqp_session_peer(session), status);
    return false;
}

bool amqp_end_call(const struct amqp_session *session, struct watch *watch, const char *doing, bool good,
                   struct error *error)
{
    if (!watch_end(watch))
        return good;
    error_set(error, ERROR_UNAVAILABLE, "%s %s: cut, because it took too long", doing, amqp_session_peer(session));
    return false;
}

enum amqp_read amqp_read_frame(const struct amqp_session *session, amqp_frame_t *frame, const char *doing,
                               struct error *error)
{
    const struct timeval no_wait = {0};
    const int status = amqp_simple_wait_frame_noblock(amqp_session_connection(session), frame, &no_wait);
    if (status == AMQP_STATUS_TIMEOUT)
        return AMQP_READ_NOTHING;
    return amqp_check(session, doing, status, error) ? AMQP_READ_FRAME : AMQP_READ_FAILED;
}

bool amqp_open_channel(const struct amqp_session *session, amqp_channel_t channel, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);
    if (amqp_channel_open(connection, channel))
        return true;
    amqp_error_of_reply(error, "opening a channel to", amqp_session_peer(session), amqp_get_rpc_reply(connection));
    return false;
}

bool amqp_ask_for_confirms(const struct amqp_session *session, amqp_channel_t channel, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);
    if (amqp_confirm_select(connection, channel))
        return true;
    amqp_error_of_reply(error, "asking for confirms from", amqp_session_peer(session), amqp_get_rpc_reply(connection));
    return false;
}
