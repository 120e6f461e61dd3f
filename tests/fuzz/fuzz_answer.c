/* Answers of apply.lua: the first byte says how many drops the call had. */
#include "fuzz.h"
#include "workers/counting/plan.h"

#include <stdio.h>

enum { COPIES = 4, ARGUMENTS = 1 << 20 };

static const char *name_of(const void *context, uint32_t number)
{
    (void)context;
    return number == 0 ? "unassigned" : "spring";
}

static void read_answer(struct bytes text, size_t drops)
{
    struct call_answer answer;
    struct call_conflict conflict;
    size_t next = 0;
    if (!call_answer_begin(text, drops, &answer))
        return;
    while (call_answer_next(&answer, &conflict)) {
        CLAIM(conflict.drop >= next && conflict.drop < drops);
        CLAIM(conflict.present.len <= text.len);
        next = conflict.drop + 1;
    }
    if (answer.conflicts == 0)
        CLAIM(call_answer_damaged(&answer).len <= text.len);
}

static void take_answer(struct plan *plan, struct bytes text, size_t copies)
{
    static struct event events[COPIES];
    const struct call_place place = {
        .schema = 2,
        .epoch = "ab:7",
        .generations = {.count = 1, .list = {{.number = 1, .length_ms = 1000, .keep_ms = 1000, .buckets = 3}}}};
    enum applied results[COPIES];
    struct plan_told told = {0};
    struct arguments arguments;
    arguments_init(&arguments, ARGUMENTS);
    plan_begin(plan, &place);
    for (size_t i = 0; i < copies; i++) {
        events[i] = (struct event){.kind = EVENT_RESULT, .time_ms = 1, .received_ms = 1, .campaign = "spring",
                                   .campaign_rank = CAMPAIGN_FROM_URL};
        events[i].id.packed[0] = 't';
        events[i].id.packed[1] = (uint8_t)('a' + i);
        events[i].id.packed_len = 2;
        snprintf(events[i].id.text, sizeof events[i].id.text, "%c", (char)('a' + i));
        plan_copy(plan, &events[i], 1);
    }
    CLAIM(plan_write(plan, &arguments));
    if (plan_answer(plan, text, results, &told) && told.verdict == RECORD_OK) {
        CLAIM(plan_left(plan) <= copies);
        arguments_reset(&arguments);
        CLAIM(plan_left(plan) == 0 || plan_write(plan, &arguments));
    }
    arguments_clear(&arguments);
}

/* No campaign has an alias. */
static uint32_t number_of(const void *context, uint32_t number)
{
    (void)context;
    return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan *plan;
    if (size == 0)
        return 0;
    if (!plan) {
        const struct plan_settings planning = {.call = {.prefix = "dc:", .result_ttl_s = 60, .results_stream_max = 100},
                                               .names = {.name_of = name_of, .number_of = number_of},
                                               .limit = COPIES};
        plan = plan_new(&planning);
        CLAIM(plan);
    }
    uint8_t *copy = malloc(size);
    CLAIM(copy);
    memcpy(copy, data + 1, size - 1);
    read_answer(bytes_of(copy, size - 1), data[0]);
    take_answer(plan, bytes_of(copy, size - 1), 1 + data[0] % COPIES);
    free(copy);
    return 0;
}
