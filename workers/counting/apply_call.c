#include "apply_call.h"

#include "common/little_endian.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_LIMIT = 16 * 1024 * 1024,
    /* Enough of each for one call: what a drop may add then still has room. */
    ENOUGH_BYTES = PART_LIMIT / 2,
    ENOUGH_NUMBERS = 16 * 1024, /* of cells, and of classes; they end at 32,767 */
    ENOUGH_OPT_OUTS = 32 * 1024,
    DROP_HEAD = 6,                 /* '<BBI2BB' */
    TERM = 17,                     /* '<hI5I5I5' */
    TERM_COST = 5,
    TERMS_LIMIT = 1024 * 1024,
    COUNTS = 6,
};

struct apply_call {
    struct call_settings settings;
    struct tally *tally;
    struct arguments campaigns, optouts, drops;
    size_t campaign_count, optout_count, drop_count;
    /* Of the drop under way: its head and terms, and what else follows. */
    struct buf terms;
    struct arguments rest;
    unsigned entry_count, show_count, unshow_count;
    bool failed;
};

struct apply_call *apply_call_new(const struct call_settings *settings)
{
    struct apply_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->settings = *settings;
    arguments_init(&call->campaigns, PART_LIMIT);
    arguments_init(&call->optouts, PART_LIMIT);
    arguments_init(&call->drops, PART_LIMIT);
    arguments_init(&call->rest, PART_LIMIT);
    buf_init(&call->terms, TERMS_LIMIT);
    call->tally = tally_new();
    if (call->tally)
        return call;
    apply_call_free(call);
    return NULL;
}

void apply_call_free(struct apply_call *call)
{
    if (!call)
        return;
    tally_free(call->tally);
    arguments_clear(&call->campaigns);
    arguments_clear(&call->optouts);
    arguments_clear(&call->drops);
    arguments_clear(&call->rest);
    buf_clear(&call->terms);
    free(call);
}

void apply_call_begin(struct apply_call *call)
{
    tally_reset(call->tally);
    arguments_reset(&call->campaigns);
    arguments_reset(&call->optouts);
    arguments_reset(&call->drops);
    call->campaign_count = call->optout_count = call->drop_count = 0;
    call->failed = false;
}

struct tally *apply_call_tally(struct apply_call *call)
{
    return call->tally;
}

static void add_bytes(struct arguments *arguments, struct bytes bytes)
{
    arguments_add(arguments, bytes.data, bytes.len);
}

void apply_call_campaign(struct apply_call *call, const struct call_campaign *campaign)
{
    struct arguments *to = &call->campaigns;

    arguments_printf(to, "%scampaign:%s", call->settings.prefix, campaign->name);
    arguments_add_text(to, campaign->name);
    arguments_add_text(to, campaign->first);
    arguments_add_text(to, campaign->last);
    arguments_add_text(to, campaign->state);
    arguments_add_text(to, campaign->state_at);
    arguments_add_text(to, campaign->last_result);
    arguments_add_number(to, campaign->score_ms);
    add_bytes(to, campaign->json);
    call->campaign_count++;
}

void apply_call_list(struct apply_call *call, enum call_list list, const char *campaign, const char *phone,
                     int64_t time_ms, const unsigned cells[2], struct bytes json)
{
    struct arguments *to = &call->optouts;
    uint8_t head[7];
    uint8_t *at = put_little_endian(put_little_endian(head, list, 1), cells[0], 2);

    put_little_endian(put_little_endian(at, cells[1], 2), call->drop_count, 2);
    if (list == LIST_OF_CAMPAIGN)
        arguments_printf(to, "%scampaign:%s:optouts", call->settings.prefix, campaign);
    else
        arguments_printf(to, "%s%s", call->settings.prefix, list == LIST_OF_ALL ? "optouts" : "optins");
    arguments_add_text(to, phone);
    arguments_add_number(to, time_ms);
    arguments_add(to, head, sizeof head);
    add_bytes(to, json);
    call->optout_count++;
}

/* --- Drops ------------------------------------------------------------------------------------------------------ */

void apply_call_drop(struct apply_call *call)
{
    static const uint8_t head[DROP_HEAD] = {0}; /* filled in at its end */

    buf_reset(&call->terms);
    call->failed |= !buf_append(&call->terms, head, sizeof head);
    arguments_reset(&call->rest);
    call->entry_count = call->show_count = call->unshow_count = 0;
    call->drop_count++;
}

void apply_call_count(struct apply_call *call, unsigned class, bool take_back, const struct costs *costs)
{
    uint8_t term[TERM];
    uint8_t *at = put_little_endian(term, (uint64_t)(take_back ? -(int64_t)class : (int64_t)class), 2);

    at = put_little_endian(at, costs ? (uint64_t)costs->product : 0, TERM_COST);
    at = put_little_endian(at, costs ? (uint64_t)costs->compliance : 0, TERM_COST);
    put_little_endian(at, costs ? (uint64_t)costs->tts : 0, TERM_COST);
    call->failed |= class == 0 || !buf_append(&call->terms, term, sizeof term);
}

void apply_call_entry(struct apply_call *call, const char *kind, struct bytes json)
{
    if (call->settings.results_stream_max == 0)
        return;
    arguments_add_text(&call->rest, kind);
    add_bytes(&call->rest, json);
    call->entry_count++;
}

static void add_lookup(struct apply_call *call, struct bytes foreign_id)
{
    char key[KEY_TEXT + LIMIT_FOREIGN_ID];
    int len = snprintf(key, KEY_TEXT, "%sresult:", call->settings.prefix);

    memcpy(key + len, foreign_id.data, foreign_id.len);
    arguments_add(&call->rest, key, (size_t)len + foreign_id.len);
}

void apply_call_show(struct apply_call *call, struct bytes foreign_id, struct bytes json)
{
    add_lookup(call, foreign_id);
    add_bytes(&call->rest, json);
    call->show_count = 1;
}

void apply_call_unshow(struct apply_call *call, struct bytes foreign_id, struct bytes mark)
{
    add_lookup(call, foreign_id);
    add_bytes(&call->rest, mark);
    call->unshow_count = 1;
}

void apply_call_drop_end(struct apply_call *call, const struct call_drop *drop)
{
    uint8_t head[DROP_HEAD];
    uint8_t *at = put_little_endian(put_little_endian(head, drop->fresh, 1), drop->bucket_count - 1, 1);

    at = put_little_endian(at, call->entry_count, 2);
    put_little_endian(put_little_endian(at, call->show_count, 1), call->unshow_count, 1);
    call->failed |= call->entry_count > UINT16_MAX || call->terms.overflow;
    if (!call->failed)
        memcpy(call->terms.data, head, sizeof head);
    arguments_add_text(&call->drops, drop->buckets[0]);
    add_bytes(&call->drops, drop->field);
    add_bytes(&call->drops, drop->expected);
    add_bytes(&call->drops, drop->written);
    arguments_add(&call->drops, call->terms.data, call->terms.len);
    for (size_t i = 1; i < drop->bucket_count; i++)
        arguments_add_text(&call->drops, drop->buckets[i]);
    arguments_append(&call->drops, &call->rest);
}

bool apply_call_full(const struct apply_call *call)
{
    const struct tally_counts counts = tally_counts(call->tally);

    return call->drops.bytes.len + call->rest.bytes.len >= ENOUGH_BYTES || call->optouts.bytes.len >= ENOUGH_BYTES ||
           call->optout_count >= ENOUGH_OPT_OUTS || counts.cells >= ENOUGH_NUMBERS || counts.classes >= ENOUGH_NUMBERS;
}

/* --- The call, and its answer ----------------------------------------------------------------------------------- */

bool apply_call_write(struct apply_call *call, const struct call_place *place, struct arguments *arguments)
{
    const struct generation *current = &place->generations.list[0];
    const char *prefix = call->settings.prefix;
    bool streams = call->settings.results_stream_max > 0;
    const struct tally_counts tallied = tally_counts(call->tally);
    size_t counts[COUNTS] = {tallied.keys,         tallied.cells,      tallied.classes,
                             call->campaign_count, call->optout_count, call->drop_count};
    uint8_t packed[2 * COUNTS];

    for (size_t i = 0; i < COUNTS; i++) {
        call->failed |= counts[i] > UINT16_MAX;
        put_little_endian(packed + 2 * i, counts[i], 2);
    }
    arguments_printf(arguments, "%sdrops:epoch", prefix);
    arguments_add_text(arguments, place->epoch);
    arguments_printf(arguments, "%sschema", prefix);
    arguments_add_number(arguments, place->schema);
    arguments_printf(arguments, "%scampaigns", prefix);
    arguments_printf(arguments, "%s%s", streams ? prefix : "", streams ? "results" : "");
    arguments_add_number(arguments, call->settings.results_stream_max);
    arguments_add_number(arguments, call->settings.result_ttl_s);
    arguments_add_number(arguments, current->birth_ms + current->length_ms);
    arguments_add_number(arguments, generation_end_ms(current));
    arguments_printf(arguments, "%sdrops:sizes", prefix);
    arguments_add_number(arguments, current->number);
    arguments_printf(arguments, "%" PRIu64, generations_limit(&place->generations));
    arguments_add(arguments, packed, sizeof packed);
    call->failed |= !tally_write(call->tally, arguments);
    arguments_append(arguments, &call->campaigns);
    arguments_append(arguments, &call->optouts);
    arguments_append(arguments, &call->drops);
    return !call->failed && !arguments->bytes.overflow;
}

static bool take_number(struct bytes *rest, unsigned width, size_t *out)
{
    if (rest->len < width)
        return false;
    *out = (size_t)get_little_endian(rest->data, width);
    *rest = bytes_of(rest->data + width, rest->len - width);
    return true;
}

bool call_answer_begin(struct bytes answer, size_t drops, struct call_answer *out)
{
    struct call_answer made = {.rest = answer, .drops = drops};

    if (!take_number(&made.rest, 2, &made.conflicts))
        return false;
    *out = made;
    return true;
}

bool call_answer_next(struct call_answer *answer, struct call_conflict *conflict)
{
    size_t number, len;

    if (answer->conflicts == 0 || !take_number(&answer->rest, 2, &number) || number <= answer->last ||
        number > answer->drops || !take_number(&answer->rest, 2, &len) ||
        !take_number(&answer->rest, 1, &conflict->generation) || len > answer->rest.len)
        return false;
    answer->last = number;
    conflict->drop = number - 1;
    conflict->present = bytes_of(answer->rest.data, len);
    answer->rest = bytes_of(answer->rest.data + len, answer->rest.len - len);
    answer->conflicts--;
    return true;
}

struct bytes call_answer_damaged(const struct call_answer *answer)
{
    return answer->rest;
}
