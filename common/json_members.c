#include "json_members.h"

#include "hex.h"

#include <stdlib.h>

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static struct bytes behind(struct bytes text, size_t len)
{
    return bytes_of(text.data + len, text.len - len);
}

/* Without the white space in front, and without what is `also` skipped. */
static struct bytes skip(struct bytes text, uint8_t also)
{
    while (text.len > 0 && (is_space(text.data[0]) || text.data[0] == also))
        text = behind(text, 1);
    return text;
}

/* The length of the text that begins with a quote, both quotes included. */
static size_t text_length(struct bytes text)
{
    size_t at = 1;
    while (at < text.len && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at < text.len ? at + 1 : text.len;
}

static size_t container_length(struct bytes text)
{
    size_t depth = 0;
    size_t at = 0;
    while (at < text.len) {
        const uint8_t byte = text.data[at];
        if (byte == '"') {
            at += text_length(behind(text, at));
            continue;
        }
        at++;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && --depth == 0)
            break;
    }
    return at;
}

/* Of a number, true, false or null. */
static size_t word_length(struct bytes text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != ',' && text.data[len] != '}' && text.data[len] != ']' &&
           !is_space(text.data[len]))
        len++;
    return len;
}

static struct bytes between_quotes(struct bytes text, size_t len)
{
    return bytes_of(text.data + 1, len >= 2 ? len - 2 : 0);
}

/* Returns the value's length. */
static size_t take_value(struct bytes text, struct json_value *value)
{
    size_t len = 0;
    switch (text.data[0]) {
    case '"':
        len = text_length(text);
        *value = (struct json_value){JSON_TEXT, between_quotes(text, len)};
        return len;
    case '{':
    case '[':
        len = container_length(text);
        *value = (struct json_value){text.data[0] == '{' ? JSON_OBJECT : JSON_ARRAY, bytes_of(text.data, len)};
        return len;
    default:
        break;
    }
    const enum json_kind kind = text.data[0] == 'n'                            ? JSON_NULL
                                : text.data[0] == 't' || text.data[0] == 'f' ? JSON_BOOLEAN
                                                                             : JSON_NUMBER;
    len = word_length(text);
    *value = (struct json_value){kind, bytes_of(text.data, len)};
    return len;
}

bool json_next_member(struct bytes *rest, struct bytes *name, struct json_value *value)
{
    struct bytes text = skip(*rest, ',');
    if (text.len > 0 && text.data[0] == '{')
        text = skip(behind(text, 1), ',');
    if (text.len == 0 || text.data[0] != '"')
        return false;
    const size_t len = text_length(text);
    *name = between_quotes(text, len);
    text = skip(behind(text, len), ':');
    if (text.len == 0)
        return false;
    *rest = behind(text, take_value(text, value));
    return true;
}

/* The four digits behind \u; -1 if there are fewer. */
static int32_t code_unit(struct bytes text)
{
    int32_t unit = 0;
    if (text.len < 6 || text.data[0] != '\\' || text.data[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++)
        unit = unit << 4 | (hex_digit_value((char)text.data[i]) & 0xf);
    return unit;
}

static size_t put_utf8(uint32_t code, uint8_t *out)
{
    size_t len = 0;
    if (code < 0x80) {
        out[len++] = (uint8_t)code;
        return len;
    }
    if (code < 0x800) {
        out[len++] = (uint8_t)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            out[len++] = (uint8_t)(0xe0 | code >> 12);
        } else {
            out[len++] = (uint8_t)(0xf0 | code >> 18);
            out[len++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        }
        out[len++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    }
    out[len++] = (uint8_t)(0x80 | (code & 0x3f));
    return len;
}

/* Reads one escape, of one or two code units; returns how much was read, and adds what was written to *len. */
static size_t take_escape(struct bytes text, uint8_t *out, size_t *len)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    const int32_t unit = code_unit(text);
    if (unit < 0) {
        const char *found = text.len > 1 && text.data[1] != '\0' ? strchr(from, text.data[1]) : NULL;
        if (text.len > 1)
            out[(*len)++] = found ? (uint8_t)to[found - from] : text.data[1];
        return text.len > 1 ? 2 : 1;
    }
    const int32_t low = unit >= 0xd800 && unit < 0xdc00 ? code_unit(behind(text, 6)) : -1;
    if (low >= 0xdc00 && low < 0xe000) {
        *len += put_utf8(0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00), out + *len);
        return 12;
    }
    *len += put_utf8(unit >= 0xd800 && unit < 0xe000 ? 0xfffd : (uint32_t)unit, out + *len);
    return 6;
}

size_t json_unescape(struct bytes text, uint8_t *out)
{
    size_t len = 0;
    while (text.len > 0) {
        if (text.data[0] != '\\') {
            out[len++] = text.data[0];
            text = behind(text, 1);
        } else {
            text = behind(text, take_escape(text, out, &len));
        }
    }
    return len;
}

double json_number(const struct json_value *value)
{
    return strtod((const char *)value->text.data, NULL);
}

bool json_is_integer(const struct json_value *value)
{
    for (size_t i = 0; i < value->text.len; i++) {
        const uint8_t byte = value->text.data[i];
        if (byte == '.' || byte == 'e' || byte == 'E')
            return false;
    }
    return true;
}
