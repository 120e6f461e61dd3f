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
    struct envelope envelope;
    size_t body_len;
    uint8_t body[];
};

/* NULL when out of memory; the body's bytes are not set. */
struct delivery *delivery_new(size_t body_len);
void delivery_free(struct delivery *delivery);

static inline struct bytes delivery_body(const struct delivery *delivery)
{
    return bytes_of(delivery->body, delivery->body_len);
}

#endif
