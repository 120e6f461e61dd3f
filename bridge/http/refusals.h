/* What was refused: each webhook or callback among it is a result lost, so each kind (code and campaign) is logged when it first
   comes and then once an hour with its count, and /readyz lists it. Bounded: past 64 kinds the rest is one, "others"; a kind that
   has been quiet for a day gives its place to a new one. Any thread; reads no clock. */
#ifndef DROPBRIDGE_HTTP_REFUSALS_H
#define DROPBRIDGE_HTTP_REFUSALS_H

#include "bridge/ingest.h"
#include "common/buf.h"

#include <stdint.h>

enum {
    REFUSALS_KINDS = 64,
    REFUSALS_AGAIN_MS = 3600 * 1000,
    REFUSALS_QUIET_MS = 24 * 3600 * 1000,
};

struct refusal {
    enum response answer; /* one with a remedy (response_row) */
    const struct ingest_request *request;
    const struct route_match *match;
    const char *address; /* of the client */
    const char *problem; /* what is wrong with a bad request; NULL: not known */
};

/* NULL without memory. Free takes NULL. */
struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);

/* Nothing that is not POST and not for a route of events is noted: that is no event. A POST to an unknown path without a signature
   and without a word of ours in the path is most likely a scanner's: it is a kind of its own, logged as info. now_ms:
   CLOCK_MONOTONIC. */
void refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms, int64_t wall_ms);

/* Logs the counts whose hour is over; at INT64_MAX all that is not told yet. */
void refusals_tell(struct refusals *refusals, int64_t now_ms);

/* Appends `,"refused":[…]`, the kind refused last in front; at most 48 KiB. */
void refusals_report(struct refusals *refusals, struct buf *members);

#endif
