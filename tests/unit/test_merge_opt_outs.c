/* Opt-outs of one drop, by its results and by events that name it, and the campaigns that its copies link
   (docs/classification.md, 3 and 4). */
#include "workers/counting/merge.h"

#include "cases.h"
#include "merge_rows.h"

#define SPRING COPIES_SPRING
#define AUTUMN COPIES_AUTUMN
#define WINTER COPIES_WINTER
#define BODY CAMPAIGN_FROM_BODY
#define FOREIGN CAMPAIGN_FROM_FOREIGN

static const struct merge_row optouts[] = {
    {"with a phone it is listed", {{.at = 10, .opts_out = true, .phone = "+2"}}, "counted, listed",
     "success at 10 in unassigned, phone +2, opted out at 10"},
    {"without a phone it is remembered", {{.at = 10, .opts_out = true}}, "counted",
     "success at 10 in unassigned, opted out at 10"},
    {"it is listed when a copy brings the phone", {{.at = 10, .opts_out = true}, {.at = 11, .phone = "+2"}},
     "duplicate, filled, listed", "success at 11 in unassigned, phone +2, opted out at 10"},
    {"it is listed when it comes after the phone", {{.at = 10, .phone = "+2"}, {.at = 9, .opts_out = true}},
     "duplicate, listed", "success at 10 in unassigned, phone +2, opted out at 9"},
    {"the earliest time holds",
     {{.at = 10, .phone = "+2", .opts_out = true}, {.at = 9, .opts_out = true}, {.at = 11, .opts_out = true}},
     "duplicate, listed", "success at 11 in unassigned, phone +2, opted out at 9"},
    {"a loser's holds, too", {{.at = 10, .phone = "+2"}, {.at = 4, .receipt = true, .opts_out = true}},
     "duplicate, listed", "success at 10 in unassigned, phone +2, opted out at 4"},
    {"a later copy that does not opt out leaves it", {{.at = 10, .opts_out = true, .phone = "+2"}, {.at = 11}},
     "duplicate", "success at 11 in unassigned, phone +2, opted out at 10"},
    {"a later revision leaves it", {{.at = 10, .failure = 9, .opts_out = true, .phone = "+2"}, {.at = 11}}, "revised",
     "success at 11 in unassigned, phone +2, opted out at 10"},
    {"another phone is listed, too", {{.at = 10, .opts_out = true, .phone = "+2"}, {.at = 11, .phone = "+3"}},
     "duplicate, listed", "success at 11 in unassigned, phone +2 +3, opted out at 10"},
    {"a ninth phone that takes the first place is listed, too",
     {{.at = 1, .phone = "+9", .opts_out = true}, {.at = 2, .phone = "+2"}, {.at = 3, .phone = "+3"},
      {.at = 4, .phone = "+4"}, {.at = 5, .phone = "+5"}, {.at = 6, .phone = "+6"}, {.at = 7, .phone = "+7"},
      {.at = 8, .phone = "+8"}, {.at = 9, .phone = "+1"}},
     "duplicate, filled, listed",
     "success at 9 in unassigned, phone +1 +9 +3 +4 +5 +6 +7 +8, opted out at 1"},
    {"a ninth phone that is not kept is not listed",
     {{.at = 1, .phone = "+1", .opts_out = true}, {.at = 2, .phone = "+2"}, {.at = 3, .phone = "+3"},
      {.at = 4, .phone = "+4"}, {.at = 5, .phone = "+5"}, {.at = 6, .phone = "+6"}, {.at = 7, .phone = "+7"},
      {.at = 8, .phone = "+8"}, {.at = 9, .phone = "+9"}},
     "duplicate", "success at 9 in unassigned, phone +1 +2 +3 +4 +5 +6 +7 +8, opted out at 1"},
    {"another campaign lists it, too",
     {{.at = 10, .opts_out = true, .phone = "+2"}, {.at = 11, .campaign = SPRING}}, "duplicate, filled, listed",
     "success at 11 in spring, phone +2, opted out at 10"},
    {"so does one that is no better",
     {{.at = 10, .opts_out = true, .phone = "+2", .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY}},
     "duplicate, linked to autumn, listed", "success at 11 in spring, phone +2, also in autumn, opted out at 10"},
    {"nothing new is not listed again",
     {{.at = 10, .opts_out = true, .phone = "+2", .campaign = SPRING}, {.at = 11, .campaign = SPRING, .phone = "+2"}},
     "duplicate", "success at 11 in spring, phone +2, opted out at 10"},
};

static const struct merge_row told[] = {
    {"a send that was blocked is no opt-out that was told of",
     {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2"}}, "counted, listed",
     "success at 10 in unassigned, phone +2, blocked at 10"},
    {"told of later than blocked, both times are kept",
     {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2"}, {.at = 12, .opts_out = true}}, "duplicate, listed",
     "success at 12 in unassigned, phone +2, blocked at 10, opted out at 12"},
    {"told of earlier than blocked, one time is kept",
     {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2"}, {.at = 8, .opts_out = true}}, "duplicate, listed",
     "success at 10 in unassigned, phone +2, opted out at 8"},
    {"blocked after it was told of changes neither",
     {{.at = 8, .opts_out = true, .phone = "+2"}, {.at = 10, .opts_out = true, .blocked = true}}, "duplicate, listed",
     "success at 10 in unassigned, phone +2, opted out at 8"},
    {"blocked before it was told of moves the opt-out, not the telling",
     {{.at = 8, .opts_out = true, .phone = "+2"}, {.at = 6, .opts_out = true, .blocked = true}}, "duplicate, listed",
     "success at 8 in unassigned, phone +2, blocked at 6, opted out at 8"},
    {"of tellings the earliest counts",
     {{.at = 6, .opts_out = true, .blocked = true}, {.at = 9, .opts_out = true}, {.at = 8, .opts_out = true},
      {.at = 10, .opts_out = true}},
     "duplicate", "success at 10 in unassigned, blocked at 6, opted out at 8"},
};

static void who_told_is_kept_apart_from_what_was_blocked(void **state)
{
    (void)state;
    merge_rows_check(told, COUNT(told), true);
}

#define NOTE .kind = EVENT_OPT_OUT, .opts_out = true

static const struct merge_row notes[] = {
    {"before any result it counts nothing", {{NOTE, .at = 10}}, "noted", "no result, opted out at 10"},
    {"its own phone is not the drop's", {{NOTE, .at = 10, .phone = "+2"}}, "noted", "no result, opted out at 10"},
    {"of two before any result the earlier counts", {{NOTE, .at = 10}, {NOTE, .at = 9}}, "noted",
     "no result, opted out at 9"},
    {"of a blocked send", {{NOTE, .at = 10, .blocked = true}}, "noted", "no result, blocked at 10"},
    {"the first result is counted, and the opt-out is kept", {{NOTE, .at = 10}, {.at = 20}}, "counted",
     "success at 20 in unassigned, opted out at 10"},
    {"the first result is listed if it has a phone", {{NOTE, .at = 10}, {.at = 20, .phone = "+2"}}, "counted, listed",
     "success at 20 in unassigned, phone +2, opted out at 10"},
    {"later than a result that was blocked",
     {{.at = 5, .failure = 9, .opts_out = true, .blocked = true, .phone = "+2"}, {NOTE, .at = 10}}, "noted, listed",
     "failure 9 at 5 in unassigned, phone +2, blocked at 5, opted out at 10"},
    {"a result that was blocked comes later",
     {{NOTE, .at = 10}, {.at = 5, .failure = 9, .opts_out = true, .blocked = true, .phone = "+2"}}, "counted, listed",
     "failure 9 at 5 in unassigned, phone +2, blocked at 5, opted out at 10"},
    {"after a result without a phone nothing is listed", {{.at = 5}, {NOTE, .at = 10}}, "noted",
     "success at 5 in unassigned, opted out at 10"},
    {"after a result with a phone it is listed", {{.at = 5, .phone = "+2"}, {NOTE, .at = 10}}, "noted, listed",
     "success at 5 in unassigned, phone +2, opted out at 10"},
    {"a phone that comes later still is listed", {{.at = 5}, {NOTE, .at = 10}, {.at = 4, .phone = "+2"}},
     "duplicate, filled, listed", "success at 5 in unassigned, phone +2, opted out at 10"},
    {"the winner's time is no note's", {{.at = 5}, {NOTE, .at = 10}, {.at = 7, .failure = 9}}, "revised",
     "failure 9 at 7 in unassigned, opted out at 10"},
    {"its campaign is no result's", {{NOTE, .at = 10, .campaign = SPRING}, {.at = 20}}, "counted",
     "success at 20 in unassigned, also in spring, opted out at 10"},
    {"its campaign does not move a drop",
     {{.at = 5, .campaign = AUTUMN, .rank = BODY}, {NOTE, .at = 10, .campaign = SPRING}}, "noted",
     "success at 5 in autumn, also in spring, opted out at 10"},
    {"a result of its campaign", {{NOTE, .at = 10, .campaign = SPRING}, {.at = 20, .campaign = SPRING}}, "counted",
     "success at 20 in spring, opted out at 10"},
    {"a first result of another campaign is linked to none",
     {{NOTE, .at = 10, .campaign = SPRING}, {.at = 20, .campaign = AUTUMN}}, "counted",
     "success at 20 in autumn, also in spring, opted out at 10"},
    {"a later result of its campaign is linked to none, for it was named before",
     {{NOTE, .at = 10, .campaign = SPRING}, {.at = 20, .campaign = AUTUMN},
      {.at = 19, .campaign = SPRING, .rank = BODY}},
     "duplicate", "success at 20 in autumn, also in spring, opted out at 10"},
    {"of nobody's campaign it names none", {{.at = 5, .campaign = SPRING}, {NOTE, .at = 10}}, "noted",
     "success at 5 in spring, opted out at 10"},
    {"two notes of two campaigns", {{NOTE, .at = 10, .campaign = SPRING}, {NOTE, .at = 11, .campaign = AUTUMN}},
     "noted", "no result, also in spring autumn, opted out at 10"},
    {"two notes of one campaign", {{NOTE, .at = 10, .campaign = SPRING}, {NOTE, .at = 11, .campaign = SPRING}}, "noted",
     "no result, also in spring, opted out at 10"},
};

static void an_opt_out_event_is_noted_in_the_drop_that_it_names(void **state)
{
    (void)state;
    merge_rows_check(notes, COUNT(notes), true);
}

static const struct merge_row links[] = {
    {"two campaigns of one drop", {{.at = 10, .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY}},
     "duplicate, linked to autumn", "success at 11 in spring, also in autumn"},
    {"the one that it does not count under",
     {{.at = 10, .campaign = SPRING, .rank = BODY}, {.at = 11, .campaign = AUTUMN}},
     "duplicate, filled, linked to spring", "success at 11 in autumn, also in spring"},
    {"a pair is linked once",
     {{.at = 10, .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY},
      {.at = 12, .campaign = AUTUMN, .rank = BODY}},
     "duplicate", "success at 12 in spring, also in autumn"},
    {"so is one that changes places",
     {{.at = 10, .campaign = SPRING, .rank = BODY}, {.at = 11, .campaign = AUTUMN, .rank = FOREIGN},
      {.at = 12, .campaign = SPRING}},
     "duplicate, filled", "success at 12 in spring, also in autumn"},
    {"a third is linked to the one that counts",
     {{.at = 10, .campaign = SPRING}, {.at = 11, .campaign = AUTUMN, .rank = BODY},
      {.at = 12, .campaign = WINTER, .rank = BODY}},
     "duplicate, linked to winter", "success at 12 in spring, also in autumn winter"},
    {"nobody's campaign is linked to none", {{.at = 10}, {.at = 11, .campaign = SPRING}}, "duplicate, filled",
     "success at 11 in spring"},
    {"none is linked to nobody's", {{.at = 10, .campaign = SPRING}, {.at = 11}}, "duplicate",
     "success at 11 in spring"},
    {"a revision may link, too",
     {{.at = 10, .campaign = SPRING}, {.at = 11, .failure = 9, .campaign = AUTUMN, .rank = BODY}},
     "revised, linked to autumn", "failure 9 at 11 in spring, also in autumn"},
};

static void two_campaigns_of_one_drop_are_linked_once(void **state)
{
    (void)state;
    merge_rows_check(links, COUNT(links), true);
}

static void an_opt_out_is_never_taken_back(void **state)
{
    (void)state;
    merge_rows_check(optouts, COUNT(optouts), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opt_out_is_never_taken_back),
        cmocka_unit_test(who_told_is_kept_apart_from_what_was_blocked),
        cmocka_unit_test(an_opt_out_event_is_noted_in_the_drop_that_it_names),
        cmocka_unit_test(two_campaigns_of_one_drop_are_linked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
