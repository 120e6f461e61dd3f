/* To the rejected queue: publishes messages that cannot be counted, byte for byte, and waits until the broker holds
   them. It has a connection of its own, opened when first needed and closed when idle: RabbitMQ stops reading from a
   connection that publishes during a memory or disk alarm, and the acknowledgements that would end the alarm must not
   wait behind. One thread owns a rejecter. */
#ifndef DROPBRIDGE_REJECT_H
#define DROPBRIDGE_REJECT_H

#include "../common/amqp_session.h"
#include "../common/watchdog.h"
#include "batch.h"

enum {
    REJECT_CONFIRM_TIMEOUT_MS = 10000,
    REJECT_IDLE_MS = 5000,
    REJECT_STUCK_MS = 5000, /* a call that takes this much longer than it should is broken off */
};

struct rejecter;

/* Does not connect. What the settings point to, and the watchdog, must outlive the rejecter. NULL when out of memory.
 */
struct rejecter *rejecter_new(const struct amqp_settings *settings, const char *name, struct watchdog *dog);
/* NULL is fine. */
void rejecter_free(struct rejecter *rejecter);

/* Publishes each rejection that is not confirmed, with x-reject-reason and x-reject-detail, to the fanout exchange
   named as the rejected queue, and waits for the confirms. True when all are confirmed. False with *error after a
   return (no queue took it), a nack, a timeout or a lost connection; those confirmed by then are marked.
   Returns within REJECT_CONFIRM_TIMEOUT_MS and REJECT_STUCK_MS if the broker stands still. */
bool rejecter_publish(struct rejecter *rejecter, struct rejection *rejections, size_t count, struct error *error);

/* Closes the connection if it has not been used for REJECT_IDLE_MS; so that its heartbeats need no care. Call every
   second or so. */
void rejecter_tend(struct rejecter *rejecter);

#endif
