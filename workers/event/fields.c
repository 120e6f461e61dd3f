#include "fields.h"

#include "common/limits.h"
#include "common/text.h"

#include <json-c/json.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[FIELDS] = {
#define FIELD_ROW(name) [FIELD_##name] = #name,
    FIELD_NAMES(FIELD_ROW)
#undef FIELD_ROW
};

/* FIELDS if no rule asks for it. */
static enum field field_of_name(const char *name)
{
    unsigned field = 0;
    while (field < FIELDS && (names[field][0] != name[0] || strcmp(names[field], name) != 0))
        field++;
    return (enum field)field;
}

/* Decimal digits; empty for what is past 64 bits: json-c saturates it, and such an id would make one drop of many. */
static struct bytes digits_of(struct fields *fields, struct json_object *integer)
{
    if (json_object_get_int64(integer) == INT64_MIN || json_object_get_uint64(integer) == UINT64_MAX)
        return bytes_of(NULL, 0);
    const char *digits = json_object_get_string(integer); /* kept with the integer */
    fields->no_memory = fields->no_memory || !digits;
    return digits ? bytes_of_text(digits) : bytes_of(NULL, 0);
}

static struct json_value value_of(struct fields *fields, struct json_object *object)
{
    switch (json_object_get_type(object)) {
    case json_type_boolean:
        return (struct json_value){.kind = JSON_BOOLEAN, .number = json_object_get_boolean(object)};
    case json_type_int:
        return (struct json_value){
            .kind = JSON_NUMBER, .text = digits_of(fields, object), .number = json_object_get_double(object)};
    case json_type_double:
        return (struct json_value){.kind = JSON_NUMBER, .number = json_object_get_double(object)};
    case json_type_string:
        return (struct json_value){
            .kind = JSON_TEXT,
            .text = bytes_of(json_object_get_string(object), (size_t)json_object_get_string_len(object))};
    case json_type_object:
        return (struct json_value){.kind = JSON_OBJECT, .object = object};
    case json_type_null:
    case json_type_array:
        break;
    }
    return (struct json_value){.kind = JSON_ABSENT};
}

static void read_object(struct fields *fields, struct json_object *object, struct json_value found[FIELDS])
{
    for (const struct lh_entry *at = lh_table_head(json_object_get_object(object)); at; at = lh_entry_next(at)) {
        const enum field field = field_of_name(lh_entry_k(at));
        if (field < FIELDS)
            found[field] = value_of(fields, lh_entry_v(at));
    }
}

/* The text is in order, so only memory can have been short. Should json-c ever see it otherwise, the message must not
   wait for memory for ever: it is malformed then. */
static enum json_verdict verdict_of_failure(enum json_tokener_error error)
{
    return error >= json_tokener_error_depth && error <= json_tokener_error_size ? JSON_MALFORMED : JSON_NO_MEMORY;
}

/* Of a text that the check has passed: what json-c's strict mode would judge is judged, and from 0.17 on that mode
   refuses integers past 64 bits, which are grammatical. */
static enum json_verdict parse(struct bytes text, struct json_object **root)
{
    /* Two levels to spare: how json-c counts them is its own affair, ours are counted already. */
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH + 2);
    if (!tokener)
        return JSON_NO_MEMORY;
    *root = json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.len);
    const enum json_verdict verdict = *root ? JSON_OK : verdict_of_failure(json_tokener_get_error(tokener));
    json_tokener_free(tokener);
    return verdict;
}

enum json_verdict fields_read(struct bytes body, struct fields *fields)
{
    enum json_verdict verdict = strict_json_check(body);
    if (verdict != JSON_OK)
        return verdict;
    *fields = (struct fields){.body = body};
    const uint8_t *object = memchr(body.data, '{', body.len); /* behind a byte order mark */
    verdict = parse(bytes_of(object, (size_t)(body.data + body.len - object)), &fields->root);
    if (verdict != JSON_OK)
        return verdict;
    read_object(fields, fields->root, fields->in_body);
    if (fields->in_body[FIELD_data].kind == JSON_OBJECT)
        read_object(fields, fields->in_body[FIELD_data].object, fields->in_data);
    if (!fields->no_memory)
        return JSON_OK;
    fields_clear(fields);
    return JSON_NO_MEMORY;
}

void fields_clear(struct fields *fields)
{
    json_object_put(fields->root);
    fields->root = NULL;
}

struct json_value fields_inside(struct fields *fields, const struct json_value *object, enum field field)
{
    struct json_object *found = NULL;
    if (object->kind == JSON_OBJECT)
        json_object_object_get_ex(object->object, names[field], &found);
    return value_of(fields, found);
}

bool fields_next(struct fields *fields, const struct json_value *object, const void **at, struct bytes *name,
                 struct json_value *value)
{
    if (object->kind != JSON_OBJECT)
        return false;
    const struct lh_entry *entry = *at ? lh_entry_next(*at) : lh_table_head(json_object_get_object(object->object));
    if (!entry)
        return false;
    *at = entry;
    *name = bytes_of_text(lh_entry_k(entry));
    *value = value_of(fields, lh_entry_v(entry));
    return true;
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
    if (value->kind == JSON_NUMBER || value->kind == JSON_BOOLEAN)
        return value->number == 1 ? FLAG_TRUE : value->number == 0 ? FLAG_FALSE : FLAG_ABSENT;
    for (size_t i = 0; value->kind == JSON_TEXT && i < COUNT(words); i++) {
        if (text_is(text_trim(value->text), words[i].word))
            return words[i].flag;
    }
    return FLAG_ABSENT;
}

struct bytes field_text(const struct fields *fields, enum field field)
{
    const struct bytes text = fields->in_body[field].text;
    return text.len > 0 ? text : fields->in_data[field].text;
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
