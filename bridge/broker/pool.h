/* The publishing connections: one thread each, which alone touches AMQP. HTTP threads hand over messages and wait. */
#ifndef DROPBRIDGE_BROKER_POOL_H
#define DROPBRIDGE_BROKER_POOL_H

#include "common/amqp_session.h"
#include "common/error.h"
#include "bridge/metrics.h"
#include "bridge/handoff.h"
#include "availability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker_pool;

/* Starts `count` threads, which connect and reconnect by themselves, whatever the broker says: one that refuses (a
   password, a queue's arguments) is mended without a restart. The strings in `amqp` and `metrics` must outlive them.
   NULL with *error on failure. */
struct broker_pool *pool_start(const struct amqp_settings *amqp, size_t count, int64_t confirm_timeout_ms,
                               struct bridge_metrics *metrics, struct error *error);

/* Any thread: whether every publisher is connected, or has tried each URL once. */
bool pool_has_tried(struct broker_pool *pool);

/* Any thread: gives the message to a usable publisher and waits for the outcome until deadline_ms (CLOCK_MONOTONIC); to
   the next one if the first cannot take it or loses its connection. PUBLISH_AWAY at once when none is usable. A broker
   that has left a message unconfirmed for confirm_timeout_ms is not usable until it confirms again; who waits for it
   then gets PUBLISH_TIMEOUT. */
enum publish_outcome pool_submit(struct broker_pool *pool, struct pending_message *message, int64_t deadline_ms);

/* Any thread: gives the message to a usable publisher without waiting: as handoff_offer. */
bool pool_offer(struct broker_pool *pool, struct pending_message *message, enum publish_outcome *outcome);

/* Any thread; does not block. Events are offered to a broker that refuses them all the same. */
void pool_status(struct broker_pool *pool, struct broker_status *out);

/* From now on a connection that is not there is not opened any more, so that a stop need not wait for it. */
void pool_stop_connecting(struct broker_pool *pool);

/* Waits until deadline_ms for outstanding confirms, closes the connections, frees. A call that is under way a second
   after that time is cut. Nobody may submit any more. NULL is fine. */
void pool_stop(struct broker_pool *pool, int64_t deadline_ms);

#endif
