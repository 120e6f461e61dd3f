/* When a batch is written again and when it only waits for its replicas. The session is this test's: it says what Redis
   answers. */
#include "workers/redis/store.h"

#include "cases.h"
#include "workers/counting/counting.h"
#include "workers/redis/preflight.h"
#include "common/redis/review.h"
#include "common/redis/primary.h"

#include <stdio.h>
#include <string.h>

#define FIRST "role:master\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\r\n"
#define HISTORY "master_replid:aa\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n"
#define PROMOTED "master_replid:bb\r\nmaster_replid2:aa\r\n"

enum { MOST = 3 };

/* ---- The session ---- */

struct redis_primary {
    struct redis_primary_settings settings;
    bool connected;
};

static struct redis_primary session;

static struct {
    const char *info; /* of the replication */
    int64_t have;     /* the answer to WAIT */
    size_t written;   /* how often a batch was */
    size_t reviewed;  /* how often the settings were */
    bool newer;       /* what is there */
} world;

struct redis_primary *redis_primary_new(const struct redis_primary_settings *settings, struct error *error)
{
    (void)error;
    session = (struct redis_primary){.settings = *settings};
    return &session;
}

void redis_primary_free(struct redis_primary *gone)
{
    (void)gone;
}

bool redis_primary_open(struct redis_primary *opened, struct error *error)
{
    if (opened->connected)
        return true;
    opened->connected = true;
    return opened->settings.prepare(opened->settings.context, opened, error);
}

void redis_primary_drop(struct redis_primary *dropped)
{
    dropped->connected = false;
}

bool redis_primary_connected(const struct redis_primary *asked)
{
    return asked->connected;
}

bool redis_primary_has_sentinels(const struct redis_primary *asked)
{
    (void)asked;
    return false;
}

const char *redis_primary_name(const struct redis_primary *asked)
{
    (void)asked;
    return "Redis at 10.0.0.1:6379";
}

struct redis_connection *redis_primary_connection(struct redis_primary *asked)
{
    (void)asked;
    return NULL;
}

void redis_primary_invalidate(struct redis_primary *doubted)
{
    (void)doubted;
}

bool redis_primary_try(struct redis_primary *asked, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    (void)asked;
    (void)doing;
    (void)argc;
    (void)argv_len;
    (void)error;
    *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = "", .len = 0};
    if (strcmp(argv[0], "INFO") == 0) {
        answer->text = world.info;
        answer->len = strlen(world.info);
    } else if (strcmp(argv[0], "WAIT") == 0) {
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_INTEGER, .integer = world.have, .text = ""};
    }
    return true;
}

bool redis_primary_ask(struct redis_primary *asked, const char *doing, int argc, const char **argv,
                       const size_t *argv_len, struct redis_answer *answer, struct error *error)
{
    return redis_primary_try(asked, doing, argc, argv, argv_len, answer, error);
}

bool redis_primary_judge(struct redis_primary *asked, const char *doing, const struct redis_answer *answer,
                         struct error *error)
{
    (void)asked;
    (void)doing;
    (void)error;
    return answer->kind != REDIS_ANSWER_ERROR;
}

bool redis_primary_load(struct redis_primary *asked, const char *doing, const char *script, size_t len,
                        char sha[REDIS_SHA1_HEX + 1], struct error *error)
{
    (void)asked;
    (void)doing;
    (void)script;
    (void)len;
    (void)error;
    snprintf(sha, REDIS_SHA1_HEX + 1, "sha");
    return true;
}

bool redis_primary_broke(const struct redis_primary *asked, const char *doing, struct error *error)
{
    (void)asked;
    error_set(error, ERROR_UNAVAILABLE, "%s: the connection broke", doing);
    return false;
}

bool redis_primary_unexpected(const struct redis_primary *asked, const char *doing, struct error *error)
{
    (void)asked;
    error_set(error, ERROR_UNAVAILABLE, "%s: unexpected", doing);
    return false;
}

struct counting *counting_new(const struct counting_settings *settings, struct redis_primary *counted)
{
    (void)settings;
    return (struct counting *)counted; /* any that is not NULL */
}

void counting_free(struct counting *counting)
{
    (void)counting;
}

bool counting_prepare(struct counting *counting, struct error *error)
{
    (void)counting;
    (void)error;
    return true;
}

bool counting_check(struct counting *counting, struct error *error)
{
    (void)counting;
    if (world.newer)
        error_set(error, ERROR_NEWER, "upgrade this worker");
    return !world.newer;
}

uint64_t counting_new_campaigns(const struct counting *counting)
{
    (void)counting;
    return 0;
}

const char *counting_emptied(const struct counting *counting, uint64_t *times)
{
    (void)counting;
    *times = 1;
    return "emptied";
}

const struct damage *counting_damage(const struct counting *counting)
{
    (void)counting;
    return NULL;
}

bool counting_waits(const struct counting *counting, size_t which)
{
    (void)counting;
    (void)which;
    return false;
}

bool counting_owed(const struct counting *counting)
{
    (void)counting;
    return false;
}

void counting_abandon(struct counting *counting, size_t which)
{
    (void)counting;
    (void)which;
}

enum counting_progress counting_apply(struct counting *counting, size_t which, const struct event *const *events,
                                      size_t count, enum applied *results, struct error *error)
{
    (void)counting;
    (void)which;
    (void)events;
    (void)error;
    world.written++;
    for (size_t i = 0; i < count; i++)
        results[i] = APPLIED_COUNTED;
    return COUNTING_DONE;
}

bool redis_preflight_check(struct redis_primary *asked, const char *prefix, struct error *error)
{
    (void)asked;
    (void)prefix;
    (void)error;
    return true;
}

void redis_review_init(struct redis_review *review, const char *prefix, int64_t result_ttl_s, int64_t retention_s,
                       const char *separator)
{
    (void)prefix;
    snprintf(review->settings, sizeof review->settings, "%d %d %s", (int)result_ttl_s, (int)retention_s, separator);
}

void redis_review_look(struct redis_review *review, struct redis_primary *asked)
{
    (void)asked;
    world.reviewed++;
    snprintf(review->eviction, sizeof review->eviction, "may evict");
}

/* ---- The cases ---- */

static struct redis_store *open_store_reviewed(const char *info, int64_t review_every_ms)
{
    const struct redis_settings settings = {.url = "redis://10.0.0.1/",
                                            .prefix = "dc:",
                                            .wait_replicas = 1,
                                            .result_ttl_s = 60,
                                            .retention_s = 600,
                                            .campaign_separator = "/",
                                            .review_every_ms = review_every_ms};
    struct error error = {0};
    struct redis_store *store;

    memset(&world, 0, sizeof world);
    world.info = info;
    store = redis_store_new(&settings, &error);
    assert_non_null(store);
    return store;
}

static struct redis_store *open_store(const char *info)
{
    return open_store_reviewed(info, FOREVER_MS);
}

/* A batch of `count` events, the first of which came at that time. */
static bool apply(struct redis_store *store, int64_t received_ms, size_t count, int64_t have)
{
    static struct event events[MOST];
    const struct event *batch[MOST];
    static enum applied results[MOST];
    struct error error = {0};
    bool done;

    memset(events, 0, sizeof events);
    events[0].received_ms = received_ms;
    for (size_t i = 0; i < count; i++)
        batch[i] = &events[i];
    world.have = have;
    done = redis_store_apply(store, 0, batch, count, results, &error) == APPLY_DONE;
    for (size_t i = 0; done && i < count; i++)
        assert_int_equal(results[i], APPLIED_COUNTED);
    return done;
}

static void a_batch_that_waits_for_its_replicas_is_written_once(void **state)
{
    (void)state;
    struct redis_store *store = open_store(FIRST HISTORY);

    assert_false(apply(store, 1, 2, 0));
    assert_false(apply(store, 1, 2, 0));
    assert_true(apply(store, 1, 2, 1));
    assert_int_equal(world.written, 1);
    assert_true(apply(store, 1, 2, 1)); /* delivered again, once it was done */
    assert_int_equal(world.written, 2);
    redis_store_free(store);
}

/* A copy that came in the same instant may look like it. */
static void a_batch_that_was_given_up_is_not_waited_for_again(void **state)
{
    (void)state;
    struct redis_store *store = open_store(FIRST HISTORY);

    assert_false(apply(store, 1, 2, 0));
    redis_store_abandon(store, 0);
    assert_true(apply(store, 1, 2, 1));
    assert_int_equal(world.written, 2);
    redis_store_free(store);
}

static void a_batch_is_written_again_on_another_connection(void **state)
{
    (void)state;
    struct redis_store *store = open_store(FIRST HISTORY);

    assert_false(apply(store, 1, 1, 0));
    redis_primary_drop(&session);
    assert_true(apply(store, 1, 1, 1));
    assert_int_equal(world.written, 2);
    redis_store_free(store);
}

static void a_batch_is_written_again_at_a_primary_that_forgot_it(void **state)
{
    (void)state;
    struct redis_store *store = open_store(FIRST HISTORY);

    assert_false(apply(store, 1, 1, 0));
    world.info = FIRST PROMOTED;
    assert_false(apply(store, 1, 1, 1));
    assert_true(apply(store, 1, 1, 1));
    assert_int_equal(world.written, 2);
    redis_store_free(store);
}

static void a_redis_without_its_replicas_is_of_no_use(void **state)
{
    (void)state;
    struct redis_store *store = open_store("role:master\r\n" HISTORY);
    struct error error = {0};

    assert_false(redis_store_check(store, &error));
    assert_int_equal(error.code, ERROR_UNAVAILABLE);
    world.have = 1;
    assert_true(redis_store_check(store, &error));
    redis_store_free(store);
}

/* There is always a batch under load, and never one at rest. */
static void settings_are_looked_at_with_each_connection_and_when_it_is_time_before_a_batch_or_a_check(void **state)
{
    (void)state;
    struct redis_store *store = open_store_reviewed(FIRST HISTORY, 0);
    struct error error = {0};

    assert_true(apply(store, 1, 1, 1));
    assert_int_equal(world.reviewed, 2);
    assert_true(apply(store, 2, 1, 1));
    assert_int_equal(world.reviewed, 3);
    assert_true(redis_store_check(store, &error));
    assert_int_equal(world.reviewed, 4);
    redis_store_free(store);

    store = open_store_reviewed(FIRST HISTORY, FOREVER_MS);
    assert_true(apply(store, 1, 1, 1));
    assert_true(apply(store, 2, 1, 1));
    assert_true(redis_store_check(store, &error));
    assert_int_equal(world.reviewed, 1);
    redis_primary_drop(&session);
    assert_true(apply(store, 3, 1, 1));
    assert_int_equal(world.reviewed, 2);
    redis_store_free(store);
}

static void keys_of_a_newer_version_are_of_no_use_and_what_was_found_is_told(void **state)
{
    (void)state;
    struct redis_store *store = open_store(FIRST HISTORY);
    struct error error = {0};

    assert_true(apply(store, 1, 1, 1));
    assert_true(redis_store_check(store, &error));
    assert_string_equal(redis_store_findings(store).eviction, "may evict");
    assert_string_equal(redis_store_findings(store).durability, "");
    assert_string_equal(redis_store_findings(store).settings, "60 600 /");
    assert_string_equal(redis_store_findings(store).emptied, "emptied");
    world.newer = true;
    assert_false(redis_store_check(store, &error));
    assert_int_equal(error.code, ERROR_NEWER);
    redis_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_waits_for_its_replicas_is_written_once),
        cmocka_unit_test(a_batch_that_was_given_up_is_not_waited_for_again),
        cmocka_unit_test(a_batch_is_written_again_on_another_connection),
        cmocka_unit_test(a_batch_is_written_again_at_a_primary_that_forgot_it),
        cmocka_unit_test(a_redis_without_its_replicas_is_of_no_use),
        cmocka_unit_test(settings_are_looked_at_with_each_connection_and_when_it_is_time_before_a_batch_or_a_check),
        cmocka_unit_test(keys_of_a_newer_version_are_of_no_use_and_what_was_found_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
