#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What EXEC answers: first these, then these for each row. */
enum { EPOCH, DAMAGED_AT, NUMBERED, NAMED, LISTED_CAMPAIGNS, LEADING };
enum { COUNTERS, REASONS, LISTED, TIMES, HASHED, PER_ROW };

enum { TRIES = 64 }; /* for new campaigns come in between: often where a machine is slow */

/* Past it Lua and many clients lose digits, and no campaign comes near: somebody else wrote it. */
static const int64_t COUNT_MAX = INT64_C(1) << 53;

static const char doing[] = "reading the counts";

static bool no_memory(struct error *error)
{
    error_set(error, ERROR_NO_MEMORY, "no memory for the counts of all campaigns");
    return false;
}

const char *look_field(const struct look *look, size_t column)
{
    return column < SUM_FIELDS ? sum_fields[column] : look->reasons[column - SUM_FIELDS];
}

const char *look_key(const struct look *look, size_t row, size_t column, char key[KEY_TEXT])
{
    const bool reason = column >= SUM_FIELDS;

    if (row == 0)
        snprintf(key, KEY_TEXT, "totals%s", reason ? ":reasons" : "");
    else
        snprintf(key, KEY_TEXT, "campaign:%s:%s", look->campaigns[row].name, reason ? "reasons" : "counters");
    return key;
}

/* --- Asking --------------------------------------------------------------------------------------------------------- */

static bool append(struct redis_primary *session, const char *prefix, const char *command, const char *name,
                   struct error *error)
{
    char key[KEY_TEXT];
    const char *argv[] = {command, key, "last_event_at", "last_result_at"};

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return redis_connection_append(redis_primary_connection(session), doing, strcmp(command, "HMGET") == 0 ? 4 : 2, argv,
                                   NULL, error);
}

/* Of the row's keys, in the order of PER_ROW; without a name those of the totals, which have no times. */
static const char *key_of(const char *name, int place, char key[KEY_TEXT])
{
    static const char *const of_totals[] = {"totals", "totals:reasons", "optouts", "totals", "totals"};
    static const char *const behind[] = {":counters", ":reasons", ":optouts", "", ""};

    snprintf(key, KEY_TEXT, "%s%s%s", name ? "campaign:" : of_totals[place], name ? name : "", name ? behind[place] : "");
    return key;
}

static bool append_row(struct redis_primary *session, const char *prefix, const char *name, struct error *error)
{
    static const char *const commands[PER_ROW] = {"HGETALL", "HGETALL", "ZCARD", "HMGET", "EXISTS"};
    char key[KEY_TEXT];

    for (int place = 0; place < PER_ROW; place++)
        if (!append(session, prefix, commands[place], key_of(name, place, key), error))
            return false;
    return true;
}

static bool append_all(const struct campaign_keys *keys, struct redis_primary *session, const char *prefix,
                       struct error *error)
{
    struct redis_connection *connection = redis_primary_connection(session);
    const char *multi[] = {"MULTI"}, *exec[] = {"EXEC"};

    if (!redis_connection_append(connection, doing, 1, multi, NULL, error) ||
        !append(session, prefix, "GET", "drops:epoch", error) ||
        !append(session, prefix, "GET", "drops:epoch:damaged", error) ||
        !append(session, prefix, "HLEN", "drops:campaign_numbers", error) ||
        !append(session, prefix, "HLEN", "drops:campaign_names", error) ||
        !append(session, prefix, "ZCARD", "campaigns", error) || !append_row(session, prefix, NULL, error))
        return false;
    for (size_t i = 0; i < keys->campaigns.count; i++)
        if (!append_row(session, prefix, keys->campaigns.list[i].name, error))
            return false;
    return redis_connection_append(connection, doing, 1, exec, NULL, error) &&
           redis_connection_flush(connection, doing, error);
}

/* The answer to EXEC. An error before it makes it an error. */
static bool collect_all(struct redis_primary *session, struct redis_answer *answer, struct error *error)
{
    struct redis_connection *connection = redis_primary_connection(session);
    struct error refusal = {.code = ERROR_NONE};

    while (redis_connection_owed(connection) > 0) {
        if (!redis_connection_collect(connection, doing, answer, error))
            return false;
        if (answer->kind == REDIS_ANSWER_ERROR && refusal.code == ERROR_NONE)
            (void)redis_primary_judge(session, doing, answer, &refusal);
        if (!redis_primary_connected(session))
            break;
    }
    if (refusal.code != ERROR_NONE)
        *error = refusal;
    return refusal.code == ERROR_NONE;
}

/* --- The columns ---------------------------------------------------------------------------------------------------- */

static size_t find_reason(const struct look *look, const char *name)
{
    size_t i = 0;

    while (i < look->reason_count && strcmp(look->reasons[i], name) != 0)
        i++;
    return i;
}

static bool add_reason(struct look *look, const char *name)
{
    char **list;

    if (find_reason(look, name) < look->reason_count)
        return true;
    list = realloc(look->reasons, (look->reason_count + 1) * sizeof *list);
    if (!list)
        return false;
    look->reasons = list;
    list[look->reason_count] = strdup(name);
    return list[look->reason_count] && ++look->reason_count > 0;
}

static struct redis_answer item_of(const struct redis_answer *answer, size_t row, size_t place)
{
    return redis_answer_item(answer, LEADING + row * PER_ROW + place);
}

static bool find_reasons(struct look *look, const struct redis_answer *answer, size_t rows)
{
    if (!add_reason(look, "other"))
        return false;
    for (size_t row = 0; row < rows; row++) {
        const struct redis_answer reasons = item_of(answer, row, REASONS);

        for (size_t i = 0; i < reasons.count; i += 2)
            if (!add_reason(look, redis_answer_item(&reasons, i).text))
                return false;
    }
    return true;
}

/* SUM_FIELDS for a field that is not ours. */
static size_t find_field(const char *name)
{
    size_t column = 0;

    while (column < SUM_FIELDS && strcmp(sum_fields[column], name) != 0)
        column++;
    return column;
}

/* --- The rows ------------------------------------------------------------------------------------------------------- */

/* As Redis itself reads what HINCRBY adds to: one form for each number. */
static void read_sum(struct sum *sum, const char *text)
{
    char again[32];
    const long long value = strtoll(text, NULL, 10);

    snprintf(again, sizeof again, "%lld", value);
    sum->unreadable = strcmp(again, text) != 0 || value > COUNT_MAX || value < -COUNT_MAX;
    sum->held = sum->unreadable ? 0 : value;
}

static void read_sums(struct look *look, size_t place, const struct redis_answer *answer)
{
    const struct redis_answer counters = item_of(answer, place, COUNTERS), reasons = item_of(answer, place, REASONS);
    struct sum_row *row = &look->sums.list[place];

    for (size_t i = 0; i + 1 < counters.count; i += 2) {
        const size_t column = find_field(redis_answer_item(&counters, i).text);

        if (column < SUM_FIELDS)
            read_sum(&row->sums[column], redis_answer_item(&counters, i + 1).text);
    }
    for (size_t i = 0; i + 1 < reasons.count; i += 2)
        read_sum(&row->sums[SUM_FIELDS + find_reason(look, redis_answer_item(&reasons, i).text)],
                 redis_answer_item(&reasons, i + 1).text);
    row->listed = item_of(answer, place, LISTED).integer;
    row->used = counters.count > 0 || reasons.count > 0;
}

static bool read_campaign(struct look *look, size_t place, const struct redis_answer *answer)
{
    struct look_campaign *campaign = &look->campaigns[place];
    struct sum_row *row = &look->sums.list[place];
    const struct redis_answer times = item_of(answer, place, TIMES);
    const char *name = look->keys.campaigns.list[place - 1].name, *score = pairs_find(&look->keys.scores, name);

    *campaign = (struct look_campaign){.name = name, .scored = score};
    campaign->score_ms = score ? strtoll(score, NULL, 10) : 0;
    campaign->hashed = item_of(answer, place, HASHED).integer > 0;
    campaign->last_event_at = strdup(redis_answer_item(&times, 0).text);
    if (row->used || row->listed > 0 || campaign->scored || campaign->hashed)
        look->in_use++;
    /* If its times are lost too it may have had results. */
    row->had_results = (redis_answer_item(&times, 1).len > 0 && !pairs_find(&look->keys.linked, name)) ||
                       (campaign->scored && !campaign->hashed && strcmp(name, "unassigned") != 0);
    row->used |= row->had_results;
    return campaign->last_event_at;
}

static bool read_rows(struct look *look, size_t rows, const struct redis_answer *answer)
{
    look->campaigns = calloc(rows, sizeof *look->campaigns);
    if (!look->campaigns || !find_reasons(look, answer, rows) ||
        !sums_init(&look->sums, rows, SUM_FIELDS + look->reason_count, SUM_FIELDS))
        return false;
    for (size_t row = 0; row < rows; row++) {
        read_sums(look, row, answer);
        if (row > 0 && !read_campaign(look, row, answer))
            return false;
    }
    return true;
}

/* Keys of a wrong type answer with an error. */
static bool find_wrong(struct look *look, size_t rows, const struct redis_answer *answer)
{
    for (size_t row = 0; row < rows; row++)
        for (int place = COUNTERS; place <= (row == 0 ? LISTED : TIMES); place++) {
            const char *name = row == 0 ? NULL : look->keys.campaigns.list[row - 1].name;
            char key[KEY_TEXT];

            if (item_of(answer, row, (size_t)place).kind == REDIS_ANSWER_ERROR &&
                !pairs_add(&look->keys.wrong, key_of(name, place, key), ""))
                return false;
        }
    pairs_sort(&look->keys.wrong);
    return true;
}

/* --- All ------------------------------------------------------------------------------------------------------------ */

/* No campaign has begun since its name was looked for: it gets a number before it counts. */
static bool is_whole(const struct campaign_keys *keys, const struct redis_answer *answer)
{
    return redis_answer_item(answer, NUMBERED).integer == (int64_t)keys->numbered &&
           redis_answer_item(answer, NAMED).integer == (int64_t)keys->named &&
           redis_answer_item(answer, LISTED_CAMPAIGNS).integer == (int64_t)keys->scores.count;
}

/* *whole is false if it has to be done again. */
static bool read_once(struct look *look, bool *whole, struct redis_primary *session, const char *prefix,
                      struct error *error)
{
    struct redis_answer answer = {.kind = REDIS_ANSWER_NIL};
    size_t rows;

    *look = (struct look){0};
    if (!campaign_keys_read(&look->keys, session, prefix, error))
        return false;
    rows = 1 + look->keys.campaigns.count;
    if (!append_all(&look->keys, session, prefix, error) || !collect_all(session, &answer, error))
        return false;
    if (answer.count != LEADING + rows * PER_ROW)
        return redis_primary_unexpected(session, doing, error);
    *whole = is_whole(&look->keys, &answer) || look->keys.wrong.count > 0;
    if (!*whole)
        return true;
    snprintf(look->epoch, sizeof look->epoch, "%s", redis_answer_item(&answer, EPOCH).text);
    snprintf(look->damaged_at, sizeof look->damaged_at, "%s", redis_answer_item(&answer, DAMAGED_AT).text);
    return (read_rows(look, rows, &answer) && find_wrong(look, rows, &answer)) || no_memory(error);
}

bool look_read(struct look *look, struct redis_primary *session, const char *prefix, struct error *error)
{
    bool whole = false;

    for (int tries = 0; tries < TRIES; tries++) {
        if (!read_once(look, &whole, session, prefix, error) || whole)
            return whole;
        look_clear(look);
    }
    error_set(error, ERROR_UNAVAILABLE, "%s: %s: new campaigns came in between %d times; try again",
              redis_primary_name(session), doing, TRIES);
    return false;
}

void look_clear(struct look *look)
{
    for (size_t i = 0; look->campaigns && i < look->sums.rows; i++)
        free(look->campaigns[i].last_event_at);
    for (size_t i = 0; i < look->reason_count; i++)
        free(look->reasons[i]);
    free(look->campaigns);
    free(look->reasons);
    campaign_keys_clear(&look->keys);
    sums_clear(&look->sums);
    *look = (struct look){0};
}
