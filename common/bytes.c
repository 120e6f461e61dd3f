#include "bytes.h"

void bytes_copy_text(struct bytes text, char *out, size_t size)
{
    if (text.len == 0 || text.len >= size || memchr(text.data, '\0', text.len))
        return;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

int bytes_compare(struct bytes a, struct bytes b)
{
    const size_t shorter = a.len < b.len ? a.len : b.len;
    const int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

/* The length that a lead byte announces, with the smallest and greatest second byte it allows (RFC 3629, section 4:
   no overlong forms, no surrogates, nothing past U+10FFFF). 0: no lead byte. */
static size_t utf8_lead(uint8_t lead, uint8_t *second_min, uint8_t *second_max)
{
    *second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

size_t bytes_utf8_character(struct bytes text)
{
    uint8_t second_min = 0;
    uint8_t second_max = 0;

    if (text.len == 0)
        return 0;
    const size_t len = utf8_lead(text.data[0], &second_min, &second_max);
    if (len > text.len)
        return 0;
    if (len >= 2 && (text.data[1] < second_min || text.data[1] > second_max))
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

size_t bytes_utf8_prefix(struct bytes text, size_t limit)
{
    if (text.len <= limit)
        return text.len;
    for (size_t back = 1; back <= 3 && back <= limit; back++) {
        const size_t start = limit - back;
        const size_t len = bytes_utf8_character(bytes_of(text.data + start, text.len - start));
        if (len > back)
            return start;
        if (len > 0)
            break;
    }
    return limit;
}
