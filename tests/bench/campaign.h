/* Events as a campaign's dashboard webhooks bring them (dialect A), made from a number: each is distinct, and the same
   number and time make the same bytes. Pure; any thread. */
#ifndef DROPBRIDGE_BENCH_CAMPAIGN_H
#define DROPBRIDGE_BENCH_CAMPAIGN_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { CAMPAIGNS = 20 };

/* Appends the body of event `number`, dated at_ms (wall clock). Of 1,000 consecutive ones 860 are delivered, 120 failed
   with one of several reasons and 20 opted out, spread over CAMPAIGNS campaigns. False when `out` has no room. */
bool campaign_event(uint64_t number, int64_t at_ms, struct buf *out);

#endif
