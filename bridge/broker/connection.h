/* What a publisher does with one open connection: sends what its queue brings, settles the messages by the broker's
   word, and sees when it is time for another connection. The publisher's thread, but for the last two. */
#ifndef DROPBRIDGE_BROKER_CONNECTION_H
#define DROPBRIDGE_BROKER_CONNECTION_H

#include "common/amqp_session.h"
#include "common/error.h"
#include "common/watchdog.h"
#include "bridge/metrics.h"
#include "availability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker_connection;

/* The pointers must outlive the session. */
struct broker_connection_settings {
    const struct amqp_settings *amqp;
    int64_t confirm_timeout_ms;
    struct bridge_metrics *metrics;
    struct availability *availability;
    struct watchdog *dog;
    const char *name; /* of the connection, at the broker and in the log */
    size_t index;     /* in availability */
};

/* Not open yet; may be opened and closed again and again. NULL with *error. */
struct broker_connection *broker_connection_new(const struct broker_connection_settings *settings, struct error *error);
/* Closed before. NULL is fine. */
void broker_connection_free(struct broker_connection *session);

/* Connects to the URL of that index, sees to the topology, asks for confirms, becomes available. False with *error as
   amqp_session_open. */
bool broker_connection_open(struct broker_connection *session, size_t url_index, struct error *error);
/* Works until the connection fails or should be replaced (false with *error), or the program stops (true). */
bool broker_connection_serve(struct broker_connection *session, struct error *error);
/* Becomes unavailable; what is unconfirmed is settled as PUBLISH_LOST. `orderly`: says goodbye to the broker. */
void broker_connection_close(struct broker_connection *session, bool orderly);
/* host:port, while open. */
const char *broker_connection_peer(const struct broker_connection *session);

/* Any thread: ends serving once nothing is unconfirmed, at the latest at at_ms (CLOCK_MONOTONIC). */
void broker_connection_stop(struct broker_connection *session, int64_t at_ms);
/* Any thread: cuts the call to the broker that is under way, and any other from now on. */
void broker_connection_abort(struct broker_connection *session);

#endif
