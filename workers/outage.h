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

void outage_init(struct outage *outage, int64_t limit_ms);

/* A try, of whatever kind, succeeded or failed. */
void outage_end(struct outage *outage);
void outage_note(struct outage *outage, int64_t now_ms);

/* Whether all tries have failed for the limit or longer. Waiting without trying proves nothing: the time counts from
   the first failure, and the next success ends it. */
bool outage_too_long(const struct outage *outage, int64_t now_ms);

#endif
