/* Two batches at Redis at once, and what an answer to one of them does to the other. The session, the connection and what
   is known of the keys are this test's: it says what Redis answers. */
#include "workers/counting/counting.h"

#include "cases.h"
#include "common/drops/known.h"
#include "common/redis/primary.h"
#include "copies.h"

#include <stdio.h>
#include <string.h>

enum { ANSWERS_MAX = 8 };

/* ---- Redis ---- */

static const char none_conflicts[] = {0, 0};
/* The first drop conflicts, with a record that ends behind its version; and one key was damaged. */
/* Of two drops only the first applies; another worker was faster with the second, but took it back. */
static const char second_conflicts[] = {1, 0, 2, 0, 0, 0, 0};
static const char unreadable[] = "\1\0" "\1\0" "\1\0" "\0" "\1" "dc:totals";

static struct {
    bool connected;
    size_t sent;                      /* calls */
    const char *answers[ANSWERS_MAX]; /* to the calls, in their order: an error; NULL: all is counted */
    bool unreadable, second_conflicts; /* the first answer is that */
    size_t arguments[ANSWERS_MAX];     /* of the calls */
    const char *epoch;
    size_t come, collected;           /* how many have come, and were taken */
    uint32_t numbers;                 /* that were given to campaigns */
} world;

bool redis_primary_connected(const struct redis_primary *session)
{
    (void)session;
    return world.connected;
}

const char *redis_primary_name(const struct redis_primary *session)
{
    (void)session;
    return "Redis at 10.0.0.1:6379";
}

struct redis_connection *redis_primary_connection(struct redis_primary *session)
{
    (void)session;
    return NULL;
}

void redis_primary_drop(struct redis_primary *session)
{
    (void)session;
    world.connected = false;
}

bool redis_primary_judge(struct redis_primary *session, const char *doing, const struct redis_answer *answer,
                         struct error *error)
{
    (void)session;
    (void)doing;
    if (answer->kind == REDIS_ANSWER_ERROR)
        error_set(error, ERROR_UNAVAILABLE, "%s", answer->text);
    return answer->kind != REDIS_ANSWER_ERROR;
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

bool redis_primary_judge_key(struct redis_primary *session, const char *doing, const char *key, const char *text,
                             struct error *error)
{
    (void)session;
    (void)doing;
    error_set(error, ERROR_UNAVAILABLE, "%s: %s", key, text);
    return false;
}

bool redis_primary_broke(const struct redis_primary *session, const char *doing, struct error *error)
{
    (void)session;
    error_set(error, ERROR_UNAVAILABLE, "%s: the connection broke", doing);
    return false;
}

bool redis_primary_unexpected(const struct redis_primary *session, const char *doing, struct error *error)
{
    (void)session;
    error_set(error, ERROR_UNAVAILABLE, "%s: unexpected", doing);
    return false;
}

bool redis_connection_send(struct redis_connection *connection, const char *doing, size_t argc, struct bytes arguments,
                           struct error *error)
{
    (void)connection;
    (void)doing;
    (void)arguments;
    (void)error;
    assert_true(world.sent < ANSWERS_MAX);
    world.arguments[world.sent++] = argc;
    return true;
}

bool redis_connection_answered(const struct redis_connection *connection)
{
    (void)connection;
    return world.collected < world.come;
}

/* Who waits for an answer gets it. */
bool redis_connection_collect(struct redis_connection *connection, const char *doing, struct redis_answer *answer,
                              struct error *error)
{
    const char *text = world.answers[world.collected];

    (void)connection;
    (void)doing;
    (void)error;
    assert_true(world.collected < world.sent);
    if (text)
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_ERROR, .text = text, .len = strlen(text)};
    else if (world.unreadable && world.collected == 0)
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = unreadable, .len = sizeof unreadable - 1};
    else if (world.second_conflicts && world.collected == 0)
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = second_conflicts, .len = sizeof second_conflicts};
    else
        *answer = (struct redis_answer){.kind = REDIS_ANSWER_TEXT, .text = none_conflicts, .len = sizeof none_conflicts};
    world.collected++;
    return true;
}

/* ---- The keys ---- */

bool known_init(struct known *known, struct redis_primary *session, const char *prefix, int64_t retention_s)
{
    (void)retention_s;
    *known = (struct known){.session = session, .prefix = prefix, .campaigns = campaigns_new()};
    return known->campaigns != NULL;
}

void known_clear(struct known *known)
{
    campaigns_free(known->campaigns);
}

void known_forget(struct known *known)
{
    known->epoch[0] = '\0';
    campaigns_forget(known->campaigns);
}

bool known_check(struct known *known, struct error *error)
{
    (void)known;
    (void)error;
    return true;
}

bool known_ready(struct known *known, struct error *error)
{
    (void)error;
    snprintf(known->epoch, sizeof known->epoch, "%s", world.epoch);
    known->generations =
        (struct generations){.count = 1, .list = {{.number = 1, .length_ms = 1, .keep_ms = 1, .buckets = 1}}};
    return true;
}

bool known_learn_number(struct known *known, const char *name, struct error *error)
{
    (void)error;
    assert_int_equal(world.collected, world.sent); /* nothing may be owed where something is asked */
    return campaigns_learn(known->campaigns, ++world.numbers, name);
}

bool known_learn_name(struct known *known, uint32_t number, struct error *error)
{
    (void)known;
    (void)number;
    (void)error;
    return true;
}

/* ---- The batches ---- */

static struct event events[COUNTING_BATCHES];
static enum applied results[COUNTING_BATCHES];

static struct counting *begin(const char *first_campaign, const char *second_campaign)
{
    const struct counting_settings settings = {.prefix = "dc:", .retention_s = 600};
    struct counting *counting;

    memset(&world, 0, sizeof world);
    world.connected = true;
    world.epoch = "a:1";
    events[0] = copies_event(&(struct given){.id = "a"});
    events[1] = copies_event(&(struct given){.id = "b"});
    snprintf(events[0].campaign, sizeof events[0].campaign, "%s", first_campaign);
    snprintf(events[1].campaign, sizeof events[1].campaign, "%s", second_campaign);
    counting = counting_new(&settings, (struct redis_primary *)&world); /* any that is not NULL */
    assert_non_null(counting);
    return counting;
}

/* A batch of one event. */
static enum counting_progress apply(struct counting *counting, size_t which, struct error *error)
{
    static const struct event *const batches[COUNTING_BATCHES] = {&events[0], &events[1]};

    *error = (struct error){.code = ERROR_NONE};
    return counting_apply(counting, which, &batches[which], 1, &results[which], error);
}

static void the_second_is_sent_behind_the_first_and_each_gets_its_own_answer(void **state)
{
    struct counting *counting = begin("spring", "spring");
    struct error error;

    (void)state;
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    assert_int_equal(apply(counting, 1, &error), COUNTING_WAITS);
    assert_int_equal(world.sent, 2);
    world.answers[0] = "KEY dc:totals: WRONGTYPE it holds a string, not a hash";
    world.come = 2;
    assert_int_equal(apply(counting, 0, &error), COUNTING_FAILED);
    assert_string_equal(error.text, world.answers[0]);
    assert_false(counting_owed(counting));
    assert_int_equal(apply(counting, 1, &error), COUNTING_DONE);
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    world.come = 3;
    assert_int_equal(apply(counting, 0, &error), COUNTING_DONE);
    assert_int_equal(world.sent, 3);
    counting_free(counting);
}

/* Its own campaign is asked for before the second one goes, so that the answer to the first is taken then. */
static void what_the_second_hears_of_the_first_is_told_before_that_goes_again(void **state)
{
    struct counting *counting = begin("spring", "autumn");
    struct error error;

    (void)state;
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    world.answers[0] = "KEY dc:totals: WRONGTYPE it holds a string, not a hash";
    assert_int_equal(apply(counting, 1, &error), COUNTING_WAITS);
    assert_int_equal(world.sent, 2);
    assert_false(counting_waits(counting, 0));
    world.come = 2;
    assert_int_equal(apply(counting, 0, &error), COUNTING_FAILED);
    assert_string_equal(error.text, world.answers[0]);
    assert_int_equal(world.sent, 2);
    assert_int_equal(apply(counting, 1, &error), COUNTING_DONE);
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    assert_int_equal(world.sent, 3);
    counting_free(counting);
}

static void what_failed_on_a_connection_that_broke_is_not_told_on_the_next(void **state)
{
    struct counting *counting = begin("spring", "autumn");
    struct error error;

    (void)state;
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    world.answers[0] = "KEY dc:totals: WRONGTYPE it holds a string, not a hash";
    assert_int_equal(apply(counting, 1, &error), COUNTING_WAITS);
    world.connected = false;
    assert_int_equal(apply(counting, 0, &error), COUNTING_FAILED);
    assert_non_null(strstr(error.text, "the connection broke"));
    world.connected = true;
    assert_true(counting_prepare(counting, &error));
    world.collected = world.sent;
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    counting_free(counting);
}

/* Its drops would count as duplicates. */
static void what_applied_is_not_sent_again_unless_it_may_be_lost(void **state)
{
    static const struct {
        const char *name, *epoch;
        bool reconnected;
        bool whole; /* the batch is sent again */
    } cases[] = {
        {"another revision of the epoch: a generation was full, a campaign got an alias", "a:2", false, false},
        {"another incarnation: Redis was emptied", "b:1", false, true},
        {"another connection: to a Redis that may have lost it", "a:1", true, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct counting *counting = begin("spring", "spring");
        const struct event *const batch[] = {&events[0], &events[1]};
        struct error error;

        world.second_conflicts = true;
        assert_int_equal(counting_apply(counting, 0, batch, 2, results, &error), COUNTING_WAITS);
        world.answers[1] = "EPOCH is over: its generation has ended";
        world.epoch = cases[i].epoch;
        world.come = 1;
        assert_int_equal(counting_apply(counting, 0, batch, 2, results, &error), COUNTING_WAITS);
        world.come = 2;
        if (cases[i].reconnected)
            assert_true(counting_prepare(counting, &error));
        world.collected = cases[i].reconnected ? world.sent : world.collected;
        assert_int_equal(counting_apply(counting, 0, batch, 2, results, &error), COUNTING_WAITS);
        world.come = 3;
        assert_int_equal(counting_apply(counting, 0, batch, 2, results, &error), COUNTING_DONE);
        CHECK_CASE(cases[i].name, world.sent == 3);
        CHECK_CASE(cases[i].name, world.arguments[1] < world.arguments[0]);
        CHECK_CASE(cases[i].name, world.arguments[2] == world.arguments[cases[i].whole ? 0 : 1]);
        CHECK_CASE(cases[i].name, results[0] == APPLIED_COUNTED && results[1] == APPLIED_COUNTED);
        counting_free(counting);
    }
}

static void damage_beside_a_record_that_cannot_be_read_is_told_too(void **state)
{
    struct counting *counting = begin("spring", "spring");
    struct error error;

    (void)state;
    world.unreadable = true;
    assert_int_equal(apply(counting, 0, &error), COUNTING_WAITS);
    world.come = 1;
    assert_int_equal(apply(counting, 0, &error), COUNTING_FAILED);
    assert_non_null(strstr(error.text, "none that a worker wrote"));
    assert_int_equal(counting_damage(counting)->count, 1);
    assert_string_equal(counting_damage(counting)->keys[0].key, "dc:totals");
    counting_free(counting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_is_sent_behind_the_first_and_each_gets_its_own_answer),
        cmocka_unit_test(what_the_second_hears_of_the_first_is_told_before_that_goes_again),
        cmocka_unit_test(what_failed_on_a_connection_that_broke_is_not_told_on_the_next),
        cmocka_unit_test(what_applied_is_not_sent_again_unless_it_may_be_lost),
        cmocka_unit_test(damage_beside_a_record_that_cannot_be_read_is_told_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
