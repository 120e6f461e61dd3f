/* FNV-1a, 32 bits: for tables, and for the buckets of drops (docs/redis-keys.md), so it never changes. */
#ifndef DROPBRIDGE_FNV1A_H
#define DROPBRIDGE_FNV1A_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A_BEGIN UINT32_C(2166136261)

/* Goes on from `hash`, which is FNV1A_BEGIN or the hash of what stands ahead of these bytes. */
static inline uint32_t fnv1a(const void *data, size_t len, uint32_t hash)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(16777619);
    return hash;
}

#endif
