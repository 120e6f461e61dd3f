#include "refusal.h"

void refusal_nacked(struct refusal *refusal, int64_t now_ms)
{
    if (refusal->since_ms == 0)
        refusal->since_ms = now_ms;
    refusal->last_ms = now_ms;
    refusal->lasts |= now_ms - refusal->since_ms >= REFUSAL_LASTS_MS;
}

void refusal_acked(struct refusal *refusal)
{
    *refusal = (struct refusal){.since_ms = 0};
}

void refusal_new_channel(struct refusal *refusal)
{
    refusal->since_ms = 0;
}

void refusal_new_connection(struct refusal *refusal)
{
    *refusal = (struct refusal){.lasts = refusal->lasts};
}

bool refusal_asks_afresh(const struct refusal *refusal, int64_t now_ms)
{
    return refusal->lasts && refusal->since_ms && now_ms - refusal->since_ms > REFUSAL_ASKS_AFRESH_MS;
}

int64_t refusal_told_ms(const struct refusal *refusal)
{
    return refusal->lasts ? refusal->last_ms : 0;
}
