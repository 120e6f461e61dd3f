#include "outage.h"

void outage_init(struct outage *outage, int64_t limit_ms)
{
    *outage = (struct outage){.limit_ms = limit_ms};
}

void outage_end(struct outage *outage)
{
    outage->away = false;
}

void outage_note(struct outage *outage, int64_t now_ms)
{
    if (!outage->away)
        outage->since_ms = now_ms;
    outage->away = true;
}

bool outage_too_long(const struct outage *outage, int64_t now_ms)
{
    return outage->away && now_ms - outage->since_ms >= outage->limit_ms;
}
