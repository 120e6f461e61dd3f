/* Bodies as the check judges them, and what is read of those that pass. */
#include "fuzz.h"
#include "workers/event/fields.h"

static void claim_of_text(struct bytes text)
{
    for (size_t at = 0; at < text.len;) {
        const size_t character = bytes_utf8_character(bytes_of(text.data + at, text.len - at));
        CLAIM(character > 0);
        at += character;
    }
}

static void claim_of_value(struct fields *fields, const struct json_value *value, unsigned depth)
{
    const void *at = NULL;
    struct bytes name = {0};
    struct json_value member = {0};
    CLAIM(depth < 40);
    claim_of_text(value->text);
    CLAIM(value->kind != JSON_TEXT || value->text.data[value->text.len] == '\0');
    CLAIM(value->kind != JSON_NUMBER || value->number == value->number);
    CLAIM(value->kind != JSON_NUMBER || value->text.len == 0 || strict_json_is_number(value->text));
    CLAIM(value->kind != JSON_BOOLEAN || value_flag(value) != FLAG_ABSENT);
    while (fields_next(fields, value, &at, &name, &member)) {
        claim_of_text(name);
        claim_of_value(fields, &member, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of just that size, so that a byte too many is noticed. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct fields fields;
    CLAIM(copy);
    memcpy(copy, data, size);
    const enum json_verdict verdict = fields_read(bytes_of(copy, size), &fields);
    CLAIM(verdict == strict_json_check(bytes_of(copy, size))); /* whatever the check lets by, json-c takes */
    if (verdict == JSON_OK) {
        const struct json_value body = {.kind = JSON_OBJECT, .object = fields.root};
        claim_of_value(&fields, &body, 0);
        for (unsigned i = 0; i < FIELDS; i++) {
            const struct json_value inside = fields_inside(&fields, &body, (enum field)i);
            CLAIM(inside.kind == fields.in_body[i].kind && bytes_equal(inside.text, fields.in_body[i].text));
        }
        fields_clear(&fields);
    }
    free(copy);
    return 0;
}
