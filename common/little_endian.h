/* Little-endian integers of a fixed width, as the struct library of Redis's Lua reads them. */
#ifndef DROPBRIDGE_LITTLE_ENDIAN_H
#define DROPBRIDGE_LITTLE_ENDIAN_H

#include <stdint.h>

/* Writes the low `width` bytes of `value`; returns where they end. */
static inline uint8_t *put_little_endian(uint8_t *at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static inline uint64_t get_little_endian(const uint8_t *at, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
