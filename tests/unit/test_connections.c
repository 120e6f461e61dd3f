/* The table of connections: what is cut, when, and what never is. Over socket pairs, without a server. */
#include "bridge/http/connections.h"

#include "cases.h"
#include "common/clock.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, LONG_MS = 60000 };

struct scene {
    struct bridge_metrics *metrics;
    struct connections *connections;
    struct connection *places[THREADS];
    int ours[THREADS], theirs[THREADS];
    int count;
};

static void begin(struct scene *scene)
{
    struct error error;

    memset(scene, 0, sizeof *scene);
    scene->metrics = bridge_metrics_new();
    scene->connections = connections_start(THREADS, scene->metrics, &error);
    assert_non_null(scene->connections);
    for (int i = 0; i < THREADS; i++)
        assert_non_null(scene->places[i] = connections_join(scene->connections));
    assert_null(connections_join(scene->connections));
}

static struct connection *connect_one(struct scene *scene)
{
    int pair[2];
    const int i = scene->count++;
    struct connections_status status;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    scene->ours[i] = pair[0];
    scene->theirs[i] = pair[1];
    connection_begin(scene->places[i], pair[0]);
    connection_begin(scene->places[i], pair[0]); /* a second call changes nothing */
    connections_status(scene->connections, &status);
    assert_int_equal(status.held, scene->count);
    return scene->places[i];
}

static void end(struct scene *scene)
{
    for (int i = 0; i < scene->count; i++) {
        connection_end(scene->places[i]);
        connection_end(scene->places[i]);
        close(scene->ours[i]);
        close(scene->theirs[i]);
    }
    connections_stop(scene->connections);
    bridge_metrics_free(scene->metrics);
}

/* Whether reading finds the end within `wait_ms`. */
static bool is_cut(const struct scene *scene, int i, int wait_ms)
{
    struct pollfd readable = {.fd = scene->ours[i], .events = POLLIN};

    return poll(&readable, 1, wait_ms) == 1;
}

static void a_state_ends_at_its_deadline(void **state)
{
    static const struct {
        const char *name;
        enum connection_state state;
        bool writes_after; /* whether an answer can still be written */
    } cases[] = {
        {"a body that does not come", CONNECTION_BODY, true},
        {"an answer that is not read", CONNECTION_WRITING, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene scene;
        struct connection *one;

        begin(&scene);
        one = connect_one(&scene);
        assert_int_equal(connection_enter(one, cases[i].state, clock_monotonic_ms() + 1), CUT_NONE);
        CHECK_CASE(cases[i].name, is_cut(&scene, 0, HANG_GUARD_MS));
        CHECK_CASE(cases[i].name, (send(scene.ours[0], "x", 1, MSG_NOSIGNAL) == 1) == cases[i].writes_after);
        CHECK_CASE(cases[i].name, connection_enter(one, CONNECTION_IDLE, 0) == CUT_DEADLINE);
        CHECK_CASE(cases[i].name, metric_get(&scene.metrics->rows[METRIC_CLOSED + CUT_DEADLINE - 1]) == 1);
        end(&scene);
    }
}

static void what_entered_another_state_in_time_is_not_cut(void **state)
{
    struct scene scene;
    struct connection *one, *late;

    (void)state;
    begin(&scene);
    one = connect_one(&scene);
    late = connect_one(&scene);
    (void)connection_enter(one, CONNECTION_BODY, clock_monotonic_ms() + 150);
    (void)connection_enter(one, CONNECTION_CONFIRM, 0);
    (void)connection_enter(late, CONNECTION_BODY, clock_monotonic_ms() + 300);
    assert_true(is_cut(&scene, 1, HANG_GUARD_MS)); /* the watcher has looked past the other's deadline */
    assert_false(is_cut(&scene, 0, 0));
    assert_int_equal(connection_enter(one, CONNECTION_WRITING, 0), CUT_NONE);
    end(&scene);
}

/* The peer was gone before its connection was accepted: no socket is known then. */
static void who_was_gone_at_once_holds_no_thread(void **state)
{
    struct scene scene;
    struct connection *one;

    (void)state;
    begin(&scene);
    for (int i = 0; i < THREADS; i++) {
        connection_begin(scene.places[1], -1);
        connection_end(scene.places[1]);
    }
    one = connect_one(&scene);
    (void)connection_enter(one, CONNECTION_BODY, clock_monotonic_ms() + 1);
    assert_true(is_cut(&scene, 0, HANG_GUARD_MS)); /* the watcher has looked */
    assert_false(connections_are_short(scene.connections));
    end(&scene);
}

static void when_threads_run_short_the_longest_unverified_go_but_never_one_that_waits_for_its_confirm(void **state)
{
    static const enum connection_state states[THREADS] = {CONNECTION_CONFIRM, CONNECTION_IDLE,    CONNECTION_HEAD,    CONNECTION_CONFIRM,
                                                          CONNECTION_CONFIRM, CONNECTION_CONFIRM, CONNECTION_CONFIRM, CONNECTION_CONFIRM};
    struct scene scene;
    struct connections_status status;

    (void)state;
    begin(&scene);
    for (int i = 0; i < THREADS; i++) {
        assert_false(connections_are_short(scene.connections));
        (void)connection_enter(connect_one(&scene), states[i], 0);
        if (i == THREADS - 2)
            break; /* seven of eight */
    }
    assert_true(is_cut(&scene, 1, HANG_GUARD_MS));
    assert_true(connections_are_short(scene.connections));
    connection_end(scene.places[1]);
    assert_int_equal(connection_enter(scene.places[1], CONNECTION_IDLE, 0), CUT_THREADS_SHORT);
    connections_status(scene.connections, &status);
    assert_true(status.threads_short);
    assert_int_equal(status.held, 6);
    assert_int_equal(status.states[CONNECTION_CONFIRM], 5);
    for (int i = 0; i < THREADS - 1; i++)
        assert_true(i == 1 || i == 2 || !is_cut(&scene, i, 0));
    end(&scene);
}

static void the_oldest_large_body_gives_way_to_another(void **state)
{
    struct scene scene;
    struct connection *small, *own, *oldest, *younger;

    (void)state;
    begin(&scene);
    small = connect_one(&scene);
    own = connect_one(&scene);
    oldest = connect_one(&scene);
    younger = connect_one(&scene);
    assert_false(connections_cut_oldest_body(scene.connections, own));
    (void)connection_enter(small, CONNECTION_BODY, clock_monotonic_ms() + LONG_MS);
    (void)connection_enter(own, CONNECTION_BODY, clock_monotonic_ms() + LONG_MS);
    connection_body_is_large(own);
    (void)connection_enter(oldest, CONNECTION_BODY, clock_monotonic_ms() + LONG_MS);
    connection_body_is_large(oldest);
    for (const int64_t before_ms = clock_monotonic_ms(); clock_monotonic_ms() == before_ms;)
        ; /* the younger one begins in another millisecond */
    (void)connection_enter(younger, CONNECTION_BODY, clock_monotonic_ms() + LONG_MS);
    connection_body_is_large(younger);
    assert_true(connections_cut_oldest_body(scene.connections, own));
    assert_true(is_cut(&scene, 2, 0));
    assert_int_equal(connection_enter(oldest, CONNECTION_WRITING, 0), CUT_MEMORY_SHORT);
    assert_true(connections_cut_oldest_body(scene.connections, own));
    assert_true(is_cut(&scene, 3, 0));
    assert_false(connections_cut_oldest_body(scene.connections, own));
    assert_false(is_cut(&scene, 0, 0));
    assert_false(is_cut(&scene, 1, 0));
    end(&scene);
}

static void *join(void *connections)
{
    return connections_join(connections);
}

static void more_threads_are_let_go_as_connections_come(void **state)
{
    enum { AT_FIRST = 32, FEW_WAIT = 17 };
    const struct timespec guard = {.tv_sec = time(NULL) + HANG_GUARD_MS / 1000};
    struct bridge_metrics *metrics = bridge_metrics_new();
    struct connection *places[AT_FIRST];
    struct error error;
    struct connections *connections = connections_start(AT_FIRST + 1, metrics, &error);
    pthread_t last;
    void *place = NULL;

    (void)state;
    assert_non_null(connections);
    for (int i = 0; i < AT_FIRST; i++)
        assert_non_null(places[i] = connections_join(connections));
    assert_int_equal(pthread_create(&last, NULL, join, connections), 0);
    for (int i = 0; i < FEW_WAIT; i++)
        connection_begin(places[i], INT_MAX);
    assert_int_equal(pthread_timedjoin_np(last, &place, &guard), 0);
    assert_non_null(place);
    for (int i = 0; i < FEW_WAIT; i++)
        connection_end(places[i]);
    connections_stop(connections);
    bridge_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_ends_at_its_deadline),
        cmocka_unit_test(what_entered_another_state_in_time_is_not_cut),
        cmocka_unit_test(who_was_gone_at_once_holds_no_thread),
        cmocka_unit_test(when_threads_run_short_the_longest_unverified_go_but_never_one_that_waits_for_its_confirm),
        cmocka_unit_test(the_oldest_large_body_gives_way_to_another),
        cmocka_unit_test(more_threads_are_let_go_as_connections_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
