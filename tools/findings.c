#include "findings.h"

#include "common/clock.h"
#include "common/drops/event_time.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCE = 256, NUMBER = 24 };

static const char only_with_lower[] = " (only with --lower)", accepts[] = " (only with --lower, which accepts what is lost)";

/* --- Collecting ----------------------------------------------------------------------------------------------------- */

static void *grow(void *list, size_t count, size_t *capacity, size_t size)
{
    void *grown = list;

    if (count == *capacity) {
        grown = realloc(list, (2 * *capacity + 16) * size);
        if (grown)
            *capacity = 2 * *capacity + 16;
    }
    return grown;
}

static void tell(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct findings *findings, const char *format, ...)
{
    struct finding *list = grow(findings->list, findings->count, &findings->capacity, sizeof *list);
    char *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&line, format, arguments) < 0)
        line = NULL;
    va_end(arguments);
    findings->list = list ? list : findings->list;
    if (list && line)
        list[findings->count++].line = line;
    else
        findings->complete = false;
}

static void mend(struct findings *findings, const char *how, const char *key, const char *field, const char *value,
                 bool lowers)
{
    struct repair *list = grow(findings->repairs, findings->repair_count, &findings->repair_capacity, sizeof *list);
    struct repair one = {.how = how, .lowers = lowers};

    if (!list) {
        findings->complete = false;
        return;
    }
    one.key = strdup(key);
    one.field = strdup(field);
    one.value = strdup(value);
    findings->complete &= one.key && one.field && one.value;
    findings->repairs = list;
    list[findings->repair_count++] = one;
}

void findings_clear(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free(findings->list[i].line);
    for (size_t i = 0; i < findings->repair_count; i++) {
        free(findings->repairs[i].key);
        free(findings->repairs[i].field);
        free(findings->repairs[i].value);
    }
    free(findings->list);
    free(findings->repairs);
    *findings = (struct findings){0};
}

/* --- Counts --------------------------------------------------------------------------------------------------------- */

static const char *words_of(enum sum_witness witness, size_t column, bool less)
{
    switch (witness) {
    case WITNESS_CAMPAIGNS:
        return "the campaigns' sum is";
    case WITNESS_TOTALS:
        return "the totals less the other campaigns say";
    case WITNESS_REASONS:
        return "its reasons' sum is";
    case WITNESS_OUTCOMES:
        return column == SUM_MESSAGES ? "success and failure come to" : "messages less failure are";
    case WITNESS_LIST:
        return less ? "phones may be missing from its list (add them again from a copy of it), which holds" : "its list holds";
    case WITNESS_NO_REASON:
        return "with failures whose reason is lost it is";
    case WITNESS_NONE:
        break;
    }
    return "which no other key tells: it is taken for";
}

static void compare_sum(struct findings *findings, const struct look *look, size_t row, size_t column,
                        const char *prefix)
{
    const struct sum *sum = &look->sums.list[row].sums[column];
    const int64_t by = sum->known - sum->held, further = sum->accepted - sum->known;
    char key[KEY_TEXT], held[NUMBER] = "no count", value[NUMBER];
    const char *field = look_field(look, column);

    if (by == 0 && further == 0 && !sum->unreadable)
        return;
    look_key(look, row, column, key);
    if (by != 0 || sum->unreadable) {
        if (!sum->unreadable)
            snprintf(held, sizeof held, "%" PRId64, sum->held);
        snprintf(value, sizeof value, "%" PRId64, by);
        tell(findings, "%s%s %s: %s, %s %" PRId64 ": %+" PRId64 "%s", prefix, key, field, held,
             words_of(sum->known_by, column, by < 0), sum->known, by, by < 0 ? only_with_lower : "");
        mend(findings, "add", key, field, value, by < 0);
    }
    if (further != 0) {
        snprintf(value, sizeof value, "%" PRId64, further);
        tell(findings, "%s%s %s: %" PRId64 ", %s %" PRId64 ": %+" PRId64 "%s", prefix, key, field, sum->known,
             words_of(sum->accepted_by, column, further < 0), sum->accepted, further, further > 0 ? accepts : only_with_lower);
        mend(findings, "add", key, field, value, true);
    }
}

/* --- Times ---------------------------------------------------------------------------------------------------------- */

static const int64_t END_MS = INT64_C(253402300800000); /* of what ISO 8601 can write */

/* -1 if it is none that a worker writes. */
static int64_t ms_of(const char *iso)
{
    char again[CLOCK_ISO_SIZE];
    int64_t ms = -1;

    if (!event_time_of_text(bytes_of_text(iso), &ms) || ms < 0 || ms >= END_MS)
        return -1;
    return strcmp(clock_iso8601_ms(ms, again), iso) == 0 ? ms : -1;
}

static void compare_times(struct findings *findings, const struct look *look, size_t row, const char *prefix)
{
    const struct look_campaign *campaign = &look->campaigns[row];
    const bool scored = campaign->scored && campaign->score_ms >= 0 && campaign->score_ms < END_MS;
    const int64_t event_ms = ms_of(campaign->last_event_at), score_ms = scored ? campaign->score_ms : 0;
    const int64_t ms = event_ms > score_ms ? event_ms : score_ms;
    char key[KEY_TEXT], score[NUMBER], iso[CLOCK_ISO_SIZE];

    if (!campaign->scored && !campaign->hashed && !look->sums.list[row].used && look->sums.list[row].listed == 0)
        return;
    snprintf(key, sizeof key, "campaign:%s", campaign->name);
    snprintf(score, sizeof score, "%" PRId64, ms);
    clock_iso8601_ms(ms, iso);
    if (!campaign->scored || score_ms < event_ms) {
        tell(findings, "%scampaigns %s: %s, its last event was at %s", prefix, campaign->name,
             campaign->scored ? "an earlier event" : "none", ms > 0 ? iso : "a time that is lost");
        mend(findings, "score", "campaigns", campaign->name, score, false);
    }
    if (event_ms < score_ms || event_ms < 0) {
        tell(findings, "%s%s: %s, its last event was at %s%s", prefix, key,
             !campaign->hashed ? "none" : event_ms < 0 ? "no last_event_at" : "an earlier last_event_at",
             ms > 0 ? iso : "a time that is lost",
             campaign->hashed ? "" : "; state and other times come again with its next event");
        mend(findings, "time", key, "last_event_at", iso, false);
    }
}

/* --- All ------------------------------------------------------------------------------------------------------------ */

static void compare_phones(struct findings *findings, const struct look *look, const struct unlisted *unlisted,
                           const char *prefix)
{
    for (size_t row = 1; row < look->sums.rows; row++)
        if (unlisted->by_row[row] > 0)
            tell(findings, "%soptouts: of the phones of %scampaign:%s:optouts %zu are missing there, or have a later time", prefix,
                 prefix, look->campaigns[row].name, unlisted->by_row[row]);
    for (size_t i = 0; i < unlisted->count; i++)
        mend(findings, unlisted->list[i].absent ? "list" : "phone", "optouts", unlisted->list[i].phone,
             unlisted->list[i].ms, false);
}

static void compare_names(struct findings *findings, const struct look *look, const char *prefix)
{
    for (size_t i = 0; i < look->keys.lost.count; i++) {
        const struct pair *pair = &look->keys.lost.list[i];

        tell(findings, "%sdrops:campaign_names %s: none, in %sdrops:campaign_numbers it is %s", prefix, pair->name,
             prefix, pair->value);
        mend(findings, "name", "drops:campaign_names", pair->name, pair->value, false);
    }
}

void findings_make(struct findings *findings, struct look *look, const struct unlisted *unlisted, const char *prefix)
{
    *findings = (struct findings){.complete = true};
    for (size_t i = 0; i < look->keys.wrong.count; i++)
        tell(findings, "%s%s: of a wrong type; restore it (counters and reasons: or move it away with RENAME, and repair), then look again: till then "
             "nothing else is compared", prefix,
             look->keys.wrong.list[i].name);
    if (look->keys.wrong.count > 0)
        return;
    look->sums.list[0].listed += (int64_t)unlisted->absent;
    sums_solve(&look->sums);
    for (size_t row = 0; row < look->sums.rows; row++) {
        for (size_t column = 0; column < look->sums.columns; column++)
            compare_sum(findings, look, row, column, prefix);
        if (row > 0)
            compare_times(findings, look, row, prefix);
    }
    compare_phones(findings, look, unlisted, prefix);
    compare_names(findings, look, prefix);
}
