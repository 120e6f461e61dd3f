/* Hexadecimal. Pure. */
#ifndef DROPBRIDGE_HEX_H
#define DROPBRIDGE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * len lower-case digits and a NUL to `out`, which must hold them. */
void hex_encode(const uint8_t *data, size_t len, char *out);

/* Exactly 2 * out_len digits of either case. False, with `out` untouched, on anything else. */
bool hex_decode(const char *text, size_t text_len, uint8_t *out, size_t out_len);

/* The value of a digit, or -1. */
int hex_digit_value(char digit);

#endif
