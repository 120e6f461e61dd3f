/* The events that were answered 200 lately, by their bytes: the same bytes again are the same event again. Bounded: the last
   RECENT_EVENTS of them, for RECENT_MS. Any thread. */
#ifndef DROPBRIDGE_RECENT_EVENTS_H
#define DROPBRIDGE_RECENT_EVENTS_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECENT_EVENTS = 65536, RECENT_MS = 15 * 60 * 1000 };

struct recent_events;

/* NULL without memory. */
struct recent_events *recent_events_new(void);
void recent_events_free(struct recent_events *recent);

/* SHA-256 of the bytes, of which so many are kept. */
enum { RECENT_DIGEST = 16 };

/* Whether they are known at now_ms (CLOCK_MONOTONIC). *digest is for recent_events_add; false, too, if libcrypto failed. */
bool recent_events_has(struct recent_events *recent, struct bytes body, int64_t now_ms, uint8_t digest[RECENT_DIGEST]);
/* They are safe, at the broker or in the spool. */
void recent_events_add(struct recent_events *recent, const uint8_t digest[RECENT_DIGEST], int64_t now_ms);

#endif
