/* Publishes many events with confirms, as many under way as the bridge has. One thread. */
#ifndef DROPBRIDGE_BENCH_PUBLISHING_H
#define DROPBRIDGE_BENCH_PUBLISHING_H

#include "common/amqp_session.h"
#include "common/buf.h"
#include "common/envelope.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct publishing;

/* Makes the message with this number, from 0 on: what `envelope` (which has received_at_ms and message_id) does not say
   yet, and the body into the empty `body`. False when that has no room. */
typedef bool publishing_make(void *context, uint64_t number, struct envelope *envelope, struct buf *body);

/* Connects and declares the product's topology. The settings must outlive it. NULL with *error on failure. */
struct publishing *publishing_new(const struct amqp_settings *settings, uint64_t events, struct error *error);
void publishing_free(struct publishing *publishing); /* NULL is fine */

/* Publishes all events to settings->queue; true when the broker has confirmed each. */
bool publishing_run(struct publishing *publishing, publishing_make *make, void *context, struct error *error);

#endif
