/* When a batch may be acknowledged, by what WAIT and INFO said and when: one row a rule. */
#include "workers/redis/replica_gate.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

#define PRIMARY "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
#define FIRST "slave0:ip=10.0.0.2,port=6379,"
#define SECOND "slave1:ip=fd00::3,port=6379,"
#define THIRD "slave1:ip=10.0.0.4,port=6379,"
#define GOOD "state=online,offset=14,lag=0\r\n"
#define SLOW "state=online,offset=14,lag=10\r\n"
#define SILENT "state=online,offset=14,lag=11\r\n"
#define LOADING "state=online,offset=0,lag=0\r\n"
#define COPYING "state=send_bulk,offset=0,lag=0\r\n"
#define HISTORY(id, second) "master_replid:" id "\r\nmaster_replid2:" second "\r\nrepl_backlog_active:1\r\n"
#define NO_ID "0000000000000000000000000000000000000000"
#define SAME HISTORY("aa", NO_ID)

#define NONE PRIMARY SAME
#define BOTH PRIMARY FIRST GOOD SECOND GOOD SAME
#define ONLY_FIRST PRIMARY FIRST GOOD SAME
#define PROMOTED PRIMARY FIRST GOOD SECOND GOOD HISTORY("bb", "aa")

enum { UNSET = -1, STEPS = 6, CLEAR = REPLICA_FAILOVER_MS };

static const int64_t begun_ms = 1000000;

/* What happens so long after a connection is sure of itself; `wanted` is for how many the next WAIT waits. */
struct step {
    enum { END, LOOK, ASK } does;
    int64_t ms, have;
    const char *info;
    enum replica_answer answer;
    int64_t wanted;
};

#define LOOKS(ms, info, wanted) {LOOK, ms, 0, info, REPLICA_WAIT, wanted}
#define WAITS(ms, have, info, wanted) {ASK, ms, have, info, REPLICA_WAIT, wanted}
#define DONE(ms, have, info, wanted) {ASK, ms, have, info, REPLICA_ACKNOWLEDGE, wanted}
#define AGAIN(ms, have, info, wanted) {ASK, ms, have, info, REPLICA_WRITE_AGAIN, wanted}

struct row {
    const char *name;
    int64_t wait_replicas;
    bool sentinels;
    const char *info; /* when the connection is made */
    struct step steps[STEPS];
};

static const struct row rows[] = {
    /* How many */
    {"without sentinels none is waited for", UNSET, false, BOTH, {DONE(0, 0, BOTH, 0)}},
    {"with sentinels all attached are waited for", UNSET, true, BOTH, {WAITS(0, 1, BOTH, 2), DONE(1, 2, BOTH, 2)}},
    {"with sentinels and no replica nothing is acknowledged, however long it takes", UNSET, true, NONE,
     {WAITS(0, 0, NONE, 1), WAITS(100000, 0, NONE, 1)}},
    {"a number is enough, and not fewer, however long it takes", 2, true, BOTH,
     {WAITS(0, 1, BOTH, 2), WAITS(100000, 1, BOTH, 2), DONE(100001, 2, BOTH, 2)}},
    {"a number that is set is all that is asked for, whoever left", 1, true, BOTH, {DONE(-CLEAR, 1, ONLY_FIRST, 1)}},
    {"a number counts without sentinels too", 1, false, BOTH, {WAITS(-CLEAR, 0, BOTH, 1), DONE(-CLEAR, 1, BOTH, 1)}},
    {"none is waited for if so it was set", 0, true, BOTH, {DONE(-CLEAR, 0, BOTH, 0)}},

    /* Who */
    {"one that is slow to report is waited for", UNSET, true, PRIMARY FIRST GOOD SECOND SLOW SAME,
     {WAITS(0, 1, PRIMARY FIRST GOOD SECOND SLOW SAME, 2)}},
    {"one that is silent when we come is not", UNSET, true, PRIMARY FIRST GOOD SECOND SILENT SAME,
     {DONE(0, 1, PRIMARY FIRST GOOD SECOND SILENT SAME, 1)}},
    {"one that loads its copy is not", UNSET, true, PRIMARY FIRST GOOD SECOND LOADING SAME,
     {DONE(0, 1, PRIMARY FIRST GOOD SECOND LOADING SAME, 1)}},
    {"one that gets its copy is not", UNSET, true, PRIMARY FIRST GOOD SECOND COPYING SAME,
     {DONE(0, 1, PRIMARY FIRST GOOD SECOND COPYING SAME, 1)}},
    {"an answer that was cut in the middle of a replica is one without it", UNSET, true, PRIMARY FIRST GOOD "slave1:ip=fd00::3,port=6379,st",
     {DONE(0, 1, PRIMARY FIRST GOOD "slave1:ip=fd00::3,port=6379,state=online,offs", 1)}},
    {"what is only named like a replica is none", UNSET, true, ONLY_FIRST "slave_read_only:1,state=online,offset=1,lag=0\r\n",
     {DONE(0, 1, ONLY_FIRST "slave_read_only:1,state=online,offset=1,lag=0\r\n", 1)}},
    {"another port of the same machine is another replica", UNSET, true, ONLY_FIRST,
     {WAITS(0, 1, PRIMARY FIRST GOOD "slave1:ip=10.0.0.2,port=6380," GOOD SAME, 2)}},
    {"the same replicas in another order are the same", UNSET, true, BOTH, {DONE(0, 2, PRIMARY SECOND GOOD FIRST GOOD SAME, 2)}},
    {"a field behind the lag is passed over", UNSET, true, ONLY_FIRST,
     {DONE(0, 1, PRIMARY FIRST "state=online,offset=14,lag=0,type=replica\r\n" SAME, 1)}},

    /* Who may have been promoted */
    {"a young connection is not sure: a replica may have left before it", UNSET, true, BOTH,
     {WAITS(-1, 2, BOTH, 2), DONE(0, 2, BOTH, 2)}},
    {"one that has left is waited for as long as a failover takes, and never again", UNSET, true, BOTH,
     {WAITS(0, 1, ONLY_FIRST, 2), WAITS(CLEAR - 1, 1, ONLY_FIRST, 2), DONE(CLEAR, 1, ONLY_FIRST, 1), DONE(CLEAR + 1, 1, ONLY_FIRST, 1)}},
    {"from the moment it was missed, also by a look without a batch", UNSET, true, BOTH,
     {LOOKS(0, ONLY_FIRST, 2), WAITS(CLEAR - 1, 1, ONLY_FIRST, 2), DONE(CLEAR, 1, ONLY_FIRST, 1)}},
    {"one that is heard of is waited for, however long it takes", UNSET, true, BOTH,
     {WAITS(0, 1, BOTH, 2), WAITS(100000, 1, BOTH, 2), DONE(100001, 2, BOTH, 2)}},
    {"one that falls silent is waited for as long as one that has left", UNSET, true, BOTH,
     {WAITS(0, 1, PRIMARY FIRST GOOD SECOND SILENT SAME, 2), WAITS(CLEAR - 1, 1, PRIMARY FIRST GOOD SECOND SILENT SAME, 2),
      DONE(CLEAR, 1, PRIMARY FIRST GOOD SECOND SILENT SAME, 1)}},
    {"one that leaves after it fell silent is missed anew", UNSET, true, BOTH,
     {WAITS(0, 1, PRIMARY FIRST GOOD SECOND SILENT SAME, 2), WAITS(CLEAR - 1, 1, ONLY_FIRST, 2), WAITS(CLEAR, 1, ONLY_FIRST, 2),
      DONE(2 * CLEAR - 1, 1, ONLY_FIRST, 1)}},
    {"one that leaves while another is missed is missed for itself", UNSET, true, PRIMARY FIRST GOOD SECOND GOOD THIRD GOOD SAME,
     {WAITS(0, 1, PRIMARY FIRST GOOD SECOND GOOD SAME, 3), WAITS(CLEAR - 1, 1, ONLY_FIRST, 3), WAITS(CLEAR, 1, ONLY_FIRST, 2),
      DONE(2 * CLEAR - 1, 1, ONLY_FIRST, 1)}},
    {"one that came back is missed anew when it leaves again", UNSET, true, BOTH,
     {WAITS(0, 1, ONLY_FIRST, 2), LOOKS(1, BOTH, 2), WAITS(CLEAR, 1, ONLY_FIRST, 2), DONE(2 * CLEAR, 1, ONLY_FIRST, 1)}},
    {"another replica does not stand for one that has left", UNSET, true, BOTH,
     {WAITS(0, 2, PRIMARY FIRST GOOD THIRD GOOD SAME, 3), WAITS(CLEAR - 1, 2, PRIMARY FIRST GOOD THIRD GOOD SAME, 3),
      DONE(CLEAR, 2, PRIMARY FIRST GOOD THIRD GOOD SAME, 2)}},
    {"one that came at rest is missed when it leaves", UNSET, true, ONLY_FIRST,
     {LOOKS(0, BOTH, 2), WAITS(1, 1, ONLY_FIRST, 2), DONE(1 + CLEAR, 1, ONLY_FIRST, 1)}},
    {"the last one that has left is waited for, and then any", UNSET, true, ONLY_FIRST,
     {WAITS(0, 0, NONE, 1), WAITS(CLEAR, 0, NONE, 1), DONE(CLEAR + 1, 1, PRIMARY THIRD GOOD SAME, 1)}},

    /* Whether the batch is there still */
    {"a primary that was a replica meanwhile is written to again, and is a stranger then", UNSET, true, BOTH,
     {AGAIN(0, 2, PROMOTED, 2), WAITS(CLEAR - 1, 2, PROMOTED, 2), DONE(CLEAR, 2, PROMOTED, 2)}},
    {"so is one where a number is waited for", 1, false, BOTH, {AGAIN(0, 1, PROMOTED, 1), DONE(1, 1, PROMOTED, 1)}},
    {"and one that was the replica of a stranger", 1, false, BOTH, {AGAIN(0, 1, PRIMARY FIRST GOOD HISTORY("cc", "bb"), 1)}},
    {"one that was promoted before we came is believed", 1, false, PROMOTED, {DONE(0, 1, PROMOTED, 1)}},
    {"a history that begins with the first replica is the same", 1, false, NONE,
     {DONE(0, 1, PRIMARY FIRST GOOD HISTORY("bb", NO_ID), 1)}},
    {"a server that does not tell is believed where a number is enough", 1, false, "", {DONE(0, 1, "", 1)}},
};

static void each_rule_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct replica_gate gate = replica_gate_of(rows[i].wait_replicas, rows[i].sentinels);

        replica_gate_connected(&gate, rows[i].info, begun_ms);
        for (const struct step *step = rows[i].steps; step < rows[i].steps + STEPS && step->does != END; step++) {
            int64_t now_ms = begun_ms + CLEAR + step->ms;

            if (step->does == LOOK) {
                replica_gate_look(&gate, step->info, now_ms);
            } else {
                struct replica_verdict verdict = replica_gate_judge(&gate, step->have, step->info, now_ms);

                CHECK_CASE(rows[i].name, verdict.answer == step->answer);
                CHECK_CASE(rows[i].name, (verdict.why != NULL) == (step->answer == REPLICA_WAIT));
            }
            CHECK_CASE(rows[i].name, replica_gate_wanted(&gate) == step->wanted);
        }
    }
}

static void keeps_no_more_replicas_than_it_has_room_for(void **state)
{
    (void)state;
    struct replica_gate gate = replica_gate_of(UNSET, true);
    char info[128];

    for (int i = 0; i < REPLICAS_MAX + 3; i++) {
        snprintf(info, sizeof info, PRIMARY "slave0:ip=10.0.0.2,port=%d,state=online,offset=14,lag=0\r\n", 6000 + i);
        replica_gate_look(&gate, info, begun_ms);
    }
    assert_int_equal(replica_gate_wanted(&gate), REPLICAS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_holds),
        cmocka_unit_test(keeps_no_more_replicas_than_it_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
