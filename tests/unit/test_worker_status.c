/* Readiness and metrics of the worker. */
#include "workers/worker_status.h"

#include "common/log.h"

#include "cases.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool readiness(struct worker_status *status, struct buf *members)
{
    buf_reset(members);
    return worker_status_ready(status, members);
}

static void ready_only_when_it_can_consume_and_count(void **state)
{
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    assert_false(readiness(&status, &members));
    worker_part_good(&status, PART_BROKER, 10);
    assert_false(readiness(&status, &members));
    worker_part_good(&status, PART_REDIS, 10);
    assert_true(readiness(&status, &members));
    assert_string_equal(members.data,
                        "\"broker\":\"ready\",\"redis\":\"ready\",\"rejected_queue\":\"ready\",\"held\":0");
    worker_part_bad(&status, PART_REDIS, PART_AWAY, "the key \"dc:totals\" is a list", 20);
    assert_false(readiness(&status, &members));
    assert_non_null(
        strstr(members.data, "\"redis\":\"away\",\"redis_problem\":\"the key \\\"dc:totals\\\" is a list\""));
    worker_part_good(&status, PART_REDIS, 30);
    assert_true(readiness(&status, &members));
    buf_clear(&members);
    worker_status_clear(&status);
}

static void a_rejected_queue_that_takes_nothing_is_told_and_stops_the_worker_only_without_room(void **state)
{
    static const struct {
        bool good, room, ready;
        const char *told;
    } cases[] = {
        {true, true, true, "\"rejected_queue\":\"ready\","},
        {false, true, true, "\"rejected_queue\":\"away\",\"rejected_queue_problem\":\"it is full\","},
        {false, false, false, "\"rejected_queue\":\"away\",\"rejected_queue_problem\":\"it is full\","},
        {true, false, true, "\"rejected_queue\":\"ready\","}, /* a burst, on its way */
        {true, true, true, "\"rejected_queue\":\"ready\","},
    };
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    worker_part_good(&status, PART_BROKER, 10);
    worker_part_good(&status, PART_REDIS, 10);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].good)
            worker_part_good(&status, PART_REJECTED_QUEUE, 20);
        else
            worker_part_bad(&status, PART_REJECTED_QUEUE, PART_AWAY, "it is full", 20);
        worker_note_room(&status, cases[i].room);
        assert_int_equal(readiness(&status, &members), cases[i].ready);
        assert_non_null(strstr(members.data, cases[i].told));
    }
    worker_note_room(&status, true);
    worker_part_bad(&status, PART_BROKER, PART_AWAY, "gone", 30);
    assert_false(readiness(&status, &members));
    buf_clear(&members);
    worker_status_clear(&status);
}

/* What worker_part_bad logs, or "". */
static const char *logged(struct worker_status *status, const char *problem, int64_t now_ms, char out[1024])
{
    const int saved = dup(STDERR_FILENO);
    int ends[2];
    ssize_t got;

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    worker_part_bad(status, PART_REDIS, PART_AWAY, problem, now_ms);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    got = read(ends[0], out, 1023);
    (void)close(ends[0]);
    out[got > 0 ? got : 0] = '\0';
    return out;
}

static void a_new_problem_is_logged_at_once_or_as_soon_as_ten_seconds_are_over(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *problem, *said; /* NULL: nothing */
    } cases[] = {
        {1000, "refused", "refused"},  {2000, "refused", NULL},           {3000, "no answer", NULL},
        {10999, "no answer", NULL},    {11000, "no answer", "no answer"}, {30000, "no answer", NULL},
        {30001, "refused", "refused"},
    };
    struct worker_status status;
    char line[1024];
    (void)state;
    worker_status_init(&status);
    worker_part_good(&status, PART_REDIS, 10);
    log_init("test", LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        logged(&status, cases[i].problem, cases[i].at_ms, line);
        if (cases[i].said)
            assert_non_null(strstr(line, cases[i].said));
        else
            assert_string_equal(line, "");
    }
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    worker_status_clear(&status);
}

static void what_is_wrong_with_redis_is_told_and_keeps_nobody_from_being_ready(void **state)
{
    static const struct {
        struct redis_findings found;
        const char *told;
    } cases[] = {
        {{"", "", "", "", 0, NULL}, "\"rejected_queue\":\"ready\",\"held\":0"},
        {{"it \"may\" lose", "", "", "", 0, NULL}, "\"redis_durability\":\"it \\\"may\\\" lose\",\"held\":0"},
        {{"", "may evict", "", "", 0, NULL}, "\"rejected_queue\":\"ready\",\"redis_eviction\":\"may evict\",\"held\":0"},
        {{"a", "b", "", "", 0, NULL}, "\"redis_durability\":\"a\",\"redis_eviction\":\"b\",\"held\":0"},
        {{"", "", "differ", "", 0, NULL}, "\"rejected_queue\":\"ready\",\"redis_settings\":\"differ\",\"held\":0"},
        {{"", "", "", "gone", 1, NULL}, "\"rejected_queue\":\"ready\",\"redis_emptied\":\"gone\",\"held\":0"},
        {{"", "", "", "", 0, NULL}, "\"rejected_queue\":\"ready\",\"held\":0"},
    };
    static const struct damage none;
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    worker_part_good(&status, PART_BROKER, 10);
    worker_part_good(&status, PART_REDIS, 10);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_findings found = cases[i].found;
        found.damage = &none;
        worker_note_redis(&status, &found);
        assert_true(readiness(&status, &members));
        assert_non_null(strstr(members.data, cases[i].told));
        assert_int_equal(metric_get(&status.metrics[WORKER_REDIS_EMPTIED]), found.times_emptied);
    }
    buf_clear(&members);
    worker_status_clear(&status);
}

static void damaged_keys_are_listed(void **state)
{
    static struct damage damage;
    struct redis_findings found = {"", "", "", "", 0, &damage};
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    (void)damage_note(&damage, "dc:", bytes_of_text("dc:totals"), 0);
    (void)damage_note(&damage, "dc:", bytes_of_text("dc:a\"b"), 0);
    worker_note_redis(&status, &found);
    (void)readiness(&status, &members);
    assert_non_null(strstr(members.data, "\"redis_damaged\":[\"dc:totals\",\"dc:a\\\"b\"],\"held\":0"));
    assert_int_equal(metric_get(&status.metrics[WORKER_REDIS_DAMAGED_KEYS]), 2);
    damage.count = 0;
    worker_note_redis(&status, &found);
    (void)readiness(&status, &members);
    assert_null(strstr(members.data, "redis_damaged"));
    assert_int_equal(metric_get(&status.metrics[WORKER_REDIS_DAMAGED_KEYS]), 0);
    buf_clear(&members);
    worker_status_clear(&status);
}

static void keys_of_a_newer_version_are_told_apart_from_a_redis_that_is_away(void **state)
{
    static const struct {
        enum part_state state;
        const char *told;
    } cases[] = {
        {PART_AWAY, "\"redis\":\"away\",\"redis_problem\":\"why\""},
        {PART_NEWER_SCHEMA, "\"redis\":\"newer_schema\",\"redis_problem\":\"why\""},
        {PART_AWAY, "\"redis\":\"away\",\"redis_problem\":\"why\""},
        {PART_READY, "\"redis\":\"ready\",\"rejected_queue\""},
    };
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    worker_part_good(&status, PART_BROKER, 10);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].state == PART_READY)
            worker_part_good(&status, PART_REDIS, 20);
        else
            worker_part_bad(&status, PART_REDIS, cases[i].state, "why", 20);
        assert_int_equal(readiness(&status, &members), cases[i].state == PART_READY);
        assert_non_null(strstr(members.data, cases[i].told));
    }
    buf_clear(&members);
    worker_status_clear(&status);
}

static void a_worker_that_pauses_says_nothing_against_the_broker(void **state)
{
    struct worker_status status;
    struct buf members;
    (void)state;
    worker_status_init(&status);
    buf_init(&members, 65536);
    worker_part_bad(&status, PART_BROKER, PART_PAUSED, "Redis has been away", 10);
    assert_false(readiness(&status, &members));
    assert_non_null(strstr(members.data, "\"broker\":\"paused\",\"broker_problem\":\"Redis has been away\""));
    worker_part_bad(&status, PART_BROKER, PART_AWAY, "nobody is there", 20);
    assert_false(readiness(&status, &members));
    assert_non_null(strstr(members.data, "\"broker\":\"away\",\"broker_problem\":\"nobody is there\""));
    buf_clear(&members);
    worker_status_clear(&status);
}

static int64_t value_of(struct worker_status *status, enum worker_metric metric)
{
    return metric_get(&status->metrics[metric]);
}

static void each_message_counts_under_what_became_of_it_and_as_consumed(void **state)
{
    static const struct {
        const char *name;
        enum applied applied;
        const char *rejected_as; /* NULL: it was applied */
        enum worker_metric metric, within;
    } cases[] = {
#define OUTCOME(name, slug, help) {slug, APPLIED_##name, NULL, WORKER_##name, WORKER_##name},
#define WITHIN(name, of, slug, help) {slug, APPLIED_##name, NULL, WORKER_##name, WORKER_##of},
#define REJECTION(name, slug) {slug, APPLIED_COUNTED, slug, WORKER_REJECTED_##name, WORKER_REJECTED_##name},
#include "workers/outcomes.def"
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct worker_status status;
        worker_status_init(&status);
        if (cases[i].rejected_as)
            worker_count_rejected(&status, cases[i].rejected_as);
        else
            worker_count_applied(&status, cases[i].applied);
        for (int metric = 0; metric < WORKER_METRICS; metric++)
            CHECK_CASE(cases[i].name, value_of(&status, (enum worker_metric)metric) ==
                                          (metric == WORKER_CONSUMED || metric == (int)cases[i].metric ||
                                           metric == (int)cases[i].within));
        worker_status_clear(&status);
    }
}

static void every_verdict_of_the_parser_has_a_reason_that_is_counted(void **state)
{
    static const enum parse_verdict rejected[] = {PARSE_INVALID_JSON, PARSE_UNRECOGNIZED_SHAPE, PARSE_UNUSABLE_STATUS,
                                                  PARSE_OPTOUT_WITHOUT_PHONE, PARSE_CAMPAIGN_UNNAMED};
    struct worker_status status;
    (void)state;
    worker_status_init(&status);
    for (size_t i = 0; i < COUNT(rejected); i++) {
        const char *slug = parse_verdict_slug(rejected[i]);
        worker_count_rejected(&status, slug);
        int64_t sum = 0;
        for (int metric = WORKER_REJECTED_INVALID_JSON; metric <= WORKER_REJECTED_CRASHED_WORKER; metric++)
            sum += value_of(&status, (enum worker_metric)metric);
        CHECK_CASE(slug, sum == (int64_t)i + 1);
    }
    worker_status_clear(&status);
}

static void metrics_print_with_their_names(void **state)
{
    static const char *const names[] = {
        "dropworker_consumed_total 0\n", "dropworker_rejected_total{reason=\"invalid_json\"} 0\n",
        "dropworker_redis_retries_total 0\n", "dropworker_reconnects_total 0\n", "# TYPE dropworker_held gauge\n"};
    struct worker_status status;
    struct buf text;
    (void)state;
    worker_status_init(&status);
    buf_init(&text, 65536);
    metrics_print(status.metrics, WORKER_METRICS, &text);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(text.data, names[i]));
    buf_clear(&text);
    worker_status_clear(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_only_when_it_can_consume_and_count),
        cmocka_unit_test(a_rejected_queue_that_takes_nothing_is_told_and_stops_the_worker_only_without_room),
        cmocka_unit_test(a_new_problem_is_logged_at_once_or_as_soon_as_ten_seconds_are_over),
        cmocka_unit_test(what_is_wrong_with_redis_is_told_and_keeps_nobody_from_being_ready),
        cmocka_unit_test(damaged_keys_are_listed),
        cmocka_unit_test(keys_of_a_newer_version_are_told_apart_from_a_redis_that_is_away),
        cmocka_unit_test(a_worker_that_pauses_says_nothing_against_the_broker),
        cmocka_unit_test(each_message_counts_under_what_became_of_it_and_as_consumed),
        cmocka_unit_test(every_verdict_of_the_parser_has_a_reason_that_is_counted),
        cmocka_unit_test(metrics_print_with_their_names),
    };
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
