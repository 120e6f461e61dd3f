#include "normalize.h"

#include "common/hex.h"
#include "common/sha256.h"
#include "common/strict_json.h"
#include "common/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECT_ID_HEX = 24,
    OBJECT_ID_SIZE = 12,
    UUID_TEXT = 36,
    UUID_SIZE = 16,
    TEXT_ID_MAX = 32,
};

bool money_of(const struct json_value *value, int64_t *micros)
{
    if (value->kind != JSON_NUMBER && !strict_json_is_number(value->text))
        return false;
    const double dollars = value->kind == JSON_NUMBER ? value->number : strtod((const char *)value->text.data, NULL);
    if (!(dollars >= 0) || dollars > MONEY_MAX_DOLLARS)
        return false;
    *micros = llround(dollars * 1e6);
    return true;
}

/* The digits of an ObjectID or a UUID, the latter without its dashes; 0 for any other text. */
static size_t hex_digits_of(struct bytes id, char digits[2 * UUID_SIZE])
{
    const bool uuid = id.len == UUID_TEXT;
    size_t count = 0;
    for (size_t i = 0; (uuid || id.len == OBJECT_ID_HEX) && i < id.len; i++) {
        const bool dash = uuid && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash != (id.data[i] == '-'))
            return 0;
        if (!dash)
            digits[count++] = (char)id.data[i];
    }
    return count;
}

static bool pack_digits(struct bytes id, struct event_id *out)
{
    char digits[2 * UUID_SIZE];
    const size_t count = hex_digits_of(id, digits);
    if (count == 0 || !hex_decode(digits, count, out->packed, count / 2))
        return false;
    out->packed_len = (uint8_t)(count / 2);
    text_lower(id, out->text);
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
    if (pack_digits(id, out))
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
