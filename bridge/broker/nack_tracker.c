#include "nack_tracker.h"

void nack_tracker_nacked(struct nack_tracker *refusal, int64_t now_ms)
{
    if (refusal->since_ms == 0)
        refusal->since_ms = now_ms;
    refusal->last_ms = now_ms;
    refusal->lasts |= now_ms - refusal->since_ms >= NACKS_LASTS_MS;
}

void nack_tracker_acked(struct nack_tracker *refusal)
{
    *refusal = (struct nack_tracker){.since_ms = 0};
}

void nack_tracker_new_channel(struct nack_tracker *refusal)
{
    refusal->since_ms = 0;
}

void nack_tracker_new_connection(struct nack_tracker *refusal)
{
    *refusal = (struct nack_tracker){.lasts = refusal->lasts};
}

bool nack_tracker_asks_afresh(const struct nack_tracker *refusal, int64_t now_ms)
{
    return refusal->lasts && refusal->since_ms && now_ms - refusal->since_ms > NACKS_ASKS_AFRESH_MS;
}

int64_t nack_tracker_told_ms(const struct nack_tracker *refusal)
{
    return refusal->lasts ? refusal->last_ms : 0;
}
