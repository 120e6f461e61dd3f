/* One channel of a publishing connection, in confirm mode: sends tickets and settles them by the broker's word.
   Publisher thread only. */
#ifndef DROPBRIDGE_PUBLISH_LANE_H
#define DROPBRIDGE_PUBLISH_LANE_H

#include "../common/amqp_session.h"
#include "../common/buf.h"
#include "../common/error.h"
#include "body_limit.h"
#include "bridge_metrics.h"
#include "confirm_window.h"
#include "refusal.h"
#include "ticket_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct publish_lane {
    amqp_channel_t channel;
    struct confirm_window *window;
    struct bridge_metrics *metrics;
    const struct amqp_settings *settings;
    struct amqp_session *session; /* NULL: not open */
    struct buf *out;              /* for frames, which the session sends; with TLS not used: librabbitmq sends them */
    bool came_back;               /* a message could not be routed since the lane was opened */
    bool shut;                    /* the channel is closed: to be opened again */
    struct refusal refusal;
    struct body_limit *limit;
    uint64_t named_limit;    /* by the broker, when it closed the channel; 0: it has named none */
    struct incoming_return { /* a returned message comes as a method, a header and body frames */
        bool active;
        bool has_header;
        uint64_t body_left;
    } incoming;
};

/* False without memory. The pointers must outlive the lane. */
bool publish_lane_init(struct publish_lane *lane, amqp_channel_t channel, const struct amqp_settings *settings,
                       struct body_limit *limit, struct buf *out, struct bridge_metrics *metrics);
void publish_lane_clear(struct publish_lane *lane);

/* Opens the channel if the session has not, and asks for confirms. */
bool publish_lane_open(struct publish_lane *lane, struct amqp_session *session, struct error *error);
/* Closes the channel, on which nothing may wait: `shut`. What the broker has sent before it is let fall. */
bool publish_lane_shut(struct publish_lane *lane, struct error *error);
/* Opens the channel again (`shut`) on the same connection, when all that was read meanwhile has been handled. */
bool publish_lane_reopen(struct publish_lane *lane, struct error *error);
/* Settles what waits as PUBLISH_LOST. */
void publish_lane_close(struct publish_lane *lane);

/* How many more tickets it takes now. */
size_t publish_lane_room(const struct publish_lane *lane);
size_t publish_lane_waiting(const struct publish_lane *lane);
/* When the oldest that waits was sent; INT64_MAX when none waits. */
int64_t publish_lane_oldest_ms(const struct publish_lane *lane);

/* False: the broker has said that it takes no body of that size; sending it would close the channel. */
bool publish_lane_takes(struct publish_lane *lane, const struct ticket *ticket, int64_t now_ms);

/* Takes the publisher's share of the ticket, which waits from now on, and if `send` appends it to `out`, or sends it.
   AMQP_STATUS_OK or the library's status. */
int publish_lane_send(struct publish_lane *lane, struct ticket *ticket, int64_t now_ms, bool send);

/* One frame of this channel. False with *error when the session must be replaced. If the broker closes the channel over
   a message, `shut` is set and true returned: those that it may mean (the too large ones if it names its limit, else
   all that wait) are settled as PUBLISH_REFUSED, the others as PUBLISH_LOST. A message that comes back is settled as
   PUBLISH_FAILED; so is every other that waits with the same message_id, for nothing tells the copies apart. */
bool publish_lane_handle(struct publish_lane *lane, const amqp_frame_t *frame, struct error *error);

/* Tells all who wait PUBLISH_TIMEOUT; their confirms count as late. */
void publish_lane_give_up(struct publish_lane *lane);

#endif
