/* What is said of a Redis that is used all the same. The session is this test's: it has Redis's settings, and the key in which
   workers compare theirs. */
#include "common/redis/review.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static struct {
    bool away, refuses, mute;
    const char *appendonly, *appendfsync, *no_fsync, *policy;
    char shared[REDIS_REVIEW_SHARED];
    size_t writes;
} server;

bool redis_primary_connected(const struct redis_primary *session)
{
    (void)session;
    return !server.away;
}

const char *redis_primary_name(const struct redis_primary *session)
{
    (void)session;
    return "Redis at h:1";
}

bool redis_primary_try(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)doing;
    (void)argv_len;
    (void)error;
    assert_int_equal(argc, 3);
    assert_string_equal(argv[0], "CONFIG");
    const char *value = strcmp(argv[2], "appendonly") == 0                  ? server.appendonly
                        : strcmp(argv[2], "appendfsync") == 0               ? server.appendfsync
                        : strcmp(argv[2], "no-appendfsync-on-rewrite") == 0 ? server.no_fsync
                                                                            : server.policy;
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_LIST, .count = 2, .list = value};
    if (server.mute)
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_ERROR, .text = "NOPERM"};
    return true;
}

/* The second of a setting's name and value. */
struct redis_answer redis_answer_item(const struct redis_answer *answer, size_t place)
{
    assert_int_equal(place, 1);
    return (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = answer->list ? answer->list : ""};
}

bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)argv_len;
    assert_string_equal(argv[1], "dc:drops:settings");
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_NIL, .text = ""};
    if (server.refuses) {
        error_set(error, ERROR_UNAVAILABLE, "%s: WRONGTYPE", doing);
        return false;
    }
    if (argc == 5) {
        assert_string_equal(argv[3], "PX"); /* so that a worker that has ended is forgotten */
        server.writes++;
        snprintf(server.shared, sizeof server.shared, "%s", argv[2]);
    } else if (server.shared[0] != '\0') {
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = server.shared};
    }
    return true;
}

static void start_server(void)
{
    memset(&server, 0, sizeof server);
    server.appendonly = "yes";
    server.appendfsync = "always";
    server.no_fsync = "no";
    server.policy = "noeviction";
}

static struct redis_review worker_of(int64_t result_ttl_s, int64_t retention_s, const char *separator)
{
    struct redis_review review;

    redis_review_init(&review, "dc:", result_ttl_s, retention_s, separator);
    return review;
}

/* ---- The server's settings ---- */

static bool says(const char *sentence, const char *words)
{
    return words ? strstr(sentence, words) != NULL : sentence[0] == '\0';
}

static void settings_that_lose_or_forget_are_named_until_they_are_mended(void **state)
{
    (void)state;
    static const struct {
        const char *name, *appendonly, *appendfsync, *no_fsync, *policy, *durability, *eviction;
    } cases[] = {
        {"no file", "no", "everysec", "no", "noeviction", "has appendonly no: a crash of it can lose counted events; set appendonly yes",
         NULL},
        {"a sync a second", "yes", "everysec", "no", "noeviction",
         "Redis at h:1 has appendfsync everysec: a crash of it can lose counted events; set appendfsync always", NULL},
        {"no sync during a rewrite", "yes", "always", "yes", "noeviction", "set no-appendfsync-on-rewrite no", NULL},
        {"a cache", "yes", "always", "no", "allkeys-lru", NULL,
         "Redis at h:1 has maxmemory-policy allkeys-lru: it may evict keys, and a forgotten drop is counted again; set "
         "maxmemory-policy noeviction"},
        {"both", "yes", "no", "no", "volatile-ttl", "has appendfsync no", "has maxmemory-policy volatile-ttl"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_review review = worker_of(1, 2, "/");

        start_server();
        server.appendonly = cases[i].appendonly;
        server.appendfsync = cases[i].appendfsync;
        server.no_fsync = cases[i].no_fsync;
        server.policy = cases[i].policy;
        redis_review_look(&review, NULL);
        CHECK_CASE(cases[i].name, says(review.durability, cases[i].durability));
        CHECK_CASE(cases[i].name, says(review.eviction, cases[i].eviction));
        start_server();
        redis_review_look(&review, NULL);
        CHECK_CASE(cases[i].name, review.durability[0] == '\0' && review.eviction[0] == '\0');
    }
}

static void a_server_that_does_not_tell_is_unknown(void **state)
{
    (void)state;
    struct redis_review review = worker_of(1, 2, "/");

    start_server();
    server.mute = true;
    redis_review_look(&review, NULL);
    assert_non_null(strstr(review.durability, "unknown: Redis at h:1 does not tell its settings"));
    assert_string_equal(review.eviction, "");
}

/* ---- The other workers' settings ---- */

static void workers_that_differ_are_told_how(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t result_ttl_s, retention_s;
        const char *separator, *says;
    } cases[] = {
        {"all alike", 86400, 604800, "/", NULL},
        {"the lookup", 0, 604800, "/", "this worker has RESULT_TTL_S=0 RETENTION_S=604800"},
        {"the memory", 86400, 60, "/", "this worker has RESULT_TTL_S=86400 RETENTION_S=60"},
        {"no separator", 86400, 604800, NULL,
         "CAMPAIGN_FROM_FOREIGN_ID=, and another RESULT_TTL_S=86400 RETENTION_S=604800 CAMPAIGN_FROM_FOREIGN_ID=/: "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_review first = worker_of(86400, 604800, "/");
        struct redis_review second = worker_of(cases[i].result_ttl_s, cases[i].retention_s, cases[i].separator);

        start_server();
        redis_review_look(&first, NULL);
        CHECK_CASE(cases[i].name, first.settings[0] == '\0' && server.writes == 1);
        redis_review_look(&second, NULL);
        CHECK_CASE(cases[i].name, says(second.settings, cases[i].says));
    }
}

static void the_last_that_started_is_right_and_the_others_say_so_until_they_are_like_it(void **state)
{
    (void)state;
    struct redis_review old = worker_of(1, 2, "/"), changed = worker_of(10, 2, "/"), again = worker_of(10, 2, "/");

    start_server();
    redis_review_look(&old, NULL);
    redis_review_look(&changed, NULL);
    assert_non_null(strstr(changed.settings, "this worker has RESULT_TTL_S=10 "));
    redis_review_look(&changed, NULL);
    assert_string_equal(changed.settings, "");
    for (int looks = 0; looks < 2; looks++) {
        redis_review_look(&old, NULL);
        assert_non_null(strstr(old.settings, "this worker has RESULT_TTL_S=1 "));
    }
    redis_review_look(&again, NULL);
    assert_string_equal(again.settings, "");
    assert_int_equal(server.writes, 4); /* by whoever starts, and by each look of one that is like it */
    server.shared[0] = '\0';            /* it has expired: none of these looked for a while */
    redis_review_look(&old, NULL);
    assert_string_equal(old.settings, "");
    assert_int_equal(server.writes, 5);
}

static void what_an_emptied_redis_lost_is_written_again(void **state)
{
    (void)state;
    struct redis_review review = worker_of(1, 2, "/");

    start_server();
    redis_review_look(&review, NULL);
    server.shared[0] = '\0';
    redis_review_look(&review, NULL);
    assert_string_not_equal(server.shared, "");
    assert_string_equal(review.settings, "");
}

static void a_key_that_cannot_be_used_is_told_and_one_that_cannot_be_asked_changes_nothing(void **state)
{
    (void)state;
    struct redis_review review = worker_of(1, 2, "/");

    start_server();
    server.refuses = true;
    redis_review_look(&review, NULL);
    assert_non_null(strstr(review.settings, "WRONGTYPE"));
    server.away = true;
    server.refuses = false;
    redis_review_look(&review, NULL);
    assert_non_null(strstr(review.settings, "WRONGTYPE"));
    server.away = false;
    redis_review_look(&review, NULL);
    assert_string_equal(review.settings, "");
    assert_int_equal(server.writes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_lose_or_forget_are_named_until_they_are_mended),
        cmocka_unit_test(a_server_that_does_not_tell_is_unknown),
        cmocka_unit_test(workers_that_differ_are_told_how),
        cmocka_unit_test(the_last_that_started_is_right_and_the_others_say_so_until_they_are_like_it),
        cmocka_unit_test(what_an_emptied_redis_lost_is_written_again),
        cmocka_unit_test(a_key_that_cannot_be_used_is_told_and_one_that_cannot_be_asked_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
