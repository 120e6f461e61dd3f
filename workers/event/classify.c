#include "classify.h"

#include "event_time.h"
#include "normalize.h"
#include "common/drops/phone.h"
#include "common/drops/reasons.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char UNASSIGNED[] = "unassigned";
static const char TAKEN_FOR_OPT_OUT[] = "is no documented opt-out and was taken for one by its name";

enum subject subject_of(const struct raw_event *raw)
{
    switch (raw->meaning) {
    case NAME_NONE:
    case NAME_DELIVERED:
    case NAME_FAILED:
    case NAME_STATUS:
    case NAME_RECEIPT:
        return SUBJECT_SEND;
    case NAME_SCHEDULED:
    case NAME_RUNNING:
    case NAME_PAUSED:
    case NAME_COMPLETED:
        return SUBJECT_CAMPAIGN;
    case NAME_OTHER: /* a callback that says what was sent in its type ("sms") */
        return raw->flat ? SUBJECT_SEND : SUBJECT_CONTACT;
    case NAME_OPT_OUT:
    case NAME_OPT_IN:
    case NAME_SUBSCRIPTION:
    case NAME_TEXT_RECEIVED:
        return SUBJECT_CONTACT;
    }
    return SUBJECT_CONTACT;
}

/* Keeps the first remark: one is enough to go and look. */
static void remark(char *detail, const char *text)
{
    if (detail[0] == '\0')
        snprintf(detail, PARSE_DETAIL, "%s", text);
}

/* The name is the vendor's or a stranger's: it is shown to people who decide what it means. */
static void remark_name(char *detail, const struct event *event, const char *what)
{
    if (detail[0] == '\0')
        snprintf(detail, PARSE_DETAIL, PARSE_ABOUT_NAME "%s\" %s", event->name, what);
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

/* In doubt, list: a text counts beside a code, and of two that opt out the code says which way. */
static void opt_out_into(const struct raw_event *raw, struct event *event, char *detail)
{
    int by_text = reason_by_text(raw->reason);
    enum reason_opt_out said = reason_opt_out(raw->has_reason_code ? reason_by_code(raw->reason_code) : -1);
    bool dnc = raw->dnc == RAW_FLAG_TRUE || raw->session_dnc == RAW_FLAG_TRUE;
    bool by_name = name_sounds_like_opt_out(raw->name);
    if (said == REASON_STAYS)
        said = reason_opt_out(by_text);
    event->opts_out = said != REASON_STAYS || dnc || by_name;
    event->told = event->opts_out && said != REASON_BLOCKED;
    if (by_name)
        remark_name(detail, event, TAKEN_FOR_OPT_OUT);
    if (by_text < 0 && !event->opts_out && reason_text_sounds_like_opt_out(raw->reason))
        remark(detail, "a reason that speaks of opting out was not taken for an opt-out: see dc:unknown_reasons");
}

static void reason_into(const struct raw_event *raw, struct event *event)
{
    int by_code = raw->has_reason_code ? reason_by_code(raw->reason_code) : -1;
    int by_text = reason_by_text(raw->reason);
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
    enum raw_flag dnc = raw->dnc != RAW_FLAG_ABSENT ? raw->dnc : raw->session_dnc;
    event->has_flags = dnc != RAW_FLAG_ABSENT || raw->spam != RAW_FLAG_ABSENT;
    event->dnc = dnc == RAW_FLAG_TRUE;
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
    if (!offer_campaign(bytes_of_text(envelope->campaign), CAMPAIGN_FROM_URL, event) ||
        !offer_campaign(campaign_part(foreign_id, settings->campaign_separator), CAMPAIGN_FROM_FOREIGN, event))
        return false;
    for (int i = 0; i < RAW_CAMPAIGNS; i++) {
        if (!offer_campaign(raw->campaigns[i], CAMPAIGN_FROM_BODY, event))
            return false;
    }
    return !name_is_of_campaign(raw->name) || offer_campaign(raw->data_id, CAMPAIGN_FROM_BODY, event);
}

/* A result's own id. */
static struct bytes result_id(const struct raw_event *raw)
{
    if (raw->drop_id.len > 0)
        return raw->drop_id;
    return raw->message_id.len > 0 ? raw->message_id : raw->data_id;
}

/* What a result says of its send, from its name or else its status; *word is the status, as its table writes it. */
static enum status_meaning outcome_of(const struct raw_event *raw, const char **word)
{
    if (raw->meaning == NAME_DELIVERED)
        return STATUS_SUCCESS;
    if (raw->meaning == NAME_FAILED)
        return STATUS_FAILURE;
    return status_meaning(raw->status, word);
}

static enum parse_verdict refuse_result(const struct raw_event *raw, char *detail)
{
    if (raw->status.len == 0 && raw->meaning == NAME_NONE) {
        snprintf(detail, PARSE_DETAIL, "the body has neither a type, an event nor a status");
        return PARSE_UNRECOGNIZED_SHAPE;
    }
    if (raw->status.len == 0) {
        snprintf(detail, PARSE_DETAIL, "the result has no status");
        return PARSE_UNUSABLE_STATUS;
    }
    char status[LIMIT_RAW_TEXT + 1];
    text_for_display(raw->status, LIMIT_RAW_TEXT, status);
    snprintf(detail, PARSE_DETAIL, "the status \"%s\" is neither success nor failure", status);
    return PARSE_UNUSABLE_STATUS;
}

/* Makes an opt-out of what counts no send but opts somebody out: a phone, or whom the drop went to. False, with nothing of
   it kept, if it does not. */
static bool make_opt_out(struct event *event, struct bytes drop)
{
    if (event->opts_out && (event->phone[0] != '\0' || drop.len > 0)) {
        event->kind = EVENT_OPT_OUT;
        return true;
    }
    event->opts_out = event->told = false;
    event->phone[0] = '\0';
    return false;
}

static enum parse_verdict result_into(const struct raw_event *raw, struct event *event, char *detail)
{
    const char *word = "";
    enum parse_verdict verdict = PARSE_OK;
    opt_out_into(raw, event, detail);
    phone_into(raw, event, detail);
    enum status_meaning outcome = outcome_of(raw, &word);
    switch (outcome) {
    case STATUS_SUCCESS:
    case STATUS_FAILURE:
        event->kind = EVENT_RESULT;
        event->outcome = outcome == STATUS_SUCCESS ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        event->receipt = raw->meaning == NAME_RECEIPT;
        if (outcome == STATUS_FAILURE)
            reason_into(raw, event);
        costs_into(raw, event, detail);
        flags_into(raw, event);
        return PARSE_OK;
    case STATUS_INTERIM:
        if (!make_opt_out(event, result_id(raw)))
            snprintf(event->name, sizeof event->name, "status:%s", word);
        return PARSE_OK;
    case STATUS_NONE:
    case STATUS_UNKNOWN:
        break;
    }
    verdict = refuse_result(raw, detail);
    if (!make_opt_out(event, result_id(raw)))
        return verdict;
    event->rejected_as = parse_verdict_slug(verdict);
    return PARSE_OK;
}

static enum parse_verdict contact_opts_out(const struct raw_event *raw, struct event *event, char *detail)
{
    event->kind = EVENT_OPT_OUT;
    event->opts_out = true;
    event->told = true;
    phone_into(raw, event, detail);
    if (event->phone[0] != '\0' || raw->drop_id.len > 0)
        return PARSE_OK;
    snprintf(detail, PARSE_DETAIL, "the opt-out names no phone number of 7 to 15 digits, and no drop");
    return PARSE_OPTOUT_WITHOUT_PHONE;
}

static enum parse_verdict contact_opts_in(const struct raw_event *raw, struct event *event, char *detail)
{
    event->kind = EVENT_OPT_IN;
    phone_into(raw, event, detail);
    if (event->phone[0] == '\0')
        remark(detail, "an opt-in names no phone number of 7 to 15 digits: it changed no list");
    return PARSE_OK;
}

static bool subscription_begins(const struct raw_event *raw)
{
    bool begins = raw->opted_in == RAW_FLAG_TRUE || raw->subscribed == RAW_FLAG_TRUE;
    for (int i = 0; i < RAW_CHOICES; i++)
        begins = begins || is_opt_in_text(raw->choices[i]);
    return begins;
}

/* An event that no rule knows by its name. In doubt, list. */
static enum parse_verdict other_into(const struct raw_event *raw, struct event *event, char *detail)
{
    event->opts_out = event->told = name_sounds_like_opt_out(raw->name);
    if (event->opts_out)
        phone_into(raw, event, (char[PARSE_DETAIL]){""}); /* the remark below says more */
    if (make_opt_out(event, bytes_of(NULL, 0)))
        remark_name(detail, event, TAKEN_FOR_OPT_OUT);
    else if (name_sounds_like_consent(raw->name))
        remark_name(detail, event, "has to do with consent by its name, but no rule knows it: it changed no list");
    return PARSE_OK;
}

static enum parse_verdict campaign_event_into(struct event *event, enum campaign_state state)
{
    event->kind = EVENT_CAMPAIGN;
    event->state = state;
    return PARSE_OK;
}

/* All but identity, campaign and time. */
static enum parse_verdict meaning_into(const struct raw_event *raw, struct event *event, char *detail)
{
    event->kind = EVENT_OTHER;
    switch (raw->meaning) {
    case NAME_NONE:
    case NAME_DELIVERED:
    case NAME_FAILED:
    case NAME_STATUS:
    case NAME_RECEIPT:
        return result_into(raw, event, detail);
    case NAME_OPT_OUT:
        return contact_opts_out(raw, event, detail);
    case NAME_OPT_IN:
        return contact_opts_in(raw, event, detail);
    case NAME_SUBSCRIPTION:
        return subscription_begins(raw) ? contact_opts_in(raw, event, detail) : contact_opts_out(raw, event, detail);
    case NAME_TEXT_RECEIVED:
        return is_stop_text(raw->text) ? contact_opts_out(raw, event, detail) : PARSE_OK;
    case NAME_SCHEDULED:
        return campaign_event_into(event, CAMPAIGN_SCHEDULED);
    case NAME_RUNNING:
        return campaign_event_into(event, CAMPAIGN_RUNNING);
    case NAME_PAUSED:
        return campaign_event_into(event, CAMPAIGN_PAUSED);
    case NAME_COMPLETED:
        return campaign_event_into(event, CAMPAIGN_COMPLETED);
    case NAME_OTHER:
        return raw->flat ? result_into(raw, event, detail) : other_into(raw, event, detail);
    }
    return PARSE_OK;
}

static void foreign_id_into(struct bytes foreign_id, struct event *event)
{
    if (foreign_id.len > 0)
        memcpy(event->foreign_id, foreign_id.data, foreign_id.len);
    event->foreign_id_len = foreign_id.len;
}

/* What this is a copy of, and what else it names. False only when libcrypto fails. */
static bool identity_into(const struct raw_event *raw, struct bytes foreign_id, struct event *event)
{
    struct bytes drop = subject_of(raw) == SUBJECT_SEND ? result_id(raw) : raw->drop_id;
    struct bytes id = raw->event_id;
    switch (event->kind) {
    case EVENT_RESULT:
        id = drop;
        foreign_id_into(foreign_id, event);
        break;
    case EVENT_OPT_OUT:
        if (drop.len > 0 && !event_id_of_text(drop, &event->drop))
            return false;
        foreign_id_into(foreign_id, event);
        break;
    case EVENT_OPT_IN:
    case EVENT_CAMPAIGN:
    case EVENT_OTHER:
        break;
    }
    return id.len > 0 ? event_id_of_text(id, &event->id) : event_id_of_body(raw->body, &event->id);
}

enum parse_verdict classify(const struct raw_event *raw, const struct envelope *envelope,
                            const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL])
{
    struct event made = {.received_ms = envelope->received_at_ms};
    char remarks[PARSE_DETAIL] = "";
    text_for_display(raw->name, LIMIT_RAW_TEXT, made.name);
    enum parse_verdict verdict = meaning_into(raw, &made, remarks);
    struct bytes foreign_id = foreign_id_of(raw, remarks);
    made.time_ms = time_of(raw, envelope->received_at_ms, remarks);
    if (verdict == PARSE_OK && (!identity_into(raw, foreign_id, &made) ||
                                !campaign_into(raw, envelope, foreign_id, settings, &made))) {
        snprintf(remarks, PARSE_DETAIL, "out of memory");
        verdict = PARSE_NO_MEMORY;
    }
    if (verdict == PARSE_OK && made.kind == EVENT_CAMPAIGN && made.campaign_rank == CAMPAIGN_UNASSIGNED) {
        snprintf(remarks, PARSE_DETAIL, "the event \"%s\" names no campaign", made.name);
        verdict = PARSE_CAMPAIGN_UNNAMED;
    }
    if (verdict == PARSE_OK)
        *event = made;
    memcpy(detail, remarks, sizeof remarks);
    return verdict;
}
