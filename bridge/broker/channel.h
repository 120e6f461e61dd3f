/* One channel of a publishing connection, in confirm mode: sends the messages for one queue and settles them by the
   broker's word. The connection's thread only. */
#ifndef DROPBRIDGE_BROKER_CHANNEL_H
#define DROPBRIDGE_BROKER_CHANNEL_H

#include "common/amqp_session.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/log_limiter.h"
#include "common/watchdog.h"
#include "availability.h"
#include "unconfirmed.h"
#include "bridge/metrics.h"
#include "bridge/handoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a connection and its channels are made with. The pointers must outlive them. */
struct broker_connection_settings {
    const struct amqp_settings *amqp;
    int64_t confirm_timeout_ms;
    struct bridge_metrics *metrics;
    struct availability *availability;
    struct watchdog *dog;
    const char *name; /* of the connection, at the broker and in the log */
    size_t index;     /* in availability */
};

struct broker_channel {
    const struct broker_connection_settings *settings;
    enum message_target target;
    amqp_channel_t number;
    struct unconfirmed *unconfirmed;
    struct amqp_session *session; /* NULL: not open */
    struct buf *out;              /* for frames, which the connection sends; with TLS not used: librabbitmq sends them */
    struct log_limiter limiter;
    int64_t free_since_ms; /* since when the broker may be expected to confirm */
    bool stalled;          /* nobody waits for its confirms until they come again */
    bool stall_logged;
    int64_t nacked_since_ms; /* the first nack on this connection with no ack after it; 0: none */
    bool refuses;            /* the broker nacks all that goes here; stays so, whatever the connection, until an ack */
    bool refusal_logged;
};

/* False without memory. `settings` and `out` must outlive the channel. */
bool broker_channel_init(struct broker_channel *channel, const struct broker_connection_settings *settings,
                         enum message_target target, struct buf *out);
void broker_channel_clear(struct broker_channel *channel);

/* Opens the channel if the session has not, and asks for confirms. */
bool broker_channel_open(struct broker_channel *channel, struct amqp_session *session, struct error *error);
/* Settles what waits as PUBLISH_LOST. */
void broker_channel_close(struct broker_channel *channel);

/* How many more messages it takes now. */
size_t broker_channel_room(const struct broker_channel *channel);

/* Takes the publisher's share of the message, which waits from now on, and appends it to `out`, or sends it. AMQP_STATUS_OK
   or the library's status. */
int broker_channel_send(struct broker_channel *channel, struct pending_message *message, int64_t now_ms);

/* One frame of this channel. False with *error when the connection must be replaced. If the broker closes the channel over
   a message, those that it may mean (the too large ones if it names its limit, else all that wait) are settled as
   PUBLISH_REFUSED. A message that comes back (*returned is set) is settled as PUBLISH_FAILED; so is every other that waits
   with the same message_id, for nothing tells the copies apart. */
bool broker_channel_handle(struct broker_channel *channel, const amqp_frame_t *frame, bool *returned, struct error *error);

/* How long no confirm can become late; INT64_MAX while none is waited for. */
int64_t broker_channel_idle_ms(const struct broker_channel *channel, int64_t now_ms);
/* Tells all who wait PUBLISH_TIMEOUT if the broker is blocked, or once a confirm is late: it is `stalled` then, until
   those have come, and costs one confirm_timeout_ms, not one a message. Confirms of who was told so count as late. False
   with *error when only another connection can help. */
bool broker_channel_check(struct broker_channel *channel, bool blocked, int64_t now_ms, struct error *error);

#endif
