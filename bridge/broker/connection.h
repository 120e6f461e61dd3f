/* What a publisher does with one open connection: sends what its queue brings, settles the messages by the broker's
   word, and sees when it is time for another connection. The publisher's thread, except the last. */
#ifndef DROPBRIDGE_BROKER_CONNECTION_H
#define DROPBRIDGE_BROKER_CONNECTION_H

#include "common/error.h"
#include "channel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker_connection;

/* Not open yet; may be opened and closed again and again. NULL with *error. */
struct broker_connection *broker_connection_new(const struct broker_connection_settings *settings, struct error *error);
/* Closed before. NULL is fine. */
void broker_connection_free(struct broker_connection *connection);

/* Connects to the URL of that index, declares exchanges and queues, asks for confirms, becomes available. False with
   *error as amqp_session_open. */
bool broker_connection_open(struct broker_connection *connection, size_t url_index, struct error *error);
/* Works until the connection fails or should be replaced (false with *error), or the program stops (true). */
bool broker_connection_serve(struct broker_connection *connection, struct error *error);
/* Becomes unavailable; what is unconfirmed is settled as PUBLISH_LOST. `orderly`: says goodbye to the broker. */
void broker_connection_close(struct broker_connection *connection, bool orderly);

/* Any thread: ends serving once nothing is unconfirmed, at the latest at at_ms (CLOCK_MONOTONIC). A second later a call to
   the broker that is under way is cut, and any other from then on. */
void broker_connection_stop(struct broker_connection *connection, int64_t at_ms);

#endif
