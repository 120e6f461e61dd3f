/* What a batch does to the public keys: the parts of its call, in the words of call_reader.h. */
#include "workers/counting/effects.h"

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
#define T "1774019040"           /* COPIES_BEGIN_MS in seconds */
#define ISO "2026-03-20T15:04:00" /* the same */
#define MINUTE "dc:minute:202603201504"
#define DAY_OF(name) "dc:campaign:" name ":day:20260320"

/* After `earlier`, the lines of the batch's last call that begin so. */
struct row {
    const char *name, *begin;
    struct given earlier[PARTS], batch[PARTS]; /* each as far as times are given */
    const char *lines;
    bool no_lookups, no_stream;
};

static size_t count_of(const struct given *copies)
{
    size_t count = 0;

    while (count < PARTS && copies[count].at != 0)
        count++;
    return count;
}

static void keep_lines(const char *text, const char *begin, struct buf *out)
{
    buf_reset(out);
    buf_append_text(out, "");
    while (*text != '\0') {
        size_t len = strcspn(text, "\n") + 1;

        if (strncmp(text, begin, strlen(begin)) == 0)
            buf_append(out, text, len);
        text += len;
    }
}

static void check_rows(const struct row *rows, size_t count)
{
    struct buf text, lines;

    buf_init(&text, TEXT);
    buf_init(&lines, TEXT);
    for (size_t i = 0; i < count; i++) {
        struct server *server = server_new();
        struct worker worker;

        worker_init_with(&worker, server, rows[i].no_lookups ? 0 : 60, rows[i].no_stream ? 0 : 100);
        worker_take(&worker, rows[i].earlier, count_of(rows[i].earlier), GENERATION);
        (void)worker_finish(&worker);
        worker_take(&worker, rows[i].batch, count_of(rows[i].batch), GENERATION);
        for (size_t calls = 0; plan_left(worker.plan) > 0 && calls < 2; calls++)
            CHECK_CASE(rows[i].name, worker_call_told(&worker, &text) == RECORD_OK);
        keep_lines(text.data, rows[i].begin, &lines);
        if (strcmp(lines.data, rows[i].lines) != 0)
            fail_msg("%s:\n%s", rows[i].name, lines.data);
        worker_clear(&worker);
        server_free(server);
    }
    buf_clear(&text);
    buf_clear(&lines);
}

static const struct row touches[] = {
    {"a result", "campaign ", .batch = {{.at = 10, .campaign = SPRING}},
     .lines = "campaign dc:campaign:spring spring " ISO ".010Z " ISO ".010Z - - " ISO ".010Z " T "010 -\n"},
    {"a result of no campaign, for `unassigned` has no state", "campaign ", .batch = {{.at = 10}},
     .lines = "campaign dc:campaign:unassigned unassigned " ISO ".010Z " ISO ".010Z - - - " T "010 -\n"},
    {"of the copies of a campaign the least time and the greatest", "campaign ",
     .batch = {{.id = "a", .at = 20, .campaign = SPRING},
               {.id = "b", .at = 30, .campaign = SPRING},
               {.id = "c", .at = 10, .campaign = SPRING},
               {.id = "d", .at = 25, .campaign = SPRING}},
     .lines = "campaign dc:campaign:spring spring " ISO ".010Z " ISO ".030Z - - " ISO ".030Z " T "030 -\n"},
    {"an event that is no result gives no time of a result", "campaign ",
     .batch = {{OPT_OUT, .at = 40, .phone = "+2", .campaign = SPRING},
               {.at = 20, .campaign = SPRING},
               {.at = 10, .campaign = SPRING}},
     .lines = "campaign dc:campaign:spring spring " ISO ".010Z " ISO ".040Z - - " ISO ".020Z " T "040 -\n"},
    {"without a result there is none", "campaign ", .batch = {{OPT_OUT, .at = 40, .phone = "+2", .campaign = SPRING}},
     .lines = "campaign dc:campaign:spring spring " ISO ".040Z " ISO ".040Z - - - " T "040 -\n"},
    {"each copy counts for the campaign that it names, not for its drop's", "campaign ",
     .batch = {{.at = 10, .campaign = SPRING}, {.at = 20, .campaign = AUTUMN, .rank = CAMPAIGN_FROM_BODY}},
     .lines = "campaign dc:campaign:spring spring " ISO ".010Z " ISO ".010Z - - " ISO ".010Z " T "010 -\n"
              "campaign dc:campaign:autumn autumn " ISO ".020Z " ISO ".020Z - - " ISO ".020Z " T "020 -\n"},
    {"campaign events come one by one, in their order, before what the others give", "campaign ",
     .batch = {{.id = "a", .at = 20, .campaign = SPRING},
               {CAMPAIGN, .id = "b", .at = 30, .campaign = SPRING, .state = CAMPAIGN_COMPLETED},
               {CAMPAIGN, .id = "c", .at = 10, .campaign = SPRING, .state = CAMPAIGN_SCHEDULED}},
     .lines = "campaign dc:campaign:spring spring " ISO ".030Z " ISO ".030Z completed " ISO ".030Z - " T "030 "
              "{\"campaign\":\"spring\",\"outcome\":\"completed\",\"at\":\"" ISO ".030Z\"}\n"
              "campaign dc:campaign:spring spring " ISO ".010Z " ISO ".010Z scheduled " ISO ".010Z - " T "010 "
              "{\"campaign\":\"spring\",\"outcome\":\"scheduled\",\"at\":\"" ISO ".010Z\"}\n"
              "campaign dc:campaign:spring spring " ISO ".020Z " ISO ".020Z - - " ISO ".020Z " T "020 -\n"},
    {"a campaign event that came before gives its state again", "campaign ",
     .earlier = {{CAMPAIGN, .at = 30, .campaign = SPRING, .state = CAMPAIGN_PAUSED}},
     .batch = {{CAMPAIGN, .at = 40, .campaign = SPRING, .state = CAMPAIGN_RUNNING}},
     .lines = "campaign dc:campaign:spring spring " ISO ".040Z " ISO ".040Z running " ISO ".040Z - " T "040 "
              "{\"campaign\":\"spring\",\"outcome\":\"running\",\"at\":\"" ISO ".040Z\"}\n"},
};

static void campaigns_are_told_of_times_and_states(void **state)
{
    (void)state;
    check_rows(touches, COUNT(touches));
}

#define ALL(phone, time, known)                                                                                        \
    "opt-out dc:optouts " phone " " T time " {" known "\"phone\":\"" phone "\",\"at\":\"" ISO "." time             \
    "Z\"} +dc:totals opt_out +" MINUTE " opt_out\n"
#define OF(name, phone, time, known)                                                                                   \
    "campaign's opt-out dc:campaign:" name ":optouts " phone " " T time " {" known "\"phone\":\"" phone               \
    "\",\"campaign\":\"" name "\",\"at\":\"" ISO "." time                                                \
    "Z\"} +dc:campaign:" name ":counters opt_out +" DAY_OF(name) " opt_out\n"
#define IN(phone, time, known)                                                                                         \
    "opt-in dc:optins " phone " " T time " {\"phone\":\"" phone "\"," known "\"at\":\"" ISO "." time "Z\"}\n"
#define D "\"drop_id\":\"d\","

static const struct row lists[] = {
    {"an opt-out of no campaign", "opt-out ", .batch = {{OPT_OUT, .at = 10, .phone = "+2"}},
     .lines = ALL("+2", "010", "")},
    {"an opt-out of a campaign is in its list, too", "campaign's opt-out ",
     .batch = {{OPT_OUT, .at = 10, .phone = "+2", .campaign = SPRING}}, .lines = OF("spring", "+2", "010", "")},
    {"an opt-out that came before is listed again, with its own time", "opt-out ",
     .earlier = {{OPT_OUT, .at = 10, .phone = "+2"}}, .batch = {{OPT_OUT, .at = 9, .phone = "+2"}},
     .lines = ALL("+2", "009", "")},
    {"a foreign_id is told", "opt-out ", .batch = {{OPT_OUT, .at = 10, .phone = "+2", .foreign_id = "8812"}},
     .lines = ALL("+2", "010", "\"foreign_id\":\"8812\",")},
    {"a result that does not opt out lists nobody", "opt-out ", .batch = {{.at = 10, .phone = "+2"}}, .lines = ""},
    {"the phones of all copies of a drop", "opt-out ", .earlier = {{.at = 10, .phone = "+2"}},
     .batch = {{.at = 10, .phone = "+3", .opts_out = true}},
     .lines = ALL("+2", "010", D) ALL("+3", "010", D)},
    {"a phone that comes later has the time of the opt-out", "opt-out ", .earlier = {{.at = 5, .opts_out = true}},
     .batch = {{.at = 9, .phone = "+2"}}, .lines = ALL("+2", "005", D)},
    {"an opt-out that comes later has the earlier time", "opt-out ",
     .earlier = {{.at = 5, .opts_out = true, .phone = "+2"}}, .batch = {{.at = 9, .opts_out = true, .phone = "+2"}},
     .lines = ALL("+2", "005", D)},
    {"the campaigns of all copies of a drop", "campaign's opt-out ",
     .earlier = {{.at = 10, .phone = "+2", .campaign = SPRING},
                 {.at = 10, .campaign = AUTUMN, .rank = CAMPAIGN_FROM_BODY}},
     .batch = {{.at = 10, .opts_out = true}},
     .lines = OF("spring", "+2", "010", D) OF("autumn", "+2", "010", D)},
    {"a drop's own campaign once", "campaign's opt-out ",
     .batch = {{.at = 10, .opts_out = true, .phone = "+2", .campaign = SPRING}}, .lines = OF("spring", "+2", "010", D)},
    {"a blocked send is in no campaign's list", "campaign's opt-out ",
     .batch = {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}}, .lines = ""},
    {"a blocked send is in the list of all", "opt-out ",
     .batch = {{.at = 10, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}},
     .lines = ALL("+2", "010", D)},
    {"so is an event that tells of one", "campaign's opt-out ",
     .batch = {{OPT_OUT, .at = 10, .blocked = true, .phone = "+2", .campaign = SPRING}}, .lines = ""},
    {"told of later, a campaign lists it with the time of that", "campaign's opt-out ",
     .earlier = {{.at = 5, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}},
     .batch = {{.at = 9, .opts_out = true}}, .lines = OF("spring", "+2", "009", D)},
    {"told of later, the list of all has the earlier time", "opt-out ",
     .earlier = {{.at = 5, .opts_out = true, .blocked = true, .phone = "+2", .campaign = SPRING}},
     .batch = {{.at = 9, .opts_out = true}}, .lines = ALL("+2", "005", D)},
    {"a campaign that comes later has the time when it was told of", "campaign's opt-out ",
     .earlier = {{.at = 5, .opts_out = true, .blocked = true, .phone = "+2"}, {.at = 9, .opts_out = true}},
     .batch = {{.at = 7, .campaign = SPRING}}, .lines = OF("spring", "+2", "009", D)},
    {"an opt-out event lists the phones of the drop that it names", "opt-out ",
     .earlier = {{.at = 5, .phone = "+2"}, {.at = 5, .phone = "+3"}}, .batch = {{NOTE, .at = 10}},
     .lines = ALL("+2", "010", D) ALL("+3", "010", D)},
    {"and its own phone", "opt-out ", .batch = {{.at = 5, .phone = "+2"}, {NOTE, .at = 10, .phone = "+4"}},
     .lines = ALL("+2", "010", D) "opt-out dc:optouts +4 " T "010 {" D "\"phone\":\"+4\",\"at\":\"" ISO ".010Z\"}"
              " +dc:totals opt_out +" MINUTE " opt_out by drop 2\n"},
    {"in the campaigns of the drop, and in its own", "campaign's opt-out ",
     .earlier = {{.at = 5, .phone = "+2", .campaign = SPRING}}, .batch = {{NOTE, .at = 10, .campaign = AUTUMN}},
     .lines = OF("spring", "+2", "010", D) OF("autumn", "+2", "010", D)},
    {"of a drop that nobody knows it lists nobody", "opt-out ", .batch = {{NOTE, .at = 10}}, .lines = ""},
    {"the drop's phone is listed when it comes", "opt-out ", .earlier = {{NOTE, .at = 10}},
     .batch = {{.at = 20, .phone = "+2"}}, .lines = ALL("+2", "010", D)},
    {"and then in the campaign that the event named, too", "campaign's opt-out ",
     .earlier = {{NOTE, .at = 10, .campaign = AUTUMN}}, .batch = {{.at = 20, .phone = "+2", .campaign = SPRING}},
     .lines = OF("spring", "+2", "010", D) OF("autumn", "+2", "010", D)},
    {"an opt-in", "opt-in ", .batch = {{OPT_IN, .at = 10, .phone = "+2"}}, .lines = IN("+2", "010", "")},
    {"an opt-in of a campaign", "opt-in ", .batch = {{OPT_IN, .at = 10, .phone = "+2", .campaign = SPRING}},
     .lines = IN("+2", "010", "\"campaign\":\"spring\",")},
    {"an opt-in that came before, with its own time", "opt-in ", .earlier = {{OPT_IN, .at = 10, .phone = "+2"}},
     .batch = {{OPT_IN, .at = 12, .phone = "+2"}}, .lines = IN("+2", "012", "")},
    {"an opt-in of nobody", "opt-in ", .batch = {{OPT_IN, .at = 10}}, .lines = ""},
    {"an opt-in opts nobody out", "opt-out ", .batch = {{OPT_IN, .at = 10, .phone = "+2"}}, .lines = ""},
};

static void opt_outs_and_opt_ins_are_listed(void **state)
{
    (void)state;
    check_rows(lists, COUNT(lists));
}

#define EIGHT                                                                                                          \
    {.at = 1, .phone = "+1", .campaign = 4}, {.at = 1, .phone = "+2", .campaign = 5},                                  \
        {.at = 1, .phone = "+3", .campaign = 6}, {.at = 1, .phone = "+4", .campaign = 7},                              \
        {.at = 1, .phone = "+5", .campaign = 8}, {.at = 1, .phone = "+6", .campaign = 9},                              \
        {.at = 1, .phone = "+7", .campaign = 10}, {.at = 1, .phone = "+8", .campaign = 11}

/* Where a drop has as many phones and campaigns as are kept. */
static void an_opting_out_copys_own_phone_and_campaign_are_listed_all_the_same(void **state)
{
    static const struct given full[] = {EIGHT}, copy = {.at = 9, .phone = "+99", .campaign = SPRING, .opts_out = true};
    static const struct given quiet = {.at = 10, .phone = "+88", .campaign = 15};
    static const struct given best = {.at = 10, .phone = "+88", .campaign = AUTUMN};
    struct server *server = server_new();
    struct worker worker;
    size_t listed = 0;

    (void)state;
    worker_init(&worker, server);
    worker_take(&worker, full, COUNT(full), GENERATION);
    (void)worker_finish(&worker);
    worker_take(&worker, &copy, 1, GENERATION);
    (void)worker_finish(&worker);
    assert_int_equal(server->opt_out_count, 9 * (1 + 9)); /* all phones, in all lists */
    for (size_t i = 0; i < server->opt_out_count; i++)
        listed += strcmp(server->opt_outs[i].key, "dc:campaign:spring:optouts") == 0;
    assert_int_equal(listed, 9);
    worker_take(&worker, &quiet, 1, GENERATION);
    (void)worker_finish(&worker);
    assert_int_equal(server->opt_out_count, 9 * (1 + 9)); /* one that does not opt out is past what is kept */
    worker_take(&worker, &best, 1, GENERATION);
    (void)worker_finish(&worker);
    assert_int_equal(server->opt_out_count, 9 * (1 + 9) + 8); /* but its campaign counts now: it lists the phones kept */
    worker_clear(&worker);
    server_free(server);
}

#define ENTRY(kind, what, time) "  entry " kind " {" D what "\"at\":\"" ISO "." time "Z\"}\n"
#define NOBODYS(outcome) "\"campaign\":\"unassigned\",\"outcome\":\"" outcome "\","

static const struct row entries[] = {
    {"what is unknown is left out", "  entry ", .batch = {{.at = 10}},
     .lines = ENTRY("result", NOBODYS("success"), "010")},
    {"a failure that tells all", "  entry ",
     .batch = {{.at = 10, .failure = 9, .phone = "+2", .foreign_id = "8812", .campaign = SPRING}},
     .lines = ENTRY("result", "\"foreign_id\":\"8812\",\"phone\":\"+2\",\"campaign\":\"spring\","
                              "\"outcome\":\"failure\",\"reason\":\"opted_out\",", "010")},
    {"a revision", "  entry ", .earlier = {{.at = 10, .failure = 9}}, .batch = {{.at = 11}},
     .lines = ENTRY("revised", NOBODYS("success"), "011")},
    {"what is filled in later, with the time of the winner", "  entry ", .earlier = {{.at = 10}},
     .batch = {{.at = 9, .phone = "+2"}}, .lines = ENTRY("filled", "\"phone\":\"+2\"," NOBODYS("success"), "010")},
    {"a duplicate that fills in nothing", "  entry ", .earlier = {{.at = 10}}, .batch = {{.at = 11, COSTS(1, 2, 3)}},
     .lines = ""},
    {"each change of a batch", "  entry ", .batch = {{.at = 10}, {.at = 11, .failure = 9}, {.at = 9, .phone = "+2"}},
     .lines = ENTRY("result", NOBODYS("success"), "010")
         ENTRY("revised", NOBODYS("failure") "\"reason\":\"opted_out\",", "011")
             ENTRY("filled", "\"phone\":\"+2\"," NOBODYS("failure") "\"reason\":\"opted_out\",", "011")},
    {"a first result after an opt-out event", "  entry ", .earlier = {{NOTE, .at = 5}}, .batch = {{.at = 10}},
     .lines = ENTRY("result", NOBODYS("success"), "010")},
    {"an opt-out event of a drop", "  entry ", .earlier = {{.at = 10}}, .batch = {{NOTE, .at = 5}}, .lines = ""},
    {"a foreign_id is told where there are no lookups, too", "  entry ", .batch = {{.at = 10, .foreign_id = "8812"}},
     .lines = ENTRY("result", "\"foreign_id\":\"8812\"," NOBODYS("success"), "010"), .no_lookups = true},
    {"without a stream there are none", "  entry ", .batch = {{.at = 10}}, .lines = "", .no_stream = true},
};

static void the_stream_tells_what_changed(void **state)
{
    (void)state;
    check_rows(entries, COUNT(entries));
}

#define IS(id, outcome, reason, phone, campaign, time)                                                                 \
    "  lookup is dc:result:" id " {\"outcome\":\"" outcome "\",\"reason\":\"" reason               \
    "\",\"drop_id\":\"d\",\"phone\":\"" phone "\",\"campaign\":\"" campaign "\",\"at\":\"" ISO "." time "Z\"}\n"
#define WAS(id) "  lookup was dc:result:" id " \"drop_id\":\"d\"\n"

static const struct row lookups[] = {
    {"what is unknown is empty", "  lookup ", .batch = {{.at = 10, .foreign_id = "8812"}},
     .lines = IS("8812", "success", "", "", "unassigned", "010")},
    {"a failure that tells all", "  lookup ",
     .batch = {{.at = 10, .failure = 9, .phone = "+2", .foreign_id = "8812", .campaign = SPRING}},
     .lines = IS("8812", "failure", "opted_out", "+2", "spring", "010")},
    {"after all copies of a batch", "  lookup ",
     .batch = {{.at = 10, .foreign_id = "8812"}, {.at = 11, .failure = 9}, {.at = 9, .phone = "+2"}},
     .lines = IS("8812", "failure", "opted_out", "+2", "unassigned", "011")},
    {"without a foreign_id there is none", "  lookup ", .batch = {{.at = 10}}, .lines = ""},
    {"a copy without a foreign_id changes that of its drop", "  lookup ", .earlier = {{.at = 10, .foreign_id = "8812"}},
     .batch = {{.at = 11}}, .lines = IS("8812", "success", "", "", "unassigned", "011")},
    {"a smaller foreign_id takes its place", "  lookup ", .earlier = {{.at = 10, .foreign_id = "8812"}},
     .batch = {{.at = 11, .foreign_id = "8811"}},
     .lines = IS("8811", "success", "", "", "unassigned", "011") WAS("8812")},
    {"what changes nothing shows nothing again", "  lookup ", .earlier = {{.at = 10, .foreign_id = "8812"}},
     .batch = {{.at = 10, .foreign_id = "8812"}}, .lines = ""},
    {"an event that is no result has none", "  lookup ",
     .batch = {{OPT_OUT, .at = 10, .phone = "+2", .foreign_id = "8812"}}, .lines = ""},
    {"of a drop without a result there is none", "  lookup ", .batch = {{NOTE, .at = 10, .foreign_id = "8812"}},
     .lines = ""},
    {"without lookups there are none", "  lookup ", .batch = {{.at = 10, .foreign_id = "8812"}}, .lines = "",
     .no_lookups = true},
};

static void lookups_show_the_drop_as_it_is(void **state)
{
    (void)state;
    check_rows(lookups, COUNT(lookups));
}

/* The foreign_id of a record, where it is kept. */
static void a_foreign_id_is_kept_where_something_shows_it(void **state)
{
    static const struct {
        const char *name;
        int64_t result_ttl_s, results_stream_max;
        enum foreign_id_kept kept;
    } rows[] = {
        {"a lookup", 60, 0, FOREIGN_ID_KEPT},
        {"the stream", 0, 100, FOREIGN_ID_KEPT},
        {"neither", 0, 0, FOREIGN_ID_NOT_KEPT},
    };
    static const struct given copy = {.at = 10, .foreign_id = "8812"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server *server = server_new();
        struct worker worker;
        struct record record;

        worker_init_with(&worker, server, rows[i].result_ttl_s, rows[i].results_stream_max);
        worker_take(&worker, &copy, 1, GENERATION);
        (void)worker_finish(&worker);
        CHECK_CASE(rows[i].name, server->drop_count == 1);
        CHECK_CASE(rows[i].name, record_read(bytes_of(server->drops[0].value, server->drops[0].value_len), &record) ==
                                     RECORD_OK);
        CHECK_CASE(rows[i].name, record.foreign_id_kept == rows[i].kept);
        worker_clear(&worker);
        server_free(server);
    }
}

static const struct row hashes[] = {
    {"each is named once; minutes and days end by themselves", "hash ",
     .batch = {{.id = "a", .at = 10, .failure = 1, .unknown_reason = "Moon", .campaign = SPRING},
               {.id = "b", .at = 10, .campaign = SPRING}},
     .lines = "hash dc:campaign:spring:counters\nhash dc:totals\nhash dc:campaign:spring:reasons\n"
              "hash dc:totals:reasons\nhash " DAY_OF("spring") " for 5356800 s\n"
              "hash " MINUTE " for 86400 s\nhash dc:drops:sizes\n"
              "hash dc:unknown_reasons named\n"},
    {"links have names from outside", "hash dc:campaign_links", .earlier = {{.at = 10, .campaign = AUTUMN}},
     .batch = {{.at = 11, .campaign = SPRING, .rank = CAMPAIGN_FROM_BODY}}, .lines = "hash dc:campaign_links named\n"},
    {"events have names from outside", "hash ", .batch = {{.kind = EVENT_OTHER, .at = 10, .name = "x"}},
     .lines = "hash dc:drops:sizes\nhash dc:campaign:unassigned:counters\nhash dc:totals\nhash dc:events named\n"},
    {"a duplicate that changes nothing takes nothing back", "  -", .earlier = {{.at = 10}}, .batch = {{.at = 10}},
     .lines = ""},
    {"a revision takes back what had counted", "  -", .earlier = {{.at = 10, COSTS(1, 2, 3)}},
     .batch = {{.at = 11, .failure = 9}}, .lines = "  -1 costs 1 2 3\n"},
};

static void hashes_are_named_with_what_they_are(void **state)
{
    (void)state;
    check_rows(hashes, COUNT(hashes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaigns_are_told_of_times_and_states),
        cmocka_unit_test(opt_outs_and_opt_ins_are_listed),
        cmocka_unit_test(an_opting_out_copys_own_phone_and_campaign_are_listed_all_the_same),
        cmocka_unit_test(the_stream_tells_what_changed),
        cmocka_unit_test(lookups_show_the_drop_as_it_is),
        cmocka_unit_test(a_foreign_id_is_kept_where_something_shows_it),
        cmocka_unit_test(hashes_are_named_with_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
