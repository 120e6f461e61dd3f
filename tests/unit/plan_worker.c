#include "plan_worker.h"

#include "call_reader.h"
#include "cases.h"
#include "common/drops/reasons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESPONSE_LIMIT = 1024 * 1024, ARGUMENTS_LIMIT = 16 * 1024 * 1024, GENERATIONS = 8, KEY = 256 };

void worker_init_with(struct worker *worker, struct server *server, int64_t result_ttl_s, int64_t results_stream_max)
{
    const struct plan_settings settings = {
        .call = {.prefix = "dc:", .result_ttl_s = result_ttl_s, .results_stream_max = results_stream_max},
        .names = copies_names(),
        .limit = WORKER_BATCH};

    *worker = (struct worker){.server = server, .plan = plan_new(&settings)};
    assert_non_null(worker->plan);
}

void worker_init(struct worker *worker, struct server *server)
{
    worker_init_with(worker, server, 60, 100);
}

void worker_clear(struct worker *worker)
{
    plan_free(worker->plan);
}

uint32_t worker_buckets(uint32_t generation)
{
    return 3 + generation;
}

struct call_place worker_place(uint32_t generation)
{
    struct call_place place = {
        .schema = 2, .epoch = "ab:7", .seen_under = generation, .generations.count = generation};

    for (uint32_t i = 0; i < generation; i++)
        place.generations.list[i] = (struct generation){.number = generation - i,
                                                        .birth_ms = COPIES_BEGIN_MS - 3000,
                                                        .length_ms = 1000,
                                                        .keep_ms = 2000,
                                                        .buckets = worker_buckets(generation - i)};
    return place;
}

void worker_bucket(const struct worker *worker, uint32_t generation, char key[KEY_TEXT])
{
    plan_bucket(worker->plan, 0, worker->generation - generation, key);
}

void worker_take(struct worker *worker, const struct given *copies, size_t count, uint32_t generation)
{
    struct call_place place = worker_place(generation);

    assert_true(count <= WORKER_BATCH);
    worker->count = count;
    worker->generation = generation;
    plan_begin(worker->plan, &place);
    for (size_t i = 0; i < count; i++) {
        worker->events[i] = copies_event(&copies[i]);
        worker->results[i] = (enum applied)WORKER_UNTOLD;
        plan_copy(worker->plan, &worker->events[i], copies[i].campaign);
    }
}

enum record_verdict worker_call_told(struct worker *worker, struct buf *text)
{
    struct arguments arguments;
    struct read_call call;
    struct buf answer;
    struct plan_told told = {0};

    arguments_init(&arguments, ARGUMENTS_LIMIT);
    buf_init(&answer, RESPONSE_LIMIT);
    assert_true(plan_write(worker->plan, &arguments));
    if (text) {
        read_call(&arguments, 0, &call);
        read_call_text(&call, text);
        read_call_clear(&call);
    }
    server_call(worker->server, &arguments, 0, &answer);
    assert_true(plan_answer(worker->plan, bytes_of(answer.data, answer.len), worker->results, &told));
    assert_int_equal(told.damaged.len, 0);
    arguments_clear(&arguments);
    buf_clear(&answer);
    return told.verdict;
}

enum record_verdict worker_call(struct worker *worker)
{
    return worker_call_told(worker, NULL);
}

size_t worker_finish(struct worker *worker)
{
    size_t calls = 0;

    for (; plan_left(worker->plan) > 0 && calls < WORKER_STUCK; calls++)
        assert_int_equal(worker_call(worker), RECORD_OK);
    return calls;
}

void worker_results(const struct worker *worker, struct buf *out)
{
    static const char *const names[] = {
        [APPLIED_COUNTED] = "counted", [APPLIED_REVISED] = "revised",   [APPLIED_DUPLICATE] = "duplicate",
        [APPLIED_OPT_OUT] = "opt_out", [APPLIED_OPT_IN] = "opt_in",     [APPLIED_CAMPAIGN] = "campaign",
        [APPLIED_UNRECOGNIZED] = "unrecognized"};

    buf_reset(out);
    for (size_t i = 0; i < worker->count; i++) {
        size_t result = (size_t)worker->results[i];

        buf_printf(out, "%s%s", i > 0 ? " " : "", result < COUNT(names) ? names[result] : "untold");
    }
}

/* --- What the counts must be -------------------------------------------------------------------------------------- */

struct sums {
    int64_t messages, success, failure, dnc, spam, costs[3], optouts;
    int64_t reasons[UINT8_MAX + 1];
};

static void add_counted(struct sums *sums, const struct counted *counted)
{
    bool failed = counted->outcome == OUTCOME_FAILURE;

    sums->messages++;
    sums->success += !failed;
    sums->failure += failed;
    sums->dnc += (counted->flags & 2) != 0;
    sums->spam += (counted->flags & 1) != 0;
    sums->costs[0] += counted->costs.product;
    sums->costs[1] += counted->costs.compliance;
    sums->costs[2] += counted->costs.tts;
    if (failed)
        sums->reasons[counted->reason]++;
}

static void check_hashes(const struct server *server, const char *counters, const char *reasons,
                         const struct sums *sums, const char *name)
{
    CHECK_CASE(name, server_count(server, counters, "messages") == sums->messages);
    CHECK_CASE(name, server_count(server, counters, "success") == sums->success);
    CHECK_CASE(name, server_count(server, counters, "failure") == sums->failure);
    CHECK_CASE(name, server_count(server, counters, "dnc") == sums->dnc);
    CHECK_CASE(name, server_count(server, counters, "spam") == sums->spam);
    CHECK_CASE(name, server_count(server, counters, "product_cost_micros") == sums->costs[0]);
    CHECK_CASE(name, server_count(server, counters, "compliance_fee_micros") == sums->costs[1]);
    CHECK_CASE(name, server_count(server, counters, "tts_fee_micros") == sums->costs[2]);
    CHECK_CASE(name, server_count(server, counters, "opt_out") == sums->optouts);
    for (unsigned i = 1; i < reason_count(); i++)
        CHECK_CASE(name, server_count(server, reasons, reason_by_number(i)->slug) == sums->reasons[i]);
}

static unsigned generation_of(const struct server_drop *drop)
{
    unsigned long generation = strtoul(drop->bucket + strlen("dc:drops:"), NULL, 10);

    assert_in_range(generation, 1, GENERATIONS - 1);
    return (unsigned)generation;
}

/* "dc:drops:2:7", and not "dc:drops:2:e7". */
static bool is_result(const struct server_drop *drop)
{
    const char *number = strrchr(drop->bucket, ':');

    return number && number[1] != 'e';
}

/* A record that has moved stands in an older generation, too. */
static bool is_newest(const struct server *server, const struct server_drop *drop)
{
    for (size_t i = 0; i < server->drop_count; i++) {
        const struct server_drop *other = &server->drops[i];

        if (is_result(other) &&
            bytes_equal(bytes_of(other->field, other->field_len), bytes_of(drop->field, drop->field_len)) &&
            generation_of(other) > generation_of(drop))
            return false;
    }
    return true;
}

static void check_listed(const struct server *server, const struct record *record, const char *name)
{
    for (size_t i = 0; record->opted_out && i < record->phone_count; i++) {
        char phone[LIMIT_PHONE + 1], key[KEY];

        phone_text(&record->phones[i], phone);
        CHECK_CASE(name, server_listed(server, "dc:optouts", phone) <= record->opt_out_ms);
        for (size_t n = 0; record->told && n < record->campaign_count; n++) {
            snprintf(key, sizeof key, "dc:campaign:%s:optouts", copies_names().name_of(NULL, record->campaigns[n]));
            CHECK_CASE(name, record->campaigns[n] == 0 || server_listed(server, key, phone) <= record->told_ms);
        }
    }
}

static int64_t listed(const struct server *server, const char *key)
{
    int64_t count = 0;

    for (size_t i = 0; i < server->opt_out_count; i++)
        count += strcmp(server->opt_outs[i].key, key) == 0;
    return count;
}

/* By what it remembers a generation is full, and the next one is given its buckets. */
static void check_sizes(const struct server *server, const int64_t drops[GENERATIONS], const char *name)
{
    for (unsigned i = 0; i < GENERATIONS; i++) {
        char generation[16];

        snprintf(generation, sizeof generation, "%u", i);
        CHECK_CASE(name, server_count(server, "dc:drops:sizes", generation) == drops[i]);
    }
}

void worker_check_sums(const struct server *server, const char *name)
{
    static struct sums totals, campaigns[COPIES_CAMPAIGNS];
    int64_t drops[GENERATIONS] = {0};

    memset(&totals, 0, sizeof totals);
    memset(campaigns, 0, sizeof campaigns);
    for (size_t i = 0; i < server->drop_count; i++) {
        const struct server_drop *drop = &server->drops[i];
        struct record record;
        struct counted counted;

        drops[generation_of(drop)]++;
        if (!is_result(drop))
            continue;
        if (!is_newest(server, drop))
            continue;
        CHECK_CASE(name, record_read(bytes_of(drop->value, drop->value_len), &record) == RECORD_OK);
        check_listed(server, &record, name);
        if (record.uncounted)
            continue;
        counted = counted_as(&record);
        add_counted(&totals, &counted);
        add_counted(&campaigns[copies_names().number_of(NULL, counted.campaign)], &counted);
    }
    check_sizes(server, drops, name);
    CHECK_CASE(name, listed(server, "dc:campaign:unassigned:optouts") == 0);
    totals.optouts = listed(server, "dc:optouts");
    check_hashes(server, "dc:totals", "dc:totals:reasons", &totals, name);
    for (uint32_t i = 0; i < COPIES_CAMPAIGNS; i++) {
        char counters[KEY], reasons[KEY], list[KEY];

        snprintf(counters, sizeof counters, "dc:campaign:%s:counters", copies_names().name_of(NULL, i));
        snprintf(reasons, sizeof reasons, "dc:campaign:%s:reasons", copies_names().name_of(NULL, i));
        snprintf(list, sizeof list, "dc:campaign:%s:optouts", copies_names().name_of(NULL, i));
        campaigns[i].optouts = listed(server, list);
        check_hashes(server, counters, reasons, &campaigns[i], name);
    }
}
