#include "parse.h"

#include "reading.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* `type`, else `event`: of the body only, and only a text. */
static struct bytes name_of(const struct fields *fields)
{
    static const enum field names[] = {FIELD_type, FIELD_event};
    struct bytes name = {0};
    for (size_t i = 0; i < 2 && name.len == 0; i++) {
        if (fields->in_body[names[i]].kind == JSON_TEXT)
            name = text_trim(fields->in_body[names[i]].text);
    }
    return name;
}

static struct bytes status_of(const struct fields *fields)
{
    const struct bytes status = text_trim(fields->in_body[FIELD_status].text);
    return status.len > 0 ? status : text_trim(fields->in_data[FIELD_status].text);
}

/* On PARSE_OK all of the event is filled. */
static enum parse_verdict read_message(struct reading *reading)
{
    struct event *event = reading->event;
    reading->name = name_of(reading->fields);
    reading->meaning = name_meaning(reading->name);
    reading->status = status_of(reading->fields);
    text_for_display(reading->name, LIMIT_RAW_TEXT, event->name);
    const enum parse_verdict verdict = classify(reading);
    time_into(reading);
    const bool named = verdict != PARSE_OK || names_into(reading);
    if (!named || reading->fields->no_memory) {
        snprintf(reading->remark, PARSE_DETAIL, "out of memory");
        return PARSE_NO_MEMORY;
    }
    if (verdict == PARSE_OK && event->kind == EVENT_CAMPAIGN && event->campaign_rank == CAMPAIGN_UNASSIGNED) {
        snprintf(reading->remark, PARSE_DETAIL, "the event \"%s\" names no campaign", event->name);
        return PARSE_CAMPAIGN_UNNAMED;
    }
    return verdict;
}

enum parse_verdict event_parse(struct bytes body, const struct envelope *envelope, const char *separator,
                               struct event *event, char detail[PARSE_DETAIL])
{
    struct fields fields;
    struct event made = {.kind = EVENT_OTHER, .received_ms = envelope->received_at_ms};
    struct reading reading = {
        .fields = &fields, .envelope = envelope, .separator = separator, .event = &made, .remark = detail};
    const enum json_verdict json = fields_read(body, &fields);
    detail[0] = '\0';
    if (json != JSON_OK) {
        snprintf(detail, PARSE_DETAIL, "%s", strict_json_explain(json));
        return json == JSON_NO_MEMORY ? PARSE_NO_MEMORY : PARSE_INVALID_JSON;
    }
    const enum parse_verdict verdict = read_message(&reading);
    fields_clear(&fields);
    if (verdict == PARSE_OK)
        *event = made;
    return verdict;
}

const char *parse_verdict_slug(enum parse_verdict verdict)
{
    static const char *const slugs[] = {
#define REJECTION(name, slug) [PARSE_##name] = (slug),
#include "workers/outcomes.def"
    };
    return slugs[verdict];
}
