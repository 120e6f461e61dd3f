#include "delivery.h"

#include <stdlib.h>
#include <string.h>

struct delivery *delivery_new(size_t body_len, struct held *held)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery)
        return NULL;
    delivery->body = malloc(body_len > 0 ? body_len : 1);
    if (!delivery->body) {
        free(delivery);
        return NULL;
    }
    delivery->body_len = body_len;
    delivery->held = held;
    held->bytes += sizeof *delivery + body_len;
    return delivery;
}

static void drop_body(struct delivery *delivery)
{
    delivery->held->bytes -= delivery->body_len;
    free(delivery->body);
    delivery->body = NULL;
    delivery->body_len = 0;
}

void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    drop_body(delivery);
    if (delivery->event)
        delivery->held->bytes -= sizeof *delivery->event;
    delivery->held->bytes -= sizeof *delivery;
    free(delivery->event);
    free(delivery);
}

bool delivery_read(struct delivery *delivery, const char *separator, char remark[PARSE_DETAIL])
{
    char detail[PARSE_DETAIL] = "";
    struct event *event = malloc(sizeof *event);
    enum parse_verdict verdict = PARSE_NO_MEMORY;
    remark[0] = '\0';
    if (event)
        verdict = event_parse(delivery_body(delivery), &delivery->envelope, separator, event, detail);
    if (verdict != PARSE_OK) {
        free(event);
        event = NULL;
    }
    if (verdict == PARSE_NO_MEMORY)
        return false;
    delivery->event = event;
    delivery->held->bytes += event ? sizeof *event : 0;
    delivery->reason = event ? event->rejected_as : parse_verdict_slug(verdict);
    if (!delivery->reason)
        drop_body(delivery);
    memcpy(delivery->reason ? delivery->detail : remark, detail, PARSE_DETAIL);
    return true;
}

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
