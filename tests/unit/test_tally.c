/* Classes and cells of counters: what is asked for twice is one. */
#include "workers/counting/tally.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 20000 };

static struct tally *new_tally(void)
{
    struct tally *tally = tally_new();

    assert_non_null(tally);
    return tally;
}

static void a_key_that_is_named_again_is_the_same(void **state)
{
    struct tally *tally = new_tally();

    (void)state;
    assert_int_equal(tally_key(tally, "dc:totals", TALLY_PLAIN, 0), 1);
    assert_int_equal(tally_key(tally, "dc:total", TALLY_PLAIN, 0), 2);
    assert_int_equal(tally_key(tally, "", TALLY_PLAIN, 0), 3);
    assert_int_equal(tally_key(tally, "dc:totals", TALLY_PLAIN, 0), 1);
    assert_int_equal(tally_key(tally, "", TALLY_PLAIN, 0), 3);
    assert_int_equal(tally_counts(tally).keys, 3);
    tally_free(tally);
}

static void a_cell_is_a_field_of_one_key(void **state)
{
    static const struct {
        const char *name;
        unsigned key;
        const char *field;
        size_t len;
        unsigned number;
    } rows[] = {
        {"the first", 1, "messages", 8, 1},
        {"the same field of another key", 2, "messages", 8, 2},
        {"another field", 1, "message", 7, 3},
        {"a field of no bytes", 1, "", 0, 4},
        {"a field with a NUL", 1, "a\0b", 3, 5},
        {"another with a NUL at the same place", 1, "a\0c", 3, 6},
        {"what is before the NUL", 1, "a", 1, 7},
        {"the first again", 1, "messages", 8, 1},
        {"the second again", 2, "messages", 8, 2},
        {"no bytes again", 1, "", 0, 4},
        {"with a NUL again", 1, "a\0b", 3, 5},
        {"of no key", 0, "messages", 8, 0},
    };
    struct tally *tally = new_tally();

    (void)state;
    (void)tally_key(tally, "a", TALLY_PLAIN, 0);
    (void)tally_key(tally, "b", TALLY_PLAIN, 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_CASE(rows[i].name, tally_cell(tally, rows[i].key, rows[i].field, rows[i].len) == rows[i].number);
    assert_int_equal(tally_field(tally, 1, "messages"), 1);
    assert_int_equal(tally_counts(tally).cells, 7);
    tally_free(tally);
}

static void drops_that_count_alike_are_one_class(void **state)
{
    static const struct {
        const char *name;
        struct tally_class class;
        unsigned number;
        bool made;
    } rows[] = {
        {"the first", {0}, 1, true},
        {"the same", {0}, 1, false},
        {"another minute", {.minute = 1}, 2, true},
        {"a minute whose low half is the same", {.minute = INT64_C(1) << 40}, 3, true},
        {"another campaign", {.campaign = 1}, 4, true},
        {"another kind", {.kind = 1}, 5, true},
        {"another outcome", {.outcome = 1}, 6, true},
        {"another reason", {.reason = 1}, 7, true},
        {"other flags", {.flags = 1}, 8, true},
        {"all of it", {1, 1, 1, 1, 1, 1}, 9, true},
        {"another minute again", {.minute = 1}, 2, false},
        {"all of it again", {1, 1, 1, 1, 1, 1}, 9, false},
    };
    struct tally *tally = new_tally();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tally_class class;
        bool made = !rows[i].made;

        memset(&class, 0, sizeof class);
        class.minute = rows[i].class.minute;
        class.campaign = rows[i].class.campaign;
        class.kind = rows[i].class.kind;
        class.outcome = rows[i].class.outcome;
        class.reason = rows[i].class.reason;
        class.flags = rows[i].class.flags;
        CHECK_CASE(rows[i].name, tally_class(tally, &class, &made) == rows[i].number && made == rows[i].made);
    }
    assert_int_equal(tally_class_alone(tally), 10);
    assert_int_equal(tally_class_alone(tally), 11);
    assert_int_equal(tally_counts(tally).classes, 11);
    tally_free(tally);
}

static void many_are_told_apart_and_forgotten(void **state)
{
    struct tally *tally = new_tally();
    char key[32];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uint32_t again = 0; again < 2; again++)
            for (uint32_t i = 0; i < MANY; i++) {
                struct tally_class class;
                bool made;

                memset(&class, 0, sizeof class);
                class.campaign = i;
                snprintf(key, sizeof key, "key-%u", i);
                assert_int_equal(tally_key(tally, key, TALLY_PLAIN, 0), i + 1);
                assert_int_equal(tally_cell(tally, i + 1, "f", 1), i + 1);
                assert_int_equal(tally_class(tally, &class, &made), i + 1);
                assert_int_equal(made, !again);
            }
        assert_int_equal(tally_counts(tally).keys, MANY);
        tally_reset(tally);
        assert_int_equal(tally_counts(tally).keys + tally_counts(tally).cells + tally_counts(tally).classes, 0);
    }
    tally_free(tally);
}

static void what_failed_stays_so_until_it_is_reset(void **state)
{
    static const struct {
        const char *name;
        enum { CELL, COSTS, SUM } what;
        unsigned class, cell, totals_cell;
    } rows[] = {
        {"a cell of no class", CELL, 0, 1, 0},      {"no cell of a class", CELL, 1, 0, 0},
        {"costs of no class", COSTS, 0, 1, 1},      {"no costs of a campaign", COSTS, 1, 0, 1},
        {"no costs of the totals", COSTS, 1, 1, 0}, {"the sum of no class", SUM, 0, 1, 0},
        {"no sum of a class", SUM, 1, 0, 0},
    };
    struct tally *tally = new_tally();
    struct arguments arguments;

    (void)state;
    arguments_init(&arguments, 1024);
    for (size_t i = 0; i < COUNT(rows); i++) {
        tally_reset(tally);
        (void)tally_cell(tally, tally_key(tally, "k", TALLY_PLAIN, 0), "f", 1);
        (void)tally_class_alone(tally);
        CHECK_CASE(rows[i].name, tally_write(tally, &arguments));
        if (rows[i].what == CELL)
            tally_class_add(tally, rows[i].class, rows[i].cell);
        else if (rows[i].what == COSTS)
            tally_class_costs(tally, rows[i].class, rows[i].cell, rows[i].totals_cell);
        else
            tally_class_cost(tally, rows[i].class, rows[i].cell);
        CHECK_CASE(rows[i].name, !tally_write(tally, &arguments));
    }
    arguments_clear(&arguments);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_named_again_is_the_same),
        cmocka_unit_test(a_cell_is_a_field_of_one_key),
        cmocka_unit_test(drops_that_count_alike_are_one_class),
        cmocka_unit_test(many_are_told_apart_and_forgotten),
        cmocka_unit_test(what_failed_stays_so_until_it_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
