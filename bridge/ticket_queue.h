/* The bounded hand-off from the threads that bring messages to the one that takes them: a publisher, or the spool's
   writer (the taker). A ticket is one message on its way: body, envelope, target; shared by the thread that waits for
   the outcome and the taker, and freed by whichever lets go last. */
#ifndef DROPBRIDGE_TICKET_QUEUE_H
#define DROPBRIDGE_TICKET_QUEUE_H

#include "../common/bytes.h"
#include "../common/envelope.h"
#include "../common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ticket_target { TICKET_EVENT, TICKET_REJECTED };

enum publish_outcome {
    PUBLISH_CONFIRMED, /* the broker holds it; from the spool: it is synced to the disk */
    PUBLISH_FAILED,    /* it said that it does not; from the spool: the disk did not take it */
    PUBLISH_REFUSED,   /* it has closed the channel over this message or one sent beside it: not to be sent elsewhere */
    PUBLISH_LOST,      /* the connection ended before its word: nobody knows */
    PUBLISH_TIMEOUT,   /* no word by the deadline; it may still arrive */
    PUBLISH_FULL,      /* the queue's (or the spool's) bounds are reached; nothing was sent */
    PUBLISH_AWAY,      /* no broker (or no spool) to send it to; nothing was sent */
};

struct ticket;

/* A ticket with room for `capacity` bytes of body, owned by the caller alone. NULL without memory. */
struct ticket *ticket_new(size_t capacity);
/* The same ticket with room for more, the body kept; only before it is submitted. NULL without memory: `ticket` lives
 * on. */
struct ticket *ticket_grow(struct ticket *ticket, size_t capacity);
/* A ticket of its own with the same message, that nobody has seen: for trying elsewhere what ended as PUBLISH_TIMEOUT,
   since the taker may still settle the first. NULL without memory. */
struct ticket *ticket_copy(const struct ticket *ticket);
/* Lets go of one share. NULL is fine. */
void ticket_release(struct ticket *ticket);

/* Where to write the body; then say how long it is. */
uint8_t *ticket_body(struct ticket *ticket);
void ticket_set_body_len(struct ticket *ticket, size_t len);
struct bytes ticket_body_bytes(const struct ticket *ticket);
void ticket_set_event(struct ticket *ticket, const struct envelope *envelope);
/* Copies `reason` and `detail`. False, with the ticket as it was, without memory. */
bool ticket_set_rejected(struct ticket *ticket, const struct envelope *envelope, const char *reason,
                         const char *detail);

enum ticket_target ticket_target(const struct ticket *ticket);
const struct envelope *ticket_envelope(const struct ticket *ticket);
/* NULL for an event. */
const char *ticket_reject_reason(const struct ticket *ticket);
const char *ticket_reject_detail(const struct ticket *ticket);

/* Taker only. A returned message is acked all the same: its outcome is then a failure. */
void ticket_mark_returned(struct ticket *ticket);
bool ticket_is_returned(const struct ticket *ticket);
/* Taker: tells the waiter and lets go of the taker's share. False if nobody waits any more. */
bool ticket_settle(struct ticket *ticket, enum publish_outcome outcome);
/* Taker: tells the waiter PUBLISH_TIMEOUT before its deadline. The taker keeps its share, to be settled by a late word.
 */
void ticket_give_up(struct ticket *ticket);

enum gate { GATE_AWAY, GATE_BLOCKED, GATE_OPEN };

struct ticket_queue;

struct ticket_queue *ticket_queue_new(size_t max_tickets, size_t max_bytes, struct error *error);
/* Nobody may use it any more; waiting tickets are failed. NULL is fine. */
void ticket_queue_free(struct ticket_queue *queue);

/* Any thread: hands the ticket over, without waiting. True: the taker has it or will, and ticket_await must follow, by
   the same thread. False: *outcome is PUBLISH_FULL or PUBLISH_AWAY. The caller keeps its share. */
bool ticket_queue_offer(struct ticket_queue *queue, struct ticket *ticket, enum publish_outcome *outcome);
/* Waits until until_ms for an offered ticket to have its outcome, and gives nothing up: true if it has, and
   ticket_await returns it at once. */
bool ticket_wait(struct ticket *ticket, int64_t until_ms);
/* Waits for the outcome of an offered ticket until deadline_ms (CLOCK_MONOTONIC). A ticket not yet taken at the
   deadline is not sent. After anything but PUBLISH_TIMEOUT the taker has let go: the same ticket may be offered again,
   to this queue or another. */
enum publish_outcome ticket_await(struct ticket *ticket, int64_t deadline_ms);
/* Both in one. */
enum publish_outcome ticket_queue_submit(struct ticket_queue *queue, struct ticket *ticket, int64_t deadline_ms);

/* Any thread. */
enum gate ticket_queue_gate(const struct ticket_queue *queue);
/* Any thread, one at a time. Shutting the gate fails what waits in the queue: PUBLISH_AWAY. */
void ticket_queue_set_gate(struct ticket_queue *queue, enum gate gate);
/* Taker: up to `max` tickets, oldest first, with a share each; the abandoned ones are let go. */
size_t ticket_queue_take(struct ticket_queue *queue, struct ticket **out, size_t max);
/* Taker: becomes readable when something comes in after _sleep said that nothing waits. */
int ticket_queue_fd(const struct ticket_queue *queue);
bool ticket_queue_sleep(struct ticket_queue *queue); /* false: something waits, do not sleep */
void ticket_queue_awake(struct ticket_queue *queue); /* empties the descriptor */
/* Any thread: makes the descriptor readable. */
void ticket_queue_wake(struct ticket_queue *queue);

#endif
