/* What is asked of the primary about its replicas, and what is said when they lack a batch. The session and the clock are
   this test's: it says what INFO and WAIT answer. The rules are in test_replica_gate.c. */
#include "workers/redis/replicas.h"

#include "cases.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define FIRST "role:master\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\r\n"
#define SECOND "slave1:ip=10.0.0.3,port=6379,state=online,offset=14,lag=0\r\n"
#define HISTORY "master_replid:aa\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n"
#define PROMOTED "master_replid:bb\r\nmaster_replid2:aa\r\n"

enum { UNSET = -1 };

static struct {
    int64_t now_ms;
    bool sentinels;
    bool info_forbidden;
    const char *info; /* the answer to INFO replication; NULL: the connection breaks */
    int64_t have;     /* the answer to WAIT */
    int64_t wanted;   /* what the last WAIT asked for */
    int asked, doubts;
    bool dropped; /* the connection, and what was learned on it */
} world;

int64_t clock_monotonic_ms(void)
{
    return world.now_ms;
}

bool redis_primary_try(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)argv_len;
    assert_int_equal(argc, 2);
    assert_string_equal(argv[0], "INFO");
    world.asked++;
    if (!world.info) {
        error_set(error, ERROR_UNAVAILABLE, "%s: the connection broke", doing);
        return false;
    }
    *answer = (struct redis_answer){.kind = world.info_forbidden ? REDIS_ANSWER_ERROR : REDIS_ANSWER_TEXT,
                                    .text = world.info_forbidden ? "NOPERM" : world.info};
    return true;
}

bool redis_primary_judge(struct redis_primary *session, const char *doing, const struct redis_answer *answer,
                         struct error *error)
{
    (void)session;
    if (answer->kind != REDIS_ANSWER_ERROR)
        return true;
    error_set(error, ERROR_REFUSED, "%s: %s", doing, answer->text);
    return false;
}

bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)doing;
    (void)argv_len;
    (void)error;
    assert_int_equal(argc, 3);
    assert_string_equal(argv[0], "WAIT");
    world.asked++;
    world.wanted = strtoll(argv[1], NULL, 10);
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_INTEGER, .integer = world.have};
    return true;
}

bool redis_primary_unexpected(const struct redis_primary *session, const char *doing, struct error *error)
{
    (void)session;
    error_set(error, ERROR_UNAVAILABLE, "%s: unexpected", doing);
    return false;
}

bool redis_primary_has_sentinels(const struct redis_primary *session)
{
    (void)session;
    return world.sentinels;
}

const char *redis_primary_name(const struct redis_primary *session)
{
    (void)session;
    return "Redis at 10.0.0.1:6379";
}

void redis_primary_invalidate(struct redis_primary *session)
{
    (void)session;
    world.doubts++;
}

void redis_primary_drop(struct redis_primary *session)
{
    (void)session;
    world.dropped = true;
}

/* A connection that is old enough to be sure of itself. */
static struct redis_replicas begin(int64_t wait_replicas, bool sentinels, const char *info)
{
    struct redis_replicas replicas;
    struct error error = {0};

    memset(&world, 0, sizeof world);
    world.now_ms = 1000000;
    world.sentinels = sentinels;
    world.info = info;
    redis_replicas_init(&replicas, NULL, wait_replicas);
    assert_true(redis_replicas_begin(&replicas, &error));
    world.now_ms += REPLICA_FAILOVER_MS;
    return replicas;
}

static void asks_nothing_where_no_replica_is_waited_for(void **state)
{
    (void)state;
    static const int64_t settings[] = {0, UNSET};

    for (size_t i = 0; i < COUNT(settings); i++) {
        struct redis_replicas replicas = begin(settings[i], settings[i] == 0, FIRST HISTORY);
        struct error error = {0};

        assert_int_equal(redis_replicas_wait(&replicas, &error), REPLICA_ACKNOWLEDGE);
        assert_true(redis_replicas_check(&replicas, &error));
        assert_int_equal(world.asked, 0);
    }
}

/* The sentinels are asked before the next try. */
static void says_what_is_missing_and_has_the_sentinels_asked(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t wait_replicas;
        const char *before, *info;
        int64_t have;
        enum replica_answer answer;
        const char *batch, *rest; /* what is said of a batch, and without one; NULL: nothing */
    } cases[] = {
        {"none is missing", UNSET, FIRST SECOND HISTORY, FIRST SECOND HISTORY, 2, REPLICA_ACKNOWLEDGE, NULL, NULL},
        {"one that may be promoted", UNSET, FIRST SECOND HISTORY, FIRST HISTORY, 1, REPLICA_WAIT,
         "Redis at 10.0.0.1:6379: 1 of 2 replicas have the batch: it is acknowledged when it is clear that no failover is "
         "under way",
         NULL},
        {"all", UNSET, HISTORY, HISTORY, 0, REPLICA_WAIT, "0 of 1 replicas have the batch: with sentinels",
         "0 of 1 replicas have what was written: with sentinels"},
        {"one of those that were asked for", 2, FIRST HISTORY, FIRST HISTORY, 1, REPLICA_WAIT,
         "1 of 2 replicas have the batch (REDIS_WAIT_REPLICAS)", "1 of 2 replicas have what was written (REDIS_WAIT_REPLICAS)"},
        {"the memory of the primary", 1, FIRST HISTORY, FIRST PROMOTED, 1, REPLICA_WRITE_AGAIN, "was a replica for a while", NULL},
        {"the connection", 1, FIRST HISTORY, NULL, 1, REPLICA_WAIT, "the connection broke", "the connection broke"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_replicas replicas = begin(cases[i].wait_replicas, true, cases[i].before);
        struct error error = {0};

        world.info = cases[i].info;
        world.have = cases[i].have;
        CHECK_CASE(cases[i].name, redis_replicas_wait(&replicas, &error) == cases[i].answer);
        CHECK_CASE(cases[i].name, cases[i].batch ? strstr(error.text, cases[i].batch) != NULL : error.code == ERROR_NONE);
        CHECK_CASE(cases[i].name, world.doubts == (cases[i].batch && cases[i].info ? 1 : 0));
        CHECK_CASE(cases[i].name, world.dropped == (cases[i].answer == REPLICA_WRITE_AGAIN));

        replicas = begin(cases[i].wait_replicas, true, cases[i].before);
        error = (struct error){0};
        world.info = cases[i].info;
        world.have = cases[i].have;
        CHECK_CASE(cases[i].name, redis_replicas_check(&replicas, &error) == !cases[i].rest);
        CHECK_CASE(cases[i].name, cases[i].rest ? strstr(error.text, cases[i].rest) != NULL : error.code == ERROR_NONE);
        CHECK_CASE(cases[i].name, world.doubts == (cases[i].rest && cases[i].info ? 1 : 0));
    }
}

static void waits_for_those_that_were_attached_at_the_last_look(void **state)
{
    (void)state;
    struct redis_replicas replicas = begin(UNSET, true, FIRST HISTORY);
    struct error error = {0};

    world.info = FIRST SECOND HISTORY;
    world.have = 1;
    assert_true(redis_replicas_check(&replicas, &error));
    assert_int_equal(world.wanted, 1);
    assert_int_equal(redis_replicas_wait(&replicas, &error), REPLICA_WAIT);
    assert_int_equal(world.wanted, 2);
}

/* Or a single sentinel that is wrong for ever would end each connection before it is sure. */
static void a_young_connection_is_no_doubt_of_the_sentinels(void **state)
{
    (void)state;
    struct redis_replicas replicas = begin(UNSET, true, FIRST HISTORY);
    struct error error = {0};

    world.now_ms--;
    world.have = 1;
    assert_int_equal(redis_replicas_wait(&replicas, &error), REPLICA_WAIT);
    assert_int_equal(world.doubts, 0);
}

/* Who does not know the replicas cannot tell that all of them have a batch. */
static void a_user_who_may_not_ask_is_refused_where_all_are_waited_for(void **state)
{
    (void)state;
    struct redis_replicas replicas = begin(UNSET, true, FIRST HISTORY);
    struct error error = {0};

    world.info_forbidden = true;
    assert_false(redis_replicas_begin(&replicas, &error));
    assert_int_equal(error.code, ERROR_REFUSED);
    redis_replicas_init(&replicas, NULL, 1);
    assert_true(redis_replicas_begin(&replicas, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_nothing_where_no_replica_is_waited_for),
        cmocka_unit_test(says_what_is_missing_and_has_the_sentinels_asked),
        cmocka_unit_test(waits_for_those_that_were_attached_at_the_last_look),
        cmocka_unit_test(a_young_connection_is_no_doubt_of_the_sentinels),
        cmocka_unit_test(a_user_who_may_not_ask_is_refused_where_all_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
