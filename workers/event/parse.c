#include "parse.h"

#include "classify.h"
#include "fields.h"

#include <stdio.h>

enum parse_verdict event_parse(struct bytes body, const struct envelope *envelope,
                               const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL])
{
    struct fields fields;
    const enum json_verdict json = fields_read(body, &fields);
    if (json != JSON_OK) {
        snprintf(detail, PARSE_DETAIL, "%s", strict_json_explain(json));
        return PARSE_INVALID_JSON;
    }
    const enum parse_verdict verdict = classify(&fields, envelope, settings, event, detail);
    fields_clear(&fields);
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
