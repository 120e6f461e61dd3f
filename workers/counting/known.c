#include "known.h"

#include "../../common/hex.h"
#include "../../common/log.h"
#include "../redis_schema.h"
#include "apply_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    TRIES = 8, /* that others may come in between before it is put off */
    INCARNATION = 8,
    NUMBER_TEXT = 24,
};

static const char doing[] = "counting a batch";

bool known_init(struct known *known, struct redis_session *session, const char *prefix, int64_t retention_s)
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
    struct redis_answer answer, told;
    char text[CALL_KEY + ERROR_TEXT];

    if (!redis_session_try(known->session, doing, argc, argv, NULL, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR) {
        snprintf(text, sizeof text, "KEY %s: %s", argv[1], answer.text);
        told = (struct redis_answer){.kind = REDIS_ANSWER_ERROR, .text = text, .len = strlen(text)};
        return redis_session_judge(known->session, doing, &told, error);
    }
    snprintf(out, size, "%s", answer.kind == REDIS_ANSWER_TEXT ? answer.text : "");
    return true;
}

static bool get(struct known *known, const char *name, char *out, size_t size, struct error *error)
{
    char key[CALL_KEY];
    const char *command[] = {"GET", key};

    snprintf(key, sizeof key, "%s%s", known->prefix, name);
    return ask_text(known, 2, command, out, size, error);
}

bool known_read_time(struct known *known, const struct redis_answer *answer, int64_t *now_ms, struct error *error)
{
    if (answer->kind != REDIS_ANSWER_LIST || answer->count != 2 || !answer->items[0] || !answer->items[1])
        return redis_session_unexpected(known->session, doing, error);
    *now_ms = strtoll(answer->items[0], NULL, 10) * 1000 + strtoll(answer->items[1], NULL, 10) / 1000;
    return true;
}

/* By Redis's clock: those of workers differ. */
static bool ask_time(struct known *known, int64_t *now_ms, struct error *error)
{
    const char *command[] = {"TIME"};
    struct redis_answer answer;

    return redis_session_ask(known->session, doing, 1, command, NULL, &answer, error) &&
           known_read_time(known, &answer, now_ms, error);
}

/* "incarnation:revision": another incarnation is another Redis, or an emptied one. */
static bool next_epoch(const char *epoch, char out[CALL_EPOCH], struct error *error)
{
    const char *colon = strchr(epoch, ':');
    uint8_t random[INCARNATION];
    char incarnation[2 * INCARNATION + 1];

    if (colon && strlen(epoch) < CALL_EPOCH / 2) {
        snprintf(out, CALL_EPOCH, "%.*s:%lld", (int)(colon - epoch), epoch, strtoll(colon + 1, NULL, 10) + 1);
        return true;
    }
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        error_set(error, ERROR_INTERNAL, "the system gives no random bytes");
        return false;
    }
    hex_encode(random, sizeof random, incarnation);
    snprintf(out, CALL_EPOCH, "%s:1", incarnation);
    return true;
}

/* Begins a generation, and with it the next epoch, unless another worker was faster; either way it is loaded next. */
static bool renew(struct known *known, const char *epoch, int64_t now_ms, struct error *error)
{
    static const char script[] = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end "
                                 "redis.call('SET', KEYS[2], ARGV[3]) redis.call('SET', KEYS[3], ARGV[4]) "
                                 "redis.call('SET', KEYS[1], ARGV[2]) return 1";
    char next[CALL_EPOCH], text[GENERATIONS_TEXT], keys[3][CALL_KEY], drops[NUMBER_TEXT] = "0", last[NUMBER_TEXT];
    char schema[NUMBER_TEXT];
    const char *command[] = {"EVAL", script, "3", keys[0], keys[1], keys[2], epoch, next, schema, text};
    const char *size[] = {"HGET", keys[0], last};
    struct redis_answer ignored;

    if (known->generations.count > 0) {
        snprintf(keys[0], CALL_KEY, "%sdrops:sizes", known->prefix);
        snprintf(last, sizeof last, "%" PRIu32, known->generations.list[0].number);
        if (!ask_text(known, 3, size, drops, sizeof drops, error))
            return false;
    }
    if (!next_epoch(epoch, next, error))
        return false;
    generations_renew(&known->generations, now_ms, known->retention_ms, strtoull(drops, NULL, 10));
    generations_write(&known->generations, text);
    snprintf(schema, sizeof schema, "%d", REDIS_SCHEMA);
    snprintf(keys[0], CALL_KEY, "%sdrops:epoch", known->prefix);
    snprintf(keys[1], CALL_KEY, "%sschema", known->prefix);
    snprintf(keys[2], CALL_KEY, "%sdrops:generations", known->prefix);
    return redis_session_ask(known->session, doing, 10, command, NULL, &ignored, error);
}

static bool check_schema(struct known *known, struct error *error)
{
    char schema[NUMBER_TEXT];

    if (!get(known, "schema", schema, sizeof schema, error))
        return false;
    return redis_schema_check(schema, known->prefix, redis_session_name(known->session), error);
}

/* Loads the epoch and the generations; renews them where they have ended. *done is false if that has to be done again. */
static bool load(struct known *known, bool *done, struct error *error)
{
    char epoch[CALL_EPOCH], text[GENERATIONS_TEXT];
    int64_t now_ms;

    *done = false;
    if (!check_schema(known, error) || !get(known, "drops:epoch", epoch, sizeof epoch, error) ||
        !get(known, "drops:generations", text, sizeof text, error) || !ask_time(known, &now_ms, error))
        return false;
    if (epoch[0] == '\0' && known->wrote) {
        log_warn("%s was emptied: what it had counted and remembered is gone, and with it who opted out; messages that come "
                 "again now count again",
                 redis_session_name(known->session));
        known->wrote = false;
    }
    known->generations.count = 0;
    if (text[0] != '\0' && !generations_read(text, &known->generations)) {
        error_set(error, ERROR_UNAVAILABLE, "%s: %sdrops:generations is none that a worker wrote: restore it",
                  redis_session_name(known->session), known->prefix);
        return false;
    }
    if (epoch[0] == '\0' || !generations_current(&known->generations, now_ms, known->retention_ms))
        return renew(known, epoch, now_ms, error);
    snprintf(known->epoch, sizeof known->epoch, "%s", epoch);
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
                  redis_session_name(known->session), doing, TRIES);
    return done;
}

/* Numbers are given once and for all, by whoever needs one first. */
bool known_learn_number(struct known *known, const char *name, struct error *error)
{
    static const char script[] =
        "local n = redis.call('HGET', KEYS[1], ARGV[1]) if n then return n end "
        "n = redis.call('HLEN', KEYS[2]) repeat n = n + 1 until redis.call('HSETNX', KEYS[2], n, ARGV[1]) == 1 "
        "redis.call('HSET', KEYS[1], ARGV[1], n) return tostring(n)";
    char numbers[CALL_KEY], names[CALL_KEY], number[NUMBER_TEXT];
    const char *command[] = {"EVAL", script, "2", numbers, names, name};
    struct redis_answer answer;
    char *end;
    long long value;

    snprintf(numbers, sizeof numbers, "%sdrops:campaign_numbers", known->prefix);
    snprintf(names, sizeof names, "%sdrops:campaign_names", known->prefix);
    if (!redis_session_ask(known->session, doing, 6, command, NULL, &answer, error))
        return false;
    snprintf(number, sizeof number, "%s", answer.kind == REDIS_ANSWER_TEXT ? answer.text : "");
    value = strtoll(number, &end, 10);
    if (end == number || *end != '\0' || value < 1 || value > UINT32_MAX) {
        error_set(error, ERROR_UNAVAILABLE, "%s: KEY %s: one of its fields is no campaign number: restore it",
                  redis_session_name(known->session), numbers);
        return false;
    }
    if (campaigns_learn(known->campaigns, (uint32_t)value, name))
        return true;
    error_set(error, ERROR_NO_MEMORY, "no memory for the names of campaigns");
    return false;
}

bool known_learn_name(struct known *known, uint32_t number, struct error *error)
{
    char key[CALL_KEY], field[NUMBER_TEXT], name[LIMIT_CAMPAIGN + 1];
    const char *command[] = {"HGET", key, field};

    if (campaigns_name(known->campaigns, number))
        return true;
    snprintf(key, sizeof key, "%sdrops:campaign_names", known->prefix);
    snprintf(field, sizeof field, "%" PRIu32, number);
    if (!ask_text(known, 3, command, name, sizeof name, error))
        return false;
    if (name[0] == '\0') {
        log_warn("%s: %s has lost the name of campaign %" PRIu32 ": its drops count under unassigned",
                 redis_session_name(known->session), key, number);
        snprintf(name, sizeof name, "unassigned");
    }
    if (campaigns_learn(known->campaigns, number, name))
        return true;
    error_set(error, ERROR_NO_MEMORY, "no memory for the names of campaigns");
    return false;
}
