#include "delivery_queue.h"

void delivery_queue_push(struct delivery_queue *queue, struct delivery *delivery)
{
    if (queue->last)
        queue->last->next = delivery;
    else
        queue->first = delivery;
    queue->last = delivery;
    queue->count++;
}

struct delivery *delivery_queue_pop(struct delivery_queue *queue)
{
    struct delivery *delivery = queue->first;
    queue->first = delivery->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    delivery->next = NULL;
    return delivery;
}

void delivery_queue_clear(struct delivery_queue *queue)
{
    while (queue->first)
        delivery_free(delivery_queue_pop(queue));
}
