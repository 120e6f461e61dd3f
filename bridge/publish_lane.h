/* One channel of a publishing connection, in confirm mode: sends tickets and settles them by the broker's word.
   Publisher thread only. */
#ifndef DROPBRIDGE_PUBLISH_LANE_H
#define DROPBRIDGE_PUBLISH_LANE_H

#include "../common/amqp_session.h"
#include "../common/error.h"
#include "bridge_metrics.h"
#include "confirm_window.h"
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
    bool came_back;               /* a message could not be routed since the lane was opened */
    bool shut;                    /* the broker has closed the channel over a message: to be opened again */
    int64_t refusing_since_ms;    /* nacks and no ack since then; 0: none, or an ack was the last word */
    bool acked;                   /* an ack has come since the lane was opened */
    uint64_t body_max;            /* the broker takes no longer body, as it has said; 0: it has not */
    int64_t body_max_until_ms;    /* how long that is trusted: the limit may be raised */
    struct incoming_return {      /* a returned message comes as a method, a header and body frames */
        bool active;
        bool has_header;
        uint64_t body_left;
    } incoming;
};

/* False without memory. The pointers must outlive the lane. */
bool publish_lane_init(struct publish_lane *lane, amqp_channel_t channel, const struct amqp_settings *settings,
                       struct bridge_metrics *metrics);
void publish_lane_clear(struct publish_lane *lane);

/* Opens the channel if the session has not, and asks for confirms. */
bool publish_lane_open(struct publish_lane *lane, struct amqp_session *session, struct error *error);
/* Opens the channel again after the broker has closed it (`shut`), on the same connection. */
bool publish_lane_reopen(struct publish_lane *lane, struct error *error);
/* Settles what waits as PUBLISH_LOST. */
void publish_lane_close(struct publish_lane *lane);

/* How many more tickets it takes now. */
size_t publish_lane_room(const struct publish_lane *lane);
size_t publish_lane_waiting(const struct publish_lane *lane);
/* When the oldest that waits was sent; INT64_MAX when none waits. */
int64_t publish_lane_oldest_ms(const struct publish_lane *lane);

/* False: the broker has said that it takes no body of that size; sending it would close the channel. */
bool publish_lane_takes(const struct publish_lane *lane, const struct ticket *ticket, int64_t now_ms);

/* Takes the publisher's share of the ticket, which waits from now on, and sends it if `send`. AMQP_STATUS_OK or the
   library's status. */
int publish_lane_send(struct publish_lane *lane, struct ticket *ticket, int64_t now_ms, bool send);

/* One frame of this channel. False with *error when the session must be replaced. If the broker closes the channel over
   a message, `shut` is set and true returned: those that it may mean (the too large ones if it names its limit, else
   all that wait) are settled as PUBLISH_REFUSED, the others as PUBLISH_LOST. A message that comes back is settled as
   PUBLISH_FAILED; so is every other that waits with the same message_id, for nothing tells the copies apart. */
bool publish_lane_handle(struct publish_lane *lane, const amqp_frame_t *frame, struct error *error);

/* Tells all who wait PUBLISH_TIMEOUT; their confirms count as late. */
void publish_lane_give_up(struct publish_lane *lane);

#endif
