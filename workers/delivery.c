#include "delivery.h"

#include <stdlib.h>
#include <string.h>

struct delivery *delivery_new(size_t body_len)
{
    if (body_len > SIZE_MAX - sizeof(struct delivery))
        return NULL;
    struct delivery *delivery = malloc(sizeof *delivery + body_len);
    if (!delivery)
        return NULL;
    memset(delivery, 0, sizeof *delivery);
    delivery->body_len = body_len;
    return delivery;
}

void delivery_free(struct delivery *delivery)
{
    free(delivery);
}
