#include "merge.h"

#include <string.h>

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

struct counted counted_as(const struct record *record)
{
    struct counted counted = {
        .campaign = record->campaigns[0], .outcome = record->outcome, .reason = record->reason};

    if (record->costs.own)
        counted.costs = record->costs.own_value;
    else if (record->costs.latest)
        counted.costs = record->costs.latest_value;
    if (record->flags.own)
        counted.flags = record->flags.own_value;
    else if (record->flags.latest)
        counted.flags = record->flags.latest_value;
    return counted;
}

bool counted_equal(const struct counted *a, const struct counted *b)
{
    return a->campaign == b->campaign && a->outcome == b->outcome && a->reason == b->reason && a->flags == b->flags &&
           costs_compare(&a->costs, &b->costs) == 0;
}

/* Which is the better one: > 0 the copy, 0 neither, < 0 the record's winner. */
static int compare_winner(const struct event *copy, const struct record *record)
{
    int order = compare(record->receipt, copy->receipt); /* one that is no receipt goes first */

    if (order == 0)
        order = compare(copy->time_ms, record->time_ms);
    if (order == 0)
        order = compare(copy->outcome == OUTCOME_FAILURE, record->outcome == OUTCOME_FAILURE);
    return order != 0 ? order : compare(record->reason, copy->reason);
}

static void take_winner(struct record *record, const struct event *copy)
{
    record->receipt = copy->receipt;
    record->time_ms = copy->time_ms;
    record->outcome = copy->outcome;
    record->reason = copy->reason;
}

/* `order` as compare_winner has it. */
static void merge_costs(struct record_costs *kept, const struct event *copy, int order)
{
    struct costs costs = {copy->product_cost_micros, copy->compliance_fee_micros, copy->tts_fee_micros};

    if (order > 0)
        kept->own = false;
    if (!copy->has_costs)
        return;
    if (order >= 0 && (!kept->own || costs_compare(&costs, &kept->own_value) > 0)) {
        kept->own = true;
        kept->own_value = costs;
    }
    if (!kept->latest || copy->time_ms > kept->latest_ms ||
        (copy->time_ms == kept->latest_ms && costs_compare(&costs, &kept->latest_value) > 0)) {
        kept->latest = true;
        kept->latest_value = costs;
        kept->latest_ms = copy->time_ms;
    }
}

static void merge_flags(struct record_flags *kept, const struct event *copy, int order)
{
    uint8_t flags = (uint8_t)((copy->dnc ? 2 : 0) | (copy->spam ? 1 : 0));

    if (order > 0)
        kept->own = false;
    if (!copy->has_flags)
        return;
    if (order >= 0 && (!kept->own || flags > kept->own_value)) {
        kept->own = true;
        kept->own_value = flags;
    }
    if (!kept->latest || copy->time_ms > kept->latest_ms ||
        (copy->time_ms == kept->latest_ms && flags > kept->latest_value)) {
        kept->latest = true;
        kept->latest_value = flags;
        kept->latest_ms = copy->time_ms;
    }
}

/* Keeps the smallest phone first; the others too, for an opt-out concerns them as well. Whether it was new. */
static bool merge_phone(struct record *record, const struct phone *phone)
{
    struct phone other = *phone;

    if (phone->len == 0)
        return false;
    for (size_t i = 0; i < record->phone_count; i++)
        if (phone_compare(&record->phones[i], phone) == 0)
            return false;
    if (record->phone_count > 0 && phone_compare(phone, &record->phones[0]) < 0) {
        other = record->phones[0];
        record->phones[0] = *phone;
    }
    if (record->phone_count == RECORD_PHONES)
        return phone_compare(&record->phones[0], phone) == 0;
    record->phones[record->phone_count++] = other;
    return true;
}

static bool better_campaign(const struct record *record, const struct event *copy, uint32_t campaign,
                            const struct campaign_names *names)
{
    char held[LIMIT_CAMPAIGN + 1];
    const char *name;

    if (copy->campaign_rank != record->rank)
        return copy->campaign_rank > record->rank;
    if (copy->received_ms != record->received_ms)
        return copy->received_ms < record->received_ms;
    name = names->name_of(names->context, record->campaigns[0]);
    memcpy(held, name, strlen(name) + 1);
    return strcmp(names->name_of(names->context, campaign), held) < 0;
}

/* The number among the further ones, or campaign_count. */
static size_t find_campaign(const struct record *record, uint32_t campaign)
{
    size_t at = 1;

    while (at < record->campaign_count && record->campaigns[at] != campaign)
        at++;
    return at;
}

static bool keep_campaign(struct record *record, uint32_t campaign)
{
    if (find_campaign(record, campaign) < record->campaign_count || record->campaign_count == RECORD_CAMPAIGNS)
        return false;
    record->campaigns[record->campaign_count++] = campaign;
    return true;
}

/* Whether the copy names a campaign that none named before. */
static bool merge_campaign(struct record *record, const struct event *copy, uint32_t campaign,
                           const struct campaign_names *names)
{
    uint32_t former = record->campaigns[0];
    size_t known;

    if (copy->campaign_rank == CAMPAIGN_UNASSIGNED)
        return false;
    if (campaign == former) {
        if (copy->campaign_rank > record->rank ||
            (copy->campaign_rank == record->rank && copy->received_ms < record->received_ms)) {
            record->rank = copy->campaign_rank;
            record->received_ms = copy->received_ms;
        }
        return false;
    }
    if (!better_campaign(record, copy, campaign, names))
        return keep_campaign(record, campaign);
    known = find_campaign(record, campaign);
    if (known < record->campaign_count)
        record->campaigns[known] = record->campaigns[--record->campaign_count];
    record->campaigns[0] = campaign;
    record->rank = copy->campaign_rank;
    record->received_ms = copy->received_ms;
    if (former != 0)
        keep_campaign(record, former);
    return true;
}

/* The smallest by bytes. Whether it changed. Where nothing shows it only that there is one is kept. */
static bool merge_foreign_id(struct record *record, const struct event *copy, bool keep)
{
    struct bytes new = bytes_of(copy->foreign_id, copy->foreign_id_len);
    struct bytes held = bytes_of(record->foreign_id, record->foreign_id_len);

    if (new.len == 0)
        return false;
    if (!keep && record->foreign_id_kept != FOREIGN_ID_NONE)
        return false;
    if (!keep) {
        record->foreign_id_kept = FOREIGN_ID_NOT_KEPT;
        return true;
    }
    if (record->foreign_id_kept == FOREIGN_ID_KEPT && bytes_compare(new, held) >= 0)
        return false;
    record->foreign_id_kept = FOREIGN_ID_KEPT;
    memcpy(record->foreign_id, new.data, new.len);
    record->foreign_id_len = new.len;
    return true;
}

static void note_opt_out(struct record *record, const struct event *event)
{
    if (!record->opted_out || event->time_ms < record->opt_out_ms)
        record->opt_out_ms = event->time_ms;
    if (event->told && (!record->told || event->time_ms < record->told_ms))
        record->told_ms = event->time_ms;
    record->opted_out = true;
    record->told |= event->told;
}

/* What came before the first result of the drop stays. */
static void make_record(struct record *record, bool exists, const struct event *copy, uint32_t campaign)
{
    const struct record before = exists ? *record : (struct record){0};

    *record = (struct record){.rank = copy->campaign_rank,
                              .received_ms = copy->received_ms,
                              .campaign_count = 1,
                              .campaigns = {campaign},
                              .opted_out = before.opted_out,
                              .opt_out_ms = before.opt_out_ms,
                              .told = before.told,
                              .told_ms = before.told_ms};
    take_winner(record, copy);
    for (size_t i = 1; i < before.campaign_count; i++)
        if (before.campaigns[i] != campaign)
            keep_campaign(record, before.campaigns[i]);
}

/* Which two campaigns a copy shows to be of one drop. */
static void note_link(struct merged *merged, uint32_t campaign)
{
    merged->other = merged->after.campaign == campaign ? merged->before.campaign : campaign;
    merged->linked = merged->other != 0 && merged->after.campaign != 0 && merged->other != merged->after.campaign;
}

static bool is_revised(const struct merged *merged)
{
    return merged->before.outcome != merged->after.outcome || merged->before.reason != merged->after.reason;
}

struct merged merge_copy(struct record *record, bool *exists, const struct event *copy, uint32_t campaign,
                         const struct merge_settings *settings)
{
    struct merged merged = {.applied = APPLIED_COUNTED};
    struct phone phone = phone_pack(copy->phone), phone_before = {0};
    bool first = !*exists || record->uncounted;
    bool unheard = false; /* nobody has named that campaign */
    bool campaign_new = true, phone_new, foreign_id_new;
    int order = 1;

    if (first) {
        make_record(record, *exists, copy, campaign);
    } else {
        merged.before = counted_as(record);
        phone_before = record->phones[0];
        order = compare_winner(copy, record);
        if (order > 0)
            take_winner(record, copy);
        unheard = campaign != record->campaigns[0] && find_campaign(record, campaign) == record->campaign_count;
        campaign_new = merge_campaign(record, copy, campaign, &settings->names);
    }
    merge_costs(&record->costs, copy, order);
    merge_flags(&record->flags, copy, order);
    phone_new = merge_phone(record, &phone);
    foreign_id_new = merge_foreign_id(record, copy, settings->keep_foreign_id);
    if (copy->opts_out)
        note_opt_out(record, copy);
    merged.after = counted_as(record);
    if (!first) {
        merged.applied = is_revised(&merged) ? APPLIED_REVISED : APPLIED_DUPLICATE;
        merged.filled = foreign_id_new || merged.before.campaign != merged.after.campaign ||
                        (record->phone_count > 0 && phone_compare(&phone_before, &record->phones[0]) != 0);
        if (unheard)
            note_link(&merged, campaign);
    }
    merged.list_opt_out =
        record->opted_out && record->phone_count > 0 && (first || copy->opts_out || phone_new || campaign_new);
    *exists = true;
    return merged;
}

bool merge_opt_out(struct record *record, bool *exists, const struct event *event, uint32_t campaign)
{
    if (!*exists)
        *record = (struct record){.uncounted = true, .campaign_count = 1};
    *exists = true;
    note_opt_out(record, event);
    if (event->campaign_rank != CAMPAIGN_UNASSIGNED && campaign != record->campaigns[0])
        keep_campaign(record, campaign);
    return record->phone_count > 0;
}
