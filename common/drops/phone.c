#include "phone.h"

#include "common/text.h"

#include <string.h>

enum {
    PHONE_DIGITS_MIN = 7,
    PHONE_DIGITS = LIMIT_PHONE - 1,
    /* Digits with some parentheses: what is longer is no number. */
    PHONE_SKELETON = 31,
    NORTH_AMERICAN_DIGITS = 10,
};

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Whether what follows is no part of the number: "x22", "ext. 22", ";ext=22", "#22"; ",,22" waits and dials. */
static bool begins_extension(struct bytes rest)
{
    return text_begins(rest, "x") || text_begins(rest, "ext") || memchr("#;,", rest.data[0], 3) != NULL;
}

static struct bytes number_part(struct bytes text)
{
    static const char scheme[] = "tel:";
    size_t len = 0;
    text = text_trim(text);
    if (text_begins(text, scheme))
        text = bytes_of(text.data + strlen(scheme), text.len - strlen(scheme));
    while (len < text.len && !begins_extension(bytes_of(text.data + len, text.len - len)))
        len++;
    return bytes_of(text.data, len);
}

/* Its digits, parentheses and plus signs, no parenthesis in front. False if letters or `@` are among them, or if it is
   longer than any number. */
static bool skeleton_of(struct bytes text, char out[PHONE_SKELETON + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '@')
            return false;
        bool parenthesis = byte == '(' || byte == ')';
        if (!is_digit(byte) && byte != '+' && (!parenthesis || len == 0))
            continue;
        if (len == PHONE_SKELETON)
            return false;
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return true;
}

/* Behind "+", "011" or "00"; NULL if it begins with none of them. */
static const char *behind_prefix(const char *skeleton)
{
    static const char *const prefixes[] = {"+", "011", "00"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(skeleton, prefixes[i], strlen(prefixes[i])) == 0)
            return skeleton + strlen(prefixes[i]);
    }
    return NULL;
}

bool phone_normalize(struct bytes text, char out[LIMIT_PHONE + 1])
{
    static const char trunk[] = "(0)";
    char skeleton[PHONE_SKELETON + 1] = "";
    char digits[PHONE_SKELETON + 1];
    size_t count = 0;
    if (!skeleton_of(number_part(text), skeleton))
        return false;
    const char *from = behind_prefix(skeleton);
    const char *dropped = from ? strstr(from, trunk) : NULL;
    for (const char *at = from ? from : skeleton; *at; at++) {
        if (at == dropped)
            at += strlen(trunk) - 1;
        else if (is_digit((uint8_t)*at))
            digits[count++] = *at;
    }
    digits[count] = '\0';
    bool national = !from && count == NORTH_AMERICAN_DIGITS;
    if (count < PHONE_DIGITS_MIN || count > PHONE_DIGITS || (digits[0] == '0' && !national))
        return false;
    size_t at = 0;
    out[at++] = '+';
    if (national)
        out[at++] = '1';
    memcpy(out + at, digits, count + 1);
    return true;
}

struct phone phone_pack(const char *text)
{
    struct phone phone = {0};
    unsigned digits = 0;

    for (const char *at = text; *at && digits < PHONE_DIGITS; at++) {
        unsigned value;

        if (*at < '0' || *at > '9')
            continue;
        value = (unsigned)(*at - '0') + 1;
        if (digits++ % 2 == 0)
            phone.packed[phone.len++] = (uint8_t)(value << 4);
        else
            phone.packed[phone.len - 1] |= (uint8_t)value;
    }
    return phone;
}

void phone_text(const struct phone *phone, char out[LIMIT_PHONE + 1])
{
    size_t len = 0;

    if (phone->len > 0)
        out[len++] = '+';
    for (size_t i = 0; i < phone->len; i++) {
        unsigned high = phone->packed[i] >> 4, low = phone->packed[i] & 0x0f;

        out[len++] = (char)('0' + high - 1);
        if (low > 0)
            out[len++] = (char)('0' + low - 1);
    }
    out[len] = '\0';
}

int phone_compare(const struct phone *a, const struct phone *b)
{
    return bytes_compare(bytes_of(a->packed, a->len), bytes_of(b->packed, b->len));
}
