#include "reading.h"

#include "normalize.h"
#include "common/drops/campaign_name.h"
#include "common/drops/event_time.h"
#include "common/drops/phone.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char UNASSIGNED[] = "unassigned";

void remark(struct reading *reading, const char *text)
{
    if (reading->remark[0] == '\0')
        snprintf(reading->remark, PARSE_DETAIL, "%s", text);
}

/* --- Phones ------------------------------------------------------------------------------------------------------ */

/* A field of the body and of data, or of the object `contact` in each of them. */
struct place {
    bool in_contact;
    enum field field; /* FIELDS: each with "phone" in its name */
};

/* Of a send: whom it went to. */
static const struct place of_send[] = {
    {false, FIELD_phone_number}, {false, FIELD_to},        {false, FIELD_phone},
    {true, FIELD_phone_number},  {true, FIELD_main_phone},
};

/* Of what a contact did: who did it. */
static const struct place of_contact[] = {
    {false, FIELD_phone_number},  {false, FIELD_phone},      {true, FIELD_phone_number}, {true, FIELD_phone},
    {true, FIELD_main_phone},     {true, FIELD_mobile_phone}, {true, FIELDS},            {false, FIELD_mobile_phone},
    {false, FIELD_main_phone},    {false, FIELD_number},     {false, FIELD_contact_phone},
    {false, FIELD_phoneNumber},   {false, FIELD_contact},    {false, FIELD_from},        {false, FIELD_to},
};

struct phone_search {
    struct fields *fields;
    char *found;
    bool given; /* something stood where a phone should */
};

static bool try_phone(struct phone_search *search, struct json_value value)
{
    const struct bytes text = value.text;
    search->given = search->given || text.len > 0;
    return phone_normalize(text, search->found);
}

/* "phone_updated_at" and its kind are no phones. */
static bool names_phone(struct bytes name)
{
    return text_holds(name, "phone") && !text_ends(name, "_at") && !text_ends(name, "_id") && !text_ends(name, "_type") &&
           !text_ends(name, "_count");
}

static bool try_names_with_phone(struct phone_search *search, const struct json_value *contact)
{
    const void *at = NULL;
    struct bytes name = {0};
    struct json_value value = {0};
    while (fields_next(search->fields, contact, &at, &name, &value)) {
        if (names_phone(name) && try_phone(search, value))
            return true;
    }
    return false;
}

static bool try_place(struct phone_search *search, struct place place, const struct json_value found[FIELDS])
{
    if (!place.in_contact)
        return try_phone(search, found[place.field]);
    if (place.field == FIELDS)
        return try_names_with_phone(search, &found[FIELD_contact]);
    return try_phone(search, fields_inside(search->fields, &found[FIELD_contact], place.field));
}

static bool try_places(struct phone_search *search, const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (try_place(search, places[i], search->fields->in_body) || try_place(search, places[i], search->fields->in_data))
            return true;
    }
    return false;
}

void phone_into(struct reading *reading)
{
    struct phone_search search = {.fields = reading->fields, .found = reading->event->phone};
    /* `from` is the one who wrote; `to`, the last place, is then a number of ours. */
    const bool wrote = field_text(reading->fields, FIELD_from).len > 0;
    const bool found = reading->of_send ? try_places(&search, of_send, COUNT(of_send))
                                        : try_places(&search, of_contact, COUNT(of_contact) - wrote);
    if (!found && search.given)
        remark(reading, "a phone number was ignored: it is not one of 7 to 15 digits");
}

/* --- Costs, flags, time ------------------------------------------------------------------------------------------ */

void costs_into(struct reading *reading)
{
    struct event *event = reading->event;
    const struct {
        enum field field;
        int64_t *micros;
    } costs[] = {
        {FIELD_product_cost, &event->product_cost_micros},
        {FIELD_compliance_fee, &event->compliance_fee_micros},
        {FIELD_tts_fee, &event->tts_fee_micros},
    };
    for (size_t i = 0; i < COUNT(costs); i++) {
        const struct json_value cost = field_scalar(reading->fields, costs[i].field);
        if (cost.kind == JSON_ABSENT)
            continue;
        if (money_of(&cost, costs[i].micros))
            event->has_costs = true;
        else
            remark(reading, "an amount of money was ignored: it is not a number from 0 to 10000 dollars");
    }
}

static enum flag dnc_of_session(struct fields *fields, const struct json_value *session)
{
    const struct json_value dispo = fields_inside(fields, session, FIELD_dispo);
    const struct json_value dnc = fields_inside(fields, &dispo, FIELD_dnc);
    return value_flag(&dnc);
}

enum flag session_dnc(struct reading *reading)
{
    struct fields *fields = reading->fields;
    const enum flag dnc = dnc_of_session(fields, &fields->in_body[FIELD_campaign_session]);
    return dnc != FLAG_ABSENT ? dnc : dnc_of_session(fields, &fields->in_data[FIELD_campaign_session]);
}

void flags_into(struct reading *reading)
{
    struct event *event = reading->event;
    const enum flag own = field_flag(reading->fields, FIELD_dnc);
    const enum flag dnc = own != FLAG_ABSENT ? own : session_dnc(reading);
    const enum flag spam = field_flag(reading->fields, FIELD_spam);
    event->has_flags = dnc != FLAG_ABSENT || spam != FLAG_ABSENT;
    event->dnc = dnc == FLAG_TRUE;
    event->spam = spam == FLAG_TRUE;
}

static bool time_of(const struct json_value *value, int64_t *ms)
{
    return value->kind == JSON_NUMBER ? event_time_of_number(value->number, ms)
                                      : value->kind == JSON_TEXT && event_time_of_text(value->text, ms);
}

/* The first that can be read; one outside all reason gives way to the time of receipt. */
void time_into(struct reading *reading)
{
    static const enum field names[] = {FIELD_attempt_date, FIELD_event_at, FIELD_timestamp, FIELD_created_at};
    /* When a campaign was made is not when this happened to it. */
    const size_t count = COUNT(names) - (reading->event->kind == EVENT_CAMPAIGN);
    const int64_t received_ms = reading->event->received_ms;
    bool given = false;
    reading->event->time_ms = received_ms;
    for (size_t i = 0; i < 2 * count; i++) {
        const struct json_value *found = i % 2 == 0 ? reading->fields->in_body : reading->fields->in_data;
        const struct json_value value = value_scalar(&found[names[i / 2]]);
        int64_t ms = 0;
        given = given || value.kind != JSON_ABSENT;
        if (!time_of(&value, &ms))
            continue;
        if (ms >= EVENT_TIME_FIRST_MS && ms - EVENT_TIME_AHEAD_MS <= received_ms)
            reading->event->time_ms = ms;
        else
            remark(reading, "the event's time was ignored: it is before 2000 or over a day ahead; the time of receipt "
                            "counts");
        return;
    }
    if (given)
        remark(reading, "the event's time was ignored: it cannot be read; the time of receipt counts");
}

/* --- Names ------------------------------------------------------------------------------------------------------- */

static struct bytes foreign_id_of(struct reading *reading)
{
    const struct bytes texts[] = {reading->fields->in_body[FIELD_foreign_id].text,
                                  reading->fields->in_data[FIELD_foreign_id].text};
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (texts[i].len > LIMIT_FOREIGN_ID)
            remark(reading, "a foreign_id was ignored: it is longer than 1024 bytes");
        else if (texts[i].len > 0)
            return texts[i];
    }
    return bytes_of(NULL, 0);
}

/* The part ahead of the separator; empty without one. */
static struct bytes campaign_part(struct bytes foreign_id, const char *separator)
{
    if (!separator || separator[0] == '\0' || foreign_id.len == 0)
        return bytes_of(NULL, 0);
    const uint8_t *found = memmem(foreign_id.data, foreign_id.len, separator, strlen(separator));
    return bytes_of(foreign_id.data, found ? (size_t)(found - foreign_id.data) : 0);
}

static bool campaign_into(struct reading *reading, struct bytes foreign_id)
{
    struct fields *fields = reading->fields;
    struct event *event = reading->event;
    const struct json_value inside = fields_inside(fields, &fields->in_data[FIELD_campaign], FIELD_id);
    const bool of_campaign = name_is_of_campaign(reading->name);
    const struct {
        enum campaign_rank rank;
        struct bytes id;
    } ids[] = {
        {CAMPAIGN_FROM_URL, bytes_of_text(reading->envelope->campaign)},
        {CAMPAIGN_FROM_FOREIGN, campaign_part(foreign_id, reading->separator)},
        {CAMPAIGN_FROM_BODY, fields->in_body[FIELD_campaign_id].text},
        {CAMPAIGN_FROM_BODY, fields->in_data[FIELD_campaign_id].text},
        {CAMPAIGN_FROM_BODY, inside.text},
        {CAMPAIGN_FROM_BODY, fields->in_data[FIELD_campaign].text},
        {CAMPAIGN_FROM_BODY, fields->in_body[FIELD_campaign_name].text},
        {CAMPAIGN_FROM_BODY, fields->in_data[FIELD_campaign_name].text},
        {CAMPAIGN_FROM_BODY, of_campaign ? fields->in_data[FIELD_id].text : bytes_of(NULL, 0)},
    };
    memcpy(event->campaign, UNASSIGNED, sizeof UNASSIGNED);
    for (size_t i = 0; i < COUNT(ids); i++) {
        if (ids[i].id.len == 0 || bytes_equal(ids[i].id, bytes_of_text(UNASSIGNED)))
            continue;
        event->campaign_rank = ids[i].rank;
        return campaign_of_id(ids[i].id, event->campaign);
    }
    return true;
}

struct bytes drop_of(const struct reading *reading)
{
    const struct bytes drop = field_text(reading->fields, FIELD_drop_id);
    if (drop.len > 0 || !reading->of_send)
        return drop;
    const struct bytes message = reading->fields->in_data[FIELD_message_id].text;
    return message.len > 0 ? message : reading->fields->in_data[FIELD_id].text;
}

bool names_into(struct reading *reading)
{
    struct event *event = reading->event;
    const struct bytes drop = drop_of(reading);
    const struct bytes id = event->kind == EVENT_RESULT ? drop : field_text(reading->fields, FIELD_event_id);
    const struct bytes foreign_id = foreign_id_of(reading);
    if (event->kind == EVENT_RESULT || event->kind == EVENT_OPT_OUT) {
        event->foreign_id_len = foreign_id.len;
        if (foreign_id.len > 0)
            memcpy(event->foreign_id, foreign_id.data, foreign_id.len);
    }
    if (event->kind == EVENT_OPT_OUT && drop.len > 0 && !event_id_of_text(drop, &event->drop))
        return false;
    if (!(id.len > 0 ? event_id_of_text(id, &event->id) : event_id_of_body(reading->fields->body, &event->id)))
        return false;
    return campaign_into(reading, foreign_id);
}
