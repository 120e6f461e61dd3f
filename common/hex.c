#include "hex.h"

void hex_encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 0x0f];
    }
    out[2 * len] = '\0';
}

int hex_digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, size_t text_len, uint8_t *out, size_t out_len)
{
    if (text_len % 2 != 0 || text_len / 2 != out_len)
        return false;
    for (size_t i = 0; i < text_len; i++) {
        if (hex_digit_value(text[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < out_len; i++)
        out[i] = (uint8_t)(hex_digit_value(text[2 * i]) * 16 + hex_digit_value(text[2 * i + 1]));
    return true;
}
