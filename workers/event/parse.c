#include "parse.h"

#include "common/strict_json.h"
#include "classify.h"
#include "common/text.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A text may be given as an integer: its digits live here, as long as the raw event points to them. */
enum { INTEGER_TEXTS = 96, INTEGER_TEXT = 24 };

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

/* An empty text is absent. */
static struct raw_value value_of(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_int:
    case json_type_double:
        return (struct raw_value){.kind = RAW_NUMBER, .number = json_object_get_double(value)};
    case json_type_string:
        if (json_object_get_string_len(value) > 0)
            return (struct raw_value){.kind = RAW_TEXT, .text = text_of_string(value)};
        break;
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

/* true and false, however they are written: "Yes", "0", 1. */
static enum raw_flag flag_of(struct json_object *value)
{
    static const struct {
        const char *word;
        enum raw_flag flag;
    } words[] = {{"true", RAW_FLAG_TRUE},   {"yes", RAW_FLAG_TRUE}, {"1", RAW_FLAG_TRUE},
                 {"false", RAW_FLAG_FALSE}, {"no", RAW_FLAG_FALSE}, {"0", RAW_FLAG_FALSE}};
    if (json_object_is_type(value, json_type_boolean))
        return json_object_get_boolean(value) ? RAW_FLAG_TRUE : RAW_FLAG_FALSE;
    struct raw_value given = value_of(value);
    if (given.kind == RAW_NUMBER && (given.number == 0 || given.number == 1))
        return given.number == 1 ? RAW_FLAG_TRUE : RAW_FLAG_FALSE;
    for (size_t i = 0; given.kind == RAW_TEXT && i < sizeof words / sizeof words[0]; i++) {
        if (text_is(text_trim(given.text), words[i].word))
            return words[i].flag;
    }
    return RAW_FLAG_ABSENT;
}

static enum raw_flag flag_field(const struct reader *reader, const char *name)
{
    enum raw_flag flag = flag_of(member(reader->body, name));
    return flag != RAW_FLAG_ABSENT ? flag : flag_of(member(reader->data, name));
}

/* `campaign_session.dispo.dnc` of the body, else of data. */
static enum raw_flag session_flag(const struct reader *reader)
{
    struct json_object *const objects[] = {reader->body, reader->data};
    enum raw_flag flag = RAW_FLAG_ABSENT;
    for (size_t i = 0; i < 2 && flag == RAW_FLAG_ABSENT; i++)
        flag = flag_of(member(object_member(object_member(objects[i], "campaign_session"), "dispo"), "dnc"));
    return flag;
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
    static const char *const names[] = {"reason_code", "status_code"};
    struct json_object *const objects[] = {reader->body, reader->data};
    for (size_t i = 0; i < 4 && !raw->has_reason_code; i++)
        raw->has_reason_code = integer_of(value_of(member(objects[i % 2], names[i / 2])), &raw->reason_code);
}

/* `created_at` of a campaign event is when the campaign was made, not when this happened to it. */
static void times_into(const struct reader *reader, struct raw_event *raw)
{
    static const char *const names[] = {"attempt_date", "event_at", "timestamp", "created_at"};
    size_t count = sizeof names / sizeof names[0];
    if (subject_of(raw) == SUBJECT_CAMPAIGN)
        count--;
    for (size_t i = 0; i < count; i++) {
        raw->times[2 * i] = value_of(member(reader->body, names[i]));
        raw->times[2 * i + 1] = value_of(member(reader->data, names[i]));
    }
}

/* So many members of contacts are looked at by their names; there is room for all others behind them. */
enum { PHONES_BY_NAME_END = 30 };
_Static_assert(PHONES_BY_NAME_END + 16 <= RAW_PHONES, "the last eight names, in the body and in data");

/* The phones of one message as they are found, those that are absent left out. */
struct phones {
    struct reader *reader;
    struct bytes *found; /* RAW_PHONES */
    size_t count;
};

static void add_phone(struct phones *phones, struct json_object *object, const char *name)
{
    struct bytes text = text_or_empty(phones->reader, object, name);
    if (text.len > 0 && phones->count < RAW_PHONES)
        phones->found[phones->count++] = text;
}

/* Each name in the body, then in data. */
static void add_phones(struct phones *phones, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_phone(phones, phones->reader->body, names[i]);
        add_phone(phones, phones->reader->data, names[i]);
    }
}

/* The same names in the object `contact`. */
static void add_phones_of_contact(struct phones *phones, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_phone(phones, object_member(phones->reader->body, "contact"), names[i]);
        add_phone(phones, object_member(phones->reader->data, "contact"), names[i]);
    }
}

/* Every other member of a contact that has "phone" in its name. */
static void add_phones_by_name(struct phones *phones, struct json_object *contact)
{
    if (!contact)
        return;
    struct json_object_iterator end = json_object_iter_end(contact);
    for (struct json_object_iterator at = json_object_iter_begin(contact); !json_object_iter_equal(&at, &end);
         json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        if (text_holds(bytes_of_text(name), "phone") && phones->count < PHONES_BY_NAME_END)
            add_phone(phones, contact, name);
    }
}

/* Of a result: whom it was sent to. */
static void phones_of_result(struct phones *phones)
{
    static const char *const names[] = {"phone_number", "to", "phone"};
    static const char *const contact_names[] = {"phone_number", "main_phone"};
    add_phones(phones, names, sizeof names / sizeof names[0]);
    add_phones_of_contact(phones, contact_names, sizeof contact_names / sizeof contact_names[0]);
}

/* Of what a contact did: who did it. `from` is the one who wrote; `to` is then a number of ours. */
static void phones_of_contact(struct phones *phones)
{
    static const char *const first[] = {"phone_number", "phone"};
    static const char *const of_contact[] = {"phone_number", "phone", "main_phone", "mobile_phone"};
    static const char *const last[] = {"mobile_phone", "main_phone",  "number", "contact_phone",
                                       "phoneNumber",  "contact", "from"};
    static const char *const to[] = {"to"};
    struct reader *reader = phones->reader;
    add_phones(phones, first, sizeof first / sizeof first[0]);
    add_phones_of_contact(phones, of_contact, sizeof of_contact / sizeof of_contact[0]);
    add_phones_by_name(phones, object_member(reader->body, "contact"));
    add_phones_by_name(phones, object_member(reader->data, "contact"));
    add_phones(phones, last, sizeof last / sizeof last[0]);
    if (text_field(reader, "from").len == 0)
        add_phones(phones, to, 1);
}

/* `type` if it is a text that is not empty, else `event`; of the body only, and strings only. */
static struct bytes name_of(const struct reader *reader)
{
    static const char *const names[] = {"type", "event"};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *value = member(reader->body, names[i]);
        struct bytes name = {0};
        if (json_object_is_type(value, json_type_string))
            name = text_trim(text_of_string(value));
        if (name.len > 0)
            return name;
    }
    return bytes_of(NULL, 0);
}

/* What decides which other fields are read. */
static void read_kind(struct reader *reader, struct raw_event *raw)
{
    raw->name = name_of(reader);
    raw->meaning = name_meaning(raw->name);
    raw->status = text_trim(text_or_empty(reader, reader->body, "status"));
    if (raw->status.len == 0)
        raw->status = text_trim(text_or_empty(reader, reader->data, "status"));
    raw->drop_id = text_field(reader, "drop_id");
    raw->flat = !reader->data && raw->drop_id.len > 0 && raw->status.len > 0;
}

static void read_campaigns(struct reader *reader, struct raw_event *raw)
{
    raw->campaigns[0] = text_or_empty(reader, reader->body, "campaign_id");
    raw->campaigns[1] = text_or_empty(reader, reader->data, "campaign_id");
    raw->campaigns[2] = text_or_empty(reader, object_member(reader->data, "campaign"), "id");
    raw->campaigns[3] = text_or_empty(reader, reader->data, "campaign");
    raw->campaigns[4] = text_or_empty(reader, reader->body, "campaign_name");
    raw->campaigns[5] = text_or_empty(reader, reader->data, "campaign_name");
}

static void read_result(struct reader *reader, struct raw_event *raw)
{
    raw->message_id = text_or_empty(reader, reader->data, "message_id");
    raw->reason = text_field(reader, "reason");
    raw->costs[RAW_PRODUCT_COST] = value_field(reader, "product_cost");
    raw->costs[RAW_COMPLIANCE_FEE] = value_field(reader, "compliance_fee");
    raw->costs[RAW_TTS_FEE] = value_field(reader, "tts_fee");
    raw->dnc = flag_field(reader, "dnc");
    raw->spam = flag_field(reader, "spam");
    raw->session_dnc = session_flag(reader);
    reason_code_into(reader, raw);
    phones_of_result(&(struct phones){.reader = reader, .found = raw->phones});
}

static void read_contact(struct reader *reader, struct raw_event *raw)
{
    raw->text = text_field(reader, "body");
    raw->choices[0] = text_field(reader, "action");
    raw->choices[1] = text_field(reader, "opt");
    raw->choices[2] = raw->status;
    raw->choices[3] = text_field(reader, "keyword");
    raw->choices[4] = raw->text;
    raw->opted_in = flag_field(reader, "opted_in");
    raw->subscribed = flag_field(reader, "subscribed");
    phones_of_contact(&(struct phones){.reader = reader, .found = raw->phones});
}

static void read_fields(struct reader *reader, struct raw_event *raw)
{
    read_kind(reader, raw);
    raw->data_id = text_or_empty(reader, reader->data, "id");
    raw->event_id = text_field(reader, "event_id");
    raw->foreign_ids[0] = text_or_empty(reader, reader->body, "foreign_id");
    raw->foreign_ids[1] = text_or_empty(reader, reader->data, "foreign_id");
    read_campaigns(reader, raw);
    times_into(reader, raw);
    switch (subject_of(raw)) {
    case SUBJECT_SEND:
        read_result(reader, raw);
        break;
    case SUBJECT_CONTACT:
        read_contact(reader, raw);
        break;
    case SUBJECT_CAMPAIGN:
        break;
    }
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
    case PARSE_CAMPAIGN_UNNAMED:
        return "campaign_unnamed";
    }
    return NULL;
}
