/* Where a verified message becomes safe: at the broker, else in the spool, in time for the answer. Any thread. */
#ifndef DROPBRIDGE_KEEPER_H
#define DROPBRIDGE_KEEPER_H

#include "bridge_metrics.h"
#include "ticket_queue.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* The answer must have left within 4 s of the last byte of the body (INTERFACE, "Routes"). */
    KEEPER_ANSWER_MS = 3800,
};

/* Pure: the two places are ports, so that the policy can be tested without either. */
struct keeper {
    enum publish_outcome (*publish)(void *context, struct ticket *ticket, int64_t deadline_ms);
    enum publish_outcome (*spool)(void *context, struct ticket *ticket, int64_t deadline_ms);
    void *context;
    struct bridge_metrics *metrics;
    int64_t confirm_timeout_ms; /* at most KEEPER_ANSWER_MS - what the spool needs (bridge_config) */
};

/* True once the message is safe; false when neither place has it in time. `arrived_ms` (CLOCK_MONOTONIC): when the body
   was complete. `last_ms`: the latest that an outcome is waited for, INT64_MAX unless the program is stopping. The
   caller keeps its share of the ticket. Counts accepted by_broker and by_spool. */
bool keeper_keep(const struct keeper *keeper, struct ticket *ticket, int64_t arrived_ms, int64_t last_ms);

#endif
