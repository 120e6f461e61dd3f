/* A publish as the frames that go over the wire (AMQP 0-9-1, 2.3.5 and 4.2): librabbitmq sends each of them by a call of its own,
   three a message; many encoded one behind the other go in one. Pure. */
#ifndef DROPBRIDGE_BROKER_PUBLISH_FRAMES_H
#define DROPBRIDGE_BROKER_PUBLISH_FRAMES_H

#include "common/amqp_lib.h"
#include "common/buf.h"
#include "common/bytes.h"

#include <stdbool.h>

struct publish_frames {
    amqp_channel_t channel;
    int frame_max; /* as negotiated, in bytes */
    const char *exchange, *routing_key;
    bool mandatory;
    const amqp_basic_properties_t *properties;
    struct bytes body;
};

/* Appends a method frame, a header frame and as many body frames as it takes. False without memory, or with properties of more
   than a frame: what `out` has then is not to be sent. */
bool publish_frames_append(const struct publish_frames *publish, struct buf *out);

#endif
