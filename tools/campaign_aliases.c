#include "campaign_aliases.h"

#include "common/bytes.h"
#include "common/callback_token.h"
#include "common/clock.h"
#include "common/drops/known.h"
#include "common/limits.h"
#include "common/redis/schema.h"
#include "redis_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char alias_lua[];

enum {
    /* Days whose counts are merged: a key is kept for 62 days, and a message may have waited long before that. */
    DAYS_BEFORE = 400,
    DAYS_AFTER = 2, /* clocks of bridges may be ahead */
    DAYS = DAYS_BEFORE + 1 + DAYS_AFTER,
    DAY_MS = 86400000,
    DAY_TEXT = 9,
    SCHEMA_TEXT = 16,
    FIXED_ARGUMENTS = 8,
    PAIRS_MAX = 1024, /* workers keep 256 */
};

static const char doing[] = "setting an alias";

/* --- The command line ------------------------------------------------------------------------------------------- */

static bool is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* As names stand in keys: those of URLs, and those of bodies with their other bytes as %XX. */
static bool is_campaign(const char *name)
{
    char plain[LIMIT_CAMPAIGN + 1];
    size_t len = 0;

    if (strlen(name) > LIMIT_CAMPAIGN)
        return false;
    for (const char *at = name; *at; at++, len++) {
        plain[len] = *at;
        if (*at != '%')
            continue;
        if (!is_upper_hex(at[1]) || !is_upper_hex(at[2]))
            return false;
        plain[len] = '_';
        at += 2;
    }
    return campaign_name_valid(bytes_of(plain, len));
}

static bool check_name(const char *name, struct error *error)
{
    if (strcmp(name, "unassigned") == 0) {
        error_set(error, ERROR_USAGE, "campaigns alias: \"unassigned\" is no campaign: its drops have none");
        return false;
    }
    if (is_campaign(name))
        return true;
    error_set(error, ERROR_USAGE,
              "campaigns alias: \"%.100s\" is no campaign: 1 to %d of A-Z a-z 0-9 . _ -, other bytes as %%XX; as it "
              "stands in the keys of Redis",
              name, LIMIT_CAMPAIGN);
    return false;
}

bool alias_request_read(int argc, char **argv, struct alias_request *out, struct error *error)
{
    struct alias_request request = {.action = ALIAS_SET};

    if (argc == 3 && strcmp(argv[2], "--list") == 0)
        request.action = ALIAS_LIST;
    else if (argc == 4 && strcmp(argv[2], "--remove") == 0)
        request = (struct alias_request){.action = ALIAS_REMOVE, .id = argv[3]};
    else if (argc == 4 && strncmp(argv[2], "--", 2) != 0 && strncmp(argv[3], "--", 2) != 0)
        request = (struct alias_request){.action = ALIAS_SET, .id = argv[2], .name = argv[3]};
    if (argc < 3 || strcmp(argv[1], "alias") != 0 || (request.action != ALIAS_LIST && !request.id)) {
        error_set(error, ERROR_USAGE, "campaigns: alias ID NAME, alias --remove ID or alias --list is needed");
        return false;
    }
    if ((request.id && !check_name(request.id, error)) || (request.name && !check_name(request.name, error)))
        return false;
    if (request.name && strcmp(request.id, request.name) == 0) {
        error_set(error, ERROR_USAGE, "campaigns alias: \"%s\" cannot be an alias of itself", request.id);
        return false;
    }
    *out = request;
    return true;
}

/* --- Setting and removing --------------------------------------------------------------------------------------- */

static void write_days(char days[DAYS][DAY_TEXT])
{
    const int64_t first_ms = clock_wall_ms() - (int64_t)DAYS_BEFORE * DAY_MS;

    for (int i = 0; i < DAYS; i++) {
        char iso[CLOCK_ISO_SIZE];

        clock_iso8601_ms(first_ms + (int64_t)i * DAY_MS, iso);
        snprintf(days[i], DAY_TEXT, "%.4s%.2s%.2s", iso, iso + 5, iso + 8);
    }
}

/* What alias.lua answered, as a sentence: on stdout what was done, in *error why nothing was. */
static void tell(const struct alias_request *request, const struct redis_answer *answer, const char *redis,
                 struct error *error)
{
    const char *outcome = redis_answer_item(answer, 0).text, *other = redis_answer_item(answer, 1).text;
    const char *more = redis_answer_item(answer, 2).text, *id = request->id;
    const char *unknown = redis_answer_item(answer, 3).text;

    if (strcmp(outcome, "merged") == 0) {
        (void)printf("%s is %s from now on; messages merged: %s\n", id, other, more);
        if (*unknown)
            (void)fprintf(stderr, "dropctl: nothing has come yet under %s: is it spelled right?\n", unknown);
    } else if (strcmp(outcome, "same") == 0)
        (void)printf("%s is %s already\n", id, other);
    else if (strcmp(outcome, "removed") == 0)
        (void)printf("%s is a campaign of its own from now on; what was merged stays in %s\n", id, other);
    else if (strcmp(outcome, "cycle") == 0)
        error_set(error, ERROR_USAGE,
                  "campaigns alias: %s cannot be an alias of %s, for %s is an alias of %s: --remove %s first", id, other,
                  other, id, other);
    else if (strcmp(outcome, "taken") == 0)
        error_set(error, ERROR_USAGE, "campaigns alias: %s is an alias of %s: --remove %s first", id, other, id);
    else if (strcmp(outcome, "none") == 0)
        error_set(error, ERROR_USAGE, "campaigns alias: %s is no alias; --list shows them", id);
    else if (strcmp(outcome, "wrong") == 0)
        error_set(error, ERROR_REFUSED, "%s: nothing was changed, for %.200s is damaged: %s; see dropctl verify", redis,
                  other, more);
    else
        error_set(error, ERROR_INTERNAL, "%s: %s: an answer of an unexpected kind", redis, doing);
}

static bool set_alias(const struct tool_config *config, struct redis_primary *session,
                      const struct alias_request *request, struct error *error)
{
    char epoch[EPOCH_TEXT], schema[SCHEMA_TEXT], days[DAYS][DAY_TEXT];
    const char *command[FIXED_ARGUMENTS + DAYS] = {
        "EVAL", alias_lua, "0", config->redis_prefix, schema, epoch, request->id, request->name ? request->name : ""};
    struct redis_answer answer;

    if (!known_next_epoch("", epoch, error))
        return false;
    snprintf(schema, sizeof schema, "%d", REDIS_SCHEMA);
    write_days(days);
    for (int i = 0; i < DAYS; i++)
        command[FIXED_ARGUMENTS + i] = days[i];
    if (!redis_primary_ask(session, doing, FIXED_ARGUMENTS + DAYS, command, NULL, &answer, error))
        return false;
    tell(request, &answer, redis_primary_name(session), error);
    return error->code == ERROR_NONE;
}

/* --- Listing ---------------------------------------------------------------------------------------------------- */

/* Drops that carried two names. */
struct pair {
    char name[LIMIT_CAMPAIGN + 1], id[LIMIT_CAMPAIGN + 1];
    long long drops;
};

/* Copies at most `len` bytes of the name, or the campaign that it is an alias of (`aliases`: id, name, id, name …). */
static void resolve(const struct redis_answer *aliases, const char *name, size_t len, char out[LIMIT_CAMPAIGN + 1])
{
    snprintf(out, LIMIT_CAMPAIGN + 1, "%.*s", (int)(len <= LIMIT_CAMPAIGN ? len : LIMIT_CAMPAIGN), name);
    for (size_t i = 0; i + 1 < aliases->count; i += 2) {
        if (strcmp(redis_answer_item(aliases, i).text, out) == 0) {
            snprintf(out, LIMIT_CAMPAIGN + 1, "%s", redis_answer_item(aliases, i + 1).text);
            return;
        }
    }
}

/* Adds a field of dc:campaign_links, "name|id", unless both are one campaign. */
static size_t add_pair(struct pair *pairs, size_t count, const struct redis_answer *aliases, const char *field,
                       long long drops)
{
    const char *bar = strchr(field, '|');
    struct pair pair = {.drops = drops};
    size_t at = 0;

    if (!bar || count == PAIRS_MAX)
        return count;
    resolve(aliases, field, (size_t)(bar - field), pair.name);
    resolve(aliases, bar + 1, strlen(bar + 1), pair.id);
    if (strcmp(pair.name, pair.id) == 0)
        return count;
    while (at < count && (strcmp(pairs[at].name, pair.name) != 0 || strcmp(pairs[at].id, pair.id) != 0))
        at++;
    if (at < count)
        pairs[at].drops += drops;
    else
        pairs[count++] = pair;
    return count;
}

static int most_drops_first(const void *one, const void *other)
{
    const struct pair *a = one, *b = other;

    return (a->drops < b->drops) - (a->drops > b->drops);
}

static bool list_aliases(const struct tool_config *config, struct redis_primary *session, struct error *error)
{
    static const char script[] = "return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}";
    static struct pair pairs[PAIRS_MAX];
    char aliases_key[REDIS_ACCESS_KEY], links_key[REDIS_ACCESS_KEY];
    const char *command[] = {"EVAL", script, "2", aliases_key, links_key};
    struct redis_answer answer, aliases, links;
    size_t count = 0;

    redis_access_key(config, aliases_key, "campaign_aliases");
    redis_access_key(config, links_key, "campaign_links");
    if (!redis_primary_ask(session, "reading the aliases", 5, command, NULL, &answer, error))
        return false;
    aliases = redis_answer_item(&answer, 0);
    links = redis_answer_item(&answer, 1);
    for (size_t i = 0; i + 1 < aliases.count; i += 2)
        (void)printf("%s is %s\n", redis_answer_item(&aliases, i).text, redis_answer_item(&aliases, i + 1).text);
    if (aliases.count == 0)
        (void)printf("there are no aliases\n");
    for (size_t i = 0; i + 1 < links.count; i += 2)
        count = add_pair(pairs, count, &aliases, redis_answer_item(&links, i).text,
                         strtoll(redis_answer_item(&links, i + 1).text, NULL, 10));
    qsort(pairs, count, sizeof *pairs, most_drops_first);
    if (count > 0)
        (void)printf("\ndrops came under two names; if they are one campaign:\n");
    for (size_t i = 0; i < count; i++)
        (void)printf("  dropctl campaigns alias %s %s    # %lld drop%s\n", pairs[i].id, pairs[i].name, pairs[i].drops,
                     pairs[i].drops == 1 ? "" : "s");
    return true;
}

int campaign_aliases_run(const struct tool_config *config, int argc, char **argv)
{
    struct error error = {.code = ERROR_NONE};
    struct alias_request request;
    struct redis_primary *session = NULL;

    if (!alias_request_read(argc, argv, &request, &error))
        goto out;
    session = redis_access_open(config, &error);
    if (!session)
        goto out;
    if (!(request.action == ALIAS_LIST ? list_aliases(config, session, &error)
                                       : set_alias(config, session, &request, &error)))
        goto out;
    if (fflush(stdout) != 0)
        error_set(&error, ERROR_INTERNAL, "the output cannot be written");
out:
    if (error.code != ERROR_NONE)
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    redis_primary_free(session);
    return error_exit_status(error.code);
}
