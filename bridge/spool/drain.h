/* Brings the spool back to the broker: a thread that publishes what waits there, oldest first and some at a time, beside live
   traffic, and deletes each message after its confirm. What fails stays and is tried again in the next pass, with growing
   pauses; one message that cannot be published does not hold up the others. One that ends the channel or the connection each
   time (RabbitMQ's max_message_size) is found by sending it alone, and then tried every two minutes only. */
#ifndef DROPBRIDGE_SPOOL_DRAIN_H
#define DROPBRIDGE_SPOOL_DRAIN_H

#include "bridge/broker/pool.h"
#include "common/error.h"
#include "spool.h"

struct spool_drain;

/* The pointers must outlive it. `pause_max_ms`: the longest pause after a failure; `round_ms`: how long the confirms of what
   is out are waited for; 0: the usual. NULL with *error on failure. */
struct spool_drain *spool_drain_start(struct spool *spool, struct broker_pool *publishers, int64_t pause_max_ms,
                                      int64_t round_ms, struct error *error);
/* Takes nothing more, waits for what is at the broker until deadline_ms (CLOCK_MONOTONIC), frees. What has no confirm by then
   stays in the spool. NULL is fine. */
void spool_drain_stop(struct spool_drain *drain, int64_t deadline_ms);

/* Any thread: the message that is held back, for people; "" if none is. */
void spool_drain_problem(struct spool_drain *drain, char out[ERROR_TEXT]);

#endif
