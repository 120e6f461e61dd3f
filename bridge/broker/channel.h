/* One channel of a publishing connection, in confirm mode: sends messages and settles them by the broker's word.
   Publisher thread only. */
#ifndef DROPBRIDGE_BROKER_CHANNEL_H
#define DROPBRIDGE_BROKER_CHANNEL_H

#include "common/amqp_session.h"
#include "common/buf.h"
#include "common/error.h"
#include "body_limit.h"
#include "bridge/metrics.h"
#include "unconfirmed.h"
#include "nack_tracker.h"
#include "bridge/handoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker_channel {
    amqp_channel_t number;
    struct unconfirmed *window;
    struct bridge_metrics *metrics;
    const struct amqp_settings *settings;
    struct amqp_session *session; /* NULL: not open */
    struct buf *out;              /* for frames, which the session sends; with TLS not used: librabbitmq sends them */
    bool came_back;               /* a message could not be routed since the channel was opened */
    bool shut;                    /* the channel is closed: to be opened again */
    struct nack_tracker refusal;
    struct body_limit *limit;
    uint64_t named_limit;    /* by the broker, when it closed the channel; 0: it has named none */
    struct incoming_return { /* a returned message comes as a method, a header and body frames */
        bool active;
        bool has_header;
        uint64_t body_left;
    } incoming;
};

/* False without memory. The pointers must outlive the channel. */
bool broker_channel_init(struct broker_channel *channel, amqp_channel_t number, const struct amqp_settings *settings,
                       struct body_limit *limit, struct buf *out, struct bridge_metrics *metrics);
void broker_channel_clear(struct broker_channel *channel);

/* Opens the channel if the session has not, and asks for confirms. */
bool broker_channel_open(struct broker_channel *channel, struct amqp_session *session, struct error *error);
/* Closes the channel, on which nothing may wait: `shut`. What the broker has sent before it is let fall. */
bool broker_channel_shut(struct broker_channel *channel, struct error *error);
/* Opens the channel again (`shut`) on the same connection, when all that was read meanwhile has been handled. */
bool broker_channel_reopen(struct broker_channel *channel, struct error *error);
/* Settles what waits as PUBLISH_LOST. */
void broker_channel_close(struct broker_channel *channel);

/* How many more messages it takes now. */
size_t broker_channel_room(const struct broker_channel *channel);
size_t broker_channel_waiting(const struct broker_channel *channel);
/* When the oldest that waits was sent; INT64_MAX when none waits. */
int64_t broker_channel_oldest_ms(const struct broker_channel *channel);

/* False: the broker has said that it takes no body of that size; sending it would close the channel. */
bool broker_channel_takes(struct broker_channel *channel, const struct pending_message *message, int64_t now_ms);

/* Takes the publisher's share of the message, which waits from now on, and if `send` appends it to `out`, or sends it.
   AMQP_STATUS_OK or the library's status. */
int broker_channel_send(struct broker_channel *channel, struct pending_message *message, int64_t now_ms, bool send);

/* One frame of this channel. False with *error when the session must be replaced. If the broker closes the channel over
   a message, `shut` is set and true returned: those that it may mean (the too large ones if it names its limit, else
   all that wait) are settled as PUBLISH_REFUSED, the others as PUBLISH_LOST. A message that comes back is settled as
   PUBLISH_FAILED; so is every other that waits with the same message_id, for nothing tells the copies apart. */
bool broker_channel_handle(struct broker_channel *channel, const amqp_frame_t *frame, struct error *error);

/* Tells all who wait PUBLISH_TIMEOUT; their confirms count as late. */
void broker_channel_give_up(struct broker_channel *channel);

#endif
