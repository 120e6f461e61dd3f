/* Which servers will do. The session is this test's: it says what the server tells of itself, and what it refuses. */
#include "workers/redis/preflight.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static struct {
    const char *info, *cluster; /* NULL: it refuses to tell */
    const char *refused;        /* a command; NULL: none */
} server;

bool redis_primary_try(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    const char *told = strcmp(argv[0], "INFO") == 0 ? server.info : server.cluster;

    (void)session;
    (void)doing;
    (void)argc;
    (void)argv_len;
    (void)error;
    *answer = (struct redis_answer){.kind = told ? REDIS_ANSWER_TEXT : REDIS_ANSWER_ERROR, .text = told ? told : "NOPERM"};
    return true;
}

bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)argc;
    (void)argv_len;
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_INTEGER, .text = ""};
    if (!server.refused || strcmp(argv[0], server.refused) != 0)
        return true;
    error_set(error, ERROR_REFUSED, "%s: NOPERM", doing);
    return false;
}

bool redis_primary_load(struct redis_primary *session, const char *doing, const char *script, size_t len,
                        char sha[REDIS_SHA1_HEX + 1], struct error *error)
{
    (void)session;
    (void)doing;
    (void)script;
    (void)len;
    (void)error;
    snprintf(sha, REDIS_SHA1_HEX + 1, "sha");
    return true;
}

const char *redis_primary_name(const struct redis_primary *session)
{
    (void)session;
    return "Redis at h:1";
}

static void a_server_that_will_not_do_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name, *info, *cluster, *refused, *says; /* NULL: it will do */
    } cases[] = {
        {"a new one", "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n", NULL, NULL, NULL},
        {"the oldest that will do", "redis_version:6.2.0\r\n", NULL, NULL, NULL},
        {"one of two digits", "redis_version:10.1\r\n", NULL, NULL, NULL},
        {"an older minor version", "redis_version:6.0.16\r\n", NULL, NULL, "Redis at h:1 is version 6.0; 6.2 or later is needed"},
        {"an older version with a later minor one", "redis_version:5.9\r\n", NULL, NULL, "is version 5.9;"},
        {"one that does not tell", NULL, NULL, NULL, NULL},
        {"one of one shard", "redis_version:7.0.15\r\n", "cluster_enabled:1\r\ncluster_size:1\r\n", NULL, NULL},
        {"one of several shards", "redis_version:7.0.15\r\n", "cluster_size:2\r\n", NULL, "Redis Cluster is not supported"},
        {"one that lets no script run", "redis_version:7.0.15\r\n", NULL, "EVALSHA", "trying the commands that a batch needs"},
        {"one that lets no other script run", "redis_version:7.0.15\r\n", NULL, "EVAL", "trying the commands that a batch needs"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};

        server.info = cases[i].info;
        server.cluster = cases[i].cluster;
        server.refused = cases[i].refused;
        CHECK_CASE(cases[i].name, redis_preflight_check(NULL, "dc:", &error) == !cases[i].says);
        CHECK_CASE(cases[i].name, error.code == (cases[i].says ? ERROR_REFUSED : ERROR_NONE));
        CHECK_CASE(cases[i].name, !cases[i].says || strstr(error.text, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_will_not_do_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
