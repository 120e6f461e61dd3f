/* Up to eight bodies, parted by bytes 0 → events → records and the plan of a batch. */
#include "common/drops/reasons.h"
#include "fuzz.h"
#include "workers/counting/merge.h"
#include "workers/counting/plan.h"
#include "workers/event/parse.h"

enum { BODIES = 8, RECEIVED_S = 1780315200, ARGUMENTS = 1 << 22 };


static const char *name_of(const void *context, uint32_t number)
{
    static const char *const names[] = {"unassigned", "a", "b", "c"};
    (void)context;
    return names[number % 4];
}

static const struct campaign_names names = {.name_of = name_of};

static void claim_of_text(const char *text, size_t size)
{
    const size_t len = strnlen(text, size);
    CLAIM(len < size);
}

static void claim_of_event(const struct event *event)
{
    CLAIM(event->kind <= EVENT_OTHER && event->id.packed_len > 0 && event->id.packed_len <= EVENT_ID_PACKED);
    CLAIM(event->campaign[0] != '\0' && (event->campaign_rank != CAMPAIGN_UNASSIGNED) == (strcmp(event->campaign, "unassigned") != 0));
    CLAIM(event->reason < reason_count() && event->foreign_id_len <= LIMIT_FOREIGN_ID);
    CLAIM(event->phone[0] == '\0' || (event->phone[0] == '+' && event->phone[1] != '0'));
    CLAIM(event->kind != EVENT_OPT_OUT || (event->opts_out && (event->phone[0] != '\0' || event->drop.packed_len > 0)));
    CLAIM(!event->told || event->opts_out);
    CLAIM(event->time_ms >= INT64_C(946684800000) && event->time_ms <= event->received_ms + 86400000);
    CLAIM(event->product_cost_micros >= 0 && event->product_cost_micros <= INT64_C(10000000000));
    claim_of_text(event->campaign, sizeof event->campaign);
    claim_of_text(event->unknown_reason, sizeof event->unknown_reason);
    claim_of_text(event->name, sizeof event->name);
    claim_of_text(event->phone, sizeof event->phone);
}

static void claim_of_bytes(const struct record *record)
{
    uint8_t bytes[RECORD_MAX], again[RECORD_MAX];
    struct record read = {0};
    const size_t len = record_write(record, bytes);
    CLAIM(record_read(bytes_of(bytes, len), &read) == RECORD_OK);
    CLAIM(record_write(&read, again) == len && memcmp(bytes, again, len) == 0);
}

/* All of them as copies of one drop, from the first to the last or the other way round. */
static struct record merged(const struct event *events, size_t count, bool backwards, bool *exists)
{
    const struct merge_settings merging = {.keep_foreign_id = true, .names = names};
    struct record record = {0};
    *exists = false;
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &events[backwards ? count - 1 - i : i];
        const uint32_t campaign = event->campaign_rank == CAMPAIGN_UNASSIGNED ? 0 : 1 + (uint8_t)event->campaign[0] % 3;
        if (event->kind == EVENT_RESULT)
            merge_copy(&record, exists, event, campaign, &merging);
        else if (event->kind == EVENT_OPT_OUT)
            merge_opt_out(&record, exists, event, campaign);
        if (*exists)
            claim_of_bytes(&record);
    }
    return record;
}

static void claim_of_orders(const struct event *events, size_t count)
{
    bool exists = false, exists_too = false;
    const struct record record = merged(events, count, false, &exists);
    const struct record other = merged(events, count, true, &exists_too);
    CLAIM(exists == exists_too);
    if (!exists)
        return;
    CLAIM(record.uncounted == other.uncounted && record.opted_out == other.opted_out && record.told == other.told);
    CLAIM(record.opt_out_ms == other.opt_out_ms && record.told_ms == other.told_ms);
    CLAIM(record.phone_count == other.phone_count);
    CLAIM(record.phone_count == 0 || phone_compare(&record.phones[0], &other.phones[0]) == 0);
    if (record.uncounted)
        return;
    const struct counted a = counted_as(&record), b = counted_as(&other);
    CLAIM(counted_equal(&a, &b) && record.time_ms == other.time_ms && record.receipt == other.receipt);
    CLAIM(record.foreign_id_len == other.foreign_id_len &&
          memcmp(record.foreign_id, other.foreign_id, record.foreign_id_len) == 0);
}

static void plan_all(struct plan *plan, const struct event *events, size_t count)
{
    const struct call_place place = {
        .schema = 2,
        .epoch = "ab:7",
        .generations = {.count = 1, .list = {{.number = 1, .length_ms = 1000, .keep_ms = 1000, .buckets = 3}}}};
    struct arguments arguments;
    arguments_init(&arguments, ARGUMENTS);
    plan_begin(plan, &place);
    for (size_t i = 0; i < count; i++)
        plan_copy(plan, &events[i], events[i].campaign_rank == CAMPAIGN_UNASSIGNED ? 0 : 1);
    CLAIM(plan_groups(plan) <= 2 * count); /* an opt-out event is one of the drop that it names, too */
    CLAIM(plan_write(plan, &arguments) && !arguments.bytes.overflow);
    arguments_clear(&arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct event events[BODIES];
    static struct plan *plan;
    const struct envelope envelope = {.received_at_ms = INT64_C(1000) * RECEIVED_S};
    struct bytes rest = bytes_of(data, size), body = {0};
    size_t count = 0;
    if (!plan) {
        const struct plan_settings planning = {
            .call = {.prefix = "dc:", .result_ttl_s = 60, .results_stream_max = 100}, .names = names, .limit = BODIES};
        plan = plan_new(&planning);
        CLAIM(plan);
    }
    while (count < BODIES && fuzz_part(&rest, &body)) {
        char detail[PARSE_DETAIL];
        uint8_t *copy = malloc(body.len + 1);
        CLAIM(copy);
        memcpy(copy, body.data, body.len);
        const enum parse_verdict verdict =
            event_parse(bytes_of(copy, body.len), &envelope, "/", &events[count], detail);
        free(copy); /* an event keeps nothing of its body */
        CLAIM(verdict != PARSE_NO_MEMORY && strnlen(detail, PARSE_DETAIL) < PARSE_DETAIL);
        if (verdict == PARSE_OK)
            claim_of_event(&events[count++]);
    }
    claim_of_orders(events, count);
    plan_all(plan, events, count);
    return 0;
}
