/* Which of a primary's replicas a sentinel may promote, and which are the same. */
#include "workers/redis_replicas.h"

#include "cases.h"

#include <stdio.h>

#define PRIMARY "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
#define FIRST "slave0:ip=10.0.0.2,port=6379,"
#define SECOND "slave1:ip=fd00::3,port=6379,"
#define THIRD "slave1:ip=10.0.0.4,port=6379,"
#define GOOD "state=online,offset=14,lag=0\r\n"
#define REST "master_failover_state:no-failover\r\nmaster_replid:0f\r\nrepl_backlog_active:1\r\n"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_replicas_that_a_sentinel_may_promote),
                                       cmocka_unit_test(knows_replicas_by_their_addresses),
                                       cmocka_unit_test(keeps_no_more_replicas_than_it_has_room_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
