#include "event_parse.h"

#include "../common/strict_json.h"
#include "classify.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A text may be given as an integer: its digits live here, as long as the raw event points to them. */
enum { INTEGER_TEXTS = 32, INTEGER_TEXT = 24 };

struct reader {
    struct json_object *body;
    struct json_object *data; /* NULL if it is no object */
    char integers[INTEGER_TEXTS][INTEGER_TEXT];
    size_t integers_used;
};

/* The member, NULL if absent, null or no object to look into. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return object && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static struct json_object *object_member(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name);
    return json_object_is_type(value, json_type_object) ? value : NULL;
}

static struct bytes text_of_string(struct json_object *value)
{
    return bytes_of(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

/* Decimal digits. json-c saturates what is past 64 bits: such a number has lost its digits, and taking it for an id
   would make one drop of many. */
static bool text_of_integer(struct reader *reader, struct json_object *value, struct bytes *out)
{
    if (reader->integers_used == INTEGER_TEXTS)
        return false;
    char *text = reader->integers[reader->integers_used];
    int64_t number = json_object_get_int64(value);
    uint64_t magnitude = json_object_get_uint64(value);
    if (number == INT64_MIN || magnitude == UINT64_MAX)
        return false;
    if (number < 0)
        snprintf(text, INTEGER_TEXT, "%" PRId64, number);
    else
        snprintf(text, INTEGER_TEXT, "%" PRIu64, magnitude);
    reader->integers_used++;
    *out = bytes_of_text(text);
    return true;
}

/* False if absent or neither a string nor an integer. */
static bool text_member(struct reader *reader, struct json_object *object, const char *name, struct bytes *out)
{
    struct json_object *value = member(object, name);
    if (json_object_is_type(value, json_type_string)) {
        *out = text_of_string(value);
        return true;
    }
    return json_object_is_type(value, json_type_int) && text_of_integer(reader, value, out);
}

/* The member's text, empty if there is none. */
static struct bytes text_or_empty(struct reader *reader, struct json_object *object, const char *name)
{
    struct bytes text = {0};
    text_member(reader, object, name, &text);
    return text;
}

/* The first that is not empty: the body's, else data's. */
static struct bytes text_field(struct reader *reader, const char *name)
{
    struct bytes text = text_or_empty(reader, reader->body, name);
    return text.len > 0 ? text : text_or_empty(reader, reader->data, name);
}

static struct raw_value value_of(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_int:
    case json_type_double:
        return (struct raw_value){.kind = RAW_NUMBER, .number = json_object_get_double(value)};
    case json_type_string:
        return (struct raw_value){.kind = RAW_TEXT, .text = text_of_string(value)};
    case json_type_null:
    case json_type_boolean:
    case json_type_object:
    case json_type_array:
        break;
    }
    return (struct raw_value){.kind = RAW_ABSENT};
}

static struct raw_value value_field(const struct reader *reader, const char *name)
{
    struct raw_value value = value_of(member(reader->body, name));
    return value.kind != RAW_ABSENT ? value : value_of(member(reader->data, name));
}

static enum raw_flag flag_field(const struct reader *reader, const char *name)
{
    struct json_object *const objects[] = {reader->body, reader->data};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *value = member(objects[i], name);
        if (json_object_is_type(value, json_type_boolean))
            return json_object_get_boolean(value) ? RAW_FLAG_TRUE : RAW_FLAG_FALSE;
    }
    return RAW_FLAG_ABSENT;
}

/* An integer, however it is written: 4002, 4002.0 or "4002". */
static bool integer_of(struct raw_value value, int64_t *out)
{
    static const double EXACT = 9007199254740992.0; /* 2^53 */
    if (value.kind == RAW_TEXT) {
        int64_t number = 0;
        for (size_t i = 0; i < value.text.len; i++) {
            if (value.text.data[i] < '0' || value.text.data[i] > '9' || i >= 15)
                return false;
            number = number * 10 + (value.text.data[i] - '0');
        }
        *out = number;
        return value.text.len > 0;
    }
    if (value.kind == RAW_ABSENT || !(fabs(value.number) < EXACT) || trunc(value.number) != value.number)
        return false;
    *out = (int64_t)value.number;
    return true;
}

static void reason_code_into(const struct reader *reader, struct raw_event *raw)
{
    struct json_object *const objects[] = {reader->body, reader->data};
    for (size_t i = 0; i < 2 && !raw->has_reason_code; i++)
        raw->has_reason_code = integer_of(value_of(member(objects[i], "reason_code")), &raw->reason_code);
}

static void times_into(const struct reader *reader, struct raw_event *raw)
{
    static const char *const names[] = {"attempt_date", "event_at", "timestamp", "created_at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        raw->times[2 * i] = value_of(member(reader->body, names[i]));
        raw->times[2 * i + 1] = value_of(member(reader->data, names[i]));
    }
}

static void phones_into(struct reader *reader, struct raw_event *raw)
{
    static const char *const names[] = {"phone_number", "to", "phone"};
    static const char *const contact_names[] = {"phone_number", "main_phone"};
    struct json_object *const objects[] = {reader->body, reader->data};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; k < 2; k++)
            raw->phones[count++] = text_or_empty(reader, objects[k], names[i]);
    }
    for (size_t i = 0; i < sizeof contact_names / sizeof contact_names[0]; i++) {
        for (size_t k = 0; k < 2; k++)
            raw->phones[count++] = text_or_empty(reader, object_member(objects[k], "contact"), contact_names[i]);
    }
}

static void status_into(struct reader *reader, struct raw_event *raw)
{
    raw->has_status = text_member(reader, reader->body, "status", &raw->status) ||
                      text_member(reader, reader->data, "status", &raw->status);
}

/* `type` if it is a non-empty string, else `event`; of the body only, and strings only. */
static struct bytes name_of(const struct reader *reader)
{
    static const char *const names[] = {"type", "event"};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *value = member(reader->body, names[i]);
        if (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0)
            return text_of_string(value);
    }
    return bytes_of(NULL, 0);
}

static struct bytes drop_id_of(struct reader *reader, struct bytes data_id)
{
    struct bytes id = text_field(reader, "drop_id");
    if (id.len == 0)
        id = text_or_empty(reader, reader->data, "message_id");
    return id.len > 0 ? id : data_id;
}

static void read_fields(struct reader *reader, struct raw_event *raw)
{
    raw->name = name_of(reader);
    raw->data_id = text_or_empty(reader, reader->data, "id");
    raw->drop_id = drop_id_of(reader, raw->data_id);
    raw->event_id = text_field(reader, "event_id");
    raw->reason = text_field(reader, "reason");
    raw->costs[RAW_PRODUCT_COST] = value_field(reader, "product_cost");
    raw->costs[RAW_COMPLIANCE_FEE] = value_field(reader, "compliance_fee");
    raw->costs[RAW_TTS_FEE] = value_field(reader, "tts_fee");
    raw->dnc = flag_field(reader, "dnc");
    raw->spam = flag_field(reader, "spam");
    raw->foreign_ids[0] = text_or_empty(reader, reader->body, "foreign_id");
    raw->foreign_ids[1] = text_or_empty(reader, reader->data, "foreign_id");
    raw->campaigns[0] = text_or_empty(reader, reader->body, "campaign_id");
    raw->campaigns[1] = text_or_empty(reader, reader->data, "campaign_id");
    raw->campaigns[2] = text_or_empty(reader, object_member(reader->data, "campaign"), "id");
    status_into(reader, raw);
    reason_code_into(reader, raw);
    times_into(reader, raw);
    phones_into(reader, raw);
}

enum parse_verdict event_parse(struct bytes body, const struct envelope *envelope,
                               const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL])
{
    struct reader reader = {0};
    enum json_verdict json = strict_json_parse(body, &reader.body);
    if (json != JSON_OK) {
        snprintf(detail, PARSE_DETAIL, "%s", strict_json_explain(json));
        return json == JSON_NO_MEMORY ? PARSE_NO_MEMORY : PARSE_INVALID_JSON;
    }
    reader.data = object_member(reader.body, "data");
    struct raw_event raw = {.body = body};
    read_fields(&reader, &raw);
    enum parse_verdict verdict = classify(&raw, envelope, settings, event, detail);
    json_object_put(reader.body);
    return verdict;
}

const char *parse_verdict_slug(enum parse_verdict verdict)
{
    switch (verdict) {
    case PARSE_OK:
    case PARSE_NO_MEMORY:
        return NULL;
    case PARSE_INVALID_JSON:
        return "invalid_json";
    case PARSE_UNRECOGNIZED_SHAPE:
        return "unrecognized_shape";
    case PARSE_UNUSABLE_STATUS:
        return "unusable_status";
    case PARSE_OPTOUT_WITHOUT_PHONE:
        return "optout_without_phone";
    }
    return NULL;
}
