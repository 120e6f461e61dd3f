/* An event → the bytes that the script reads with one struct.unpack. Pure. The layout is stated once, in
   event_pack.c, and matches EVENT_FORMAT of the script. */
#ifndef DROPBRIDGE_EVENT_PACK_H
#define DROPBRIDGE_EVENT_PACK_H

#include "event.h"

#include <stddef.h>
#include <stdint.h>

/* The largest packed event: fixed fields, both ids, campaign, phones, times, foreign_id, raw text, with their lengths.
 */
enum { EVENT_PACK_MAX = 512 + LIMIT_FOREIGN_ID + LIMIT_EVENT_ID };

/* Writes the event to `out` and returns the length. */
size_t event_pack(const struct event *event, uint8_t out[EVENT_PACK_MAX]);

/* The hash that spreads packed ids over the buckets of a generation; script/52_lookups.lua computes the same. */
uint32_t event_id_hash(const uint8_t *packed, size_t len);

#endif
