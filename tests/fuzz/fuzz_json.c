/* Bodies as the check judges them, and what is read of those that pass. */
#include "common/json_members.h"
#include "common/strict_json.h"
#include "fuzz.h"

static void read_text(struct bytes text)
{
    uint8_t *out = malloc(text.len + 1);
    CLAIM(out);
    const size_t len = json_unescape(text, out);
    CLAIM(len <= text.len);
    for (size_t at = 0; at < len;) {
        const size_t character = bytes_utf8_character(bytes_of(out + at, len - at));
        CLAIM(character > 0);
        at += character;
    }
    free(out);
}

/* Its members again, without white space between them, are an object of as many. */
static size_t read_object(struct bytes object, unsigned depth)
{
    uint8_t *again = malloc(object.len + 2);
    struct bytes rest = object;
    struct bytes name = {0};
    struct json_value value = {0};
    size_t count = 0;
    size_t len = 0;
    CLAIM(again && depth < 40);
    again[len++] = '{';
    while (json_next_member(&rest, &name, &value)) {
        const bool quoted = value.kind == JSON_TEXT;
        CLAIM(value.text.data >= object.data && value.text.data + value.text.len < object.data + object.len);
        if (count++ > 0)
            again[len++] = ',';
        memcpy(again + len, name.data - 1, name.len + 2);
        len += name.len + 2;
        again[len++] = ':';
        memcpy(again + len, value.text.data - quoted, value.text.len + 2 * (size_t)quoted);
        len += value.text.len + 2 * (size_t)quoted;
        read_text(name);
        if (quoted)
            read_text(value.text);
        else if (value.kind == JSON_OBJECT)
            read_object(value.text, depth + 1);
        else if (value.kind == JSON_NUMBER)
            CLAIM(strict_json_is_number(value.text) && json_number(&value) == json_number(&value));
    }
    again[len++] = '}';
    CLAIM(len <= object.len && strict_json_check(bytes_of(again, len)) == JSON_OK);
    free(again);
    return count;
}

/* Of bytes that nobody has checked nothing is read past the end. */
static void read_anything(struct bytes text)
{
    uint8_t *out = malloc(text.len + 1);
    struct bytes name = {0};
    struct json_value value = {0};
    CLAIM(out);
    while (json_next_member(&text, &name, &value)) {
        CLAIM(json_unescape(name, out) <= name.len);
        CLAIM(json_unescape(value.text, out) <= value.text.len);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of just that size, so that a byte too many is noticed. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CLAIM(copy);
    memcpy(copy, data, size);
    const struct bytes body = bytes_of(copy, size);
    if (strict_json_check(body) == JSON_OK) {
        const uint8_t *brace = memchr(copy, '{', size);
        const uint8_t *end = copy + size;
        while (end[-1] != '}')
            end--;
        read_object(bytes_of(brace, (size_t)(end - brace)), 0);
    }
    read_anything(body);
    free(copy);
    return 0;
}
