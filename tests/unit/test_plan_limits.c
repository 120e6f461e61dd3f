/* The greatest batches there can be: whatever is in them, calls are written, several where one has no room. */
#include "workers/counting/plan.h"

#include "call_reader.h"
#include "cases.h"
#include "copies.h"
#include "plan_worker.h"
#include "workers/counting/counting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = COUNTING_BATCH_MAX, LIMIT = 64 * 1024 * 1024, CALLS_MAX = 64, LISTING = 256 };

/* A campaign a number. */
static const char *name_of(const void *context, uint32_t number)
{
    static char name[32];

    (void)context;
    snprintf(name, sizeof name, "campaign-%u", number);
    return name;
}

static uint32_t number_of(const void *context, uint32_t number)
{
    (void)context;
    return number;
}

static struct event an_event(size_t number, const struct given *given)
{
    struct event event = copies_event(given);

    event.id.packed_len = (uint8_t)snprintf((char *)event.id.packed, sizeof event.id.packed, "t%zu", number);
    return event;
}

/* Drops that count in a campaign each, in all that there is. */
static struct event of_a_campaign_each(size_t number, uint32_t *campaign)
{
    const struct given given = {.at = 1,
                                .failure = 9,
                                .flags = "ds",
                                .costs = {true, {1, 1, 1}},
                                .phone = "+15552224444",
                                .campaign = 1,
                                .opts_out = true};

    *campaign = (uint32_t)number + 1;
    return an_event(number, &given);
}

static struct event of_one_drop(size_t number, uint32_t *campaign)
{
    const struct given given = {.at = 1 + (int64_t)number, .failure = number % 2 ? 9 : 0, .campaign = 1};

    *campaign = 1;
    return an_event(0, &given);
}

/* One drop that opts out again and again, of as many phones and campaigns as are kept. */
static struct event of_many_lists(size_t number, uint32_t *campaign)
{
    struct given given = {.at = 1, .campaign = 1, .opts_out = true};
    char phone[LIMIT_PHONE + 1];

    snprintf(phone, sizeof phone, "+1555%zu", number % RECORD_PHONES);
    given.phone = phone;
    *campaign = 1 + (uint32_t)number % RECORD_CAMPAIGNS;
    return an_event(number / 16, &given);
}

static struct event with_a_long_id(size_t number, uint32_t *campaign)
{
    struct given given = {.at = 1, .campaign = 1};
    struct event event = an_event(number, &given);

    event.foreign_id_len = LIMIT_FOREIGN_ID;
    memset(event.foreign_id, '\1', LIMIT_FOREIGN_ID); /* six bytes each in JSON */
    *campaign = 1;
    return event;
}

/* The same with a long foreign_id in each entry, in one group: it is divided over calls. */
static struct event of_one_drop_on_many_lists(size_t number, uint32_t *campaign)
{
    struct given given = {.at = 1, .campaign = 1, .opts_out = number < LISTING};
    char phone[LIMIT_PHONE + 1];
    struct event event;

    snprintf(phone, sizeof phone, "+1555%zu", number % RECORD_PHONES);
    given.phone = phone;
    *campaign = 1 + (uint32_t)number % RECORD_CAMPAIGNS;
    event = an_event(0, &given);
    event.foreign_id_len = LIMIT_FOREIGN_ID;
    memset(event.foreign_id, '\1', LIMIT_FOREIGN_ID);
    return event;
}

static struct event of_an_unknown_reason_each(size_t number, uint32_t *campaign)
{
    char reason[LIMIT_RAW_TEXT + 1];
    const struct given given = {.at = 1, .failure = 1, .unknown_reason = reason};

    snprintf(reason, sizeof reason, "%0*zu", LIMIT_RAW_TEXT, number);
    *campaign = 0;
    return an_event(number, &given);
}

/* Each of them is a copy of its drop, too. */
static struct event opting_out_a_drop_each(size_t number, uint32_t *campaign)
{
    const struct given given = {
        .kind = EVENT_OPT_OUT, .opts_out = true, .at = 1, .drop = "d", .phone = "+15552224444", .campaign = 1};
    struct event event = an_event(number, &given);

    event.drop = event.id;
    *campaign = 1 + (uint32_t)number;
    return event;
}

static const struct {
    const char *name;
    struct event (*make)(size_t number, uint32_t *campaign);
    bool several_calls;
} batches[] = {
    {"drops that count in a campaign each", of_a_campaign_each, true},
    {"copies of one drop, each a revision", of_one_drop, false},
    {"opt-outs of many phones in many campaigns", of_many_lists, true},
    {"opt-out events that name a drop each", opting_out_a_drop_each, false},
    {"drops with a long foreign_id", with_a_long_id, true},
    {"copies of one drop that list many phones in many campaigns", of_one_drop_on_many_lists, true},
    {"failures for a reason each that no row has", of_an_unknown_reason_each, false},
};

/* Writes calls, which all apply, until nothing is left; how many. */
static size_t call_all(struct plan *plan, enum applied *results, const char *name)
{
    struct arguments arguments;
    size_t calls = 0;

    arguments_init(&arguments, LIMIT);
    while (plan_left(plan) > 0) {
        static const uint8_t applied[2] = {0};
        struct read_call read;
        struct plan_told told;

        CHECK_CASE(name, ++calls < CALLS_MAX);
        arguments_reset(&arguments);
        CHECK_CASE(name, plan_write(plan, &arguments));
        read_call(&arguments, 0, &read);
        CHECK_CASE(name, read.drop_count > 0);
        read_call_clear(&read);
        CHECK_CASE(name, plan_answer(plan, bytes_of(applied, sizeof applied), results, &told));
    }
    arguments_clear(&arguments);
    return calls;
}

static void the_greatest_batch_is_written(void **state)
{
    const struct plan_settings settings = {.call = {.prefix = "dc:", .result_ttl_s = 60, .results_stream_max = 100},
                                           .names = {.name_of = name_of, .number_of = number_of},
                                           .limit = BATCH};
    const struct call_place place = worker_place(3);
    struct plan *plan = plan_new(&settings);
    struct event *events = calloc(BATCH, sizeof *events);
    enum applied *results = calloc(BATCH, sizeof *results);

    (void)state;
    assert_true(plan && events && results);
    for (size_t i = 0; i < COUNT(batches); i++) {
        plan_begin(plan, &place);
        for (size_t n = 0; n < BATCH; n++) {
            uint32_t campaign;

            events[n] = batches[i].make(n, &campaign);
            results[n] = APPLIED_UNRECOGNIZED;
            plan_copy(plan, &events[n], campaign);
        }
        CHECK_CASE(batches[i].name, (call_all(plan, results, batches[i].name) > 1) == batches[i].several_calls);
        for (size_t n = 0; n < BATCH; n++)
            CHECK_CASE(batches[i].name, results[n] != APPLIED_UNRECOGNIZED);
    }
    plan_free(plan);
    free(events);
    free(results);
}

static void add_number(struct buf *out, size_t number)
{
    buf_append(out, (const uint8_t[2]){(uint8_t)number, (uint8_t)(number >> 8)}, 2);
}

/* An answer: of all drops of the call that record is there. */
static void all_conflict(size_t count, struct bytes record, struct buf *answer)
{
    buf_reset(answer);
    add_number(answer, count);
    for (size_t i = 0; i < count; i++) {
        add_number(answer, i + 1);
        add_number(answer, record.len);
        buf_append(answer, "", 1);
        buf_append(answer, record.data, record.len);
    }
}

/* What the records of one batch took is there for the next. */
static void batch_after_batch_has_room(void **state)
{
    const struct plan_settings settings = {
        .call = {.prefix = "dc:"}, .names = {.name_of = name_of, .number_of = number_of}, .limit = BATCH};
    const struct call_place place = worker_place(3);
    const struct record great = {
        .campaign_count = 1, .foreign_id_kept = FOREIGN_ID_KEPT, .foreign_id_len = LIMIT_FOREIGN_ID};
    uint8_t bytes[RECORD_MAX];
    size_t len = record_write(&great, bytes);
    struct plan *plan = plan_new(&settings);
    struct event *events = calloc(BATCH, sizeof *events);
    enum applied results[BATCH];
    struct arguments arguments;
    struct buf answer;

    (void)state;
    assert_true(plan && events);
    arguments_init(&arguments, LIMIT);
    buf_init(&answer, LIMIT);
    for (size_t round = 0; round < 5; round++) {
        struct plan_told told;
        uint32_t campaign;

        plan_begin(plan, &place);
        for (size_t n = 0; n < BATCH; n++) {
            events[n] = with_a_long_id(n, &campaign);
            plan_copy(plan, &events[n], campaign);
        }
        arguments_reset(&arguments);
        assert_true(plan_write(plan, &arguments));
        all_conflict(BATCH, bytes_of(bytes, len), &answer);
        assert_true(plan_answer(plan, bytes_of(answer.data, answer.len), results, &told));
        assert_int_equal(told.verdict, RECORD_OK);
        arguments_reset(&arguments);
        assert_true(plan_write(plan, &arguments));
    }
    arguments_clear(&arguments);
    buf_clear(&answer);
    plan_free(plan);
    free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greatest_batch_is_written),
        cmocka_unit_test(batch_after_batch_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
