/* What copies of one drop come to does not depend on their order: all orders of sets in which every rule decides. */
#include "workers/counting/merge.h"

#include "cases.h"
#include "copies.h"

#include <string.h>

enum { COPIES_MAX = 10, TEXT = 2048 };

#define SPRING COPIES_SPRING
#define AUTUMN COPIES_AUTUMN
#define WINTER COPIES_WINTER
#define URL CAMPAIGN_FROM_URL
#define BODY CAMPAIGN_FROM_BODY
#define FOREIGN CAMPAIGN_FROM_FOREIGN
#define NOTE .kind = EVENT_OPT_OUT, .opts_out = true
#define COSTS(...) .costs = {true, {__VA_ARGS__}}

static const struct {
    const char *name;
    struct given copies[COPIES_MAX];
} sets[] = {
    {"what the vendor sends of one drop",
     {{.at = 10, .received = 11, .failure = 9, .campaign = SPRING, .phone = "+15552224444", .foreign_id = "8812",
       COSTS(30000, 2500, 0), .flags = "d", .opts_out = true},
      {.at = 10, .received = 12, .failure = 9, .campaign = AUTUMN, .rank = BODY, .phone = "+15552224444"},
      {.at = 40, .received = 41, .receipt = true, .phone = "+15552224444", .flags = ""},
      {.at = 30, .received = 31, .campaign = SPRING, .phone = "+15552224444"}}},
    {"copies of one time",
     {{.at = 10, .failure = 23, COSTS(1, 2, 3), .campaign = SPRING},
      {.at = 10, .failure = 9, .campaign = AUTUMN, .flags = "s"},
      {.at = 10, COSTS(9, 9, 9), .campaign = WINTER, .flags = "d"},
      {.at = 10, .failure = 9, COSTS(1, 2, 2), .opts_out = true},
      {.at = 10, .receipt = true, COSTS(7, 0, 0), .flags = "ds"}}},
    {"winners that come and go, with and without costs and flags",
     {{.at = 10, .failure = 9, COSTS(5, 0, 0), .flags = "d"},
      {.at = 20},
      {.at = 20, COSTS(1, 1, 1)},
      {.at = 30, .receipt = true, COSTS(8, 8, 8), .flags = ""},
      {.at = 15, .flags = "s"}}},
    {"equal winners, some with costs and some with flags",
     {{.at = 20},
      {.at = 20, COSTS(1, 0, 0)},
      {.at = 20, COSTS(0, 9, 9), .flags = ""},
      {.at = 20, .flags = "s"},
      {.at = 19, COSTS(9, 9, 9), .flags = "ds"}}},
    {"campaigns of every rank, named more than once",
     {{.at = 1, .received = 50, .campaign = SPRING, .rank = BODY},
      {.at = 2, .received = 20, .campaign = SPRING, .rank = URL},
      {.at = 3, .received = 20, .campaign = AUTUMN, .rank = URL},
      {.at = 4, .received = 10, .campaign = WINTER, .rank = FOREIGN},
      {.at = 5, .received = 30, .campaign = AUTUMN, .rank = BODY}}},
    {"campaigns of one rank, received at different times",
     {{.at = 1, .received = 30, .campaign = SPRING},
      {.at = 2, .received = 10, .campaign = SPRING},
      {.at = 3, .received = 20, .campaign = AUTUMN},
      {.at = 4, .received = 10, .campaign = WINTER},
      {.at = 5}}},
    {"phones, foreign_ids and opt-outs of every copy",
     {{.at = 1, .phone = "+2", .foreign_id = "b", .opts_out = true},
      {.at = 2, .phone = "+15", .foreign_id = "a"},
      {.at = 3, .phone = "+1", .foreign_id = "ab", .opts_out = true},
      {.at = 4, .receipt = true, .foreign_id = "c"},
      {.at = 5, .phone = "+9", .campaign = SPRING}}},
    {"opt-out events among the copies",
     {{NOTE, .at = 8, .campaign = WINTER},
      {.at = 10, .campaign = SPRING, .rank = BODY, .phone = "+2"},
      {NOTE, .at = 9, .phone = "+7"},
      {.at = 11, .failure = 9, .campaign = AUTUMN, .phone = "+1", .opts_out = true, .blocked = true},
      {NOTE, .at = 4, .campaign = SPRING, .blocked = true},
      {.at = 12, .receipt = true, .campaign = WINTER, .rank = FOREIGN, COSTS(1, 0, 0)}}},
    {"opt-out events alone",
     {{NOTE, .at = 3, .campaign = SPRING},
      {NOTE, .at = 2, .blocked = true},
      {NOTE, .at = 4, .campaign = AUTUMN},
      {NOTE, .at = 5}}},
    {"sends that were blocked, and who told",
     {{.at = 5, .opts_out = true, .blocked = true},
      {.at = 7, .opts_out = true},
      {.at = 6, .opts_out = true, .blocked = true},
      {.at = 4, .receipt = true, .opts_out = true, .blocked = true},
      {.at = 9, .opts_out = true}}},
    {"receipts alone",
     {{.at = 1, .receipt = true, .failure = 23, COSTS(1, 0, 0)},
      {.at = 2, .receipt = true, .failure = 22, .flags = "s"},
      {.at = 2, .receipt = true, .failure = 23},
      {.at = 1, .receipt = true, .phone = "+2", .opts_out = true}}},
};

static size_t count_of(const struct given *copies)
{
    size_t count = 0;

    while (count < COPIES_MAX && copies[count].at != 0)
        count++;
    return count;
}

static void merge(struct record *record, bool *exists, const struct given *given)
{
    const struct merge_settings settings = {.keep_foreign_id = true, .names = copies_names()};
    struct event event = copies_event(given);

    if (given->kind == EVENT_OPT_OUT) {
        (void)merge_opt_out(record, exists, &event, given->campaign);
        return;
    }
    (void)merge_copy(record, exists, &event, given->campaign, &settings);
}

/* What users see of the drop after copies in this order; through the bytes that Redis holds, or without them. */
static void merge_all(const struct given *copies, const size_t *order, size_t count, bool through_bytes,
                      struct buf *text, const char *name)
{
    struct record record;
    bool exists = false;

    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[RECORD_MAX];

        merge(&record, &exists, &copies[order[i]]);
        if (through_bytes)
            CHECK_CASE(name, record_read(bytes_of(bytes, record_write(&record, bytes)), &record) == RECORD_OK);
    }
    copies_describe(text, &record, false);
}

static void the_order_of_copies_changes_nothing(void **state)
{
    struct buf first, text;

    (void)state;
    buf_init(&first, TEXT);
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(sets); i++) {
        size_t order[COPIES_MAX] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, count = count_of(sets[i].copies);

        merge_all(sets[i].copies, order, count, false, &first, sets[i].name);
        do {
            for (int through_bytes = 0; through_bytes < 2; through_bytes++) {
                merge_all(sets[i].copies, order, count, through_bytes, &text, sets[i].name);
                if (strcmp(first.data, text.data) != 0)
                    fail_msg("%s: %s, or %s", sets[i].name, first.data, text.data);
            }
        } while (copies_next_order(order, count));
    }
    buf_clear(&first);
    buf_clear(&text);
}

/* As long as no more than are kept differ, the further ones do not depend on the order either. */
static void no_phone_and_no_campaign_of_a_few_is_lost(void **state)
{

    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        size_t order[COPIES_MAX] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, count = count_of(sets[i].copies);

        do {
            struct record record;
            bool exists = false;

            for (size_t k = 0; k < count; k++)
                merge(&record, &exists, &sets[i].copies[order[k]]);
            for (size_t k = 0; k < count; k++) {
                const struct given *copy = &sets[i].copies[k];
                bool has_own = copy->phone && copy->kind == EVENT_RESULT; /* an event's is not the drop's */
                struct phone phone = phone_pack(has_own ? copy->phone : "");
                bool has_phone = phone.len == 0, has_campaign = copy->campaign == COPIES_UNASSIGNED;

                for (size_t n = 0; n < record.phone_count; n++)
                    has_phone |= phone_compare(&record.phones[n], &phone) == 0;
                for (size_t n = 0; n < record.campaign_count; n++)
                    has_campaign |= record.campaigns[n] == copy->campaign;
                CHECK_CASE(sets[i].name, has_phone && has_campaign);
            }
        } while (copies_next_order(order, count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_copies_changes_nothing),
        cmocka_unit_test(no_phone_and_no_campaign_of_a_few_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
