#include "records.h"

#include "cases.h"

#include <stdlib.h>
#include <string.h>

#define GREATEST_COST ((INT64_C(1) << 40) - 1)
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND_AND_24                                                                                                \
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN "0123"

#define AT(time, received) .time_ms = (time), .received_ms = (received)
#define USUAL AT(T0, T0 + 1500)
#define ONE(number) .campaign_count = 1, .rank = CAMPAIGN_FROM_URL, .campaigns = {number}
#define OF_SPRING USUAL, ONE(COPIES_SPRING)

#define OWN_COSTS(value, when, other)                                                                                  \
    .costs = {.own = true, .own_value = value, .latest = true, .latest_value = other, .latest_ms = (when)}
#define OTHERS_COSTS(when, value) .costs = {.latest = true, .latest_value = value, .latest_ms = (when)}

#define A {30000, 2500, 0}
#define B {30000, 2500, 1}
#define GREAT {GREATEST_COST, GREATEST_COST, GREATEST_COST}

static const struct record_row rows[] = {
    {"a success of nobody's campaign, with nothing else", {USUAL, .campaign_count = 1}, {0}, NULL},
    {"a success of a campaign", {OF_SPRING}, {0}, NULL},
    {"a failure", {OF_SPRING, .outcome = OUTCOME_FAILURE, .reason = 23}, {0}, NULL},
    {"a receipt", {OF_SPRING, .receipt = true}, {0}, NULL},
    {"a campaign from a foreign_id",
     {USUAL, .campaign_count = 1, .rank = CAMPAIGN_FROM_FOREIGN, .campaigns = {7}},
     {0},
     NULL},
    {"a campaign from a body",
     {USUAL, .campaign_count = 1, .rank = CAMPAIGN_FROM_BODY, .campaigns = {300}},
     {0},
     NULL},
    {"the greatest number of a campaign", {USUAL, ONE(UINT32_MAX)}, {0}, NULL},
    {"a phone", {OF_SPRING}, {"+15552224444"}, NULL},
    {"a phone of one digit", {OF_SPRING}, {"+7"}, NULL},
    {"a phone of fifteen digits", {OF_SPRING}, {"+999999999999999"}, NULL},
    {"two phones", {OF_SPRING}, {"+15552224444", "+15552225555"}, NULL},
    {"as many phones as are kept", {OF_SPRING}, {"+1", "+2", "+3", "+44", "+55", "+666", "+777", "+8888"}, NULL},
    {"two campaigns", {USUAL, .campaign_count = 2, .rank = 3, .campaigns = {1, 2}}, {0}, NULL},
    {"nobody's campaign beside another", {USUAL, .campaign_count = 2, .rank = 0, .campaigns = {0, 2}}, {0}, NULL},
    {"as many campaigns as are kept",
     {USUAL, .campaign_count = 8, .rank = 3, .campaigns = {1, 200, 300, 4, 5, 70000, 7, UINT32_MAX}},
     {0},
     NULL},
    {"costs of the winner", {OF_SPRING, OWN_COSTS(A, T0, A)}, {0}, NULL},
    {"costs that are nothing", {OF_SPRING, .costs = {.own = true, .latest = true, .latest_ms = T0}}, {0}, NULL},
    {"the greatest costs", {OF_SPRING, OWN_COSTS(GREAT, T0, GREAT)}, {0}, NULL},
    {"costs of another copy only", {OF_SPRING, OTHERS_COSTS(T0 - 500, A)}, {0}, NULL},
    {"costs of another copy of the winner's time", {OF_SPRING, OTHERS_COSTS(T0, A)}, {0}, NULL},
    {"costs of the winner, and other ones of its time", {OF_SPRING, OWN_COSTS(A, T0, B)}, {0}, NULL},
    {"costs of the winner, and the same ones of a later receipt", {OF_SPRING, OWN_COSTS(A, T0 + 1, A)}, {0}, NULL},
    {"costs of the winner, and other ones of a later receipt", {OF_SPRING, OWN_COSTS(A, T0 + 1, B)}, {0}, NULL},
    {"flags of the winner that are down", {OF_SPRING, .flags = {true, true, 0, 0, T0}}, {0}, NULL},
    {"flags of the winner that are up", {OF_SPRING, .flags = {true, true, 3, 3, T0}}, {0}, NULL},
    {"flags of another copy only", {OF_SPRING, .flags = {false, true, 0, 2, T0 - 7}}, {0}, NULL},
    {"flags of the winner, and other ones of its time", {OF_SPRING, .flags = {true, true, 1, 2, T0}}, {0}, NULL},
    {"flags of the winner, and the same ones of a later receipt",
     {OF_SPRING, .flags = {true, true, 2, 2, T0 + 9}},
     {0},
     NULL},
    {"an opt-out", {OF_SPRING, .opted_out = true, .opt_out_ms = T0 - 1}, {"+15552224444"}, NULL},
    {"an opt-out that was told of",
     {OF_SPRING, .opted_out = true, .opt_out_ms = T0 - 1, .told = true, .told_ms = T0 - 1},
     {"+15552224444"},
     NULL},
    {"an opt-out that was told of after a send was blocked for it",
     {OF_SPRING, .opted_out = true, .opt_out_ms = T0 - 1, .told = true, .told_ms = T0},
     {"+15552224444"},
     NULL},
    {"no result, but an opt-out",
     {.uncounted = true, .campaign_count = 1, .opted_out = true, .opt_out_ms = T0, .told = true, .told_ms = T0},
     {0},
     NULL},
    {"no result, but a blocked send of two campaigns",
     {.uncounted = true, .campaign_count = 3, .campaigns = {0, 1, 2}, .opted_out = true, .opt_out_ms = T0},
     {0},
     NULL},
    {"an opt-out of the first moment", {OF_SPRING, .opted_out = true, .opt_out_ms = 0}, {0}, NULL},
    {"a foreign_id", {OF_SPRING}, {0}, "8812"},
    {"a foreign_id of 1024 bytes", {OF_SPRING}, {0}, THOUSAND_AND_24},
    {"a foreign_id of bytes that are no text", {OF_SPRING}, {0}, "\xff\x01 \x80"},
    {"a foreign_id that nothing shows", {OF_SPRING, .foreign_id_kept = FOREIGN_ID_NOT_KEPT}, {0}, NULL},
    {"received at the moment it happened", {AT(T0, T0), ONE(COPIES_SPRING)}, {0}, NULL},
    {"received before it happened, by clocks that differ", {AT(T0, T0 - 70000), ONE(COPIES_SPRING)}, {0}, NULL},
    {"received long before it happened", {AT(T0, 1), ONE(COPIES_SPRING)}, {0}, NULL},
    {"the greatest times",
     {AT(GREATEST_MS, GREATEST_MS), ONE(COPIES_SPRING), .opted_out = true, .opt_out_ms = GREATEST_MS},
     {0},
     NULL},
    {"the least times", {AT(0, 0), ONE(COPIES_SPRING)}, {0}, NULL},
    {"the time of the first moment, received at the last", {AT(0, GREATEST_MS), .campaign_count = 1}, {0}, NULL},
    {"costs, flags and a phone",
     {OF_SPRING, OWN_COSTS(A, T0, A), .flags = {true, true, 0, 0, T0}},
     {"+15552224444"},
     NULL},
    {"a failure without costs that opts out",
     {OF_SPRING, .outcome = OUTCOME_FAILURE, .reason = 9, .flags = {true, true, 2, 2, T0},
      .opted_out = true, .opt_out_ms = T0},
     {"+15552224444"},
     NULL},
    {"costs, a phone and a foreign_id that nothing shows",
     {OF_SPRING, OWN_COSTS(A, T0, A), .foreign_id_kept = FOREIGN_ID_NOT_KEPT},
     {"+15552224444"},
     NULL},
    {"all that there can be",
     {.outcome = OUTCOME_FAILURE,
      .reason = 38,
      .receipt = true,
      .time_ms = GREATEST_MS,
      .rank = CAMPAIGN_FROM_URL,
      .received_ms = 0,
      .campaign_count = 8,
      .campaigns = {UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2, UINT32_MAX - 3, UINT32_MAX - 4, UINT32_MAX - 5,
                    UINT32_MAX - 6, UINT32_MAX - 7},
      .costs = {.own = true, .own_value = GREAT, .latest = true, .latest_value = GREAT, .latest_ms = GREATEST_MS - 1},
      .flags = {true, true, 3, 3, GREATEST_MS - 1},
      .opted_out = true,
      .opt_out_ms = GREATEST_MS - 1,
      .told = true,
      .told_ms = GREATEST_MS},
     {"+111111111111111", "+222222222222222", "+333333333333333", "+444444444444444", "+555555555555555",
      "+666666666666666", "+777777777777777", "+888888888888888"},
     THOUSAND_AND_24},
};

struct record records_of(const struct record_row *row)
{
    struct record record = row->record;

    while (record.phone_count < RECORD_PHONES && row->phones[record.phone_count]) {
        record.phones[record.phone_count] = phone_pack(row->phones[record.phone_count]);
        record.phone_count++;
    }
    if (row->foreign_id) {
        record.foreign_id_kept = FOREIGN_ID_KEPT;
        record.foreign_id_len = strlen(row->foreign_id);
        memcpy(record.foreign_id, row->foreign_id, record.foreign_id_len);
    }
    return record;
}

size_t records_count(void)
{
    return COUNT(rows);
}

const struct record_row *records_row(size_t number)
{
    return &rows[number];
}

const struct record_row *records_named(const char *name)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    fail_msg("no record is called %s", name);
    return NULL;
}

enum record_verdict records_read(const uint8_t *data, size_t len, struct record *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    enum record_verdict verdict;

    assert_non_null(copy);
    memcpy(copy, data, len);
    verdict = record_read(bytes_of(copy, len), out);
    free(copy);
    return verdict;
}
