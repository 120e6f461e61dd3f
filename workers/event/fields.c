#include "fields.h"

#include "common/text.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    size_t len;
} names[FIELDS] = {
#define FIELD_ROW(name) [FIELD_##name] = {#name, sizeof #name - 1},
    FIELD_NAMES(FIELD_ROW)
#undef FIELD_ROW
};

/* FIELDS if no rule asks for it. */
static enum field field_of_name(struct bytes name)
{
    unsigned field = 0;
    while (field < FIELDS && (names[field].len != name.len || memcmp(names[field].name, name.data, name.len) != 0))
        field++;
    return (enum field)field;
}

/* Each text has room of its own, for it says no more bytes than it has. */
static struct bytes unescape(struct fields *fields, struct bytes text)
{
    if (text.len == 0 || !memchr(text.data, '\\', text.len))
        return text;
    if (!fields->unescaped)
        fields->unescaped = malloc(fields->body.len);
    if (!fields->unescaped) {
        fields->no_memory = true;
        return bytes_of(NULL, 0);
    }
    uint8_t *out = fields->unescaped + (text.data - fields->body.data);
    const size_t len = json_unescape(text, out);
    out[len] = '\0'; /* it is shorter than it stood there; so that a number in it ends */
    return bytes_of(out, len);
}

bool fields_next(struct fields *fields, struct bytes *rest, struct bytes *name, struct json_value *value)
{
    if (!json_next_member(rest, name, value))
        return false;
    *name = unescape(fields, *name);
    if (value->kind == JSON_TEXT)
        value->text = unescape(fields, value->text);
    return true;
}

static void read_object(struct fields *fields, struct bytes object, struct json_value found[FIELDS])
{
    struct bytes name = {0};
    struct json_value value = {0};
    while (fields_next(fields, &object, &name, &value)) {
        const enum field field = field_of_name(name);
        if (field < FIELDS)
            found[field] = value;
    }
}

enum json_verdict fields_read(struct bytes body, struct fields *fields)
{
    const enum json_verdict verdict = strict_json_check(body);
    if (verdict != JSON_OK)
        return verdict;
    *fields = (struct fields){.body = body};
    const uint8_t *object = memchr(body.data, '{', body.len);
    read_object(fields, bytes_of(object, (size_t)(body.data + body.len - object)), fields->in_body);
    if (fields->in_body[FIELD_data].kind == JSON_OBJECT)
        read_object(fields, fields->in_body[FIELD_data].text, fields->in_data);
    return JSON_OK;
}

void fields_clear(struct fields *fields)
{
    free(fields->unescaped);
    fields->unescaped = NULL;
}

struct json_value fields_inside(struct fields *fields, const struct json_value *object, enum field field)
{
    struct bytes rest = object->kind == JSON_OBJECT ? object->text : bytes_of(NULL, 0);
    struct bytes name = {0};
    struct json_value value = {0};
    struct json_value found = {0};
    while (fields_next(fields, &rest, &name, &value)) {
        if (field_of_name(name) == field)
            found = value;
    }
    return found;
}

struct bytes value_text(const struct json_value *value)
{
    if (value->kind == JSON_TEXT)
        return value->text;
    if (value->kind != JSON_NUMBER || !json_is_integer(value))
        return bytes_of(NULL, 0);
    return bytes_equal(value->text, bytes_of_text("-0")) ? bytes_of_text("0") : value->text;
}

struct json_value value_scalar(const struct json_value *value)
{
    const bool given = value->kind == JSON_NUMBER || (value->kind == JSON_TEXT && value->text.len > 0);
    return given ? *value : (struct json_value){0};
}

enum flag value_flag(const struct json_value *value)
{
    static const struct {
        const char *word;
        enum flag flag;
    } words[] = {{"true", FLAG_TRUE},   {"yes", FLAG_TRUE}, {"1", FLAG_TRUE},
                 {"false", FLAG_FALSE}, {"no", FLAG_FALSE}, {"0", FLAG_FALSE}};
    if (value->kind == JSON_NUMBER) {
        const double number = json_number(value);
        return number == 1 ? FLAG_TRUE : number == 0 ? FLAG_FALSE : FLAG_ABSENT;
    }
    for (size_t i = 0; (value->kind == JSON_TEXT || value->kind == JSON_BOOLEAN) && i < COUNT(words); i++) {
        if (text_is(text_trim(value->text), words[i].word))
            return words[i].flag;
    }
    return FLAG_ABSENT;
}

struct bytes field_text(const struct fields *fields, enum field field)
{
    const struct bytes text = value_text(&fields->in_body[field]);
    return text.len > 0 ? text : value_text(&fields->in_data[field]);
}

struct json_value field_scalar(const struct fields *fields, enum field field)
{
    const struct json_value value = value_scalar(&fields->in_body[field]);
    return value.kind != JSON_ABSENT ? value : value_scalar(&fields->in_data[field]);
}

enum flag field_flag(const struct fields *fields, enum field field)
{
    const enum flag flag = value_flag(&fields->in_body[field]);
    return flag != FLAG_ABSENT ? flag : value_flag(&fields->in_data[field]);
}
