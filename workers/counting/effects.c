#include "effects.h"

#include "common/clock.h"
#include "shown.h"

#include <stdio.h>
#include <string.h>

enum { JSON_LIMIT = 16 * 1024 };

void effects_init(struct effects *effects, struct apply_call *call, const struct call_settings *settings,
                  const struct campaign_names *names)
{
    *effects = (struct effects){
        .call = call,
        .counters = {.tally = apply_call_tally(call), .prefix = settings->prefix, .names = *names},
        .lookups = settings->result_ttl_s > 0,
    };
    buf_init(&effects->json, JSON_LIMIT);
}

void effects_clear(struct effects *effects)
{
    buf_clear(&effects->json);
}

static const char *name_of(const struct effects *effects, uint32_t campaign)
{
    return effects->counters.names.name_of(effects->counters.names.context, campaign);
}

/* Who is listed: the campaigns' lists hold those who opted out, the list of all also those whom sends were blocked for. */
struct listing {
    const struct event *event; /* by which it comes */
    const char *drop_id;
    struct bytes foreign_id;
    int64_t time_ms;
    bool told;
    int64_t told_ms;
    size_t campaign_count;
    uint32_t campaigns[RECORD_CAMPAIGNS + 1];
};

static void list_phone(struct effects *effects, const struct listing *listing, const char *phone)
{
    unsigned cells[2];

    for (size_t i = 0; listing->told && i < listing->campaign_count; i++) {
        uint32_t campaign = listing->campaigns[i];
        char name[LIMIT_CAMPAIGN + 1];

        if (campaign == 0) /* `unassigned` keeps no list */
            continue;
        snprintf(name, sizeof name, "%s", name_of(effects, campaign));
        counters_campaign_opt_out(&effects->counters, campaign, listing->event->received_ms, cells);
        apply_call_list(effects->call, LIST_OF_CAMPAIGN, name, phone, listing->told_ms, cells,
                        shown_opt_out(&effects->json, listing->drop_id, listing->foreign_id, phone, name,
                                      listing->told_ms));
    }
    counters_opt_out(&effects->counters, listing->event->received_ms, cells);
    apply_call_list(effects->call, LIST_OF_ALL, NULL, phone, listing->time_ms, cells,
                    shown_opt_out(&effects->json, listing->drop_id, listing->foreign_id, phone, NULL, listing->time_ms));
}

static bool has_campaign(const struct record *record, uint32_t campaign)
{
    for (size_t i = 0; i < record->campaign_count; i++)
        if (record->campaigns[i] == campaign)
            return true;
    return false;
}

/* An opting-out copy's own phone and campaign count even where the record has no room for them. */
void effects_of_opt_out(struct effects *effects, const struct event *event, uint32_t campaign,
                        const struct record *record, const char *drop_id)
{
    struct listing listing = {.event = event,
                              .drop_id = drop_id,
                              .foreign_id = bytes_of(record->foreign_id, record->foreign_id_len),
                              .time_ms = record->opt_out_ms,
                              .told = record->told,
                              .told_ms = record->told_ms,
                              .campaign_count = record->campaign_count};
    bool own_listed = event->kind != EVENT_RESULT || !event->opts_out || event->phone[0] == '\0';

    memcpy(listing.campaigns, record->campaigns, record->campaign_count * sizeof record->campaigns[0]);
    if (event->opts_out && !has_campaign(record, campaign))
        listing.campaigns[listing.campaign_count++] = campaign;
    for (size_t i = 0; i < record->phone_count; i++) {
        char phone[LIMIT_PHONE + 1];

        phone_text(&record->phones[i], phone);
        own_listed |= strcmp(phone, event->phone) == 0;
        list_phone(effects, &listing, phone);
    }
    if (!own_listed)
        list_phone(effects, &listing, event->phone);
}

static void count_copy(struct effects *effects, uint32_t campaign, enum copy_counter counter)
{
    apply_call_count(effects->call, counters_copy(&effects->counters, campaign, counter), false, NULL);
}

static void count_named(struct effects *effects, const char *key, const char *name)
{
    apply_call_count(effects->call, counters_named(&effects->counters, key, name), false, NULL);
}

static void count_first(struct effects *effects, const struct event *event, const struct counted *counted)
{
    apply_call_count(effects->call,
                     counters_first(&effects->counters, counted, event->received_ms, effects->generation,
                                    effects->new_here),
                     false,
                     &counted->costs);
    if (event->unknown_reason[0] != '\0')
        count_named(effects, "unknown_reasons", event->unknown_reason);
}

/* The counts change to what all copies together say. */
static void count_later(struct effects *effects, const struct merged *merged)
{
    if (!counted_equal(&merged->before, &merged->after)) {
        apply_call_count(effects->call, counters_later(&effects->counters, &merged->before), true, &merged->before.costs);
        apply_call_count(effects->call, counters_later(&effects->counters, &merged->after), false, &merged->after.costs);
    }
    count_copy(effects, merged->after.campaign, merged->applied == APPLIED_REVISED ? COPY_REVISED : COPY_DUPLICATE);
}

/* Two names of one campaign, perhaps: what an operator may want to alias. */
static void link(struct effects *effects, const struct merged *merged)
{
    char field[2 * LIMIT_CAMPAIGN + 2], name[LIMIT_CAMPAIGN + 1];

    snprintf(name, sizeof name, "%s", name_of(effects, merged->after.campaign));
    snprintf(field, sizeof field, "%s|%s", name, name_of(effects, merged->other));
    count_named(effects, "campaign_links", field);
}

void effects_of_result(struct effects *effects, const struct event *copy, uint32_t campaign,
                       const struct record *record, const struct merged *merged)
{
    const char *kind = merged->filled ? "filled" : NULL;

    if (merged->applied == APPLIED_COUNTED) {
        kind = "result";
        count_first(effects, copy, &merged->after);
    } else {
        kind = merged->applied == APPLIED_REVISED ? "revised" : kind;
        count_later(effects, merged);
    }
    if (kind)
        apply_call_entry(
            effects->call, kind,
            shown_drop(&effects->json, record, copy->id.text, name_of(effects, record->campaigns[0])));
    if (merged->list_opt_out)
        effects_of_opt_out(effects, copy, campaign, record, copy->id.text);
    if (merged->linked)
        link(effects, merged);
}

/* What shows the drop now, and what shows it no longer. */
static void show(struct effects *effects, const char *drop_id, const struct record *before, const struct record *after)
{
    struct bytes earlier = bytes_of(NULL, 0), now = bytes_of(after->foreign_id, after->foreign_id_len);

    if (before)
        earlier = bytes_of(before->foreign_id, before->foreign_id_len);
    if (now.len > 0)
        apply_call_show(effects->call, now,
                        shown_lookup(&effects->json, after, drop_id, name_of(effects, after->campaigns[0])));
    if (earlier.len > 0 && !bytes_equal(earlier, now))
        apply_call_unshow(effects->call, earlier, shown_mark(&effects->json, drop_id));
}

void effects_of_record(struct effects *effects, const char *drop_id, const struct record *before,
                       const struct record *after, bool moved)
{
    if (effects->lookups)
        show(effects, drop_id, before, after);
    if (moved)
        apply_call_count(effects->call, counters_moved(&effects->counters, effects->generation), false, NULL);
}

enum applied effects_of_event(struct effects *effects, const struct event *copy, uint32_t campaign, bool seen)
{
    const struct listing listing = {.event = copy,
                                    .drop_id = copy->drop.text,
                                    .foreign_id = bytes_of(copy->foreign_id, copy->foreign_id_len),
                                    .time_ms = copy->time_ms,
                                    .told = copy->told,
                                    .told_ms = copy->time_ms,
                                    .campaign_count = 1,
                                    .campaigns = {campaign}};
    enum applied applied = APPLIED_UNRECOGNIZED;

    switch (copy->kind) {
    case EVENT_OPT_OUT:
        if (copy->phone[0] != '\0')
            list_phone(effects, &listing, copy->phone);
        applied = APPLIED_OPT_OUT;
        break;
    case EVENT_OPT_IN:
        if (copy->phone[0] != '\0')
            apply_call_list(effects->call, LIST_OF_OPT_INS, NULL, copy->phone, copy->time_ms, (const unsigned[2]){0, 0},
                            shown_opt_out(&effects->json, copy->drop.text, listing.foreign_id, copy->phone,
                                          campaign > 0 ? name_of(effects, campaign) : NULL, copy->time_ms));
        applied = APPLIED_OPT_IN;
        break;
    case EVENT_CAMPAIGN:
        applied = APPLIED_CAMPAIGN;
        break;
    case EVENT_OTHER:
    case EVENT_RESULT:
        break;
    }
    if (seen) {
        count_copy(effects, campaign, COPY_DUPLICATE);
        return APPLIED_DUPLICATE;
    }
    apply_call_count(effects->call, counters_moved(&effects->counters, effects->generation), false, NULL);
    if (applied == APPLIED_UNRECOGNIZED) {
        count_copy(effects, campaign, COPY_UNRECOGNIZED);
        count_named(effects, "events", copy->name);
    }
    return applied;
}

static const char *const state_names[] = {[CAMPAIGN_SCHEDULED] = "scheduled",
                                          [CAMPAIGN_RUNNING] = "running",
                                          [CAMPAIGN_PAUSED] = "paused",
                                          [CAMPAIGN_COMPLETED] = "completed"};

void effects_of_touch(struct effects *effects, const struct touch *touch, const struct event *event)
{
    char name[LIMIT_CAMPAIGN + 1], first[CLOCK_ISO_SIZE], last[CLOCK_ISO_SIZE], result[CLOCK_ISO_SIZE] = "";
    struct call_campaign campaign = {.name = name,
                                     .first = first,
                                     .last = last,
                                     .state = event ? state_names[event->state] : "",
                                     .state_at = event ? first : "",
                                     .last_result = result,
                                     .score_ms = touch->last_ms};

    snprintf(name, sizeof name, "%s", name_of(effects, touch->campaign));
    clock_iso8601_ms(touch->first_ms, first);
    clock_iso8601_ms(touch->last_ms, last);
    if (touch->result_ms > 0 && touch->campaign != 0) /* `unassigned` has no state */
        clock_iso8601_ms(touch->result_ms, result);
    if (event)
        campaign.json = shown_campaign(&effects->json, name, campaign.state, event->time_ms);
    apply_call_campaign(effects->call, &campaign);
}
