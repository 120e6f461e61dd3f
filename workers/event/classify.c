#include "reading.h"

#include "common/drops/reasons.h"
#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* The name is the vendor's or a stranger's: it is shown to people who decide what it means. */
static void remark_name(struct reading *reading, const char *what)
{
    char text[PARSE_DETAIL];
    snprintf(text, sizeof text, PARSE_ABOUT_NAME "%s\" %s", reading->event->name, what);
    remark(reading, text);
}

/* --- Reasons ----------------------------------------------------------------------------------------------------- */

/* An integer, however it is written: 4002, 4002.0 or "4002". */
static bool code_of(struct json_value value, int64_t *code)
{
    static const double EXACT = 9007199254740992.0; /* 2^53 */
    double number = 0;
    if (value.kind == JSON_NUMBER)
        number = value.number;
    else if (value.kind != JSON_TEXT || !text_digits(value.text, &number))
        return false;
    if (!(fabs(number) < EXACT) || trunc(number) != number)
        return false;
    *code = (int64_t)number;
    return true;
}

/* Why a send failed, by code and by text; -1 for what reasons.def does not know. */
struct why {
    bool has_code;
    int64_t code;
    struct bytes text;
    int by_code, by_text;
    bool by_status; /* by_text is the status' */
};

/* The first code that is known, else the first; 0 is that of a success. A status may say it too ("busy", "opted_out"), where
   nothing else does. */
static struct why why_of(const struct reading *reading)
{
    const struct fields *fields = reading->fields;
    const struct json_value *const codes[] = {&fields->in_body[FIELD_reason_code], &fields->in_data[FIELD_reason_code],
                                              &fields->in_body[FIELD_status_code], &fields->in_data[FIELD_status_code]};
    struct why why = {.text = field_text(fields, FIELD_reason), .by_code = -1};
    int64_t code;
    for (size_t i = 0; i < 4 && why.by_code < 0; i++) {
        if (!code_of(value_scalar(codes[i]), &code) || code == 0)
            continue;
        why.code = why.has_code ? why.code : code;
        why.has_code = true;
        why.by_code = reason_by_code(code);
    }
    if (text_trim(why.text).len == 0)
        why.text = bytes_of(NULL, 0);
    why.by_status = why.text.len == 0 && !why.has_code;
    why.by_text = reason_by_text(why.by_status ? reading->status : why.text);
    return why;
}

static void reason_into(const struct why *why, struct event *event)
{
    const int known = why->by_code >= 0 ? why->by_code : why->by_text;
    event->reason = (uint8_t)(known >= 0 ? (unsigned)known : reason_other());
    if (known >= 0)
        return;
    if (why->text.len > 0)
        text_for_display(why->text, LIMIT_RAW_TEXT, event->unknown_reason);
    else if (why->has_code)
        snprintf(event->unknown_reason, sizeof event->unknown_reason, "reason_code %" PRId64, why->code);
    else
        snprintf(event->unknown_reason, sizeof event->unknown_reason, "(none)");
}

/* --- Opt-outs ---------------------------------------------------------------------------------------------------- */

/* In doubt, list: a text counts beside a code, and of two that opt out the code says which way. */
static void opt_out_into(struct reading *reading, const struct why *why)
{
    struct event *event = reading->event;
    enum reason_opt_out said = reason_opt_out(why->by_code);
    const bool dnc = field_flag(reading->fields, FIELD_dnc) == FLAG_TRUE || session_dnc(reading) == FLAG_TRUE;
    const bool by_name = name_sound(reading->name) == NAME_SOUNDS_LIKE_OPT_OUT;
    if (said == REASON_STAYS && !(dnc && why->by_status))
        said = reason_opt_out(why->by_text);
    event->opts_out = said != REASON_STAYS || dnc || by_name;
    event->told = event->opts_out && said != REASON_BLOCKED;
    if (by_name)
        remark_name(reading, "is no documented opt-out and was taken for one by its name");
    if (why->by_text < 0 && !event->opts_out && reason_text_sounds_like_opt_out(why->text))
        remark(reading, "a reason that mentions opting out was not taken for an opt-out: see dc:unknown_reasons");
}

/* Makes an opt-out of what counts no send but opts somebody out: a phone, or whom the drop went to. False, with nothing
   of it kept, if it does not. */
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

static enum parse_verdict contact_opts_out(struct reading *reading)
{
    reading->event->opts_out = reading->event->told = true;
    phone_into(reading);
    if (make_opt_out(reading->event, drop_of(reading)))
        return PARSE_OK;
    snprintf(reading->remark, PARSE_DETAIL, "the opt-out names no phone number of 7 to 15 digits, and no drop");
    return PARSE_OPTOUT_WITHOUT_PHONE;
}

static enum parse_verdict contact_opts_in(struct reading *reading)
{
    reading->event->kind = EVENT_OPT_IN;
    phone_into(reading);
    if (reading->event->phone[0] == '\0')
        remark(reading, "an opt-in names no phone number of 7 to 15 digits: it changed no list");
    return PARSE_OK;
}

/* Where its parts contradict each other it does not. */
static bool subscription_begins(const struct reading *reading)
{
    static const enum field choices[] = {FIELD_action, FIELD_opt, FIELD_keyword, FIELD_body};
    const struct fields *fields = reading->fields;
    bool said[] = {[FLAG_ABSENT] = false, [FLAG_FALSE] = false, [FLAG_TRUE] = false};
    bool meant[] = {[TEXT_OTHER] = false, [TEXT_STOP] = false, [TEXT_OPT_IN] = false};
    said[field_flag(fields, FIELD_opted_in)] = true;
    said[field_flag(fields, FIELD_subscribed)] = true;
    meant[text_meaning(reading->status)] = true;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        meant[text_meaning(field_text(fields, choices[i]))] = true;
    return (said[FLAG_TRUE] || meant[TEXT_OPT_IN]) && !said[FLAG_FALSE] && !meant[TEXT_STOP];
}

/* An event that no rule knows by its name. In doubt, list. */
static enum parse_verdict other_into(struct reading *reading)
{
    reading->event->opts_out = reading->event->told = name_sound(reading->name) == NAME_SOUNDS_LIKE_OPT_OUT;
    if (reading->event->opts_out)
        phone_into(reading);
    reading->remark[0] = '\0'; /* those below say more */
    if (make_opt_out(reading->event, bytes_of(NULL, 0)))
        remark_name(reading, "is no documented opt-out and was taken for one by its name");
    else if (name_sound(reading->name) != NAME_SOUNDS_LIKE_NOTHING)
        remark_name(reading, "has to do with consent by its name, but no rule knows it: it changed no list");
    return PARSE_OK;
}

/* --- Sends ------------------------------------------------------------------------------------------------------- */

/* What is said of the send, by the name or else the status; *word is the status, as its table writes it. */
static enum status_meaning outcome_of(const struct reading *reading, const char **word)
{
    if (reading->meaning == NAME_DELIVERED)
        return STATUS_SUCCESS;
    if (reading->meaning == NAME_FAILED)
        return STATUS_FAILURE;
    return status_meaning(reading->status, word);
}

static enum parse_verdict refuse_result(const struct reading *reading)
{
    char status[LIMIT_RAW_TEXT + 1];
    text_for_display(reading->status, LIMIT_RAW_TEXT, status);
    if (reading->status.len == 0 && reading->meaning == NAME_NONE) {
        snprintf(reading->remark, PARSE_DETAIL, "the body has neither a type, an event nor a status");
        return PARSE_UNRECOGNIZED_SHAPE;
    }
    if (reading->status.len == 0)
        snprintf(reading->remark, PARSE_DETAIL, "the result has no status");
    else
        snprintf(reading->remark, PARSE_DETAIL, "the status \"%s\" is neither success nor failure", status);
    return PARSE_UNUSABLE_STATUS;
}

static enum parse_verdict result_into(struct reading *reading)
{
    struct event *event = reading->event;
    const struct why why = why_of(reading);
    const char *word = "";
    reading->of_send = true;
    opt_out_into(reading, &why);
    phone_into(reading);
    const enum status_meaning outcome = outcome_of(reading, &word);
    switch (outcome) {
    case STATUS_SUCCESS:
    case STATUS_FAILURE:
        event->kind = EVENT_RESULT;
        event->outcome = outcome == STATUS_SUCCESS ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        event->receipt = reading->meaning == NAME_RECEIPT;
        if (outcome == STATUS_FAILURE)
            reason_into(&why, event);
        costs_into(reading);
        flags_into(reading);
        return PARSE_OK;
    case STATUS_INTERIM:
        if (!make_opt_out(event, drop_of(reading)))
            snprintf(event->name, sizeof event->name, "status:%s", word);
        return PARSE_OK;
    case STATUS_NONE:
    case STATUS_UNKNOWN:
        break;
    }
    const enum parse_verdict verdict = refuse_result(reading);
    if (!make_opt_out(event, drop_of(reading)))
        return verdict;
    event->rejected_as = parse_verdict_slug(verdict);
    return PARSE_OK;
}

/* --- The whole --------------------------------------------------------------------------------------------------- */

enum parse_verdict classify(struct reading *reading)
{
    static const enum campaign_state states[] = {
        [NAME_SCHEDULED] = CAMPAIGN_SCHEDULED,
        [NAME_RUNNING] = CAMPAIGN_RUNNING,
        [NAME_PAUSED] = CAMPAIGN_PAUSED,
        [NAME_COMPLETED] = CAMPAIGN_COMPLETED,
    };
    const struct fields *fields = reading->fields;
    const bool flat = fields->in_body[FIELD_data].kind != JSON_OBJECT && field_text(fields, FIELD_drop_id).len > 0 &&
                      (reading->status.len > 0 || field_flag(fields, FIELD_dnc) == FLAG_TRUE);
    switch (reading->meaning) {
    case NAME_OTHER: /* a callback may say in its type what was sent ("sms") */
        return flat ? result_into(reading) : other_into(reading);
    case NAME_NONE:
    case NAME_DELIVERED:
    case NAME_FAILED:
    case NAME_STATUS:
    case NAME_RECEIPT:
        return result_into(reading);
    case NAME_OPT_OUT:
        return contact_opts_out(reading);
    case NAME_OPT_IN:
        return contact_opts_in(reading);
    case NAME_SUBSCRIPTION:
        return subscription_begins(reading) ? contact_opts_in(reading) : contact_opts_out(reading);
    case NAME_TEXT_RECEIVED:
        return text_meaning(field_text(fields, FIELD_body)) == TEXT_STOP ? contact_opts_out(reading) : PARSE_OK;
    case NAME_SCHEDULED:
    case NAME_RUNNING:
    case NAME_PAUSED:
    case NAME_COMPLETED:
        reading->event->kind = EVENT_CAMPAIGN;
        reading->event->state = states[reading->meaning];
        return PARSE_OK;
    }
    return PARSE_OK;
}
