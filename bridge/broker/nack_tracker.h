/* Whether the broker refuses (nacks) all that goes to one queue, by the confirms of the channel that leads there. What
   it nacked last tells nothing about what it will do later: only another message can. Pure; one thread. */
#ifndef DROPBRIDGE_BROKER_NACK_TRACKER_H
#define DROPBRIDGE_BROKER_NACK_TRACKER_H

#include "common/timers.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Nacks only for so long are more than a queue that is full for a moment. */
    NACKS_LASTS_MS = TIMER_MS(1000),
    /* A queue that was full may be so no more, and its channel not know it (3.10 forgets to say so when the limit
       itself is taken away). A new channel asks afresh. */
    NACKS_ASKS_AFRESH_MS = TIMER_MS(20000),
    /* For so long a nack speaks of the messages to come. Longer than two of the drain's pauses: what waits in the spool
       keeps on asking. */
    NACKS_TRUSTED_MS = TIMER_MS(12000),
};

/* All zero: nothing was nacked yet. Times in ms of CLOCK_MONOTONIC, 0: none. */
struct nack_tracker {
    int64_t since_ms; /* of the first nack on this channel with no ack after it */
    int64_t last_ms;  /* of the last one on this connection */
    bool lasts;       /* nacks only for NACKS_LASTS_MS; stays so, whatever the connection, until an ack */
};

void nack_tracker_nacked(struct nack_tracker *refusal, int64_t now_ms);
void nack_tracker_acked(struct nack_tracker *refusal);
/* Another channel to the same broker, and likely to the same end. */
void nack_tracker_new_channel(struct nack_tracker *refusal);
/* Another connection, which has nacked nothing yet. */
void nack_tracker_new_connection(struct nack_tracker *refusal);

/* Whether it is time for another channel. */
bool nack_tracker_asks_afresh(const struct nack_tracker *refusal, int64_t now_ms);
/* The last nack of a refusal that lasts, by this connection; else 0. */
int64_t nack_tracker_told_ms(const struct nack_tracker *refusal);

#endif
