/* Which damaged keys are named, and when again. */
#include "workers/counting/damage.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static const char *note(struct damage *damage, const char *key, int64_t now_ms)
{
    return damage_note(damage, "dc:", bytes_of_text(key), now_ms);
}

static void a_key_is_named_at_once_and_again_after_an_hour(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key;
        int64_t at_ms;
        const char *named; /* empty: it is not */
        size_t count;
    } cases[] = {
        {"the first time", "dc:totals", 1000, "dc:totals", 1},
        {"at once again", "dc:totals", 1000, "", 1},
        {"another key", "dc:campaign:spring:reasons", 2000, "dc:campaign:spring:reasons", 2},
        {"just before the hour is over", "dc:totals", 1000 + DAMAGE_AGAIN_MS - 1, "", 2},
        {"when it is over", "dc:totals", 1000 + DAMAGE_AGAIN_MS, "dc:totals", 2},
        {"the next hour has begun", "dc:totals", 1001 + DAMAGE_AGAIN_MS, "", 2},
        {"a campaign that is a phone number", "dc:campaign:5552224444:counters", 5, "dc:campaign:********44:counters", 3},
        {"another that looks like it", "dc:campaign:5553334444:counters", 6, "", 3},
    };
    static struct damage damage;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *named = note(&damage, cases[i].key, cases[i].at_ms);

        CHECK_CASE(cases[i].name, strcmp(named ? named : "", cases[i].named) == 0);
        CHECK_CASE(cases[i].name, damage.count == cases[i].count);
    }
}

static void many_keys_are_named_and_the_rest_are_more(void **state)
{
    (void)state;
    static struct damage damage;
    char key[32];

    for (int i = 0; i < DAMAGE_KEYS; i++) {
        snprintf(key, sizeof key, "dc:campaign:c%d", i);
        assert_string_equal(note(&damage, key, 0), key);
    }
    assert_string_equal(note(&damage, "dc:totals", 0), "(more)");
    assert_null(note(&damage, "dc:totals:reasons", 0));
    assert_string_equal(note(&damage, "dc:totals:reasons", DAMAGE_AGAIN_MS), "(more)");
    assert_int_equal(damage.count, DAMAGE_KEYS + 1);
}

static void what_was_forgotten_is_named_anew(void **state)
{
    (void)state;
    static struct damage damage;

    assert_non_null(note(&damage, "dc:totals", 0));
    damage.count = 0;
    assert_int_equal(damage.count, 0);
    assert_string_equal(note(&damage, "dc:totals", 1), "dc:totals");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_named_at_once_and_again_after_an_hour),
        cmocka_unit_test(many_keys_are_named_and_the_rest_are_more),
        cmocka_unit_test(what_was_forgotten_is_named_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
