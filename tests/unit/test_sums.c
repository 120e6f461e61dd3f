#include "tools/sums.h"

#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three campaigns and their totals, as workers leave them. */
enum { TOTALS, SPRING, AUTUMN, UNASSIGNED, ROWS };
enum { OTHER = SUM_FIELDS, NO_FUNDS, BUSY, COLUMNS };

static const char *const row_names[ROWS] = {"totals", "spring", "autumn", "unassigned"};
static const char *const reasons[] = {"other", "no_funds", "busy"};

static const int64_t sound[ROWS][COLUMNS] = {
    [SPRING] = {[SUM_MESSAGES] = 12, [SUM_SUCCESS] = 9, [SUM_FAILURE] = 3, [SUM_OPT_OUT] = 3, [SUM_DNC] = 2,
                [SUM_DUPLICATE] = 4, [SUM_PRODUCT_COST] = 700, [NO_FUNDS] = 2, [BUSY] = 1},
    [AUTUMN] = {[SUM_MESSAGES] = 6, [SUM_SUCCESS] = 4, [SUM_FAILURE] = 2, [SUM_OPT_OUT] = 1, [SUM_DNC] = 1,
                [SUM_DUPLICATE] = 1, [SUM_PRODUCT_COST] = 200, [NO_FUNDS] = 1, [BUSY] = 1},
    [UNASSIGNED] = {[SUM_MESSAGES] = 2, [SUM_SUCCESS] = 1, [SUM_FAILURE] = 1, [SUM_PRODUCT_COST] = 100, [OTHER] = 1},
    [TOTALS] = {[SUM_MESSAGES] = 20, [SUM_SUCCESS] = 14, [SUM_FAILURE] = 6, [SUM_OPT_OUT] = 4, [SUM_DNC] = 3,
                [SUM_DUPLICATE] = 5, [SUM_PRODUCT_COST] = 1000, [OTHER] = 1, [NO_FUNDS] = 3, [BUSY] = 2},
};

static size_t place_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return i;
    fail_msg("no \"%s\"", name);
    return 0;
}

static size_t column_of(const char *name)
{
    for (size_t i = 0; i < SUM_FIELDS; i++)
        if (strcmp(sum_fields[i], name) == 0)
            return i;
    return SUM_FIELDS + place_of(reasons, COUNT(reasons), name);
}

static void begin(struct sums *sums)
{
    assert_true(sums_init(sums, ROWS, COLUMNS, OTHER));
    for (size_t row = 0; row < ROWS; row++) {
        sums->list[row].listed = sound[row][SUM_OPT_OUT];
        sums->list[row].used = row != TOTALS;
        sums->list[row].had_results = row == SPRING || row == AUTUMN;
        for (size_t column = 0; column < COLUMNS; column++)
            sums->list[row].sums[column].held = sound[row][column];
    }
}

static void set(struct sum *sum, const char *text)
{
    sum->unreadable = strcmp(text, "text") == 0;
    sum->held = sum->unreadable ? 0 : strtoll(text, NULL, 10);
}

/* "spring counters" loses that key, "spring success 5" sets a field, "spring unused" is a campaign that never counted; with
   commas between. */
static void damage(struct sums *sums, const char *text)
{
    char copy[256], *save = NULL;

    snprintf(copy, sizeof copy, "%s", text);
    for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        char row_name[32], what[32], value[32] = "";
        struct sum_row *row;

        assert_true(sscanf(one, " %31s %31s %31s", row_name, what, value) >= 2);
        row = &sums->list[place_of(row_names, ROWS, row_name)];
        if (strcmp(what, "counters") == 0 || strcmp(what, "reasons") == 0) {
            const bool counters = strcmp(what, "counters") == 0;

            for (size_t column = counters ? 0 : SUM_FIELDS; column < (counters ? SUM_FIELDS : COLUMNS); column++)
                row->sums[column].held = 0;
        } else if (strcmp(what, "list") == 0) {
            row->listed = strtoll(value, NULL, 10);
        } else {
            set(&row->sums[column_of(what)], value);
        }
    }
}

static int64_t held(const struct sum *sum)
{
    return sum->held;
}

static int64_t known(const struct sum *sum)
{
    return sum->known;
}

static int64_t accepted(const struct sum *sum)
{
    return sum->accepted;
}

/* Nothing is below 0, and every sum holds. */
static bool holds(const struct sums *sums, int64_t (*of)(const struct sum *sum))
{
    bool good = true;

    for (size_t column = 0; column < COLUMNS; column++) {
        int64_t sum = 0;

        for (size_t row = 0; row < ROWS; row++) {
            good &= of(&sums->list[row].sums[column]) >= 0;
            sum += row > 0 ? of(&sums->list[row].sums[column]) : 0;
        }
        good &= column == SUM_OPT_OUT || sum == of(&sums->list[TOTALS].sums[column]);
    }
    for (size_t row = 0; row < ROWS; row++) {
        const struct sum *one = sums->list[row].sums;

        good &= of(&one[SUM_MESSAGES]) == of(&one[SUM_SUCCESS]) + of(&one[SUM_FAILURE]);
        good &= of(&one[SUM_FAILURE]) == of(&one[OTHER]) + of(&one[NO_FUNDS]) + of(&one[BUSY]);
    }
    return good;
}

static bool is_sound(const struct sums *sums)
{
    for (size_t row = 0; row < ROWS; row++)
        for (size_t column = 0; column < COLUMNS; column++)
            if (sums->list[row].sums[column].known != sound[row][column])
                return false;
    return true;
}

/* As --repair does without --lower. */
static void raise(struct sums *sums)
{
    for (size_t row = 0; row < ROWS; row++)
        for (size_t column = 0; column < COLUMNS; column++) {
            struct sum *sum = &sums->list[row].sums[column];

            if (sum->known > sum->held || sum->unreadable)
                sum->held = sum->known;
            sum->unreadable = false;
        }
}

static void knows_what_was_there(void **state)
{
    (void)state;
    static const struct {
        const char *name, *damage;
    } cases[] = {
        {"nothing is wrong", ""},
        {"a campaign's counters are gone", "spring counters"},
        {"a campaign's counters are gone, and a failure of it became a success", "spring counters, spring success 1, "
                                                                               "spring revised 1, totals success 15, "
                                                                               "totals failure 5, totals no_funds 2, "
                                                                               "spring no_funds 1, totals revised 1"},
        {"a campaign's reasons are gone", "spring reasons"},
        {"a campaign's counters and reasons are gone", "spring counters, spring reasons"},
        {"the counters of unassigned are gone", "unassigned counters"},
        {"the totals are gone", "totals counters"},
        {"the totals' reasons are gone", "totals reasons"},
        {"the totals and their reasons are gone", "totals counters, totals reasons"},
        {"a success too many", "spring success 10"},
        {"a success too few", "spring success 8"},
        {"a failure too many", "autumn failure 3"},
        {"no failures", "autumn failure 0"},
        {"a message too many", "spring messages 13"},
        {"a reason too many", "spring busy 2"},
        {"a reason too few", "spring no_funds 1"},
        {"a reason that was never given", "spring other 7"},
        {"a message too many in the totals", "totals messages 21"},
        {"a failure too few in the totals", "totals failure 1"},
        {"a reason too many in the totals", "totals other 4"},
        {"a duplicate too few in the totals", "totals duplicate 0"},
        {"words in a count", "spring success text"},
        {"words in a count that stands in one sum", "spring dnc text"},
        {"words in the totals", "totals product_cost_micros text"},
        {"words for a reason", "autumn busy text"},
        {"a count below 0", "autumn dnc -7"},
        {"a count of the totals below 0", "totals success -1"},
        {"an opt-out too few", "spring opt_out 2"},
        {"an opt-out too many in the totals", "totals opt_out 9"},
        {"words for opt-outs", "spring opt_out text"},
        {"two campaigns with a wrong count each", "spring success 100, autumn failure 0"},
        {"a wrong count in a campaign and another in the totals", "spring success 100, totals failure 1"},
        {"wrong counts all over one campaign", "spring success 1, spring failure 8, spring busy 9, spring messages 2"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sums sums;

        begin(&sums);
        damage(&sums, cases[i].damage);
        if (strstr(cases[i].name, "became")) { /* what was sound has moved on */
            sums_solve(&sums);
            CHECK_CASE(cases[i].name, sums.list[SPRING].sums[SUM_SUCCESS].known == 10);
            CHECK_CASE(cases[i].name, sums.list[SPRING].sums[SUM_REVISED].known == 1);
            CHECK_CASE(cases[i].name, holds(&sums, known));
        } else {
            sums_solve(&sums);
            CHECK_CASE(cases[i].name, is_sound(&sums));
        }
        CHECK_CASE(cases[i].name, holds(&sums, accepted) && !sums.ambiguous);
        sums_clear(&sums);
    }
}

static void raises_what_is_short_where_more_is_lost_than_can_be_known(void **state)
{
    (void)state;
    static const struct {
        const char *name, *damage, *row, *field;
        int64_t known;
    } cases[] = {
        {"totals and a campaign: its failures are its reasons", "totals counters, spring counters", "spring", "failure", 3},
        {"totals and a campaign: its messages are its failures", "totals counters, spring counters", "spring", "messages", 3},
        {"totals and a campaign: the totals are the campaigns", "totals counters, spring counters", "totals", "success", 5},
        {"the same too much in a campaign and in the totals", "spring success 19, totals success 24", "spring", "messages", 22},
        {"the same too little in both", "spring messages 2, totals messages 10", "totals", "messages", 20},
        {"the same too little of the successes in both", "spring success 2, totals success 7", "spring", "success", 9},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sums sums;
        size_t row = place_of(row_names, ROWS, cases[i].row);

        begin(&sums);
        damage(&sums, cases[i].damage);
        sums_solve(&sums);
        CHECK_CASE(cases[i].name, sums.list[row].sums[column_of(cases[i].field)].known == cases[i].known);
        CHECK_CASE(cases[i].name, holds(&sums, known) && holds(&sums, accepted));
        sums_clear(&sums);
    }
}

static void guesses_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *damage;
        bool spring, autumn; /* may have lost something */
    } cases[] = {
        {"two campaigns' counters are gone", "spring counters, autumn counters", true, true},
        {"two campaigns' counters and reasons are gone", "spring counters, spring reasons, autumn counters, autumn reasons",
         true, true},
        {"one lost its counters, the other all", "spring counters, autumn counters, autumn reasons", true, true},
        {"two campaigns' reasons are gone", "spring reasons, autumn reasons", true, true},
        {"both have counted since", "spring counters, autumn counters, spring messages 1, spring success 1, totals messages "
                                    "21, totals success 15",
         true, true},
        {"any of them may have had what the totals have more", "totals messages 25, totals success 19", false, false},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sums sums;

        begin(&sums);
        damage(&sums, cases[i].damage);
        sums_solve(&sums);
        CHECK_CASE(cases[i].name, sums.ambiguous);
        CHECK_CASE(cases[i].name, sums.list[SPRING].suspect == cases[i].spring && sums.list[AUTUMN].suspect == cases[i].autumn);
        for (size_t row = 0; row < ROWS; row++)
            for (size_t column = 0; column < COLUMNS; column++)
                CHECK_CASE(cases[i].name, known(&sums.list[row].sums[column]) == held(&sums.list[row].sums[column]));
        CHECK_CASE(cases[i].name, holds(&sums, accepted));
        sums_clear(&sums);
    }
}

static void accepts_the_loss_by_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *name, *damage, *row, *field;
        int64_t accepted;
    } cases[] = {
        {"the totals become the sum of the campaigns", "spring counters, spring reasons, autumn counters, autumn reasons",
         "totals", "messages", 2},
        {"failures are as many as their reasons", "spring counters, autumn counters", "spring", "messages", 3},
        {"failures without a reason count as other", "spring reasons, autumn reasons", "spring", "other", 3},
        {"and in the totals", "spring reasons, autumn reasons", "totals", "other", 6},
        {"where the others are less", "spring reasons, autumn reasons", "totals", "busy", 0},
        {"a duplicate that any campaign may have had", "spring duplicate 0", "totals", "duplicate", 1},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sums sums;
        size_t row = place_of(row_names, ROWS, cases[i].row);

        begin(&sums);
        damage(&sums, cases[i].damage);
        sums_solve(&sums);
        CHECK_CASE(cases[i].name, sums.list[row].sums[column_of(cases[i].field)].accepted == cases[i].accepted);
        CHECK_CASE(cases[i].name, holds(&sums, accepted));
        sums_clear(&sums);
    }
}

static void the_only_campaign_had_what_the_totals_have_more(void **state)
{
    (void)state;
    struct sums sums;

    begin(&sums);
    for (size_t row = AUTUMN; row < ROWS; row++) {
        sums.list[row].used = sums.list[row].had_results = false;
        sums.list[row].listed = 0;
        for (size_t column = 0; column < COLUMNS; column++) {
            sums.list[TOTALS].sums[column].held -= sums.list[row].sums[column].held;
            sums.list[row].sums[column].held = 0;
        }
    }
    sums.list[TOTALS].listed = 3;
    sums.list[SPRING].sums[SUM_DUPLICATE].held = 1;
    sums_solve(&sums);
    assert_int_equal(sums.list[SPRING].sums[SUM_DUPLICATE].known, 4);
    assert_true(holds(&sums, known));
    sums_clear(&sums);
}

/* Whatever is done to the counts, raising first and accepting then, or accepting at once, they add up in the end; and what
   --repair has raised is not undone by the next look. */
static void adds_up_in_the_end_whatever_was_done(void **state)
{
    (void)state;
    unsigned seed = 1;

    for (int round = 0; round < 20000; round++) {
        struct sums sums;
        int changes = 1 + rand_r(&seed) % 6;

        begin(&sums);
        while (changes-- > 0) {
            struct sum *sum = &sums.list[rand_r(&seed) % ROWS].sums[rand_r(&seed) % COLUMNS];

            sum->unreadable = rand_r(&seed) % 8 == 0;
            sum->held = sum->unreadable ? 0 : rand_r(&seed) % 40 - 5;
        }
        for (int looks = 0; looks < 4; looks++) {
            sums_solve(&sums);
            assert_true(holds(&sums, accepted));
            raise(&sums);
        }
        sums_solve(&sums);
        for (size_t row = 0; row < ROWS; row++)
            for (size_t column = 0; column < COLUMNS; column++)
                assert_true(known(&sums.list[row].sums[column]) <= held(&sums.list[row].sums[column]));
        sums_clear(&sums);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_was_there),
        cmocka_unit_test(raises_what_is_short_where_more_is_lost_than_can_be_known),
        cmocka_unit_test(guesses_nothing),
        cmocka_unit_test(accepts_the_loss_by_what_is_there),
        cmocka_unit_test(the_only_campaign_had_what_the_totals_have_more),
        cmocka_unit_test(adds_up_in_the_end_whatever_was_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
