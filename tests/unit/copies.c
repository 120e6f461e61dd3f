#include "copies.h"

#include <stdio.h>
#include <string.h>

static const char *const campaign_names[COPIES_CAMPAIGNS] = {"unassigned", "spring", "autumn", "winter", "c4",  "c5",
                                                             "c6",         "c7",     "c8",     "c9",     "c10", "c11",
                                                             "c12",        "c13",    "c14",    "c15"};

static uint32_t number_of(const void *context, uint32_t number)
{
    (void)context;
    return number == COPIES_ALIAS ? COPIES_SPRING : number;
}

static const char *name_of(const void *context, uint32_t number)
{
    number = number_of(context, number);
    return number < COPIES_CAMPAIGNS ? campaign_names[number] : campaign_names[COPIES_UNASSIGNED];
}

struct campaign_names copies_names(void)
{
    return (struct campaign_names){.name_of = name_of, .number_of = number_of};
}

static void put_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static struct event_id event_id(const char *text)
{
    struct event_id id = {0};
    bool packed = text[0] == '=';

    id.packed_len = (uint8_t)snprintf((char *)id.packed, sizeof id.packed, "%s%s", packed ? "" : "t", text + packed);
    put_text(id.text, sizeof id.text, text);
    return id;
}

struct event copies_event(const struct given *given)
{
    struct event event = {
        .kind = given->kind,
        .time_ms = COPIES_BEGIN_MS + given->at,
        .received_ms = COPIES_BEGIN_MS + given->received,
        .campaign_rank = given->campaign > 0 && given->rank == 0 ? CAMPAIGN_FROM_URL : given->rank,
        .outcome = given->failure > 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS,
        .reason = given->failure,
        .receipt = given->receipt,
        .has_costs = given->costs.given,
        .product_cost_micros = given->costs.value.product,
        .compliance_fee_micros = given->costs.value.compliance,
        .tts_fee_micros = given->costs.value.tts,
        .has_flags = given->flags != NULL,
        .dnc = given->flags && strchr(given->flags, 'd'),
        .spam = given->flags && strchr(given->flags, 's'),
        .opts_out = given->opts_out,
        .told = given->opts_out && !given->blocked,
        .state = given->state,
    };

    event.id = event_id(given->id ? given->id : "d");
    if (given->drop)
        event.drop = event_id(given->drop);
    put_text(event.campaign, sizeof event.campaign, name_of(NULL, given->campaign));
    put_text(event.unknown_reason, sizeof event.unknown_reason, given->unknown_reason);
    put_text(event.phone, sizeof event.phone, given->phone);
    put_text(event.name, sizeof event.name, given->name);
    if (given->foreign_id) {
        event.foreign_id_len = strlen(given->foreign_id);
        memcpy(event.foreign_id, given->foreign_id, event.foreign_id_len);
    }
    return event;
}

static bool equal_costs(const struct record *a, const struct record *b)
{
    const struct record_costs *x = &a->costs, *y = &b->costs;

    if (x->own != y->own || x->latest != y->latest)
        return false;
    if (x->own && costs_compare(&x->own_value, &y->own_value) != 0)
        return false;
    return !x->latest || (x->latest_ms == y->latest_ms && costs_compare(&x->latest_value, &y->latest_value) == 0);
}

static bool equal_flags(const struct record *a, const struct record *b)
{
    const struct record_flags *x = &a->flags, *y = &b->flags;

    if (x->own != y->own || x->latest != y->latest)
        return false;
    if (x->own && x->own_value != y->own_value)
        return false;
    return !x->latest || (x->latest_ms == y->latest_ms && x->latest_value == y->latest_value);
}

static bool equal_phones(const struct record *a, const struct record *b)
{
    for (size_t i = 0; i < a->phone_count; i++)
        if (phone_compare(&a->phones[i], &b->phones[i]) != 0)
            return false;
    return a->phone_count == b->phone_count;
}

static bool equal_opt_outs(const struct record *a, const struct record *b)
{
    return a->opted_out == b->opted_out && (!a->opted_out || a->opt_out_ms == b->opt_out_ms) && a->told == b->told &&
           (!a->told || a->told_ms == b->told_ms);
}

bool copies_equal_records(const struct record *a, const struct record *b)
{
    return a->uncounted == b->uncounted && a->receipt == b->receipt && a->outcome == b->outcome &&
           a->reason == b->reason && a->time_ms == b->time_ms && a->rank == b->rank && a->received_ms == b->received_ms &&
           a->campaign_count == b->campaign_count &&
           memcmp(a->campaigns, b->campaigns, a->campaign_count * sizeof *a->campaigns) == 0 && equal_costs(a, b) &&
           equal_flags(a, b) && equal_phones(a, b) && equal_opt_outs(a, b) &&
           a->foreign_id_kept == b->foreign_id_kept && a->foreign_id_len == b->foreign_id_len && memcmp(a->foreign_id, b->foreign_id, a->foreign_id_len) == 0;
}

/* --- In words ----------------------------------------------------------------------------------------------------- */

static void add_flags(struct buf *out, unsigned flags)
{
    buf_printf(out, ", flags %s%s", flags & 2 ? "d" : "", flags & 1 ? "s" : "");
}

/* What counts; times are those of the copies. */
static void add_counted(struct buf *out, const struct record *record)
{
    struct counted counted = counted_as(record);

    if (counted.outcome == OUTCOME_FAILURE)
        buf_printf(out, "failure %u", counted.reason);
    else
        buf_append_text(out, "success");
    buf_printf(out, " at %lld in %s", (long long)(record->time_ms - COPIES_BEGIN_MS),
               name_of(NULL, counted.campaign));
    if (record->costs.latest)
        buf_printf(out, ", costs %lld %lld %lld", (long long)counted.costs.product,
                   (long long)counted.costs.compliance, (long long)counted.costs.tts);
    if (record->flags.latest)
        add_flags(out, counted.flags);
}

/* Phones and campaigns past the first are sets. */
static void add_remembered(struct buf *out, const struct record *record, bool with_sets)
{
    char phone[LIMIT_PHONE + 1];

    for (size_t i = 0; i < (with_sets ? record->phone_count : record->phone_count > 0); i++) {
        phone_text(&record->phones[i], phone);
        buf_printf(out, "%s%s", i == 0 ? ", phone " : " ", phone);
    }
    for (size_t i = 1; with_sets && i < record->campaign_count; i++)
        buf_printf(out, "%s%s", i == 1 ? ", also in " : " ", name_of(NULL, record->campaigns[i]));
    if (record->foreign_id_kept == FOREIGN_ID_KEPT)
        buf_printf(out, ", id %.*s", (int)record->foreign_id_len, (const char *)record->foreign_id);
    if (record->foreign_id_kept == FOREIGN_ID_NOT_KEPT)
        buf_append_text(out, ", an id");
    if (record->opted_out && (!record->told || record->told_ms != record->opt_out_ms))
        buf_printf(out, ", blocked at %lld", (long long)(record->opt_out_ms - COPIES_BEGIN_MS));
    if (record->told)
        buf_printf(out, ", opted out at %lld", (long long)(record->told_ms - COPIES_BEGIN_MS));
}

void copies_describe(struct buf *out, const struct record *record, bool with_sets)
{
    buf_reset(out);
    if (record->uncounted)
        buf_append_text(out, "no result");
    else
        add_counted(out, record);
    add_remembered(out, record, with_sets);
}

/* --- Orders ------------------------------------------------------------------------------------------------------- */

static void swap(size_t *a, size_t *b)
{
    size_t held = *a;

    *a = *b;
    *b = held;
}

bool copies_next_order(size_t *order, size_t count)
{
    size_t at = count - 1, with = count - 1;

    while (at > 0 && order[at - 1] > order[at])
        at--;
    if (at == 0)
        return false;
    while (order[with] < order[at - 1])
        with--;
    swap(&order[at - 1], &order[with]);
    for (size_t end = count - 1; at < end; at++, end--)
        swap(&order[at], &order[end]);
    return true;
}

uint32_t copies_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}
