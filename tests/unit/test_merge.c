/* Copies of one drop become one record, whatever the order in which they come (docs/classification.md, 3). */
#include "workers/counting/merge.h"

#include "cases.h"
#include "merge_rows.h"

#define SPRING COPIES_SPRING
#define AUTUMN COPIES_AUTUMN
#define WINTER COPIES_WINTER
#define URL CAMPAIGN_FROM_URL
#define BODY CAMPAIGN_FROM_BODY
#define FOREIGN CAMPAIGN_FROM_FOREIGN
#define COSTS(...) .costs = {true, {__VA_ARGS__}}

static const struct merge_row winners[] = {
    {"a first copy is counted", {{.at = 10}}, "counted", "success at 10 in unassigned"},
    {"so is a first failure", {{.at = 10, .failure = 9}}, "counted", "failure 9 at 10 in unassigned"},
    {"so is a first receipt", {{.at = 10, .receipt = true}}, "counted", "success at 10 in unassigned"},
    {"the same copy again", {{.at = 10, .failure = 9}, {.at = 10, .failure = 9}}, "duplicate",
     "failure 9 at 10 in unassigned"},
    {"a later copy wins", {{.at = 10, .failure = 9}, {.at = 11}}, "revised", "success at 11 in unassigned"},
    {"an earlier copy does not", {{.at = 10, .failure = 9}, {.at = 9}}, "duplicate",
     "failure 9 at 10 in unassigned"},
    {"a later copy that says the same moves the time", {{.at = 10, .failure = 9}, {.at = 11, .failure = 9}},
     "duplicate", "failure 9 at 11 in unassigned"},
    {"a later failure for another reason is a revision", {{.at = 10, .failure = 9}, {.at = 11, .failure = 23}},
     "revised", "failure 23 at 11 in unassigned"},
    {"at the same time a failure wins", {{.at = 10}, {.at = 10, .failure = 23}}, "revised",
     "failure 23 at 10 in unassigned"},
    {"at the same time a success does not", {{.at = 10, .failure = 23}, {.at = 10}}, "duplicate",
     "failure 23 at 10 in unassigned"},
    {"of failures at the same time the lower number wins", {{.at = 10, .failure = 23}, {.at = 10, .failure = 9}},
     "revised", "failure 9 at 10 in unassigned"},
    {"of failures at the same time the higher number does not",
     {{.at = 10, .failure = 9}, {.at = 10, .failure = 23}}, "duplicate", "failure 9 at 10 in unassigned"},
    {"a receipt decides nothing beside a callback, however late",
     {{.at = 10}, {.at = 99, .failure = 23, .receipt = true}}, "duplicate", "success at 10 in unassigned"},
    {"a callback decides beside a receipt, however early",
     {{.at = 99, .failure = 23, .receipt = true}, {.at = 10}}, "revised", "success at 10 in unassigned"},
    {"of receipts the later wins", {{.at = 10, .receipt = true}, {.at = 11, .failure = 23, .receipt = true}},
     "revised", "failure 23 at 11 in unassigned"},
    {"a receipt at the same time as a callback that says the same",
     {{.at = 10, .receipt = true}, {.at = 10}, {.at = 11, .failure = 9, .receipt = true}}, "duplicate",
     "success at 10 in unassigned"},
};

static void the_winner_decides_what_counts(void **state)
{
    (void)state;
    merge_rows_check(winners, COUNT(winners), true);
}

static const struct merge_row blocks[] = {
    {"the winner's costs count", {{.at = 10, COSTS(1, 2, 3)}}, "counted",
     "success at 10 in unassigned, costs 1 2 3"},
    {"a winner without costs leaves those of the copy before", {{.at = 10, COSTS(1, 2, 3)}, {.at = 11}}, "duplicate",
     "success at 11 in unassigned, costs 1 2 3"},
    {"a winner's costs replace greater ones", {{.at = 10, COSTS(9, 9, 9)}, {.at = 11, COSTS(1, 0, 0)}}, "duplicate",
     "success at 11 in unassigned, costs 1 0 0"},
    {"costs of nothing are costs", {{.at = 10, COSTS(9, 9, 9)}, {.at = 11, COSTS(0, 0, 0)}}, "duplicate",
     "success at 11 in unassigned, costs 0 0 0"},
    {"a loser fills in what the winner has not", {{.at = 11}, {.at = 10, COSTS(1, 2, 3)}}, "duplicate",
     "success at 11 in unassigned, costs 1 2 3"},
    {"a loser leaves what the winner has", {{.at = 11, COSTS(1, 2, 3)}, {.at = 10, COSTS(9, 9, 9)}}, "duplicate",
     "success at 11 in unassigned, costs 1 2 3"},
    {"a later receipt leaves what the winner has",
     {{.at = 11, COSTS(1, 2, 3)}, {.at = 12, .receipt = true, COSTS(9, 9, 9)}}, "duplicate",
     "success at 11 in unassigned, costs 1 2 3"},
    {"of losers the latest fills in", {{.at = 12}, {.at = 10, COSTS(9, 9, 9)}, {.at = 11, COSTS(1, 2, 3)}},
     "duplicate", "success at 12 in unassigned, costs 1 2 3"},
    {"of losers an earlier one does not", {{.at = 12}, {.at = 11, COSTS(1, 2, 3)}, {.at = 10, COSTS(9, 9, 9)}},
     "duplicate", "success at 12 in unassigned, costs 1 2 3"},
    {"of losers at the same time the greatest fill in",
     {{.at = 12}, {.at = 11, COSTS(1, 2, 3)}, {.at = 11, COSTS(1, 3, 0)}}, "duplicate",
     "success at 12 in unassigned, costs 1 3 0"},
    {"of equal winners the greatest count", {{.at = 10, COSTS(1, 2, 3)}, {.at = 10, COSTS(1, 2, 4)}}, "duplicate",
     "success at 10 in unassigned, costs 1 2 4"},
    {"of equal winners smaller ones do not", {{.at = 10, COSTS(1, 2, 4)}, {.at = 10, COSTS(1, 2, 3)}}, "duplicate",
     "success at 10 in unassigned, costs 1 2 4"},
    {"an equal winner's count before those of a later receipt",
     {{.at = 10}, {.at = 12, .receipt = true, COSTS(9, 9, 9)}, {.at = 10, COSTS(1, 2, 3)}}, "duplicate",
     "success at 10 in unassigned, costs 1 2 3"},
    {"a new winner without costs leaves those of the latest, not those of the old winner",
     {{.at = 10, COSTS(1, 2, 3)}, {.at = 12, .receipt = true, COSTS(9, 9, 9)}, {.at = 11}}, "duplicate",
     "success at 11 in unassigned, costs 9 9 9"},
    {"flags count as they were given", {{.at = 10, .flags = "ds"}}, "counted", "success at 10 in unassigned, flags ds"},
    {"flags that are down are flags", {{.at = 10, .flags = "d"}, {.at = 11, .flags = ""}}, "duplicate",
     "success at 11 in unassigned, flags "},
    {"a winner without flags leaves those of the copy before", {{.at = 10, .flags = "s"}, {.at = 11}}, "duplicate",
     "success at 11 in unassigned, flags s"},
    {"a loser's flags leave the winner's", {{.at = 11, .flags = ""}, {.at = 10, .flags = "ds"}}, "duplicate",
     "success at 11 in unassigned, flags "},
    {"a loser's flags fill in", {{.at = 11}, {.at = 10, .flags = "d"}}, "duplicate",
     "success at 11 in unassigned, flags d"},
    {"of equal winners dnc counts before spam", {{.at = 10, .flags = "s"}, {.at = 10, .flags = "d"}}, "duplicate",
     "success at 10 in unassigned, flags d"},
    {"of losers at the same time dnc fills in before spam",
     {{.at = 12}, {.at = 11, .flags = "d"}, {.at = 11, .flags = "s"}}, "duplicate",
     "success at 12 in unassigned, flags d"},
    {"a new winner without flags leaves those of the latest, not those of the old winner",
     {{.at = 10, .flags = ""}, {.at = 12, .receipt = true, .flags = "s"}, {.at = 11}}, "duplicate",
     "success at 11 in unassigned, flags s"},
    {"costs and flags of different copies", {{.at = 10, COSTS(1, 2, 3)}, {.at = 11, .flags = "d"}}, "duplicate",
     "success at 11 in unassigned, costs 1 2 3, flags d"},
};

static void costs_and_flags_are_each_a_block(void **state)
{
    (void)state;
    merge_rows_check(blocks, COUNT(blocks), true);
}

static const struct merge_row filled[] = {
    {"the first foreign_id", {{.at = 10, .foreign_id = "b"}}, "counted", "success at 10 in unassigned, id b"},
    {"a foreign_id that comes later", {{.at = 10}, {.at = 9, .foreign_id = "b"}}, "duplicate, filled",
     "success at 10 in unassigned, id b"},
    {"of two the smaller is kept", {{.at = 10, .foreign_id = "b"}, {.at = 9, .foreign_id = "a"}},
     "duplicate, filled", "success at 10 in unassigned, id a"},
    {"of two the greater is not", {{.at = 10, .foreign_id = "a"}, {.at = 11, .foreign_id = "b"}}, "duplicate",
     "success at 11 in unassigned, id a"},
    {"the same foreign_id again", {{.at = 10, .foreign_id = "a"}, {.at = 9, .foreign_id = "a"}}, "duplicate",
     "success at 10 in unassigned, id a"},
    {"the beginning of another is the smaller", {{.at = 10, .foreign_id = "ab"}, {.at = 9, .foreign_id = "a"}},
     "duplicate, filled", "success at 10 in unassigned, id a"},
    {"what begins with another is not", {{.at = 10, .foreign_id = "a"}, {.at = 9, .foreign_id = "ab"}}, "duplicate",
     "success at 10 in unassigned, id a"},
    {"bytes are compared without a sign", {{.at = 10, .foreign_id = "\xc3\xa9"}, {.at = 9, .foreign_id = "z"}},
     "duplicate, filled", "success at 10 in unassigned, id z"},
    {"a phone that comes later", {{.at = 10}, {.at = 9, .phone = "+15552224444"}}, "duplicate, filled",
     "success at 10 in unassigned, phone +15552224444"},
    {"the same phone again", {{.at = 10, .phone = "+15552224444"}, {.at = 9, .phone = "+15552224444"}}, "duplicate",
     "success at 10 in unassigned, phone +15552224444"},
    {"a greater phone is kept behind", {{.at = 10, .phone = "+2"}, {.at = 11, .phone = "+3"}}, "duplicate",
     "success at 11 in unassigned, phone +2 +3"},
    {"a smaller phone is kept before", {{.at = 10, .phone = "+2"}, {.at = 9, .phone = "+15"}}, "duplicate, filled",
     "success at 10 in unassigned, phone +15 +2"},
    {"the beginning of a phone is smaller", {{.at = 10, .phone = "+15"}, {.at = 9, .phone = "+1"}},
     "duplicate, filled", "success at 10 in unassigned, phone +1 +15"},
    {"a revision may fill in, too", {{.at = 10}, {.at = 11, .failure = 9, .phone = "+2", .foreign_id = "a"}},
     "revised, filled", "failure 9 at 11 in unassigned, phone +2, id a"},
    {"a ninth phone is not kept",
     {{.at = 1, .phone = "+1"}, {.at = 2, .phone = "+2"}, {.at = 3, .phone = "+3"}, {.at = 4, .phone = "+4"},
      {.at = 5, .phone = "+5"}, {.at = 6, .phone = "+6"}, {.at = 7, .phone = "+7"}, {.at = 8, .phone = "+8"},
      {.at = 9, .phone = "+9"}},
     "duplicate", "success at 9 in unassigned, phone +1 +2 +3 +4 +5 +6 +7 +8"},
    {"a ninth that is the smallest takes the first place",
     {{.at = 1, .phone = "+9"}, {.at = 2, .phone = "+2"}, {.at = 3, .phone = "+3"}, {.at = 4, .phone = "+4"},
      {.at = 5, .phone = "+5"}, {.at = 6, .phone = "+6"}, {.at = 7, .phone = "+7"}, {.at = 8, .phone = "+8"},
      {.at = 9, .phone = "+1"}},
     "duplicate, filled", "success at 9 in unassigned, phone +1 +9 +3 +4 +5 +6 +7 +8"},
};

static void what_a_drop_is_known_by_is_filled_in_from_any_copy(void **state)
{
    (void)state;
    merge_rows_check(filled, COUNT(filled), true);
}

static const struct merge_row not_shown[] = {
    {"none", {{.at = 10}}, "counted", "success at 10 in unassigned"},
    {"the first copy's", {{.at = 10, .foreign_id = "b"}}, "counted", "success at 10 in unassigned, an id"},
    {"a later copy's", {{.at = 10}, {.at = 9, .foreign_id = "b"}}, "duplicate, filled",
     "success at 10 in unassigned, an id"},
    {"a smaller one fills in nothing", {{.at = 10, .foreign_id = "b"}, {.at = 9, .foreign_id = "a"}}, "duplicate",
     "success at 10 in unassigned, an id"},
};

static void where_nothing_shows_a_foreign_id_only_that_there_is_one_is_kept(void **state)
{
    const struct merge_settings kept = merge_rows_settings(true), not_kept = merge_rows_settings(false);
    const struct given first = {.at = 10, .foreign_id = "b"}, second = {.at = 11, .foreign_id = "c"};
    struct record record;
    struct merged merged;
    bool exists = false;

    (void)state;
    merge_rows_check(not_shown, COUNT(not_shown), false);
    /* A worker that shows it, and one that does not, over one record. */
    (void)merge_rows_result(&record, &exists, &first, &not_kept, "the first");
    merged = merge_rows_result(&record, &exists, &second, &kept, "the second");
    assert_true(merged.filled && record.foreign_id_kept == FOREIGN_ID_KEPT && record.foreign_id[0] == 'c');
    merged = merge_rows_result(&record, &exists, &first, &not_kept, "the third");
    assert_true(!merged.filled && record.foreign_id_kept == FOREIGN_ID_KEPT && record.foreign_id[0] == 'c');
}

static const struct merge_row campaigns[] = {
    {"a first copy's", {{.at = 10, .campaign = SPRING}}, "counted", "success at 10 in spring"},
    {"any campaign is better than none", {{.at = 10}, {.at = 9, .campaign = SPRING, .rank = FOREIGN}},
     "duplicate, filled", "success at 10 in spring"},
    {"none takes nothing away", {{.at = 10, .campaign = SPRING}, {.at = 11}}, "duplicate", "success at 11 in spring"},
    {"a foreign_id's is better than a body's",
     {{.at = 10, .campaign = SPRING, .rank = BODY, .received = 1},
      {.at = 9, .campaign = AUTUMN, .rank = FOREIGN, .received = 9}},
     "duplicate, filled, linked to spring", "success at 10 in autumn, also in spring"},
    {"a body's is not better than a foreign_id's",
     {{.at = 10, .campaign = SPRING, .rank = FOREIGN, .received = 9},
      {.at = 11, .campaign = AUTUMN, .rank = BODY, .received = 1}},
     "duplicate, linked to autumn", "success at 11 in spring, also in autumn"},
    {"a URL's is better than a foreign_id's",
     {{.at = 10, .campaign = SPRING, .rank = FOREIGN, .received = 1}, {.at = 9, .campaign = AUTUMN, .received = 9}},
     "duplicate, filled, linked to spring", "success at 10 in autumn, also in spring"},
    {"a URL's is better than a body's",
     {{.at = 10, .campaign = SPRING, .rank = BODY, .received = 1}, {.at = 9, .campaign = AUTUMN, .received = 9}},
     "duplicate, filled, linked to spring", "success at 10 in autumn, also in spring"},
    {"a body's is not better than a URL's",
     {{.at = 10, .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY}}, "duplicate, linked to autumn",
     "success at 11 in spring, also in autumn"},
    {"of equal rank the one received first, not the one that happened first",
     {{.at = 10, .received = 20, .campaign = SPRING}, {.at = 11, .received = 19, .campaign = AUTUMN}},
     "duplicate, filled, linked to spring", "success at 11 in autumn, also in spring"},
    {"of equal rank not the one received later",
     {{.at = 10, .received = 20, .campaign = SPRING}, {.at = 9, .received = 21, .campaign = AUTUMN}},
     "duplicate, linked to autumn", "success at 10 in spring, also in autumn"},
    {"received at once the smaller name, not the smaller number",
     {{.at = 10, .campaign = SPRING}, {.at = 10, .campaign = AUTUMN}}, "duplicate, filled, linked to spring",
     "success at 10 in autumn, also in spring"},
    {"received at once not the greater name", {{.at = 10, .campaign = AUTUMN}, {.at = 10, .campaign = SPRING}},
     "duplicate, linked to spring", "success at 10 in autumn, also in spring"},
    {"a campaign named again keeps its earlier time of receipt",
     {{.at = 10, .received = 30, .campaign = SPRING},
      {.at = 10, .received = 10, .campaign = SPRING},
      {.at = 10, .received = 20, .campaign = AUTUMN}},
     "duplicate, linked to autumn", "success at 10 in spring, also in autumn"},
    {"a campaign named again, later, keeps its time of receipt",
     {{.at = 10, .received = 10, .campaign = SPRING},
      {.at = 10, .received = 30, .campaign = SPRING},
      {.at = 10, .received = 20, .campaign = AUTUMN}},
     "duplicate, linked to autumn", "success at 10 in spring, also in autumn"},
    {"a campaign named again by a better source has its rank, and its time of receipt",
     {{.at = 10, .received = 10, .campaign = SPRING, .rank = BODY},
      {.at = 10, .received = 30, .campaign = SPRING},
      {.at = 10, .received = 20, .campaign = AUTUMN}},
     "duplicate, filled, linked to spring", "success at 10 in autumn, also in spring"},
    {"a campaign named again by a worse source keeps its rank",
     {{.at = 10, .received = 10, .campaign = SPRING},
      {.at = 10, .received = 5, .campaign = SPRING, .rank = BODY},
      {.at = 10, .received = 7, .campaign = AUTUMN}},
     "duplicate, filled, linked to spring", "success at 10 in autumn, also in spring"},
    {"one among the further ones becomes the first",
     {{.at = 10, .campaign = SPRING, .rank = FOREIGN},
      {.at = 10, .campaign = AUTUMN, .rank = BODY},
      {.at = 10, .campaign = WINTER, .rank = BODY},
      {.at = 10, .campaign = AUTUMN}},
     "duplicate, filled", "success at 10 in autumn, also in winter spring"},
    {"a further one named again", {{.at = 10, .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY},
                                   {.at = 12, .campaign = AUTUMN, .rank = BODY}},
     "duplicate", "success at 12 in spring, also in autumn"},
    {"a ninth campaign is not kept",
     {{.at = 1, .campaign = SPRING}, {.at = 2, .campaign = 4, .rank = BODY}, {.at = 3, .campaign = 5, .rank = BODY},
      {.at = 4, .campaign = 6, .rank = BODY}, {.at = 5, .campaign = 7, .rank = BODY},
      {.at = 6, .campaign = 8, .rank = BODY}, {.at = 7, .campaign = 9, .rank = BODY},
      {.at = 8, .campaign = 10, .rank = BODY}, {.at = 9, .campaign = 11, .rank = BODY}},
     "duplicate, linked to c11", "success at 9 in spring, also in c4 c5 c6 c7 c8 c9 c10"},
    {"a ninth campaign that is the best takes the first place",
     {{.at = 1, .campaign = 3, .rank = BODY}, {.at = 2, .campaign = 4, .rank = BODY, .received = 9},
      {.at = 3, .campaign = 5, .rank = BODY, .received = 9}, {.at = 4, .campaign = 6, .rank = BODY, .received = 9},
      {.at = 5, .campaign = 7, .rank = BODY, .received = 9}, {.at = 6, .campaign = 8, .rank = BODY, .received = 9},
      {.at = 7, .campaign = 9, .rank = BODY, .received = 9}, {.at = 8, .campaign = 10, .rank = BODY, .received = 9},
      {.at = 9, .campaign = SPRING}},
     "duplicate, filled, linked to winter", "success at 9 in spring, also in c4 c5 c6 c7 c8 c9 c10"},
};

static void the_campaign_is_that_of_the_highest_rank(void **state)
{
    (void)state;
    merge_rows_check(campaigns, COUNT(campaigns), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_winner_decides_what_counts),
        cmocka_unit_test(costs_and_flags_are_each_a_block),
        cmocka_unit_test(what_a_drop_is_known_by_is_filled_in_from_any_copy),
        cmocka_unit_test(where_nothing_shows_a_foreign_id_only_that_there_is_one_is_kept),
        cmocka_unit_test(the_campaign_is_that_of_the_highest_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
