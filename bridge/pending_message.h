/* A message on its way: body, envelope, target. Shared by the thread that waits for the outcome and the one that takes it out of
   a handoff (the taker), and freed by whichever lets go last. */
#ifndef DROPBRIDGE_PENDING_MESSAGE_H
#define DROPBRIDGE_PENDING_MESSAGE_H

#include "common/bytes.h"
#include "common/envelope.h"

#include <stdatomic.h>
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

struct pending_message {
    /* What it says; written before it is offered. */
    enum message_target target;
    struct envelope envelope;
    char reject_reason[32], reject_detail[256]; /* empty for an event */
    size_t body_len;
    bool returned; /* the taker's: it came back; it is acked all the same, and its outcome is a failure then */
    /* Its way: for handoff.c and pending_message.c. */
    atomic_int shares;
    _Atomic uint32_t word;        /* where it is, whether somebody sleeps until it is settled, its outcome then */
    struct pending_message *next; /* in the handoff, under its mutex */
    uint8_t body[];
};

/* A message with room for `capacity` bytes of body, owned by the caller alone. NULL without memory. */
struct pending_message *message_new(size_t capacity);
/* The same message with room for more, the body kept; only before it is submitted. NULL without memory: `message` lives
   on. */
struct pending_message *message_grow(struct pending_message *message, size_t capacity);
/* A message of its own with the same content, that nobody has seen: for trying elsewhere what ended as PUBLISH_TIMEOUT,
   since the taker may still settle the first. NULL without memory. */
struct pending_message *message_copy(const struct pending_message *message);
/* Lets go of one share. NULL is fine. */
void message_release(struct pending_message *message);

struct bytes message_body_bytes(const struct pending_message *message);
void message_set_event(struct pending_message *message, const struct envelope *envelope);
/* Copies `reason` and `detail`, as much as there is room for. */
void message_set_rejected(struct pending_message *message, const struct envelope *envelope, const char *reason,
                          const char *detail);

/* ---- who waits; after handoff_offer ---- */

/* Waits until until_ms for it to have its outcome, and gives nothing up: true if it has, and message_await returns it at
   once. */
bool message_wait(struct pending_message *message, int64_t until_ms);
/* Waits for the outcome until deadline_ms (CLOCK_MONOTONIC). A message not yet taken at the deadline is not sent. After anything
   but PUBLISH_TIMEOUT the taker has let go: the same message may be offered again, to this handoff or another. */
enum publish_outcome message_await(struct pending_message *message, int64_t deadline_ms);

/* ---- the taker ---- */

/* Tells the waiter and lets go of the taker's share. False if nobody waits any more. */
bool message_settle(struct pending_message *message, enum publish_outcome outcome);
/* Tells the waiter PUBLISH_TIMEOUT before its deadline. The taker keeps its share, to be settled by a late word. */
void message_give_up(struct pending_message *message);

/* ---- the handoff ---- */

/* Before anyone else sees it; after this it may not be moved. */
void message_begin(struct pending_message *message);
/* Marks it as taken. False if its waiter has gone. */
bool message_claim(struct pending_message *message);

#endif
