/* Deliveries that have arrived and are in no batch yet, in the order of their arrival. The prefetch bounds them. Pure;
   one thread owns it. */
#ifndef DROPBRIDGE_DELIVERY_QUEUE_H
#define DROPBRIDGE_DELIVERY_QUEUE_H

#include "delivery.h"

#include <stddef.h>

/* Zeroed memory is an empty one. */
struct delivery_queue {
    struct delivery *first; /* NULL: it is empty */
    struct delivery *last;
    size_t count;
};

/* Takes the delivery over; it is in no other list. */
void delivery_queue_push(struct delivery_queue *queue, struct delivery *delivery);

/* The first one, which is the caller's from now on. There must be one. */
struct delivery *delivery_queue_pop(struct delivery_queue *queue);

/* Frees all. */
void delivery_queue_clear(struct delivery_queue *queue);

#endif
