/* How long Redis has been away: whether to go on holding messages for it, or to give them back. Pure: times are passed
   in (monotonic ms). */
#ifndef DROPBRIDGE_OUTAGE_H
#define DROPBRIDGE_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct outage {
    int64_t limit_ms;
    bool away;        /* the last try failed */
    int64_t since_ms; /* of the first failure behind the last success; only while `away` */
};

/* A try, of whatever kind, succeeded or failed. */
static inline void outage_end(struct outage *outage)
{
    outage->away = false;
}

static inline void outage_note(struct outage *outage, int64_t now_ms)
{
    outage->since_ms = outage->away ? outage->since_ms : now_ms;
    outage->away = true;
}

/* Whether all tries have failed for the limit or longer. Waiting without trying proves nothing: the time counts from
   the first failure, and the next success ends it. */
static inline bool outage_too_long(const struct outage *outage, int64_t now_ms)
{
    return outage->away && now_ms - outage->since_ms >= outage->limit_ms;
}

#endif
