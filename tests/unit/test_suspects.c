#include "workers/queue/suspects.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

/* In the place of workers/redis_store.c: marks on messages "a", "b" and so on, each with one of another worker. */
struct redis_store {
    bool away, refuses;
    bool counts; /* a batch waits for it */
    char journal[256];
};

static void note(struct redis_store *store, const char *what, const char *name)
{
    const size_t len = strlen(store->journal);

    snprintf(store->journal + len, sizeof store->journal - len, "%s%s %s", len > 0 ? ", " : "", what, name);
}

bool redis_store_connected(const struct redis_store *store)
{
    return !store->away;
}

int redis_store_fd(const struct redis_store *store)
{
    return store->counts ? 0 : -1;
}

bool redis_store_mark(struct redis_store *store, const char *name, uint64_t enough, uint64_t *earlier_marks,
                      struct error *error)
{
    (void)error;
    assert_int_equal(enough, BATCH_MARKS_MAX);
    note(store, "mark", name);
    *earlier_marks = 1;
    return true;
}

bool redis_store_unmark(struct redis_store *store, const char *name, bool all, struct error *error)
{
    if (!store->away && !store->refuses) {
        note(store, all ? "unmark all of" : "unmark", name);
        return true;
    }
    note(store, "try", name);
    error_set(error, ERROR_UNAVAILABLE, store->away ? "Redis is away" : "Redis refuses");
    return false;
}

static struct redis_store store;
static struct suspects suspects;

static int begin(void **state)
{
    (void)state;
    memset(&store, 0, sizeof store);
    suspects_init(&suspects, &store);
    return 0;
}

/* What has been done since the last look. */
static void assert_done(const char *journal)
{
    assert_string_equal(store.journal, journal);
    store.journal[0] = '\0';
}

static void assert_marks(const char *name)
{
    uint64_t earlier = 0;
    struct error error;

    assert_true(suspects_mark(&suspects, name, &earlier, &error));
    assert_int_equal(earlier, 1);
}

static void a_mark_that_is_owed_goes_before_anything_else(void **state)
{
    (void)state;
    store.away = true;
    suspects_unmark_later(&suspects, "a", false);
    suspects_unmark_later(&suspects, "b", true);
    assert_done(""); /* it does not connect */
    store.away = false;
    assert_marks("c");
    assert_done("unmark a, unmark all of b, mark c");
    assert_marks("d");
    assert_done("mark d");
}

static void nothing_is_asked_while_a_batch_waits_for_redis(void **state)
{
    (void)state;
    store.counts = true;
    suspects_unmark_later(&suspects, "a", true);
    assert_done("");
    store.counts = false;
    assert_marks("b");
    assert_done("unmark all of a, mark b");
}

static void a_mark_that_can_be_taken_off_at_once_is_not_owed(void **state)
{
    (void)state;
    suspects_unmark_later(&suspects, "a", false);
    assert_done("unmark a");
    assert_marks("b");
    assert_done("mark b");
}

static void what_is_in_hand_again_is_not_owed(void **state)
{
    (void)state;
    store.away = true;
    suspects_unmark_later(&suspects, "a", false);
    suspects_unmark_later(&suspects, "b", false);
    store.away = false;
    assert_marks("a");
    assert_done("unmark b, mark a");
    assert_marks("c");
    assert_done("mark c");
}

static void of_two_debts_for_one_message_the_last_counts(void **state)
{
    struct error error;

    (void)state;
    store.away = true;
    suspects_unmark_later(&suspects, "a", false);
    suspects_unmark_later(&suspects, "a", true);
    store.away = false;
    assert_true(suspects_settle(&suspects, &error));
    assert_done("unmark all of a");
}

static void what_redis_refuses_stays_owed_and_stops_nothing(void **state)
{
    struct error error;

    (void)state;
    store.refuses = true;
    suspects_unmark_later(&suspects, "a", false);
    assert_done("try a");
    assert_marks("b");
    assert_done("try a, mark b");
    store.refuses = false;
    assert_true(suspects_settle(&suspects, &error));
    assert_done("unmark a");
}

static void while_redis_is_away_nothing_is_marked(void **state)
{
    struct error error = {0};
    uint64_t earlier = 0;

    (void)state;
    store.away = true;
    suspects_unmark_later(&suspects, "a", false);
    assert_false(suspects_mark(&suspects, "b", &earlier, &error));
    assert_string_equal(error.text, "Redis is away");
    assert_done("try a");
}

static void past_the_bound_the_oldest_debt_is_forgotten(void **state)
{
    struct error error;
    char name[2] = "a";

    (void)state;
    store.away = true;
    for (int i = 0; i <= SUSPECTS_OWED; i++, name[0]++)
        suspects_unmark_later(&suspects, name, false);
    store.away = false;
    assert_true(suspects_settle(&suspects, &error));
    assert_done("unmark b, unmark c, unmark d, unmark e, unmark f, unmark g, unmark h, unmark i");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_mark_that_is_owed_goes_before_anything_else, begin),
        cmocka_unit_test_setup(nothing_is_asked_while_a_batch_waits_for_redis, begin),
        cmocka_unit_test_setup(a_mark_that_can_be_taken_off_at_once_is_not_owed, begin),
        cmocka_unit_test_setup(what_is_in_hand_again_is_not_owed, begin),
        cmocka_unit_test_setup(of_two_debts_for_one_message_the_last_counts, begin),
        cmocka_unit_test_setup(what_redis_refuses_stays_owed_and_stops_nothing, begin),
        cmocka_unit_test_setup(while_redis_is_away_nothing_is_marked, begin),
        cmocka_unit_test_setup(past_the_bound_the_oldest_debt_is_forgotten, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
