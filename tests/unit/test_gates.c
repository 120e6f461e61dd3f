#include "bridge/gates.h"

#include "bridge/refusal.h"
#include "cases.h"

#include <string.h>

enum { TWO = 2 };

/* When something happened that is still fresh, however long the test is held up. */
static int64_t just_now(void)
{
    return hang_guard();
}

static struct gates *two_gates(struct bridge_metrics *metrics)
{
    struct error error = {0};
    struct gates *gates = gates_new(TWO, metrics, &error);

    assert_non_null(gates);
    return gates;
}

static void check(const char *name, struct gates *gates, enum gate first, enum gate second)
{
    CHECK_CASE(name, gates_of(gates, 0) == first);
    CHECK_CASE(name, gates_of(gates, 1) == second);
    CHECK_CASE(name, gates_best(gates) == (first > second ? first : second));
}

static int64_t connected(struct bridge_metrics *metrics)
{
    return metric_get(&metrics->rows[METRIC_PUBLISHERS_CONNECTED]);
}

static void facts_decide_about_gates(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    check("nothing is connected", gates, GATE_AWAY, GATE_AWAY);
    gates_connected(gates, 0, "h:1", 0);
    check("one is", gates, GATE_OPEN, GATE_AWAY);
    gates_connected(gates, 1, "h:1", 0);
    check("both are", gates, GATE_OPEN, GATE_OPEN);
    assert_int_equal(connected(metrics), 2);
    gates_set(gates, 0, GATE_IS_STALLED, true);
    check("a stall is one connection's", gates, GATE_AWAY, GATE_OPEN);
    gates_set(gates, 0, GATE_IS_BLOCKED, true);
    check("a block is the host's, and the better reason", gates, GATE_BLOCKED, GATE_BLOCKED);
    assert_int_equal(connected(metrics), 0);
    gates_set(gates, 0, GATE_IS_BLOCKED, false);
    gates_set(gates, 0, GATE_IS_STALLED, false);
    gates_set(gates, 1, GATE_IS_LEAVING, true);
    check("one leaves", gates, GATE_OPEN, GATE_AWAY);
    gates_connected(gates, 1, "h:2", 1);
    check("and is elsewhere, its facts forgotten", gates, GATE_OPEN, GATE_OPEN);
    gates_set(gates, 0, GATE_IS_BLOCKED, true);
    check("another host is not blocked", gates, GATE_BLOCKED, GATE_OPEN);
    gates_connected(gates, 0, NULL, 0);
    check("a lost connection says nothing", gates, GATE_AWAY, GATE_OPEN);
    assert_int_equal(connected(metrics), 1);
    gates_free(gates);
    bridge_metrics_free(metrics);
}

static void a_refusal_shuts_all_until_it_is_over(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    char problem[ERROR_TEXT];
    size_t url = 9;
    assert_false(gates_any_connected(gates, &url));
    assert_int_equal(url, 9);
    gates_connected(gates, 0, "h:1", 3);
    gates_connected(gates, 1, "h:1", 3);
    gates_problem(gates, problem);
    assert_string_equal(problem, "");
    gates_refuse(gates, "the queue is a classic one");
    check("refused", gates, GATE_AWAY, GATE_AWAY);
    assert_true(gates_any_connected(gates, &url));
    assert_int_equal(url, 3);
    gates_problem(gates, problem);
    assert_string_equal(problem, "the queue is a classic one");
    gates_refuse(gates, NULL);
    check("mended", gates, GATE_OPEN, GATE_OPEN);
    gates_refuse(gates, "again");
    gates_connected(gates, 1, NULL, 0);
    check("a lost connection mends nothing", gates, GATE_AWAY, GATE_AWAY);
    gates_connected(gates, 1, "h:1", 3);
    check("one that is opened has found all right", gates, GATE_OPEN, GATE_OPEN);
    gates_free(gates);
    bridge_metrics_free(metrics);
}

static void tells_the_last_problem_while_none_is_open(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    char problem[ERROR_TEXT];
    gates_problem(gates, problem);
    assert_true(strlen(problem) > 0);
    gates_say(gates, "h:1 is away");
    gates_say(gates, "h:2 is away");
    gates_problem(gates, problem);
    assert_string_equal(problem, "h:2 is away");
    gates_connected(gates, 0, "h:1", 0);
    gates_problem(gates, problem);
    assert_string_equal(problem, "");
    gates_free(gates);
    bridge_metrics_free(metrics);
}

static void a_broker_that_refuses_is_told_and_shuts_nothing(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    char problem[ERROR_TEXT];
    assert_false(gates_refusing(gates));
    gates_connected(gates, 0, "h:1", 0);
    gates_nacked(gates, 0, TICKET_EVENT, just_now());
    check("refusing", gates, GATE_OPEN, GATE_AWAY);
    assert_true(gates_refusing(gates));
    gates_problem(gates, problem);
    assert_non_null(strstr(problem, "max-length"));
    gates_connected(gates, 1, "h:2", 1);
    assert_false(gates_refusing(gates));
    gates_problem(gates, problem);
    assert_string_equal(problem, "");
    gates_set(gates, 1, GATE_IS_STALLED, true);
    assert_true(gates_refusing(gates));
    gates_nacked(gates, 0, TICKET_EVENT, 0);
    assert_false(gates_refusing(gates));
    gates_free(gates);
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
        {"one has lately, the other long ago", 0, REFUSAL_TRUSTED_MS + 1000, true},
        {"both have long ago", REFUSAL_TRUSTED_MS + 1000, REFUSAL_TRUSTED_MS + 1000, false},
    };

    (void)state;
    for (int target = TICKET_EVENT; target <= TICKET_REJECTED; target++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            const int64_t ago_ms[TWO] = {cases[i].first_ago_ms, cases[i].second_ago_ms};
            struct bridge_metrics *metrics = bridge_metrics_new();
            struct gates *gates = two_gates(metrics);
            char problem[ERROR_TEXT];
            bool fresh = false;
            for (size_t at = 0; at < TWO; at++) {
                const int64_t then_ms = ago_ms[at] > 0 ? clock_monotonic_ms() - ago_ms[at] : just_now();

                gates_connected(gates, at, "h:1", 0);
                gates_nacked(gates, at, (enum ticket_target)target, ago_ms[at] < 0 ? 0 : then_ms);
                fresh |= ago_ms[at] == 0;
            }
            check(cases[i].name, gates, GATE_OPEN, GATE_OPEN);
            gates_problem(gates, problem);
            CHECK_CASE(cases[i].name, gates_refusing(gates) == (target == TICKET_EVENT && cases[i].refusing));
            if (target == TICKET_EVENT)
                CHECK_CASE(cases[i].name, (strstr(problem, "AMQP_QUEUE full") != NULL) == cases[i].refusing);
            else
                CHECK_CASE(cases[i].name, (strstr(problem, "AMQP_REJECTED_QUEUE") != NULL) == fresh);
            gates_connected(gates, 0, "h:1", 0);
            gates_problem(gates, problem);
            CHECK_CASE(cases[i].name, !gates_refusing(gates)); /* the new session has refused nothing */
            gates_free(gates);
            bridge_metrics_free(metrics);
        }
    }
}

static void the_limit_of_bodies_is_asked_for_again_by_a_new_session(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    gates_connected(gates, 0, "h:1", 0);
    body_limit_set(gates_body_limit(gates), 1000, 0);
    gates_connected(gates, 1, NULL, 0);
    assert_int_equal(body_limit_get(gates_body_limit(gates), 1), 1000);
    gates_connected(gates, 1, "h:1", 0);
    assert_int_equal(body_limit_get(gates_body_limit(gates), 1), 0);
    gates_free(gates);
    bridge_metrics_free(metrics);
}

static void a_send_that_lasts_shuts_its_gate(void **state)
{
    (void)state;
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct gates *gates = two_gates(metrics);
    char problem[ERROR_TEXT];
    gates_connected(gates, 0, "h:1", 0);
    gates_sending(gates, 0, just_now());
    check("a send has begun", gates, GATE_OPEN, GATE_AWAY);
    gates_sending(gates, 0, clock_monotonic_ms() - 2000);
    check("a send lasts", gates, GATE_AWAY, GATE_AWAY);
    gates_problem(gates, problem);
    assert_non_null(strstr(problem, "does not read"));
    gates_sending(gates, 0, 0);
    check("a send has ended", gates, GATE_OPEN, GATE_AWAY);
    gates_free(gates);
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
