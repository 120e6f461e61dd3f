/* The bounded hand-off from HTTP threads to one publisher. A ticket is one message on its way: body, envelope, target;
   shared by the thread that waits for the outcome and the publisher, and freed by whichever lets go last. */
#ifndef DROPBRIDGE_PUBLISH_QUEUE_H
#define DROPBRIDGE_PUBLISH_QUEUE_H

#include "../common/bytes.h"
#include "../common/envelope.h"
#include "../common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ticket_target { TICKET_EVENT, TICKET_REJECTED };

enum publish_outcome {
    PUBLISH_CONFIRMED, /* the broker holds it */
    PUBLISH_FAILED,    /* it said that it does not */
    PUBLISH_LOST,      /* the connection ended before its word: nobody knows */
    PUBLISH_TIMEOUT,   /* no word by the deadline; it may still arrive */
    PUBLISH_FULL,      /* the queue's bounds are reached; nothing was sent */
    PUBLISH_AWAY,      /* no broker to send it to; nothing was sent */
};

struct ticket;

/* A ticket with room for `capacity` bytes of body, owned by the caller alone. NULL without memory. */
struct ticket *ticket_new(size_t capacity);
/* The same ticket with room for more, the body kept; only before it is submitted. NULL without memory: `ticket` lives
 * on. */
struct ticket *ticket_grow(struct ticket *ticket, size_t capacity);
/* Lets go of one share. NULL is fine. */
void ticket_release(struct ticket *ticket);

/* Where to write the body; then say how long it is. */
uint8_t *ticket_body(struct ticket *ticket);
void ticket_set_body_len(struct ticket *ticket, size_t len);
struct bytes ticket_body_bytes(const struct ticket *ticket);
void ticket_set_event(struct ticket *ticket, const struct envelope *envelope);
/* `reason` and `detail` must be literals: the ticket keeps the pointers. */
void ticket_set_rejected(struct ticket *ticket, const struct envelope *envelope, const char *reason,
                         const char *detail);

enum ticket_target ticket_target(const struct ticket *ticket);
const struct envelope *ticket_envelope(const struct ticket *ticket);
const char *ticket_reject_reason(const struct ticket *ticket);
const char *ticket_reject_detail(const struct ticket *ticket);

/* Publisher thread only. A returned message is acked all the same: its outcome is then a failure. */
void ticket_mark_returned(struct ticket *ticket);
bool ticket_is_returned(const struct ticket *ticket);
/* Tells the waiter and lets go of the publisher's share. False if nobody waits any more. */
bool ticket_settle(struct ticket *ticket, enum publish_outcome outcome);
/* Tells the waiter PUBLISH_TIMEOUT before its deadline. The publisher keeps its share, to be settled by a late word. */
void ticket_give_up(struct ticket *ticket);

enum publish_gate { PUBLISH_GATE_AWAY, PUBLISH_GATE_BLOCKED, PUBLISH_GATE_OPEN };

struct publish_queue;

struct publish_queue *publish_queue_new(size_t max_tickets, size_t max_bytes, struct error *error);
/* Nobody may use it any more; waiting tickets are failed. NULL is fine. */
void publish_queue_free(struct publish_queue *queue);

/* Any thread. Hands the ticket over and waits for its outcome until deadline_ms (CLOCK_MONOTONIC). The caller keeps its
   share. A ticket not yet taken by the publisher at the deadline is not sent. After PUBLISH_FULL, _AWAY and _LOST the
   same ticket may be submitted again, to this queue or another. */
enum publish_outcome publish_queue_submit(struct publish_queue *queue, struct ticket *ticket, int64_t deadline_ms);

/* Any thread. */
enum publish_gate publish_queue_gate(const struct publish_queue *queue);
/* Any thread, one at a time. Shutting the gate fails what waits in the queue: PUBLISH_AWAY. */
void publish_queue_set_gate(struct publish_queue *queue, enum publish_gate gate);
/* Publisher thread: up to `max` tickets, oldest first, with a share each; the abandoned ones are let go. */
size_t publish_queue_take(struct publish_queue *queue, struct ticket **out, size_t max);
/* Publisher thread: becomes readable when something comes in after _sleep said that nothing waits. */
int publish_queue_fd(const struct publish_queue *queue);
bool publish_queue_sleep(struct publish_queue *queue); /* false: something waits, do not sleep */
void publish_queue_awake(struct publish_queue *queue); /* empties the descriptor */
/* Any thread: makes the descriptor readable. */
void publish_queue_wake(struct publish_queue *queue);

#endif
