#include "bridge/broker/availability.h"

#include "bridge/broker/nack_tracker.h"
#include "cases.h"

#include <string.h>

enum { TWO = 2 };

/* When something happened that is still fresh, however long the test is held up. */
static int64_t just_now(void)
{
    return hang_guard();
}

static struct availability *two_gates(struct bridge_metrics *metrics)
{
    struct error error = {0};
    struct availability *availability = availability_new(TWO, metrics, &error);

    assert_non_null(availability);
    return availability;
}

static void check(const char *name, struct availability *availability, enum broker_state first, enum broker_state second)
{
    CHECK_CASE(name, availability_of(availability, 0) == first);
    CHECK_CASE(name, availability_of(availability, 1) == second);
    CHECK_CASE(name, availability_best(availability) == (first > second ? first : second));
}

static int64_t connected(struct bridge_metrics *metrics)
{
    return metric_get(&metrics->rows[METRIC_PUBLISHERS_CONNECTED]);
}

static void facts_decide_about_gates(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    check("nothing is connected", availability, BROKER_AWAY, BROKER_AWAY);
    availability_connected(availability, 0, "h:1", 0);
    check("one is", availability, BROKER_OPEN, BROKER_AWAY);
    availability_connected(availability, 1, "h:1", 0);
    check("both are", availability, BROKER_OPEN, BROKER_OPEN);
    assert_int_equal(connected(metrics), 2);
    availability_set(availability, 0, BROKER_IS_STALLED, true);
    check("a stall is one connection's", availability, BROKER_AWAY, BROKER_OPEN);
    availability_set(availability, 0, BROKER_IS_BLOCKED, true);
    check("a block is the host's, and the better reason", availability, BROKER_BLOCKED, BROKER_BLOCKED);
    assert_int_equal(connected(metrics), 0);
    availability_set(availability, 0, BROKER_IS_BLOCKED, false);
    availability_set(availability, 0, BROKER_IS_STALLED, false);
    availability_set(availability, 1, BROKER_IS_LEAVING, true);
    check("one leaves", availability, BROKER_OPEN, BROKER_AWAY);
    availability_connected(availability, 1, "h:2", 1);
    check("and is elsewhere, its facts forgotten", availability, BROKER_OPEN, BROKER_OPEN);
    availability_set(availability, 0, BROKER_IS_BLOCKED, true);
    check("another host is not blocked", availability, BROKER_BLOCKED, BROKER_OPEN);
    availability_connected(availability, 0, NULL, 0);
    check("a lost connection says nothing", availability, BROKER_AWAY, BROKER_OPEN);
    assert_int_equal(connected(metrics), 1);
    availability_free(availability);
    bridge_metrics_free(metrics);
}

static void a_refusal_shuts_all_until_it_is_over(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    char problem[ERROR_TEXT];
    size_t url = 9;
    assert_false(availability_any_connected(availability, &url));
    assert_int_equal(url, 9);
    availability_connected(availability, 0, "h:1", 3);
    availability_connected(availability, 1, "h:1", 3);
    availability_problem(availability, problem);
    assert_string_equal(problem, "");
    availability_refuse(availability, "the queue is a classic one");
    check("refused", availability, BROKER_AWAY, BROKER_AWAY);
    assert_true(availability_any_connected(availability, &url));
    assert_int_equal(url, 3);
    availability_problem(availability, problem);
    assert_string_equal(problem, "the queue is a classic one");
    availability_refuse(availability, NULL);
    check("mended", availability, BROKER_OPEN, BROKER_OPEN);
    availability_refuse(availability, "again");
    availability_connected(availability, 1, NULL, 0);
    check("a lost connection mends nothing", availability, BROKER_AWAY, BROKER_AWAY);
    availability_connected(availability, 1, "h:1", 3);
    check("one that is opened has found all right", availability, BROKER_OPEN, BROKER_OPEN);
    availability_free(availability);
    bridge_metrics_free(metrics);
}

static void tells_the_last_problem_while_none_is_open(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    char problem[ERROR_TEXT];
    availability_problem(availability, problem);
    assert_true(strlen(problem) > 0);
    availability_say(availability, "h:1 is away");
    availability_say(availability, "h:2 is away");
    availability_problem(availability, problem);
    assert_string_equal(problem, "h:2 is away");
    availability_connected(availability, 0, "h:1", 0);
    availability_problem(availability, problem);
    assert_string_equal(problem, "");
    availability_free(availability);
    bridge_metrics_free(metrics);
}

static void a_broker_that_refuses_is_told_and_shuts_nothing(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    char problem[ERROR_TEXT];
    assert_false(availability_refusing(availability));
    availability_connected(availability, 0, "h:1", 0);
    availability_nacked(availability, 0, MESSAGE_EVENT, just_now());
    check("refusing", availability, BROKER_OPEN, BROKER_AWAY);
    assert_true(availability_refusing(availability));
    availability_problem(availability, problem);
    assert_non_null(strstr(problem, "max-length"));
    availability_connected(availability, 1, "h:2", 1);
    assert_false(availability_refusing(availability));
    availability_problem(availability, problem);
    assert_string_equal(problem, "");
    availability_set(availability, 1, BROKER_IS_STALLED, true);
    assert_true(availability_refusing(availability));
    availability_nacked(availability, 0, MESSAGE_EVENT, 0);
    assert_false(availability_refusing(availability));
    availability_free(availability);
    bridge_metrics_free(metrics);
}

static void a_refusal_is_believed_as_long_as_it_is_fresh(void **state)
{
    static const struct {
        const char *name;
        int64_t first_ago_ms, second_ago_ms; /* -1: it has not refused */
        bool refusing;
    } cases[] = {
        {"both have just refused", 0, 0, true},
        {"only one has", 0, -1, false},
        {"only the other has", -1, 0, false},
        {"one has lately, the other long ago", 0, NACKS_TRUSTED_MS + 1000, true},
        {"both have long ago", NACKS_TRUSTED_MS + 1000, NACKS_TRUSTED_MS + 1000, false},
    };

    (void)state;
    for (int target = MESSAGE_EVENT; target <= MESSAGE_REJECTED; target++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            const int64_t ago_ms[TWO] = {cases[i].first_ago_ms, cases[i].second_ago_ms};
            struct bridge_metrics *metrics = bridge_metrics_new();
            struct availability *availability = two_gates(metrics);
            char problem[ERROR_TEXT];
            bool fresh = false;
            for (size_t at = 0; at < TWO; at++) {
                const int64_t then_ms = ago_ms[at] > 0 ? clock_monotonic_ms() - ago_ms[at] : just_now();

                availability_connected(availability, at, "h:1", 0);
                availability_nacked(availability, at, (enum message_target)target, ago_ms[at] < 0 ? 0 : then_ms);
                fresh |= ago_ms[at] == 0;
            }
            check(cases[i].name, availability, BROKER_OPEN, BROKER_OPEN);
            availability_problem(availability, problem);
            CHECK_CASE(cases[i].name, availability_refusing(availability) == (target == MESSAGE_EVENT && cases[i].refusing));
            if (target == MESSAGE_EVENT)
                CHECK_CASE(cases[i].name, (strstr(problem, "AMQP_QUEUE full") != NULL) == cases[i].refusing);
            else
                CHECK_CASE(cases[i].name, (strstr(problem, "AMQP_REJECTED_QUEUE") != NULL) == fresh);
            availability_connected(availability, 0, "h:1", 0);
            availability_problem(availability, problem);
            CHECK_CASE(cases[i].name, !availability_refusing(availability)); /* the new session has refused nothing */
            availability_free(availability);
            bridge_metrics_free(metrics);
        }
    }
}

static void the_limit_of_bodies_is_asked_for_again_by_a_new_session(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    availability_connected(availability, 0, "h:1", 0);
    body_limit_set(availability_body_limit(availability), 1000, 0);
    availability_connected(availability, 1, NULL, 0);
    assert_int_equal(body_limit_get(availability_body_limit(availability), 1), 1000);
    availability_connected(availability, 1, "h:1", 0);
    assert_int_equal(body_limit_get(availability_body_limit(availability), 1), 0);
    availability_free(availability);
    bridge_metrics_free(metrics);
}

static void a_send_that_lasts_shuts_its_gate(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct availability *availability = two_gates(metrics);
    char problem[ERROR_TEXT];
    availability_connected(availability, 0, "h:1", 0);
    availability_sending(availability, 0, just_now());
    check("a send has begun", availability, BROKER_OPEN, BROKER_AWAY);
    availability_sending(availability, 0, clock_monotonic_ms() - 2000);
    check("a send lasts", availability, BROKER_AWAY, BROKER_AWAY);
    availability_problem(availability, problem);
    assert_non_null(strstr(problem, "does not read"));
    availability_sending(availability, 0, 0);
    check("a send has ended", availability, BROKER_OPEN, BROKER_AWAY);
    availability_free(availability);
    bridge_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_decide_about_gates),
        cmocka_unit_test(a_refusal_shuts_all_until_it_is_over),
        cmocka_unit_test(tells_the_last_problem_while_none_is_open),
        cmocka_unit_test(a_broker_that_refuses_is_told_and_shuts_nothing),
        cmocka_unit_test(a_refusal_is_believed_as_long_as_it_is_fresh),
        cmocka_unit_test(the_limit_of_bodies_is_asked_for_again_by_a_new_session),
        cmocka_unit_test(a_send_that_lasts_shuts_its_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
