/* What a publisher does with one open connection: sends what its queue brings, settles the tickets by the broker's
   word, and sees when it is time for another connection. The publisher's thread, but for the last two. */
#ifndef DROPBRIDGE_PUBLISH_SESSION_H
#define DROPBRIDGE_PUBLISH_SESSION_H

#include "../common/amqp_session.h"
#include "../common/error.h"
#include "../common/watchdog.h"
#include "bridge_metrics.h"
#include "gates.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct publish_session;

/* The pointers must outlive the session. */
struct publish_settings {
    const struct amqp_settings *amqp;
    int64_t confirm_timeout_ms;
    struct bridge_metrics *metrics;
    struct gates *gates;
    struct watchdog *dog;
    const char *name; /* of the connection, at the broker and in the log */
    size_t index;     /* of its gate */
};

/* Not open yet; may be opened and closed again and again. NULL with *error. */
struct publish_session *publish_session_new(const struct publish_settings *settings, struct error *error);
/* Closed before. NULL is fine. */
void publish_session_free(struct publish_session *session);

/* Connects to the URL of that index, sees to the topology, asks for confirms, opens the gate. False with *error as
   amqp_session_open. */
bool publish_session_open(struct publish_session *session, size_t url_index, struct error *error);
/* Works until the connection fails or should be replaced (false with *error), or the program stops (true). */
bool publish_session_serve(struct publish_session *session, struct error *error);
/* Shuts the gate; what is unconfirmed is settled as PUBLISH_LOST. `orderly`: says goodbye to the broker. */
void publish_session_close(struct publish_session *session, bool orderly);
/* host:port, while open. */
const char *publish_session_peer(const struct publish_session *session);

/* Any thread: ends serving once nothing is unconfirmed, at the latest at at_ms (CLOCK_MONOTONIC). */
void publish_session_stop(struct publish_session *session, int64_t at_ms);
/* Any thread: cuts the call to the broker that is under way, and any other from now on. */
void publish_session_abort(struct publish_session *session);

#endif
