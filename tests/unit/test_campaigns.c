/* The numbers that stand for the names of campaigns in records, as far as a worker has learned them. */
#include "common/drops/campaigns.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 60000, SLOTS = 2 * CAMPAIGNS_MAX };

static struct campaigns *made(void)
{
    struct campaigns *campaigns = campaigns_new();

    assert_non_null(campaigns);
    return campaigns;
}

static const struct {
    const char *name;
    struct {
        uint32_t number;
        const char *name;
    } learned[4];
    const char *asked_name;
    int64_t number; /* of that name */
    uint32_t asked_number;
    const char *name_of_it; /* NULL: not learned */
} rows[] = {
    {"unassigned is known", {{0}}, "unassigned", 0, 0, "unassigned"},
    {"others are not", {{0}}, "spring", CAMPAIGN_NUMBER_UNKNOWN, 1, NULL},
    {"what was learned is known", {{7, "spring"}}, "spring", 7, 7, "spring"},
    {"names are compared exactly", {{7, "spring"}}, "Spring", CAMPAIGN_NUMBER_UNKNOWN, 7, "spring"},
    {"the beginning of a name is another name", {{7, "spring"}}, "sprin", CAMPAIGN_NUMBER_UNKNOWN, 6, NULL},
    {"the greatest number", {{UINT32_MAX, "spring"}}, "spring", UINT32_MAX, UINT32_MAX, "spring"},
    {"numbers that share a slot",
     {{5, "a"}, {5 + SLOTS, "b"}, {5 + 2U * SLOTS, "c"}},
     "b",
     5 + SLOTS,
     5 + 2U * SLOTS,
     "c"},
    {"a number that would share a slot", {{5, "a"}, {5 + SLOTS, "b"}}, "a", 5, 5 + 2U * SLOTS, NULL},
    {"a name of 64 bytes",
     {{3, "0123456789012345678901234567890123456789012345678901234567890123"}},
     "0123456789012345678901234567890123456789012345678901234567890123",
     3,
     3,
     "0123456789012345678901234567890123456789012345678901234567890123"},
    /* A number whose name was lost is taken for `unassigned`. */
    {"a second number of a name does not take it over", {{9, "unassigned"}}, "unassigned", 0, 9, "unassigned"},
    {"a lost name that is learned after all", {{9, "unassigned"}, {9, "spring"}}, "spring", 9, 9, "spring"},
};

static void numbers_and_names_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct campaigns *campaigns = made();
        const char *name;

        for (size_t k = 0; k < COUNT(rows[i].learned) && rows[i].learned[k].name; k++)
            CHECK_CASE(rows[i].name,
                       campaigns_learn(campaigns, rows[i].learned[k].number, rows[i].learned[k].name));
        CHECK_CASE(rows[i].name, campaigns_number(campaigns, rows[i].asked_name) == rows[i].number);
        name = campaigns_name(campaigns, rows[i].asked_number);
        CHECK_CASE(rows[i].name, (name != NULL) == (rows[i].name_of_it != NULL));
        CHECK_CASE(rows[i].name, !name || strcmp(name, rows[i].name_of_it) == 0);
        campaigns_free(campaigns);
    }
}

static void what_was_not_learned_is_shown_as_unassigned(void **state)
{
    struct campaigns *campaigns = made();
    struct campaign_names names = campaigns_names(campaigns);

    (void)state;
    assert_true(campaigns_learn(campaigns, 7, "spring"));
    assert_string_equal(names.name_of(names.context, 7), "spring");
    assert_string_equal(names.name_of(names.context, 8), "unassigned");
    assert_string_equal(names.name_of(names.context, 0), "unassigned");
    campaigns_free(campaigns);
}

/* What is learned of an alias, of a campaign that others were merged into, and of a number that was given anew. */
static const struct {
    const char *name;
    uint32_t numbers[4], resolved[4]; /* up to the first 0 */
} resolutions[] = {
    {"a campaign of its own stays", {1}, {1}},
    {"what became an alias goes to its campaign", {3}, {2}},
    {"of both names one is left", {3, 2}, {2}},
    {"in whatever order", {2, 3}, {2}},
    {"the first stays the first", {3, 1}, {2, 1}},
    {"the order of the others stays", {1, 3, 5, 2}, {1, 2, 5}},
    {"aliases of one campaign are one", {3, 4}, {2}},
    {"a number whose name was lost keeps its place", {6, 3}, {6, 2}},
    {"so does one that was not learned", {7, 1}, {7, 1}},
    {"none", {0}, {0}},
};

static size_t count_of(const uint32_t numbers[4])
{
    size_t count = 0;

    while (count < 4 && numbers[count] != 0)
        count++;
    return count;
}

static void numbers_of_aliases_lead_to_their_campaign(void **state)
{
    struct campaigns *campaigns = made();
    struct campaign_names names = campaigns_names(campaigns);

    (void)state;
    assert_true(campaigns_learn(campaigns, 1, "autumn"));
    assert_true(campaigns_learn(campaigns, 2, "V")); /* an alias, and the campaign whose number it has */
    assert_true(campaigns_learn(campaigns, 2, "spring"));
    assert_true(campaigns_learn(campaigns, 3, "spring"));
    assert_true(campaigns_learn(campaigns, 4, "spring"));
    assert_true(campaigns_learn(campaigns, 5, "winter"));
    assert_true(campaigns_learn(campaigns, 6, "unassigned"));
    assert_int_equal(campaigns_number(campaigns, "V"), 2);
    assert_string_equal(names.name_of(names.context, 2), "spring");
    for (size_t i = 0; i < COUNT(resolutions); i++) {
        uint32_t numbers[4];
        size_t count;

        memcpy(numbers, resolutions[i].numbers, sizeof numbers);
        count = campaign_names_resolve(&names, numbers, count_of(numbers));
        CHECK_CASE(resolutions[i].name, count == count_of(resolutions[i].resolved));
        CHECK_CASE(resolutions[i].name, memcmp(numbers, resolutions[i].resolved, count * sizeof numbers[0]) == 0);
    }
    campaigns_free(campaigns);
}

static void all_but_unassigned_is_forgotten(void **state)
{
    struct campaigns *campaigns = made();

    (void)state;
    assert_true(campaigns_learn(campaigns, 7, "spring"));
    campaigns_forget(campaigns);
    assert_true(campaigns_number(campaigns, "spring") == CAMPAIGN_NUMBER_UNKNOWN);
    assert_null(campaigns_name(campaigns, 7));
    assert_true(campaigns_number(campaigns, "unassigned") == CAMPAIGN_NUMBER_UNASSIGNED);
    assert_true(campaigns_learn(campaigns, 8, "spring")); /* another Redis, other numbers */
    assert_true(campaigns_number(campaigns, "spring") == 8);
    assert_null(campaigns_name(campaigns, 7));
    campaigns_free(campaigns);
}

static const char *name_of(size_t i)
{
    static char name[32];

    snprintf(name, sizeof name, "campaign-%zu", i);
    return name;
}

/* Sixty share each slot. */
static uint32_t number_of(size_t i)
{
    return (uint32_t)(1 + i % 1000 * 128 + i / 1000 * SLOTS);
}

static void sixty_thousand_are_told_apart(void **state)
{
    struct campaigns *campaigns = made();

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        assert_true(campaigns_learn(campaigns, number_of(i), name_of(i)));
    for (size_t i = 0; i < MANY; i++) {
        const char *name = campaigns_name(campaigns, number_of(i));

        if (!name || strcmp(name, name_of(i)) != 0 || campaigns_number(campaigns, name_of(i)) != number_of(i))
            fail_msg("%s, number %u", name_of(i), number_of(i));
    }
    assert_null(campaigns_name(campaigns, number_of(MANY)));
    assert_true(campaigns_number(campaigns, name_of(MANY)) == CAMPAIGN_NUMBER_UNKNOWN);
    campaigns_free(campaigns);
}

static void past_the_limit_none_is_learned(void **state)
{
    struct campaigns *campaigns = made();

    (void)state;
    assert_true(campaigns_room(campaigns, CAMPAIGNS_MAX - 1)); /* `unassigned` has a place */
    assert_false(campaigns_room(campaigns, CAMPAIGNS_MAX));
    for (size_t i = 1; i < CAMPAIGNS_MAX; i++)
        assert_true(campaigns_learn(campaigns, (uint32_t)i, name_of(i)));
    assert_true(campaigns_room(campaigns, 0));
    assert_false(campaigns_room(campaigns, 1));
    assert_false(campaigns_learn(campaigns, CAMPAIGNS_MAX, name_of(CAMPAIGNS_MAX)));
    assert_true(campaigns_number(campaigns, name_of(CAMPAIGNS_MAX)) == CAMPAIGN_NUMBER_UNKNOWN);
    assert_true(campaigns_number(campaigns, name_of(1)) == 1);
    campaigns_forget(campaigns);
    assert_true(campaigns_learn(campaigns, CAMPAIGNS_MAX, name_of(CAMPAIGNS_MAX)));
    campaigns_free(campaigns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_found),
        cmocka_unit_test(what_was_not_learned_is_shown_as_unassigned),
        cmocka_unit_test(numbers_of_aliases_lead_to_their_campaign),
        cmocka_unit_test(all_but_unassigned_is_forgotten),
        cmocka_unit_test(sixty_thousand_are_told_apart),
        cmocka_unit_test(past_the_limit_none_is_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
