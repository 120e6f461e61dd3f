#include "normalize.h"

#include "common/hex.h"
#include "common/sha256.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECT_ID_HEX = 24,
    OBJECT_ID_SIZE = 12,
    UUID_TEXT = 36,
    UUID_SIZE = 16,
    TEXT_ID_MAX = 32,
    /* No amount of money needs more; what is longer is no amount. */
    MONEY_TEXT = 64,
};

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool money_of_number(double dollars, int64_t *micros)
{
    if (!isfinite(dollars) || dollars < 0 || dollars > MONEY_MAX_DOLLARS)
        return false;
    *micros = llround(dollars * 1e6);
    return true;
}

static size_t skip_digits(const char *text, size_t at)
{
    while (is_digit((uint8_t)text[at]))
        at++;
    return at;
}

/* RFC 8259's number, nothing before or behind it: strtod alone takes hexadecimal, names and spaces. */
static bool is_json_number(const char *text)
{
    size_t at = text[0] == '-';
    size_t end = skip_digits(text, at);
    if (end == at || (text[at] == '0' && end > at + 1))
        return false;
    if (text[end] == '.') {
        at = end + 1;
        end = skip_digits(text, at);
        if (end == at)
            return false;
    }
    if (text[end] == 'e' || text[end] == 'E') {
        at = end + 1;
        if (text[at] == '+' || text[at] == '-')
            at++;
        end = skip_digits(text, at);
        if (end == at)
            return false;
    }
    return text[end] == '\0';
}

bool money_of_text(struct bytes text, int64_t *micros)
{
    char copy[MONEY_TEXT];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return is_json_number(copy) && money_of_number(strtod(copy, NULL), micros);
}

static bool is_name_byte(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '.' ||
           byte == '_' || byte == '-';
}

/* False if the encoded name is longer than LIMIT_CAMPAIGN. */
static bool percent_encode(struct bytes id, bool all, char out[LIMIT_CAMPAIGN + 1])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < id.len; i++) {
        bool plain = !all && is_name_byte(id.data[i]);
        if (len + (plain ? 1 : 3) > LIMIT_CAMPAIGN)
            return false;
        if (plain) {
            out[len++] = (char)id.data[i];
        } else {
            out[len++] = '%';
            out[len++] = digits[id.data[i] >> 4];
            out[len++] = digits[id.data[i] & 15];
        }
    }
    out[len] = '\0';
    return true;
}

bool campaign_of_id(struct bytes id, char out[LIMIT_CAMPAIGN + 1])
{
    bool dots = bytes_equal(id, bytes_of_text(".")) || bytes_equal(id, bytes_of_text(".."));
    char name[LIMIT_CAMPAIGN + 1];
    if (!percent_encode(id, dots, name)) {
        uint8_t digest[SHA256_SIZE];
        if (!sha256(id, digest))
            return false;
        hex_encode(digest, SHA256_SIZE / 2, name);
    }
    memcpy(out, name, strlen(name) + 1);
    return true;
}

static void lower_case(struct bytes text, char *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    out[text.len] = '\0';
}

static bool pack_object_id(struct bytes id, struct event_id *out)
{
    if (id.len != OBJECT_ID_HEX || !hex_decode((const char *)id.data, id.len, out->packed, OBJECT_ID_SIZE))
        return false;
    out->packed_len = OBJECT_ID_SIZE;
    lower_case(id, out->text);
    return true;
}

static bool pack_uuid(struct bytes id, struct event_id *out)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    char digits[2 * UUID_SIZE];
    size_t from = 0;
    size_t to = 0;
    if (id.len != UUID_TEXT)
        return false;
    for (size_t group = 0; group < sizeof groups / sizeof groups[0]; group++) {
        if (group > 0 && id.data[from++] != '-')
            return false;
        memcpy(digits + to, id.data + from, groups[group]);
        from += groups[group];
        to += groups[group];
    }
    if (!hex_decode(digits, to, out->packed, UUID_SIZE))
        return false;
    out->packed_len = UUID_SIZE;
    lower_case(id, out->text);
    return true;
}

/* 't' and the text; where that has the length of a packed ObjectID or UUID, 'T', the text and a dot. */
static void pack_text(struct bytes id, struct event_id *out)
{
    bool ambiguous = id.len + 1 == OBJECT_ID_SIZE || id.len + 1 == UUID_SIZE;
    out->packed[0] = ambiguous ? 'T' : 't';
    memcpy(out->packed + 1, id.data, id.len);
    if (ambiguous)
        out->packed[id.len + 1] = '.';
    out->packed_len = (uint8_t)(id.len + 1 + ambiguous);
}

static bool pack_hash(struct bytes data, struct event_id *out)
{
    if (!sha256(data, out->packed + 1))
        return false;
    out->packed[0] = 'h';
    out->packed_len = SHA256_SIZE + 1;
    return true;
}

bool event_id_of_text(struct bytes id, struct event_id *out)
{
    if (pack_object_id(id, out) || pack_uuid(id, out))
        return true;
    /* A NUL does not survive in the text that is shown: such ids are told apart by their hash. */
    if (id.len <= TEXT_ID_MAX && !memchr(id.data, '\0', id.len))
        pack_text(id, out);
    else if (!pack_hash(id, out))
        return false;
    text_for_display(id, LIMIT_EVENT_ID, out->text);
    return true;
}

bool event_id_of_body(struct bytes body, struct event_id *out)
{
    out->text[0] = '\0';
    return pack_hash(body, out);
}

void text_for_display(struct bytes text, size_t limit, char *out)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t len = 0;
    size_t at = 0;
    while (at < text.len) {
        bool nul = text.data[at] == '\0';
        /* A character is its first byte and the continuation bytes behind it. */
        size_t width = 1;
        while (at + width < text.len && (text.data[at + width] & 0xc0) == 0x80)
            width++;
        size_t shown = nul ? sizeof replacement - 1 : width;
        if (len + shown > limit)
            break;
        memcpy(out + len, nul ? (const void *)replacement : text.data + at, shown);
        len += shown;
        at += width;
    }
    out[len] = '\0';
}
