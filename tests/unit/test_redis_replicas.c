/* Which of a primary's replicas a sentinel may promote, which are the same, and when a batch counts as done. The
   session and the clock are this test's: it says what INFO and WAIT answer, and what time it is. */
#include "workers/redis/replicas.h"

#include "cases.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIMARY "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
#define FIRST "slave0:ip=10.0.0.2,port=6379,"
#define SECOND "slave1:ip=fd00::3,port=6379,"
#define THIRD "slave1:ip=10.0.0.4,port=6379,"
#define FOURTH "slave2:ip=10.0.0.5,port=6379,"
#define GOOD "state=online,offset=14,lag=0\r\n"
#define SILENT "state=online,offset=14,lag=11\r\n"
#define LOADING "state=online,offset=0,lag=0\r\n"
#define REST "master_failover_state:no-failover\r\nmaster_replid:0f\r\nrepl_backlog_active:1\r\n"
#define NO_ID "0000000000000000000000000000000000000000"
#define HISTORY(id, second) "master_replid:" id "\r\nmaster_replid2:" second "\r\n"

/* ---- The session and the clock ---- */

static struct {
    int64_t now_ms;
    bool sentinels;
    const char *info; /* the answer to INFO replication; NULL: the connection breaks */
    int64_t have;     /* the answer to WAIT */
    int64_t wanted;   /* what the last WAIT asked for */
    int asked, doubts;
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
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = world.info, .len = strlen(world.info)};
    return true;
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

bool redis_primary_connected(const struct redis_primary *session)
{
    (void)session;
    return true;
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

/* ---- Who is in step ---- */

static size_t in_step(const char *info, bool reporting)
{
    struct redis_replica_set set = {0};

    redis_replicas_in_step(info, reporting, &set);
    return set.count;
}

static void counts_replicas_that_a_sentinel_may_promote(void **state)
{
    (void)state;
    static const struct {
        const char *name, *info;
        size_t online, reporting;
    } cases[] = {
        {"none", "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n" REST, 0, 0},
        {"an answer of nothing", "", 0, 0},
        {"two", PRIMARY FIRST "state=online,offset=14,lag=0\r\n" SECOND "state=online,offset=9,lag=1\r\n" REST, 2, 2},
        {"one with a field behind the lag", PRIMARY FIRST "state=online,offset=14,lag=0,type=replica\r\n" REST, 1, 1},
        {"a slow one", PRIMARY FIRST "state=online,offset=14,lag=10\r\n" REST, 1, 1},
        {"a silent one", PRIMARY FIRST "state=online,offset=14,lag=11\r\n" REST, 0, 0},
        {"a silent one and another",
         PRIMARY FIRST "state=online,offset=14,lag=900\r\n" SECOND "state=online,offset=14,lag=0\r\n" REST, 1, 1},
        {"one that waits for its copy", PRIMARY FIRST "state=wait_bgsave,offset=0,lag=0\r\n" REST, 0, 0},
        {"one that gets its copy", PRIMARY FIRST "state=send_bulk,offset=0,lag=0\r\n" REST, 0, 0},
        {"one that loads its copy", PRIMARY FIRST "state=online,offset=0,lag=0\r\n" REST, 1, 0},
        {"the last line of an answer that was cut", PRIMARY FIRST "state=online,offs", 0, 0},
        {"what is named like one", "# Replication\r\nslave_read_only:1,state=online,offset=1\r\n", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(cases[i].name, in_step(cases[i].info, false) == cases[i].online);
        CHECK_CASE(cases[i].name, in_step(cases[i].info, true) == cases[i].reporting);
    }
}

static void knows_replicas_by_their_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *first, *second; /* of two looks one after the other */
        size_t count;
    } cases[] = {
        {"the same two", PRIMARY FIRST GOOD SECOND GOOD, PRIMARY FIRST GOOD SECOND GOOD, 2},
        {"the same two in another order", PRIMARY FIRST GOOD SECOND GOOD, PRIMARY SECOND GOOD FIRST GOOD, 2},
        {"another in the place of one", PRIMARY FIRST GOOD SECOND GOOD, PRIMARY FIRST GOOD THIRD GOOD, 3},
        {"another port of the same machine", PRIMARY FIRST GOOD, PRIMARY "slave0:ip=10.0.0.2,port=6380," GOOD, 2},
        {"one that has gone", PRIMARY FIRST GOOD SECOND GOOD, PRIMARY FIRST GOOD, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_replica_set set = {0};

        redis_replicas_in_step(cases[i].first, true, &set);
        redis_replicas_in_step(cases[i].second, true, &set);
        CHECK_CASE(cases[i].name, set.count == cases[i].count);
    }
}

static void keeps_no_more_replicas_than_it_has_room_for(void **state)
{
    (void)state;
    struct redis_replica_set set = {0};
    char info[128];

    for (int i = 0; i < REDIS_REPLICAS_MAX + 3; i++) {
        snprintf(info, sizeof info, PRIMARY "slave0:ip=10.0.0.2,port=%d,state=online,offset=14,lag=0\r\n", 6000 + i);
        redis_replicas_in_step(info, true, &set);
    }
    assert_int_equal(set.count, REDIS_REPLICAS_MAX);
}

/* ---- When a batch counts as done ---- */

#define REPLICAS PRIMARY FIRST GOOD SECOND GOOD
#define BOTH REPLICAS HISTORY("aa", NO_ID)
#define PROMOTED REPLICAS HISTORY("bb", "aa")
#define ONLY_FIRST PRIMARY FIRST GOOD HISTORY("aa", NO_ID)

static const int64_t begun_ms = 1000000;

/* A connection to a primary with this INFO, by way of sentinels, old enough to be sure of itself. */
static void begin(struct redis_replicas *replicas, int64_t enough, const char *info)
{
    memset(&world, 0, sizeof world);
    world.now_ms = begun_ms;
    world.sentinels = true;
    world.info = info;
    redis_replicas_init(replicas, NULL, enough);
    redis_replicas_begin(replicas);
    world.now_ms += REDIS_FAILOVER_MS;
}

/* What a try comes to, so long after the connection was sure of itself. */
static bool done_at(struct redis_replicas *replicas, int64_t ms, bool again, int64_t have, const char *info)
{
    struct error error = {0};
    bool done;

    world.now_ms = begun_ms + REDIS_FAILOVER_MS + ms;
    world.have = have;
    world.info = info;
    world.doubts = 0;
    done = redis_replicas_wait(replicas, again, &error);
    assert_int_equal(world.doubts, done ? 0 : 1); /* the sentinels are asked before the next try */
    assert_int_equal(error.code, done ? ERROR_NONE : ERROR_UNAVAILABLE);
    return done;
}

static void asks_nothing_where_no_replica_is_waited_for(void **state)
{
    (void)state;
    struct redis_replicas replicas;
    struct error error = {0};

    begin(&replicas, 0, BOTH);
    redis_replicas_look(&replicas);
    assert_true(redis_replicas_wait(&replicas, false, &error));
    assert_true(redis_replicas_check(&replicas, &error));
    assert_int_equal(world.asked, 0);
}

static void without_sentinels_enough_replicas_are_enough(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    world.sentinels = false;
    assert_false(done_at(&replicas, 0, false, 0, BOTH));
    assert_int_equal(world.wanted, 1);
    assert_true(done_at(&replicas, 0, true, 1, ONLY_FIRST));
}

static void too_few_replicas_are_not_enough_however_long_it_takes(void **state)
{
    (void)state;
    struct redis_replicas replicas;
    struct error error = {0};

    begin(&replicas, 2, ONLY_FIRST);
    assert_false(done_at(&replicas, 0, false, 1, ONLY_FIRST));
    assert_false(done_at(&replicas, 100000, true, 1, ONLY_FIRST));
    assert_false(redis_replicas_check(&replicas, &error));
    assert_non_null(strstr(error.text, "1 of 2 replicas have what was written"));
    assert_int_equal(world.doubts, 2);
    world.have = 2;
    assert_true(redis_replicas_check(&replicas, &error));
}

static void a_new_connection_is_not_sure_before_a_failover_would_be_known(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, -1, false, 2, BOTH));
    assert_int_equal(world.wanted, 2); /* all that are attached */
    assert_true(done_at(&replicas, 0, true, 2, BOTH));
    assert_true(done_at(&replicas, 1, false, 2, BOTH));
}

static void a_replica_that_has_left_is_waited_for_as_long_as_a_failover_takes(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, ONLY_FIRST));
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS - 1, true, 1, ONLY_FIRST));
    assert_true(done_at(&replicas, REDIS_FAILOVER_MS, true, 1, ONLY_FIRST));
    /* And never again. */
    assert_true(done_at(&replicas, REDIS_FAILOVER_MS + 1, false, 1, ONLY_FIRST));
    assert_int_equal(world.wanted, 1);
}

static void a_batch_waits_from_its_own_first_try(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, ONLY_FIRST));
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, false, 1, ONLY_FIRST));
    assert_false(done_at(&replicas, 2 * REDIS_FAILOVER_MS - 1, true, 1, ONLY_FIRST));
    assert_true(done_at(&replicas, 2 * REDIS_FAILOVER_MS, true, 1, ONLY_FIRST));
}

static void a_missed_replica_is_waited_for_from_when_it_has_left(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, BOTH));
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, true, 1, ONLY_FIRST));
    assert_false(done_at(&replicas, 2 * REDIS_FAILOVER_MS - 1, true, 1, ONLY_FIRST));
    assert_true(done_at(&replicas, 2 * REDIS_FAILOVER_MS, true, 1, ONLY_FIRST));
}

static void a_replica_that_is_heard_of_is_waited_for_and_a_silent_one_is_not(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, BOTH));
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, true, 1, BOTH));
    assert_false(done_at(&replicas, 3 * REDIS_FAILOVER_MS, true, 1, BOTH));
    assert_true(done_at(&replicas, 3 * REDIS_FAILOVER_MS, true, 1, PRIMARY FIRST GOOD SECOND SILENT));
}

static void another_replica_does_not_stand_for_one_that_has_left(void **state)
{
    (void)state;
    struct redis_replicas replicas;
    const char *others = PRIMARY FIRST GOOD THIRD GOOD HISTORY("aa", NO_ID);

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 2, others));
    assert_false(done_at(&replicas, 1, true, 2, others));
    assert_int_equal(world.wanted, 3);
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, true, 2, others));
    assert_true(done_at(&replicas, REDIS_FAILOVER_MS + 1, true, 2, others));
}

static void one_that_was_in_step_again_is_missed_anew(void **state)
{
    (void)state;
    struct redis_replicas replicas;
    const char *others = PRIMARY FIRST GOOD SECOND SILENT FOURTH GOOD HISTORY("aa", NO_ID);

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, BOTH));
    assert_false(done_at(&replicas, 1, true, 2, others)); /* both, or the other one */
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, true, 2, others));
    assert_true(done_at(&replicas, 2 * REDIS_FAILOVER_MS, true, 2, others));
}

static void nothing_is_clear_when_the_primary_cannot_be_asked(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, BOTH);
    assert_false(done_at(&replicas, 0, false, 1, NULL));
    assert_false(done_at(&replicas, REDIS_FAILOVER_MS, true, 1, ONLY_FIRST)); /* missed from now on */
    assert_true(done_at(&replicas, 2 * REDIS_FAILOVER_MS, true, 1, ONLY_FIRST));
}

static void a_replica_that_came_counts_from_the_next_look_on(void **state)
{
    (void)state;
    struct redis_replicas replicas;

    begin(&replicas, 1, ONLY_FIRST);
    world.info = PRIMARY FIRST GOOD SECOND LOADING;
    redis_replicas_look(&replicas);
    assert_int_equal(replicas.attached.count, 1);
    world.info = BOTH;
    redis_replicas_look(&replicas);
    assert_false(done_at(&replicas, 0, false, 1, ONLY_FIRST));
    assert_int_equal(world.wanted, 2);
    /* A new connection knows also those that load their copy, and none of the old one's. */
    world.info = PRIMARY THIRD LOADING;
    redis_replicas_begin(&replicas);
    assert_int_equal(replicas.attached.count, 1);
}

static void what_a_former_replica_says_of_a_batch_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *first, *then;
        bool forgotten;
    } cases[] = {
        {"the same history", BOTH, BOTH, false},
        {"the same history of one that was promoted before", PROMOTED, PROMOTED, false},
        {"a history that begins with the first replica", BOTH, REPLICAS HISTORY("bb", NO_ID), false},
        {"one that was a replica and became a primary", BOTH, PROMOTED, true},
        {"one that was the replica of a stranger", BOTH, REPLICAS HISTORY("cc", "bb"), true},
        {"a connection that breaks", BOTH, NULL, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_replicas replicas;

        begin(&replicas, 1, cases[i].first);
        world.info = cases[i].then;
        CHECK_CASE(cases[i].name, redis_replicas_forgotten(&replicas) == cases[i].forgotten);
        CHECK_CASE(cases[i].name, done_at(&replicas, 0, false, 2, cases[i].then) == !cases[i].forgotten);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_replicas_that_a_sentinel_may_promote),
        cmocka_unit_test(knows_replicas_by_their_addresses),
        cmocka_unit_test(keeps_no_more_replicas_than_it_has_room_for),
        cmocka_unit_test(asks_nothing_where_no_replica_is_waited_for),
        cmocka_unit_test(without_sentinels_enough_replicas_are_enough),
        cmocka_unit_test(too_few_replicas_are_not_enough_however_long_it_takes),
        cmocka_unit_test(a_new_connection_is_not_sure_before_a_failover_would_be_known),
        cmocka_unit_test(a_replica_that_has_left_is_waited_for_as_long_as_a_failover_takes),
        cmocka_unit_test(a_batch_waits_from_its_own_first_try),
        cmocka_unit_test(a_missed_replica_is_waited_for_from_when_it_has_left),
        cmocka_unit_test(a_replica_that_is_heard_of_is_waited_for_and_a_silent_one_is_not),
        cmocka_unit_test(another_replica_does_not_stand_for_one_that_has_left),
        cmocka_unit_test(one_that_was_in_step_again_is_missed_anew),
        cmocka_unit_test(nothing_is_clear_when_the_primary_cannot_be_asked),
        cmocka_unit_test(a_replica_that_came_counts_from_the_next_look_on),
        cmocka_unit_test(what_a_former_replica_says_of_a_batch_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
