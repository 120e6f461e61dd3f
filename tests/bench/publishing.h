/* Publishes many events with confirms. One thread. */
#ifndef DROPBRIDGE_BENCH_PUBLISHING_H
#define DROPBRIDGE_BENCH_PUBLISHING_H

#include "common/amqp_session.h"
#include "common/buf.h"
#include "common/envelope.h"
#include "common/error.h"
#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct publishing;

/* Makes the message with this number, from 0 on: what `envelope` (which has received_at_ms and message_id) does not say
   yet, and the body into the empty `body`. False when that has no room. */
typedef bool publishing_make(void *context, uint64_t number, struct envelope *envelope, struct buf *body);

struct publishing_plan {
    uint64_t events;
    uint64_t window; /* so many may be under way; 0: as many as the bridge has */
    bool apart;      /* each leaves by itself, as librabbitmq sends it, instead of many together */
    double rate;     /* a second, evenly spaced; 0: as fast as confirms come */
    struct histogram *latency; /* of confirms, with a rate from when the event was due; NULL: nobody asks */
};

/* Connects and declares the product's topology. The settings, and what the plan points to, must outlive it. NULL with
   *error on failure. */
struct publishing *publishing_new(const struct amqp_settings *settings, const struct publishing_plan *plan,
                                  struct error *error);
void publishing_free(struct publishing *publishing); /* NULL is fine */

/* Publishes all events to settings->queue; true when the broker has confirmed each. */
bool publishing_run(struct publishing *publishing, publishing_make *make, void *context, struct error *error);

#endif
