/* What Redis refuses, and what people are told to do about it. */
#include "common/redis/refusal.h"

#include "cases.h"

#include <string.h>

static const struct {
    const char *name, *text;
    bool sentinels;
    enum error_code code;
    const char *says;
} told[] = {
    {"a wrong password", "WRONGPASS invalid username-password pair or user is disabled.", false, ERROR_REFUSED,
     "check user and password in REDIS_URL"},
    {"no password", "NOAUTH Authentication required.", true, ERROR_REFUSED, "check user and password in REDIS_URL"},
    {"a missing right", "NOPERM this user has no permissions to run the 'hset' command", false, ERROR_REFUSED,
     "NOPERM"},
    {"a replica by its address", "READONLY You can't write against a read only replica.", false, ERROR_UNAVAILABLE,
     "REDIS_URL must name the primary"},
    {"a replica that was the primary", "READONLY You can't write against a read only replica.", true, ERROR_UNAVAILABLE,
     "the sentinels are asked"},
    {"a replica, told by a script of Redis 6.2",
     "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write", false,
     ERROR_UNAVAILABLE, "REDIS_URL must name the primary"},
    {"one that became a replica while we waited",
     "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", true,
     ERROR_UNAVAILABLE, "the sentinels are asked"},
    {"WAIT at a replica", "ERR WAIT cannot be used with replica instances.", true, ERROR_UNAVAILABLE,
     "the sentinels are asked"},
    {"too few replicas", "NOREPLICAS Not enough good replicas to write.", false, ERROR_UNAVAILABLE,
     "min-replicas-to-write"},
    {"no memory", "OOM command not allowed when used memory > 'maxmemory'.", false, ERROR_UNAVAILABLE,
     "raise maxmemory"},
    {"a key of another shard", "MOVED 8010 10.0.0.2:6379", false, ERROR_REFUSED, "Redis Cluster is not supported"},
    {"keys of two shards", "CROSSSLOT Keys in request don't hash to the same slot", false, ERROR_REFUSED,
     "Redis Cluster is not supported"},
    {"a script that writes a key of another shard",
     "KEY dc:drops:sizes: ERR Script attempted to access a non local key in a cluster node", false, ERROR_REFUSED,
     "Redis Cluster is not supported"},
    {"a campaign with that for its name", "KEY dc:campaign:non local key:counters: WRONGTYPE it holds a string", false,
     ERROR_UNAVAILABLE, "computes it from the other keys"},
    {"loading", "LOADING Redis is loading the dataset in memory", false, ERROR_UNAVAILABLE, "LOADING"},
    {"a key that may go", "KEY dc:results: WRONGTYPE it holds a string, not a stream", false, ERROR_UNAVAILABLE,
     "move that key away"},
    {"a key that other keys tell", "KEY dc:totals: WRONGTYPE it holds a string", false, ERROR_UNAVAILABLE,
     "computes it from the other keys"},
    {"a key that must stay", "KEY dc:drops:1:7: WRONGTYPE it holds a string", false, ERROR_UNAVAILABLE, "do not move it away"},
    {"a campaign with a refusal for its name", "KEY dc:campaign:READONLY:counters: WRONGTYPE it holds a string", true,
     ERROR_UNAVAILABLE, "computes it from the other keys"},
    {"a campaign with another", "KEY dc:campaign:NOREPLICAS:counters: WRONGTYPE it holds a string", true,
     ERROR_UNAVAILABLE, "computes it from the other keys"},
    {"a key that may be read only", "KEY dc:totals: NOPERM this user has no permissions", false, ERROR_REFUSED,
     "do that, and read and write every key under REDIS_PREFIX"},
    {"a key that may be read only, told by Redis 7.0",
     "KEY dc:totals: ERR The user executing the script can't access at least one of the keys", false, ERROR_REFUSED,
     "do that, and read and write every key under REDIS_PREFIX"},
    {"a campaign with a permission for its name", "KEY dc:campaign:NOPERM:counters: WRONGTYPE it holds a string", false,
     ERROR_UNAVAILABLE, "computes it from the other keys"},
    {"a record of a newer version", "KEY dc:drops:1:7: ERR a record in it is one that only a newer worker knows", false,
     ERROR_NEWER, "upgrade this worker"},
    {"a prefix with that in it", "KEY newer worker:totals: WRONGTYPE it holds a string", false, ERROR_UNAVAILABLE,
     "do not move it away"},
    {"a campaign that is a phone number", "KEY dc:campaign:5552224444:counters: WRONGTYPE it holds a string", false,
     ERROR_UNAVAILABLE, "dc:campaign:********44:counters"},
};

static void tells_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(told); i++) {
        struct error error = {.text = ""};
        redis_refusal_tell(told[i].text, "Redis at h:1", "counting a batch", "dc:", told[i].sentinels, &error);
        if (strncmp(error.text, "Redis at h:1: counting a batch: ", 32) != 0 || !strstr(error.text, told[i].says))
            fail_msg("%s: %s", told[i].name, error.text);
        CHECK_CASE(told[i].name, error.code == told[i].code);
    }
}

static void knows_a_replica_from_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool by_replica, for_replicas;
    } cases[] = {
        {"READONLY You can't write against a read only replica.", true, false},
        {"UNBLOCKED force unblock from blocking operation", true, false},
        {"NOREPLICAS Not enough good replicas to write.", false, true},
        {"KEY dc:campaign:READONLY: WRONGTYPE it holds a string", false, false},
        {"KEY dc:campaign:NOREPLICAS: WRONGTYPE it holds a string", false, false},
        {"OOM command not allowed", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(cases[i].text, redis_refusal_by_replica(cases[i].text) == cases[i].by_replica);
        CHECK_CASE(cases[i].text, redis_refusal_for_replicas(cases[i].text) == cases[i].for_replicas);
    }
}

static void a_key_that_is_not_the_trouble_is_left_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "KEY dc:schema: LOADING Redis is loading the dataset in memory",
        "KEY dc:drops:epoch: MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "KEY dc:campaign:WRONGTYPE:counters: LOADING Redis is loading the dataset in memory",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.text = ""};
        redis_refusal_tell(cases[i], "Redis at h:1", "counting a batch", "dc:", false, &error);
        CHECK_CASE(cases[i], !strstr(error.text, "restore"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_to_do),
        cmocka_unit_test(knows_a_replica_from_what_it_says),
        cmocka_unit_test(a_key_that_is_not_the_trouble_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
