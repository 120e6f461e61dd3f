/* What workers with other settings than each other's are told. The session is this test's: one hash. */
#include "workers/redis/agreement.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static struct {
    bool away, refuses;
    char names[REDIS_AGREEMENT_SETTINGS][64];
    char values[REDIS_AGREEMENT_SETTINGS][REDIS_AGREEMENT_VALUE];
    size_t count, writes;
} hash;

bool redis_primary_connected(const struct redis_primary *session)
{
    (void)session;
    return !hash.away;
}

const char *redis_primary_name(const struct redis_primary *session)
{
    (void)session;
    return "Redis at h:1";
}

bool redis_primary_ask(struct redis_primary *session, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)session;
    (void)argv_len;
    assert_string_equal(argv[1], "dc:drops:settings");
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_NIL, .text = ""};
    if (hash.refuses) {
        error_set(error, ERROR_UNAVAILABLE, "%s: WRONGTYPE", doing);
        return false;
    }
    if (strcmp(argv[0], "HGET") == 0) {
        for (size_t i = 0; i < hash.count; i++)
            if (strcmp(hash.names[i], argv[2]) == 0)
                *answer = (struct redis_answer){
                    .kind = REDIS_ANSWER_TEXT, .text = hash.values[i], .len = strlen(hash.values[i])};
        return true;
    }
    assert_string_equal(argv[0], "HSET");
    hash.writes++;
    hash.count = 0;
    for (int i = 2; i < argc; i += 2, hash.count++) {
        snprintf(hash.names[hash.count], sizeof hash.names[0], "%s", argv[i]);
        snprintf(hash.values[hash.count], sizeof hash.values[0], "%s", argv[i + 1]);
    }
    return true;
}

static struct redis_agreement worker_of(int64_t result_ttl_s, int64_t retention_s, const char *separator)
{
    struct redis_agreement agreement;

    redis_agreement_init(&agreement, "dc:", result_ttl_s, retention_s, separator);
    return agreement;
}

static void those_that_differ_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t result_ttl_s, retention_s;
        const char *separator, *says;
    } cases[] = {
        {"all alike", 86400, 604800, "/", ""},
        {"the lookup", 0, 604800, "/", "RESULT_TTL_S is \"0\" here and \"86400\" at others: "},
        {"the memory", 86400, 60, "/", "RETENTION_S is \"60\" here and \"604800\" at others: "},
        {"no separator", 86400, 604800, NULL, "CAMPAIGN_FROM_FOREIGN_ID is \"\" here and \"/\" at others: "},
        {"two of them", 86400, 60, "-",
         "RETENTION_S is \"60\" here and \"604800\" at others, CAMPAIGN_FROM_FOREIGN_ID is \"-\" here and \"/\" at others: "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_agreement first = worker_of(86400, 604800, "/");
        struct redis_agreement second = worker_of(cases[i].result_ttl_s, cases[i].retention_s, cases[i].separator);

        memset(&hash, 0, sizeof hash);
        redis_agreement_review(&first, NULL);
        CHECK_CASE(cases[i].name, first.sentence[0] == '\0' && hash.writes == 1);
        redis_agreement_review(&second, NULL);
        CHECK_CASE(cases[i].name, strncmp(second.sentence, cases[i].says, strlen(cases[i].says)) == 0);
        CHECK_CASE(cases[i].name, (second.sentence[0] == '\0') == (cases[i].says[0] == '\0'));
    }
}

static void the_last_that_started_is_right_and_the_others_say_so_until_they_are_like_it(void **state)
{
    (void)state;
    struct redis_agreement old = worker_of(1, 2, "/"), changed = worker_of(10, 2, "/"), again = worker_of(10, 2, "/");

    memset(&hash, 0, sizeof hash);
    redis_agreement_review(&old, NULL);
    redis_agreement_review(&changed, NULL);
    assert_non_null(strstr(changed.sentence, "\"10\" here and \"1\" at others"));
    redis_agreement_review(&changed, NULL);
    assert_string_equal(changed.sentence, "");
    redis_agreement_review(&old, NULL);
    assert_non_null(strstr(old.sentence, "\"1\" here and \"10\" at others"));
    redis_agreement_review(&old, NULL);
    assert_non_null(strstr(old.sentence, "\"1\" here and \"10\" at others"));
    redis_agreement_review(&again, NULL);
    assert_string_equal(again.sentence, "");
    assert_int_equal(hash.writes, 3); /* one a worker */
}

static void what_an_emptied_redis_lost_is_written_again(void **state)
{
    (void)state;
    struct redis_agreement agreement = worker_of(1, 2, "/");

    memset(&hash, 0, sizeof hash);
    redis_agreement_review(&agreement, NULL);
    hash.count = 0;
    redis_agreement_review(&agreement, NULL);
    assert_int_equal(hash.count, REDIS_AGREEMENT_SETTINGS);
    assert_string_equal(agreement.sentence, "");
}

static void a_key_that_cannot_be_used_is_told_and_one_that_cannot_be_asked_changes_nothing(void **state)
{
    (void)state;
    struct redis_agreement agreement = worker_of(1, 2, "/");

    memset(&hash, 0, sizeof hash);
    hash.refuses = true;
    redis_agreement_review(&agreement, NULL);
    assert_non_null(strstr(agreement.sentence, "WRONGTYPE"));
    hash.away = true;
    hash.refuses = false;
    redis_agreement_review(&agreement, NULL);
    assert_non_null(strstr(agreement.sentence, "WRONGTYPE"));
    hash.away = false;
    redis_agreement_review(&agreement, NULL);
    assert_string_equal(agreement.sentence, "");
    assert_int_equal(hash.writes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_differ_are_named),
        cmocka_unit_test(the_last_that_started_is_right_and_the_others_say_so_until_they_are_like_it),
        cmocka_unit_test(what_an_emptied_redis_lost_is_written_again),
        cmocka_unit_test(a_key_that_cannot_be_used_is_told_and_one_that_cannot_be_asked_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
