/* Drops of a campaign as they are told by callbacks (dialect B) and status webhooks (dialect C), made from a number: each
   drop is distinct, and the same number and time make the same bytes. Pure; any thread. */
#ifndef DROPBRIDGE_BENCH_DROPS_H
#define DROPBRIDGE_BENCH_DROPS_H

#include "common/buf.h"
#include "common/envelope.h"

#include <stdbool.h>
#include <stdint.h>

enum { DROP_CAMPAIGNS = 5 };

/* What has to be counted once they are all drained. */
struct drop_sums {
    uint64_t drops, success, failure;
    uint64_t opted_out; /* distinct phones */
    uint64_t product_cost_micros, compliance_fee_micros, tts_fee_micros;
    struct {
        uint64_t success, failure;
    } campaigns[DROP_CAMPAIGNS];
};

/* One copy of a drop: its callback, or the status webhook that says the same. */
struct drop_copy {
    uint64_t drop;
    bool status;
};

/* Of 100 consecutive drops 92 are successes and 8 failures, two of them opt-outs. */
void drop_add(uint64_t drop, struct drop_sums *sums);

/* "bench-campaign-N" with N below DROP_CAMPAIGNS: what the callback's URL names. */
void drop_campaign(uint64_t drop, char out[LIMIT_CAMPAIGN + 1]);

/* The message for a copy, dated envelope->received_at_ms: appends the body, and fills in what the bridge would say of it
   beside the time and the message_id. False when `body` has no room. */
bool drop_message(struct drop_copy copy, struct envelope *envelope, struct buf *body);

/* Which copy stands at `place` of a queue that holds two of each of `drops` drops: the status webhook `apart` places
   behind the callback, or nearer where the drops end. */
struct drop_copy drop_copy_at(uint64_t place, uint64_t drops, uint64_t apart);

#endif
