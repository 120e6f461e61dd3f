/* One message as RabbitMQ delivered it, owned (nothing of it points into the library's buffers), and what was read in
   it. A body is dropped as soon as it was read, unless the message must go to the rejected queue. And a list of them.
   Pure; one thread owns them. */
#ifndef DROPBRIDGE_DELIVERY_H
#define DROPBRIDGE_DELIVERY_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "workers/event/event.h"
#include "workers/event/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all deliveries of one owner take together. */
struct held {
    size_t bytes;
};

struct delivery {
    struct delivery *next; /* for whoever keeps a list */
    uint64_t tag;          /* of the connection that it came by */
    bool redelivered;
    int64_t delivery_count; /* how often it was delivered before and came back; 0 where the broker does not tell */
    struct envelope envelope;
    uint8_t *body; /* NULL: dropped */
    size_t body_len;
    struct event *event;       /* what was read; NULL: it was not read yet, or is no event */
    const char *reason;        /* a slug that lives for ever: the message belongs in the rejected queue, with an event
                                  once that is counted; NULL: it does not, or was not read yet */
    char detail[PARSE_DETAIL]; /* of the reason */
    bool suspect;              /* not to be read before a child process has (quarantine.h) */
    int deaths;                /* of such processes */
    uint64_t reject_tag;       /* under which reject.c published it on its connection; 0: it did not */
    bool reject_confirmed;     /* the rejected queue holds it */
    struct held *held;         /* where its bytes are counted */
};

/* NULL when out of memory; the body's bytes are not set. `held` must outlive it. */
struct delivery *delivery_new(size_t body_len, struct held *held);
/* NULL is fine. */
void delivery_free(struct delivery *delivery);

/* Reads the body (event_parse says how), which must be there, and drops it if it is needed no more. False when out of
   memory: then nothing has changed. `remark` is what was ignored in an event, "" for nothing. */
bool delivery_read(struct delivery *delivery, const char *separator, char remark[PARSE_DETAIL]);
/* Whether it was read, or needs not be any more. */
static inline bool delivery_was_read(const struct delivery *delivery)
{
    return delivery->event || delivery->reason;
}

static inline struct bytes delivery_body(const struct delivery *delivery)
{
    return bytes_of(delivery->body, delivery->body_len);
}

/* Deliveries in the order of their arrival; the prefetch bounds them. Zeroed memory is an empty one. */
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
