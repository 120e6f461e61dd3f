/* Whether the broker refuses (nacks) all that goes to one queue, by the confirms of the channel that leads there. What
   it nacked last tells nothing about what it will do later: only another message can. Pure; one thread. */
#ifndef DROPBRIDGE_REFUSAL_H
#define DROPBRIDGE_REFUSAL_H

#include "../common/timers.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Nacks only for so long are more than a queue that is full for a moment. */
    REFUSAL_LASTS_MS = TIMER_MS(1000),
    /* A queue that was full may be so no more, and its channel not know it (3.10 forgets to say so when the limit
       itself is taken away). A new channel asks afresh. */
    REFUSAL_ASKS_AFRESH_MS = TIMER_MS(20000),
    /* For so long a nack speaks of the messages to come. Longer than two of the drain's pauses: what waits in the spool
       keeps on asking. */
    REFUSAL_TRUSTED_MS = TIMER_MS(12000),
};

/* All zero: nothing was nacked yet. Times in ms of CLOCK_MONOTONIC, 0: none. */
struct refusal {
    int64_t since_ms; /* of the first nack on this channel with no ack after it */
    int64_t last_ms;  /* of the last one on this connection */
    bool lasts;       /* nacks only for REFUSAL_LASTS_MS; stays so, whatever the connection, until an ack */
};

void refusal_nacked(struct refusal *refusal, int64_t now_ms);
void refusal_acked(struct refusal *refusal);
/* Another channel to the same broker, and likely to the same end. */
void refusal_new_channel(struct refusal *refusal);
/* Another connection, which has nacked nothing yet. */
void refusal_new_connection(struct refusal *refusal);

/* Whether it is time for another channel. */
bool refusal_asks_afresh(const struct refusal *refusal, int64_t now_ms);
/* The last nack of a refusal that lasts, by this connection; else 0. */
int64_t refusal_told_ms(const struct refusal *refusal);

#endif
