#include "bridge/broker/availability.h"

#include "cases.h"

#include <string.h>

enum { TWO = 2, NOW_MS = 1000000 };

static void facts_decide_about_the_state(void **state)
{
    static const struct {
        const char *name;
        struct connection_facts first, second;
        enum broker_state first_is, second_is;
    } cases[] = {
        {"nothing is open", {NULL, false, false}, {NULL, false, false}, BROKER_AWAY, BROKER_AWAY},
        {"one is", {"h:1", false, false}, {NULL, false, false}, BROKER_OPEN, BROKER_AWAY},
        {"both are", {"h:1", false, false}, {"h:1", false, false}, BROKER_OPEN, BROKER_OPEN},
        {"a stall is one connection's", {"h:1", false, true}, {"h:1", false, false}, BROKER_AWAY, BROKER_OPEN},
        {"a block is the peer's", {"h:1", true, false}, {"h:1", false, false}, BROKER_BLOCKED, BROKER_BLOCKED},
        {"and the better reason", {"h:1", true, true}, {"h:1", false, true}, BROKER_BLOCKED, BROKER_BLOCKED},
        {"another peer is not blocked", {"h:1", true, false}, {"h:2", false, false}, BROKER_BLOCKED, BROKER_OPEN},
        {"what is not open says nothing", {NULL, true, true}, {"h:1", false, false}, BROKER_AWAY, BROKER_OPEN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct connection_facts both[TWO] = {cases[i].first, cases[i].second};

        CHECK_CASE(cases[i].name, availability_state(both, TWO, 0) == cases[i].first_is);
        CHECK_CASE(cases[i].name, availability_state(both, TWO, 1) == cases[i].second_is);
    }
}

/* ---- two connections ---- */

struct scene {
    struct bridge_metrics *metrics;
    struct availability *availability;
};

static void scene_init(struct scene *scene)
{
    struct error error = {0};

    *scene = (struct scene){.metrics = bridge_metrics_new()};
    scene->availability = availability_new(TWO, scene->metrics, &error);
    assert_non_null(scene->availability);
}

static void scene_clear(struct scene *scene)
{
    availability_free(scene->availability);
    bridge_metrics_free(scene->metrics);
}

static void set(struct scene *scene, size_t index, struct connection_facts facts)
{
    availability_set(scene->availability, index, &facts);
}

static void set_both(struct scene *scene, struct connection_facts facts)
{
    set(scene, 0, facts);
    set(scene, 1, facts);
}

static struct broker_status status_of(const struct scene *scene)
{
    struct broker_status status;

    availability_status(scene->availability, NOW_MS, &status);
    return status;
}

static int64_t connected(const struct scene *scene)
{
    return metric_get(&scene->metrics->rows[METRIC_PUBLISHERS_CONNECTED]);
}

static void the_queues_follow_and_those_that_are_open_are_counted(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene);
    assert_int_equal(status_of(&scene).state, BROKER_AWAY);
    set_both(&scene, (struct connection_facts){.peer = "h:1"});
    assert_int_equal(handoff_state(availability_queue(scene.availability, 1)), BROKER_OPEN);
    assert_int_equal(connected(&scene), 2);
    set(&scene, 0, (struct connection_facts){.peer = "h:1", .blocked = true});
    assert_int_equal(handoff_state(availability_queue(scene.availability, 1)), BROKER_BLOCKED);
    assert_int_equal(status_of(&scene).state, BROKER_BLOCKED);
    assert_int_equal(connected(&scene), 0);
    set(&scene, 0, (struct connection_facts){.peer = NULL});
    assert_int_equal(handoff_state(availability_queue(scene.availability, 0)), BROKER_AWAY);
    assert_int_equal(status_of(&scene).state, BROKER_OPEN);
    assert_int_equal(connected(&scene), 1);
    scene_clear(&scene);
}

static void the_last_problem_is_told_while_none_is_open(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene);
    assert_true(strlen(status_of(&scene).problem) > 0);
    availability_say(scene.availability, "h:1 is away");
    availability_say(scene.availability, "h:2 is away");
    assert_string_equal(status_of(&scene).problem, "h:2 is away");
    set(&scene, 0, (struct connection_facts){.peer = "h:1"});
    assert_string_equal(status_of(&scene).problem, "");
    set(&scene, 0, (struct connection_facts){.peer = "h:1", .stalled = true});
    assert_string_equal(status_of(&scene).problem, "h:2 is away");
    scene_clear(&scene);
}

static void a_refusal_is_told_as_long_as_it_is_fresh_and_shuts_nothing(void **state)
{
    enum { NEVER = 0, LATELY = NOW_MS - NACKS_TRUSTED_MS + 1, LONG_AGO = NOW_MS - NACKS_TRUSTED_MS };
    static const struct {
        const char *name;
        int64_t first_ms, second_ms; /* when it refused last */
        bool second_stalled;
        bool events, rejected; /* what is told if it was events, and if it was messages for the rejected queue */
    } cases[] = {
        {"none has refused", NEVER, NEVER, false, false, false},
        {"both have just refused", NOW_MS, NOW_MS, false, true, true},
        {"only one has", NOW_MS, NEVER, false, false, true},
        {"the only one that is open has", NOW_MS, NEVER, true, true, true},
        {"only the one that is not open has", NEVER, NOW_MS, true, false, false},
        {"one has lately, the other long ago", LATELY, LONG_AGO, false, true, true},
        {"both have long ago", LONG_AGO, LONG_AGO, false, false, false},
    };

    (void)state;
    for (int target = MESSAGE_EVENT; target <= MESSAGE_REJECTED; target++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            const bool events = target == MESSAGE_EVENT;
            const bool told = events ? cases[i].events : cases[i].rejected;
            struct scene scene;

            scene_init(&scene);
            set_both(&scene, (struct connection_facts){.peer = "h:1"});
            availability_refused(scene.availability, 0, (enum message_target)target, cases[i].first_ms);
            availability_refused(scene.availability, 1, (enum message_target)target, cases[i].second_ms);
            set(&scene, 1, (struct connection_facts){.peer = "h:1", .stalled = cases[i].second_stalled});
            CHECK_CASE(cases[i].name, status_of(&scene).state == BROKER_OPEN);
            CHECK_CASE(cases[i].name, status_of(&scene).refusing == (events && told));
            CHECK_CASE(cases[i].name, strcmp(status_of(&scene).problem, told ? availability_refusal((enum message_target)target) : "") == 0);
            scene_clear(&scene);
        }
    }
}

static void no_larger_body_is_sent_for_a_while(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene);
    assert_true(availability_takes(scene.availability, 5001, NOW_MS));
    availability_limit_bodies(scene.availability, 5000, NOW_MS);
    assert_true(availability_takes(scene.availability, 5000, NOW_MS));
    assert_false(availability_takes(scene.availability, 5001, NOW_MS));
    assert_false(availability_takes(scene.availability, 5001, NOW_MS + BODY_LIMIT_TRUSTED_MS - 1));
    assert_true(availability_takes(scene.availability, 5001, NOW_MS + BODY_LIMIT_TRUSTED_MS));
    availability_limit_bodies(scene.availability, 6000, NOW_MS + BODY_LIMIT_TRUSTED_MS);
    assert_true(availability_takes(scene.availability, 6000, NOW_MS + BODY_LIMIT_TRUSTED_MS));
    assert_false(availability_takes(scene.availability, 6001, NOW_MS + BODY_LIMIT_TRUSTED_MS));
    scene_clear(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_decide_about_the_state),
        cmocka_unit_test(the_queues_follow_and_those_that_are_open_are_counted),
        cmocka_unit_test(the_last_problem_is_told_while_none_is_open),
        cmocka_unit_test(a_refusal_is_told_as_long_as_it_is_fresh_and_shuts_nothing),
        cmocka_unit_test(no_larger_body_is_sent_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
