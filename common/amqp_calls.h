/* Calls that publisher and consumer share, on an open session; each fails with a sentence. librabbitmq's calls have no deadline
   of their own: put them between watch_begin and amqp_end_call. */
#ifndef DROPBRIDGE_AMQP_CALLS_H
#define DROPBRIDGE_AMQP_CALLS_H

#include "amqp_session.h"

/* True for AMQP_STATUS_OK; else false with *error as amqp_error_of_status's. */
bool amqp_check(const struct amqp_session *session, const char *doing, int status, struct error *error);

/* Ends the watch of a call. True if the call was `good` and the watch did not cut it off; *error is set if it did. */
bool amqp_end_call(const struct amqp_session *session, struct watch *watch, const char *doing, bool good,
                   struct error *error);

enum amqp_read { AMQP_READ_NOTHING, AMQP_READ_FRAME, AMQP_READ_FAILED };

/* Reads one frame if one has come, and sends a heartbeat that is due. *error is set with AMQP_READ_FAILED. */
enum amqp_read amqp_read_frame(const struct amqp_session *session, amqp_frame_t *frame, const char *doing,
                               struct error *error);

/* Opens one beside AMQP_CHANNEL. False with *error. */
bool amqp_open_channel(const struct amqp_session *session, amqp_channel_t channel, struct error *error);

/* Puts the channel into confirm mode. False with *error. */
bool amqp_ask_for_confirms(const struct amqp_session *session, amqp_channel_t channel, struct error *error);

#endif
