/* The bounded hand-off from the threads that bring messages to the one that takes them: a publisher, or the spool's
   writer (the taker). A message is one message on its way: body, envelope, target; shared by the thread that waits for
   the outcome and the taker, and freed by whichever lets go last. */
#ifndef DROPBRIDGE_HANDOFF_H
#define DROPBRIDGE_HANDOFF_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_target { MESSAGE_EVENT, MESSAGE_REJECTED };

enum publish_outcome {
    PUBLISH_CONFIRMED, /* the broker holds it; from the spool: it is synced to the disk */
    PUBLISH_FAILED,    /* it said that it does not; from the spool: the disk did not take it */
    PUBLISH_REFUSED,   /* it has closed the channel over this message or one sent beside it: not to be sent elsewhere */
    PUBLISH_LOST,      /* the connection ended before its word: nobody knows */
    PUBLISH_TIMEOUT,   /* no word by the deadline; it may still arrive */
    PUBLISH_FULL,      /* the queue's (or the spool's) bounds are reached; nothing was sent */
    PUBLISH_AWAY,      /* no broker (or no spool) to send it to; nothing was sent */
};

struct pending_message;

/* A message with room for `capacity` bytes of body, owned by the caller alone. NULL without memory. */
struct pending_message *message_new(size_t capacity);
/* The same message with room for more, the body kept; only before it is submitted. NULL without memory: `message` lives
 * on. */
struct pending_message *message_grow(struct pending_message *message, size_t capacity);
/* A message of its own with the same message, that nobody has seen: for trying elsewhere what ended as PUBLISH_TIMEOUT,
   since the taker may still settle the first. NULL without memory. */
struct pending_message *message_copy(const struct pending_message *message);
/* Lets go of one share. NULL is fine. */
void message_release(struct pending_message *message);

/* Where to write the body; then say how long it is. */
uint8_t *message_body(struct pending_message *message);
void message_set_body_len(struct pending_message *message, size_t len);
struct bytes message_body_bytes(const struct pending_message *message);
void message_set_event(struct pending_message *message, const struct envelope *envelope);
/* Copies `reason` and `detail`. False, with the message as it was, without memory. */
bool message_set_rejected(struct pending_message *message, const struct envelope *envelope, const char *reason,
                         const char *detail);

enum message_target message_target(const struct pending_message *message);
const struct envelope *message_envelope(const struct pending_message *message);
/* NULL for an event. */
const char *message_reject_reason(const struct pending_message *message);
const char *message_reject_detail(const struct pending_message *message);

/* Taker only. A returned message is acked all the same: its outcome is then a failure. */
void message_mark_returned(struct pending_message *message);
bool message_is_returned(const struct pending_message *message);
/* Taker: tells the waiter and lets go of the taker's share. False if nobody waits any more. */
bool message_settle(struct pending_message *message, enum publish_outcome outcome);
/* Taker: tells the waiter PUBLISH_TIMEOUT before its deadline. The taker keeps its share, to be settled by a late word.
 */
void message_give_up(struct pending_message *message);

enum broker_state { BROKER_AWAY, BROKER_BLOCKED, BROKER_OPEN };

struct handoff;

struct handoff *handoff_new(size_t max_messages, size_t max_bytes, struct error *error);
/* Nobody may use it any more; waiting messages are failed. NULL is fine. */
void handoff_free(struct handoff *queue);

/* Any thread: hands the message over, without waiting. True: the taker has it or will, and message_await must follow, by
   the same thread. False: *outcome is PUBLISH_FULL or PUBLISH_AWAY. The caller keeps its share. */
bool handoff_offer(struct handoff *queue, struct pending_message *message, enum publish_outcome *outcome);
/* Waits until until_ms for an offered message to have its outcome, and gives nothing up: true if it has, and
   message_await returns it at once. */
bool message_wait(struct pending_message *message, int64_t until_ms);
/* Waits for the outcome of an offered message until deadline_ms (CLOCK_MONOTONIC). A message not yet taken at the
   deadline is not sent. After anything but PUBLISH_TIMEOUT the taker has let go: the same message may be offered again,
   to this queue or another. */
enum publish_outcome message_await(struct pending_message *message, int64_t deadline_ms);
/* Both in one. */
enum publish_outcome handoff_submit(struct handoff *queue, struct pending_message *message, int64_t deadline_ms);

/* Any thread. */
enum broker_state handoff_state(const struct handoff *queue);
/* Any thread, one at a time. Anything but BROKER_OPEN fails what waits in the queue: PUBLISH_AWAY. */
void handoff_set_state(struct handoff *queue, enum broker_state state);
/* Taker: up to `max` messages, oldest first, with a share each; the abandoned ones are let go. */
size_t handoff_take(struct handoff *queue, struct pending_message **out, size_t max);
/* Taker: becomes readable when something comes in after _sleep said that nothing waits. */
int handoff_fd(const struct handoff *queue);
bool handoff_sleep(struct handoff *queue); /* false: something waits, do not sleep */
void handoff_awake(struct handoff *queue); /* empties the descriptor */
/* Any thread: makes the descriptor readable. */
void handoff_wake(struct handoff *queue);

#endif
