/* One message as RabbitMQ delivered it, owned: nothing of it points into the library's buffers. */
#ifndef DROPBRIDGE_DELIVERY_H
#define DROPBRIDGE_DELIVERY_H

#include "../common/bytes.h"
#include "../common/envelope.h"

#include <stdbool.h>
#include <stdint.h>

struct delivery {
    struct delivery *next; /* for whoever keeps a list */
    uint64_t tag;          /* of the connection that it came by */
    bool redelivered;
    uint64_t delivery_count; /* how often it was delivered before and came back; 0 where the broker does not tell */
    struct envelope envelope;
    size_t body_len;
    uint8_t body[];
};

/* NULL when out of memory; the body's bytes are not set. */
struct delivery *delivery_new(size_t body_len);
void delivery_free(struct delivery *delivery);

/* x-delivery-count, which a quorum queue sends with a message that came back; 0 if it is absent or no integer. */
uint64_t delivery_count_from_properties(const amqp_basic_properties_t *properties);

static inline struct bytes delivery_body(const struct delivery *delivery)
{
    return bytes_of(delivery->body, delivery->body_len);
}

#endif
