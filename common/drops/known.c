#include "known.h"

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/redis/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    TRIES = 8, /* that others may come in between before it is put off */
    INCARNATION = 8,
    NUMBER_TEXT = 24,
    SIZE_DIGITS = 15, /* a longer number was written by hand; apply.lua has the same */
};

extern const char campaign_lua[];

static const char doing[] = "counting a batch";

bool known_init(struct known *known, struct redis_primary *session, const char *prefix, int64_t retention_s)
{
    *known = (struct known){.session = session, .prefix = prefix, .retention_ms = retention_s * 1000};
    known->campaigns = campaigns_new();
    return known->campaigns != NULL;
}

void known_clear(struct known *known)
{
    campaigns_free(known->campaigns);
}

void known_forget(struct known *known)
{
    known->epoch[0] = '\0';
    campaigns_forget(known->campaigns);
}

/* Asks for one text; *out is its copy, "" if there is none. */
static bool ask_text(struct known *known, int argc, const char **argv, char *out, size_t size,
                     struct error *error)
{
    struct redis_answer answer;

    if (!redis_primary_try(known->session, doing, argc, argv, NULL, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR)
        return redis_primary_judge_key(known->session, doing, argv[1], answer.text, error);
    snprintf(out, size, "%s", answer.kind == REDIS_ANSWER_TEXT ? answer.text : "");
    return true;
}

static bool get(struct known *known, const char *name, char *out, size_t size, struct error *error)
{
    char key[KEY_TEXT];
    const char *command[] = {"GET", key};

    snprintf(key, sizeof key, "%s%s", known->prefix, name);
    return ask_text(known, 2, command, out, size, error);
}

bool known_read_time(struct known *known, const struct redis_answer *answer, int64_t *now_ms, struct error *error)
{
    if (answer->kind != REDIS_ANSWER_LIST || answer->count != 2)
        return redis_primary_unexpected(known->session, doing, error);
    *now_ms = strtoll(redis_answer_item(answer, 0).text, NULL, 10) * 1000 +
              strtoll(redis_answer_item(answer, 1).text, NULL, 10) / 1000;
    return true;
}

/* By Redis's clock: those of workers differ. */
static bool ask_time(struct known *known, int64_t *now_ms, struct error *error)
{
    const char *command[] = {"TIME"};
    struct redis_answer answer;

    return redis_primary_ask(known->session, doing, 1, command, NULL, &answer, error) &&
           known_read_time(known, &answer, now_ms, error);
}

bool known_next_epoch(const char *epoch, char out[EPOCH_TEXT], struct error *error)
{
    const char *colon = strchr(epoch, ':');
    uint8_t random[INCARNATION];
    char incarnation[2 * INCARNATION + 1];

    if (colon && strlen(epoch) < EPOCH_TEXT / 2) {
        snprintf(out, EPOCH_TEXT, "%.*s:%lld", (int)(colon - epoch), epoch, strtoll(colon + 1, NULL, 10) + 1);
        return true;
    }
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        error_set(error, ERROR_INTERNAL, "the system gives no random bytes");
        return false;
    }
    hex_encode(random, sizeof random, incarnation);
    snprintf(out, EPOCH_TEXT, "%s:1", incarnation);
    return true;
}

/* How many drops the newest generation took: none, if that is no number of ours. apply.lua reads it the same way. */
static bool ask_size(struct known *known, uint64_t *drops, struct error *error)
{
    char key[KEY_TEXT], newest[NUMBER_TEXT], size[NUMBER_TEXT];
    const char *command[] = {"HGET", key, newest};

    *drops = 0;
    if (known->generations.count == 0)
        return true;
    snprintf(key, sizeof key, "%sdrops:sizes", known->prefix);
    snprintf(newest, sizeof newest, "%" PRIu32, known->generations.list[0].number);
    if (!ask_text(known, 3, command, size, sizeof size, error))
        return false;
    if (strlen(size) <= SIZE_DIGITS && strspn(size, "0123456789") == strlen(size))
        *drops = strtoull(size, NULL, 10);
    return true;
}

/* Begins a generation, and with it the next epoch, unless another worker was faster; either way it is loaded next. */
static bool renew(struct known *known, const char *epoch, int64_t now_ms, uint64_t drops, struct error *error)
{
    static const char script[] = "local schema = redis.call('GET', KEYS[2]) "
                                 "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or (schema and schema ~= ARGV[3]) then "
                                 "return 0 end "
                                 "redis.call('SET', KEYS[2], ARGV[3]) redis.call('SET', KEYS[3], ARGV[4]) "
                                 "redis.call('SET', KEYS[1], ARGV[2]) return 1";
    char next[EPOCH_TEXT], text[GENERATIONS_TEXT], keys[3][KEY_TEXT], schema[NUMBER_TEXT];
    const char *command[] = {"EVAL", script, "3", keys[0], keys[1], keys[2], epoch, next, schema, text};
    struct redis_answer ignored;

    if (!known_next_epoch(epoch, next, error))
        return false;
    /* Each generation had a revision of its own: where their list was deleted, the revision is a number that none had. */
    generations_renew(&known->generations, (uint32_t)strtoul(strchr(next, ':') + 1, NULL, 10), now_ms, known->retention_ms,
                      drops);
    generations_write(&known->generations, text);
    snprintf(schema, sizeof schema, "%d", REDIS_SCHEMA);
    snprintf(keys[0], KEY_TEXT, "%sdrops:epoch", known->prefix);
    snprintf(keys[1], KEY_TEXT, "%sschema", known->prefix);
    snprintf(keys[2], KEY_TEXT, "%sdrops:generations", known->prefix);
    return redis_primary_ask(known->session, doing, 10, command, NULL, &ignored, error);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

/* What Redis holds now; "" for what it does not hold. */
struct look {
    char schema[NUMBER_TEXT];
    char epoch[EPOCH_TEXT];
    char generations[GENERATIONS_TEXT];
    int64_t now_ms;
};

/* Keys that are gone under a worker which wrote them: said once, for then it is as a new one. */
static void note_loss(struct known *known, const struct look *look)
{
    const char *lost = NULL;
    char now[CLOCK_ISO_SIZE];

    if (known->wrote[0] == '\0')
        return;
    if (look->schema[0] == '\0')
        lost = "schema";
    else if (look->generations[0] == '\0')
        lost = "drops:generations";
    else if (!epoch_same_incarnation(known->wrote, look->epoch))
        lost = "drops:epoch";
    if (!lost)
        return;
    snprintf(known->emptied, sizeof known->emptied,
             "%s was emptied or replaced: %s%s is not what this worker wrote (noticed at %s). Unless only that key was "
             "deleted, what was counted is gone, and so is who opted out: phones missing from %soptouts look as if they may be "
             "called. Restore a backup, or add them again; messages that come again count again",
             redis_primary_name(known->session), known->prefix, lost, clock_iso8601_ms(look->now_ms, now), known->prefix);
    log_warn("%s", known->emptied);
    known->times_emptied++;
    known->wrote[0] = '\0';
}

/* One that is of no use is left, so that nothing at all is written there: the next connection looks at the schema first. */
static bool look_around(struct known *known, struct look *look, struct error *error)
{
    if (!get(known, "schema", look->schema, sizeof look->schema, error))
        return false;
    if (!redis_schema_check(look->schema, known->prefix, redis_primary_name(known->session), error)) {
        redis_primary_drop(known->session);
        return false;
    }
    if (!get(known, "drops:epoch", look->epoch, sizeof look->epoch, error) ||
        !get(known, "drops:generations", look->generations, sizeof look->generations, error) ||
        !ask_time(known, &look->now_ms, error))
        return false;
    note_loss(known, look);
    return true;
}

bool known_check(struct known *known, struct error *error)
{
    struct look look = {0};

    if (!look_around(known, &look, error))
        return false;
    if (strcmp(known->epoch, look.epoch) != 0)
        known->epoch[0] = '\0';
    return true;
}

/* Loads the epoch and the generations; renews them where they have ended. *done is false if that has to be done again. */
static bool load(struct known *known, bool *done, struct error *error)
{
    struct look look = {0};
    uint64_t drops;

    *done = false;
    if (!look_around(known, &look, error))
        return false;
    known->generations.count = 0;
    if (look.generations[0] != '\0' && !generations_read(look.generations, &known->generations)) {
        error_set(error, ERROR_UNAVAILABLE, "%s: %sdrops:generations is none that a worker wrote: restore it",
                  redis_primary_name(known->session), known->prefix);
        return false;
    }
    if (!ask_size(known, &drops, error))
        return false;
    if (look.schema[0] == '\0' || look.epoch[0] == '\0' ||
        !generations_current(&known->generations, look.now_ms, known->retention_ms, drops))
        return renew(known, look.epoch, look.now_ms, drops, error);
    memcpy(known->epoch, look.epoch, sizeof known->epoch);
    known->times_learned++;
    *done = true;
    return true;
}

bool known_ready(struct known *known, struct error *error)
{
    bool done = known->epoch[0] != '\0';

    for (int tries = 0; !done && tries < TRIES; tries++) {
        known_forget(known);
        if (!load(known, &done, error))
            return false;
    }
    if (!done)
        error_set(error, ERROR_UNAVAILABLE, "%s: %s: others came in between %d times",
                  redis_primary_name(known->session), doing, TRIES);
    return done;
}

/* --- Campaigns ---------------------------------------------------------------------------------------------------- */

/* campaign.lua's answer to a question by name, or by number (`name` is ""). */
static bool take_campaign(struct known *known, const struct redis_answer *answer, const char *name, uint32_t number,
                          struct error *error)
{
    const char *text = redis_answer_item(answer, 0).text, *campaign = redis_answer_item(answer, 1).text;
    char *end;
    long long value = strtoll(text, &end, 10);

    if (answer->kind == REDIS_ANSWER_LIST && answer->count == 0) {
        log_warn("%s: %sdrops:campaign_names has lost the name of campaign %" PRIu32 ": its drops count under unassigned",
                 redis_primary_name(known->session), known->prefix, number);
        value = number;
        campaign = "unassigned";
    } else if (end == text || *end != '\0' || value < 1 || value > UINT32_MAX) {
        error_set(error, ERROR_UNAVAILABLE, "%s: KEY %sdrops:campaign_numbers: one of its fields is no campaign number: restore it",
                  redis_primary_name(known->session), known->prefix);
        return false;
    }
    known->new_campaigns += strcmp(redis_answer_item(answer, 2).text, "new") == 0;
    /* What was asked for may be an alias: the number has the campaign's own name, which comes last. */
    if ((name[0] == '\0' || campaigns_learn(known->campaigns, (uint32_t)value, name)) &&
        campaigns_learn(known->campaigns, (uint32_t)value, campaign) &&
        (name[0] != '\0' || campaigns_learn(known->campaigns, number, campaign)))
        return true;
    error_set(error, ERROR_NO_MEMORY, "no memory for the names of campaigns");
    return false;
}

/* Under the schema and the epoch that are known, as all that is written. */
static bool ask_campaign(struct known *known, const char *name, uint32_t number, struct error *error)
{
    static const char *const names[] = {"drops:campaign_numbers", "drops:campaign_names", "campaign_aliases", "schema",
                                        "drops:epoch"};
    enum { KEYS = sizeof names / sizeof names[0] };
    char keys[KEYS][KEY_TEXT], number_text[NUMBER_TEXT], schema[NUMBER_TEXT];
    const char *command[] = {"EVAL",  campaign_lua, "5",  keys[0],     keys[1], keys[2],
                             keys[3], keys[4],      name, number_text, schema,  known->epoch};
    struct redis_answer answer;

    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], KEY_TEXT, "%s%s", known->prefix, names[i]);
    snprintf(number_text, sizeof number_text, "%" PRIu32, number);
    snprintf(schema, sizeof schema, "%d", REDIS_SCHEMA);
    if (!redis_primary_try(known->session, doing, sizeof command / sizeof command[0], command, NULL, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR && strncmp(answer.text, "EPOCH", 5) == 0) {
        known->epoch[0] = '\0';
        return false;
    }
    return redis_primary_judge(known->session, doing, &answer, error) &&
           take_campaign(known, &answer, name, number, error);
}

bool known_learn_number(struct known *known, const char *name, struct error *error)
{
    return campaigns_number(known->campaigns, name) != CAMPAIGN_NUMBER_UNKNOWN || ask_campaign(known, name, 0, error);
}

bool known_learn_name(struct known *known, uint32_t number, struct error *error)
{
    return campaigns_name(known->campaigns, number) || ask_campaign(known, "", number, error);
}
