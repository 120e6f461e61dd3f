/* Which counters a batch counts in, and when: the hashes after it. */
#include "workers/counting/counters.h"

#include "cases.h"
#include "plan_worker.h"

#include <string.h>

enum { TEXT = 64 * 1024, GENERATION = 1, PARTS = 10 };

#define SPRING COPIES_SPRING
#define AUTUMN COPIES_AUTUMN
#define OPT_OUT .kind = EVENT_OPT_OUT, .opts_out = true
#define NOTE OPT_OUT, .id = "e", .drop = "d"
#define OPT_IN .kind = EVENT_OPT_IN, .name = "contact.opted_in"
#define CAMPAIGN .kind = EVENT_CAMPAIGN
#define COSTS(...) .costs = {true, {__VA_ARGS__}}
#define MINUTE "dc:minute:202603201504" /* of COPIES_BEGIN_MS */
#define DAY_OF(name) "dc:campaign:" name ":day:20260320"

static size_t count_of(const struct given *copies)
{
    size_t count = 0;

    while (count < PARTS && copies[count].at != 0)
        count++;
    return count;
}

static const struct {
    const char *name;
    struct given batch[PARTS];
    const char *key, *counts;
} counters[] = {
    {"a success in its minute", {{.at = 10}}, MINUTE, "success 1"},
    {"a failure in its minute", {{.at = 10, .failure = 9}}, MINUTE, "failure 1"},
    {"the minute of its receipt, not of the event", {{.at = 10, .received = 60000}}, "dc:minute:202603201505",
     "success 1"},
    {"drops of two minutes",
     {{.id = "a", .at = 10}, {.id = "b", .at = 10, .received = 60000}, {.id = "c", .at = 10, .received = 59999}},
     MINUTE,
     "success 2"},
    {"a revision leaves the minute as it was", {{.at = 10}, {.at = 11, .failure = 9}}, MINUTE, "success 1"},
    {"a duplicate leaves it, too", {{.at = 10}, {.at = 11}}, MINUTE, "success 1"},
    {"a phone that is new in dc:optouts", {{OPT_OUT, .at = 10, .phone = "+2"}}, MINUTE, "opt_out 1"},
    {"a campaign's day", {{.at = 10, .campaign = SPRING, COSTS(1, 2, 3)}}, DAY_OF("spring"), "cost_micros 6 success 1"},
    {"the day of its receipt, not of the event", {{.at = 10, .received = 10 * 3600 * 1000, .campaign = SPRING}},
     "dc:campaign:spring:day:20260321", "success 1"},
    {"drops of two days",
     {{.id = "a", .at = 10, COSTS(1, 0, 0)},
      {.id = "b", .at = 10, .received = 10 * 3600 * 1000, COSTS(10, 0, 0)},
      {.id = "c", .at = 10, .failure = 9, COSTS(100, 0, 0)}},
     DAY_OF("unassigned"),
     "cost_micros 101 failure 1 success 1"},
    {"a revision leaves the day as it was",
     {{.at = 10, .campaign = SPRING, COSTS(1, 2, 3)}, {.at = 11, .failure = 9, .campaign = SPRING, COSTS(9, 9, 9)}},
     DAY_OF("spring"),
     "cost_micros 6 success 1"},
    {"a drop that moves stays in the day of its first campaign", {{.at = 10}, {.at = 9, .campaign = SPRING}},
     DAY_OF("unassigned"), "success 1"},
    {"and comes into no other", {{.at = 10}, {.at = 9, .campaign = SPRING}}, DAY_OF("spring"), ""},
    {"a phone that is new in a campaign's list", {{OPT_OUT, .at = 10, .phone = "+2", .campaign = SPRING}},
     DAY_OF("spring"), "opt_out 1"},
    {"not one that a send was blocked for",
     {{.at = 10, .failure = 9, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}}, DAY_OF("spring"),
     "failure 1"},
    {"nor in the campaign's counters",
     {{.at = 10, .failure = 9, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}},
     "dc:campaign:spring:counters",
     "failure 1 messages 1"},
    {"but in the totals",
     {{.at = 10, .failure = 9, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}}, "dc:totals",
     "failure 1 messages 1 opt_out 1"},
    {"two campaigns of a drop, once for each drop",
     {{.id = "a", .at = 10, .campaign = SPRING},
      {.id = "a", .at = 11, .campaign = AUTUMN, .rank = CAMPAIGN_FROM_BODY},
      {.id = "a", .at = 12, .campaign = AUTUMN, .rank = CAMPAIGN_FROM_BODY},
      {.id = "b", .at = 10, .campaign = SPRING},
      {.id = "b", .at = 11, .campaign = AUTUMN, .rank = CAMPAIGN_FROM_BODY}},
     "dc:campaign_links",
     "spring|autumn 2"},
    {"the one that counts is named first",
     {{.at = 10, .campaign = SPRING, .rank = CAMPAIGN_FROM_BODY}, {.at = 11, .campaign = AUTUMN}},
     "dc:campaign_links",
     "autumn|spring 1"},
    {"an opt-out event of another campaign",
     {{.at = 10, .campaign = SPRING}, {NOTE, .at = 11, .campaign = AUTUMN}, {.at = 12, .campaign = AUTUMN}},
     "dc:campaign_links",
     ""},
    {"an opt-out event that names a drop", {{NOTE, .at = 10}}, "dc:totals", ""},
    {"it and the drop that it names, of their generation, once", {{NOTE, .at = 5}, {.at = 10}, {.at = 11}, {NOTE, .at = 5}},
     "dc:drops:sizes", "1 2"},
    {"an opt-in is no event of a name that is not read", {{OPT_IN, .at = 10, .phone = "+2"}}, "dc:events", ""},
    {"an opt-in counts nothing", {{OPT_IN, .at = 10, .phone = "+2"}}, "dc:totals", ""},
    {"an opt-in of nobody too", {{OPT_IN, .at = 10}}, "dc:totals", ""},
    {"an opt-in that came before", {{OPT_IN, .at = 10, .phone = "+2"}, {OPT_IN, .at = 10, .phone = "+2"}}, "dc:totals",
     "duplicate 1"},
    {"a failure for a reason that no row has",
     {{.id = "a", .at = 10, .failure = 1, .unknown_reason = "Moon"},
      {.id = "b", .at = 10, .failure = 1, .unknown_reason = "Moon"},
      {.id = "c", .at = 10, .failure = 1, .unknown_reason = "Mars"}},
     "dc:unknown_reasons",
     "Mars 1 Moon 2"},
    {"only where the drop is counted first",
     {{.at = 10, .failure = 1, .unknown_reason = "Moon"}, {.at = 11, .failure = 1, .unknown_reason = "Mars"}},
     "dc:unknown_reasons",
     "Moon 1"},
    {"an event of a name that is not read", {{.kind = EVENT_OTHER, .at = 10, .name = "contact.tag.added"}}, "dc:events",
     "contact.tag.added 1"},
    {"once for each event",
     {{.kind = EVENT_OTHER, .at = 10, .name = "a"}, {.kind = EVENT_OTHER, .at = 11, .name = "a"}},
     "dc:events",
     "a 1"},
    {"drops of a generation", {{.id = "a", .at = 10}, {.id = "b", .at = 10}, {.id = "a", .at = 11}}, "dc:drops:sizes",
     "1 2"},
    {"a campaign's own counters",
     {{.at = 10, .failure = 9, .flags = "ds", COSTS(1, 2, 3), .campaign = SPRING}, {.at = 9, .campaign = SPRING}},
     "dc:campaign:spring:counters",
     "compliance_fee_micros 2 dnc 1 duplicate 1 failure 1 messages 1 product_cost_micros 1 spam 1 tts_fee_micros 3"},
    {"a campaign's own reasons", {{.at = 10, .failure = 9, .campaign = SPRING}}, "dc:campaign:spring:reasons",
     "opted_out 1"},
    {"a drop that moves leaves nothing behind",
     {{.at = 10, .failure = 9, .flags = "d", COSTS(1, 2, 3)}, {.at = 9, .campaign = SPRING}},
     "dc:campaign:unassigned:counters",
     ""},
    {"a duplicate counts where its drop is then", {{.at = 10}, {.at = 9, .campaign = SPRING}},
     "dc:campaign:spring:counters", "duplicate 1 messages 1 success 1"},
    {"an event's duplicate counts for the campaign that it names",
     {{CAMPAIGN, .at = 10, .campaign = SPRING}, {CAMPAIGN, .at = 10, .campaign = AUTUMN}},
     "dc:campaign:autumn:counters",
     "duplicate 1"},
    {"a campaign's list of opt-outs", {{OPT_OUT, .at = 10, .phone = "+2", .campaign = SPRING}},
     "dc:campaign:spring:counters", "opt_out 1"},
};

static void counters_count(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(counters); i++) {
        struct server *server = server_new();
        struct worker worker;

        worker_init(&worker, server);
        worker_take(&worker, counters[i].batch, count_of(counters[i].batch), GENERATION);
        (void)worker_finish(&worker);
        server_hash_text(server, counters[i].key, &text);
        if (strcmp(text.data, counters[i].counts) != 0)
            fail_msg("%s: %s", counters[i].name, text.data);
        worker_clear(&worker);
        server_free(server);
    }
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
