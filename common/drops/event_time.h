/* Times as the vendor writes them (docs/classification.md, "Time"). Pure. */
#ifndef DROPBRIDGE_EVENT_TIME_H
#define DROPBRIDGE_EVENT_TIME_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* 2000-01-01T00:00:00Z: an event cannot be older. */
#define EVENT_TIME_FIRST_MS INT64_C(946684800000)
/* How far ahead of its receipt an event may claim to be. */
#define EVENT_TIME_AHEAD_MS INT64_C(86400000)

/* "2026-03-20", "2026-03-20T15:04:05.123Z", "2026-03-20t15:04:05z", "2026-03-20 15:04:05 UTC", "2026-03-20
   15:04+01", or digits (epoch). False, with *ms untouched, on anything else, days that no month has included. */
bool event_time_of_text(struct bytes text, int64_t *ms);

/* Epoch: from 10^11 on milliseconds, else seconds. False if not finite. Values past any calendar are clamped. */
bool event_time_of_number(double number, int64_t *ms);

#endif
