/* To the rejected queue: publishes messages that cannot be counted, byte for byte, and notes which of them the broker
   holds. It has a connection of its own, opened when first needed and closed when idle: RabbitMQ stops reading from a
   connection that publishes during a memory or disk alarm, and the acknowledgements that would end the alarm must not
   wait behind. One thread owns a rejecter. */
#ifndef DROPBRIDGE_REJECT_H
#define DROPBRIDGE_REJECT_H

#include "common/amqp_session.h"
#include "common/timers.h"
#include "common/watchdog.h"
#include "delivery.h"

enum {
    REJECT_CONFIRM_TIMEOUT_MS = TIMER_MS(10000), /* without a confirm something is wrong */
    REJECT_GIVE_UP_MS = 60000,                   /* then another connection is tried: what was sent comes twice */
    REJECT_IDLE_MS = TIMER_MS(5000),
    REJECT_STUCK_MS = 1000, /* a call that takes this much longer than it should is broken off */
};

struct rejecter;

/* Does not connect. What the settings point to, and the watchdog, must outlive the rejecter. NULL when out of memory.
 */
struct rejecter *rejecter_new(const struct amqp_settings *settings, struct watchdog *dog);
/* NULL is fine. */
void rejecter_free(struct rejecter *rejecter);

/* Brings the messages of the list a step further: takes in what the broker has said, and publishes what was not
   published on this connection, with x-reject-reason and x-reject-detail, to the fanout exchange named as the rejected
   queue. Does not wait for confirms. The messages of the call before that are not confirmed are to be among these, in
   their order: those left out are forgotten. Sets reject_confirmed of those that the broker holds, whatever is
   returned. True if all goes well; false with *error after a return (no queue took it), a nack, a lost connection,
   while the broker takes nothing, and when a confirm is overdue. Returns at once, but takes seconds to connect to a
   broker that stands still, and REJECT_STUCK_MS when it stops reading. */
bool rejecter_publish(struct rejecter *rejecter, struct delivery *first, struct error *error);

/* Closes the connection if it has not been used for REJECT_IDLE_MS; so that its heartbeats need no care. Call every
   second or so. */
void rejecter_tend(struct rejecter *rejecter);

#endif
