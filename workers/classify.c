#include "classify.h"

#include "event_time.h"
#include "normalize.h"
#include "reasons.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How a result tells its outcome. */
enum result_form { RESULT_BY_STATUS, RESULT_SUCCESS, RESULT_FAILURE };

struct kind {
    enum event_kind kind;
    enum campaign_state state;
    enum result_form form;
    bool receipt;
};

static const struct {
    const char *name;
    struct kind kind;
} known_names[] = {
    {"message.delivered", {.kind = EVENT_RESULT, .form = RESULT_SUCCESS}},
    {"message.failed", {.kind = EVENT_RESULT, .form = RESULT_FAILURE}},
    {"contact.opted_out", {.kind = EVENT_OPT_OUT}},
    {"campaign.scheduled", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_SCHEDULED}},
    {"campaign.paused", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_PAUSED}},
    {"campaign.stopped", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_PAUSED}},
    {"campaign.started", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_RUNNING}},
    {"campaign.resumed", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_RUNNING}},
    {"campaign.completed", {.kind = EVENT_CAMPAIGN, .state = CAMPAIGN_COMPLETED}},
};

static const char UNASSIGNED[] = "unassigned";

static bool begins_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static bool ends_with(struct bytes text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len >= len && memcmp(text.data + text.len - len, suffix, len) == 0;
}

/* "contact.<one or more characters><suffix>" */
static bool is_contact_event(struct bytes name, const char *suffix)
{
    static const char prefix[] = "contact.";
    return begins_with(name, prefix) && ends_with(name, suffix) && name.len > strlen(prefix) + strlen(suffix);
}

static struct kind kind_of_name(struct bytes name)
{
    for (size_t i = 0; i < sizeof known_names / sizeof known_names[0]; i++) {
        if (bytes_equal(name, bytes_of_text(known_names[i].name)))
            return known_names[i].kind;
    }
    bool receipt = is_contact_event(name, ".receipt");
    if (receipt || is_contact_event(name, ".status") || name.len == 0)
        return (struct kind){.kind = EVENT_RESULT, .form = RESULT_BY_STATUS, .receipt = receipt};
    return (struct kind){.kind = EVENT_OTHER};
}

/* Keeps the first remark: one is enough to go and look. */
static void remark(char *detail, const char *text)
{
    if (detail[0] == '\0')
        snprintf(detail, PARSE_DETAIL, "%s", text);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Letter case and outer spaces aside. `word` is in lower case. */
static bool is_word(struct bytes text, const char *word)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    if (text.len != strlen(word))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if ((byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte) != (uint8_t)word[i])
            return false;
    }
    return true;
}

static enum parse_verdict outcome_of(const struct raw_event *raw, enum result_form form, enum outcome *outcome,
                                     char *detail)
{
    switch (form) {
    case RESULT_SUCCESS:
        *outcome = OUTCOME_SUCCESS;
        return PARSE_OK;
    case RESULT_FAILURE:
        *outcome = OUTCOME_FAILURE;
        return PARSE_OK;
    case RESULT_BY_STATUS:
        break;
    }
    if (raw->has_status && (is_word(raw->status, "success") || is_word(raw->status, "delivered"))) {
        *outcome = OUTCOME_SUCCESS;
        return PARSE_OK;
    }
    if (raw->has_status && (is_word(raw->status, "failure") || is_word(raw->status, "failed"))) {
        *outcome = OUTCOME_FAILURE;
        return PARSE_OK;
    }
    if (!raw->has_status && raw->name.len == 0) {
        snprintf(detail, PARSE_DETAIL, "the body has neither a type, an event nor a status");
        return PARSE_UNRECOGNIZED_SHAPE;
    }
    char status[LIMIT_RAW_TEXT + 1];
    text_for_display(raw->status, LIMIT_RAW_TEXT, status);
    snprintf(detail, PARSE_DETAIL,
             raw->has_status ? "the status is \"%s\", neither success nor failure" : "the result has no status%s",
             status);
    return PARSE_UNUSABLE_STATUS;
}

/* What dc:unknown_reasons lists. */
static void unknown_reason_of(const struct raw_event *raw, char out[LIMIT_RAW_TEXT + 1])
{
    if (raw->reason.len > 0)
        text_for_display(raw->reason, LIMIT_RAW_TEXT, out);
    else if (raw->has_reason_code)
        snprintf(out, LIMIT_RAW_TEXT + 1, "reason_code %" PRId64, raw->reason_code);
    else
        snprintf(out, LIMIT_RAW_TEXT + 1, "(none)");
}

static void reason_into(const struct raw_event *raw, struct event *event, char *detail)
{
    int by_code = raw->has_reason_code ? reason_by_code(raw->reason_code) : -1;
    int by_text = reason_by_text(raw->reason);
    enum reason_opt_out said = reason_opt_out(by_code) != REASON_STAYS ? reason_opt_out(by_code) : reason_opt_out(by_text);
    event->opts_out = said != REASON_STAYS || raw->dnc == RAW_FLAG_TRUE;
    event->told = event->opts_out && said != REASON_BLOCKED;
    if (by_text < 0 && !event->opts_out && reason_text_sounds_like_opt_out(raw->reason))
        remark(detail, "a reason that speaks of opting out was not taken for an opt-out: see dc:unknown_reasons");
    if (event->outcome == OUTCOME_SUCCESS)
        return;
    if (by_code >= 0) {
        event->reason = (uint8_t)by_code;
    } else if (by_text >= 0) {
        event->reason = (uint8_t)by_text;
    } else {
        event->reason = (uint8_t)reason_other();
        unknown_reason_of(raw, event->unknown_reason);
    }
}

static void costs_into(const struct raw_event *raw, struct event *event, char *detail)
{
    int64_t *const micros[RAW_COSTS] = {
        [RAW_PRODUCT_COST] = &event->product_cost_micros,
        [RAW_COMPLIANCE_FEE] = &event->compliance_fee_micros,
        [RAW_TTS_FEE] = &event->tts_fee_micros,
    };
    for (int i = 0; i < RAW_COSTS; i++) {
        const struct raw_value *cost = &raw->costs[i];
        if (cost->kind == RAW_ABSENT)
            continue;
        if (cost->kind == RAW_NUMBER ? money_of_number(cost->number, micros[i]) : money_of_text(cost->text, micros[i]))
            event->has_costs = true;
        else
            remark(detail, "an amount of money was ignored: it is not a number from 0 to 10000 dollars");
    }
}

static void flags_into(const struct raw_event *raw, struct event *event)
{
    event->has_flags = raw->dnc != RAW_FLAG_ABSENT || raw->spam != RAW_FLAG_ABSENT;
    event->dnc = raw->dnc == RAW_FLAG_TRUE;
    event->spam = raw->spam == RAW_FLAG_TRUE;
}

static void phone_into(const struct raw_event *raw, struct event *event, char *detail)
{
    bool given = false;
    for (int i = 0; i < RAW_PHONES; i++) {
        if (phone_normalize(raw->phones[i], event->phone))
            return;
        given = given || raw->phones[i].len > 0;
    }
    if (given)
        remark(detail, "a phone number was ignored: it is not one of 7 to 15 digits");
}

/* The first that can be read; one outside all reason gives way to the time of receipt. */
static int64_t time_of(const struct raw_event *raw, int64_t received_ms, char *detail)
{
    bool given = false;
    for (int i = 0; i < RAW_TIMES; i++) {
        const struct raw_value *value = &raw->times[i];
        int64_t ms = 0;
        given = given || value->kind != RAW_ABSENT;
        if (!(value->kind == RAW_TEXT && event_time_of_text(value->text, &ms)) &&
            !(value->kind == RAW_NUMBER && event_time_of_number(value->number, &ms)))
            continue;
        if (ms >= EVENT_TIME_FIRST_MS && ms - EVENT_TIME_AHEAD_MS <= received_ms)
            return ms;
        remark(detail,
               "the event's time was ignored: it is before 2000 or over a day ahead; the time of receipt counts");
        return received_ms;
    }
    if (given)
        remark(detail, "the event's time was ignored: it cannot be read; the time of receipt counts");
    return received_ms;
}

static struct bytes foreign_id_of(const struct raw_event *raw, char *detail)
{
    for (int i = 0; i < RAW_FOREIGN_IDS; i++) {
        if (raw->foreign_ids[i].len == 0)
            continue;
        if (raw->foreign_ids[i].len <= LIMIT_FOREIGN_ID)
            return raw->foreign_ids[i];
        remark(detail, "a foreign_id was ignored: it is longer than 1024 bytes");
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

/* Takes `id` if it names a campaign and none was found before. False only when libcrypto fails. */
static bool offer_campaign(struct bytes id, enum campaign_rank rank, struct event *event)
{
    if (event->campaign_rank != CAMPAIGN_UNASSIGNED || id.len == 0 || bytes_equal(id, bytes_of_text(UNASSIGNED)))
        return true;
    if (!campaign_of_id(id, event->campaign))
        return false;
    event->campaign_rank = rank;
    return true;
}

static bool campaign_into(const struct raw_event *raw, const struct envelope *envelope, struct bytes foreign_id,
                          const struct parse_settings *settings, struct event *event)
{
    memcpy(event->campaign, UNASSIGNED, sizeof UNASSIGNED);
    event->campaign_rank = CAMPAIGN_UNASSIGNED;
    if (!offer_campaign(bytes_of_text(envelope->campaign), CAMPAIGN_FROM_URL, event))
        return false;
    for (int i = 0; i < RAW_CAMPAIGNS; i++) {
        if (!offer_campaign(raw->campaigns[i], CAMPAIGN_FROM_BODY, event))
            return false;
    }
    if (begins_with(raw->name, "campaign.") && !offer_campaign(raw->data_id, CAMPAIGN_FROM_BODY, event))
        return false;
    return offer_campaign(campaign_part(foreign_id, settings->campaign_separator), CAMPAIGN_FROM_FOREIGN, event);
}

/* What only results and opt-outs have. */
static enum parse_verdict details_into(const struct raw_event *raw, struct kind kind, struct bytes foreign_id,
                                       struct event *event, char *detail)
{
    if (kind.kind == EVENT_RESULT) {
        enum parse_verdict verdict = outcome_of(raw, kind.form, &event->outcome, detail);
        if (verdict != PARSE_OK)
            return verdict;
        event->receipt = kind.receipt;
        reason_into(raw, event, detail);
        costs_into(raw, event, detail);
        flags_into(raw, event);
    }
    phone_into(raw, event, detail);
    if (foreign_id.len > 0)
        memcpy(event->foreign_id, foreign_id.data, foreign_id.len);
    event->foreign_id_len = foreign_id.len;
    if (kind.kind == EVENT_OPT_OUT) {
        event->opts_out = event->told = true;
        if (event->phone[0] == '\0') {
            snprintf(detail, PARSE_DETAIL, "the opt-out names no phone number of 7 to 15 digits");
            return PARSE_OPTOUT_WITHOUT_PHONE;
        }
    }
    return PARSE_OK;
}

enum parse_verdict classify(const struct raw_event *raw, const struct envelope *envelope,
                            const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL])
{
    struct kind kind = kind_of_name(raw->name);
    struct event made = {.kind = kind.kind, .state = kind.state, .received_ms = envelope->received_at_ms};
    char remarks[PARSE_DETAIL] = "";

    struct bytes foreign_id = foreign_id_of(raw, remarks);
    if (kind.kind == EVENT_RESULT || kind.kind == EVENT_OPT_OUT) {
        enum parse_verdict verdict = details_into(raw, kind, foreign_id, &made, remarks);
        if (verdict != PARSE_OK) {
            memcpy(detail, remarks, sizeof remarks);
            return verdict;
        }
    }
    made.time_ms = time_of(raw, envelope->received_at_ms, remarks);
    text_for_display(raw->name, LIMIT_RAW_TEXT, made.name);
    struct bytes id = kind.kind == EVENT_RESULT ? raw->drop_id : raw->event_id;
    if (!(id.len > 0 ? event_id_of_text(id, &made.id) : event_id_of_body(raw->body, &made.id)) ||
        !campaign_into(raw, envelope, foreign_id, settings, &made)) {
        snprintf(detail, PARSE_DETAIL, "out of memory");
        return PARSE_NO_MEMORY;
    }
    *event = made;
    memcpy(detail, remarks, sizeof remarks);
    return PARSE_OK;
}
