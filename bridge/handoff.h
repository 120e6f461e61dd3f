/* The bounded hand-off from the threads that bring messages to the one that takes them: a publisher, or the spool's writer (the
   taker). */
#ifndef DROPBRIDGE_HANDOFF_H
#define DROPBRIDGE_HANDOFF_H

#include "common/error.h"
#include "pending_message.h"

enum broker_state { BROKER_AWAY, BROKER_BLOCKED, BROKER_OPEN };

struct handoff;

struct handoff *handoff_new(size_t max_messages, size_t max_bytes, struct error *error);
/* Nobody may use it any more; waiting messages are failed. NULL is fine. */
void handoff_free(struct handoff *queue);

/* Any thread: hands the message over, without waiting. True: the taker has it or will, and message_await must follow, by
   the same thread. False: *outcome is PUBLISH_FULL or PUBLISH_AWAY. The caller keeps its share. */
bool handoff_offer(struct handoff *queue, struct pending_message *message, enum publish_outcome *outcome);
/* The same, and message_await. */
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
