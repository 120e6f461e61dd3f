#include "campaign_keys.h"

#include "redis_access.h"

#include <stdio.h>
#include <string.h>

static const char doing[] = "reading the names of campaigns";

static bool no_memory(struct error *error)
{
    error_set(error, ERROR_NO_MEMORY, "no memory for the names of all campaigns");
    return false;
}

/* What a command of one key answers as names and values; of HKEYS the values are empty. */
static bool read_pairs(struct campaign_keys *keys, struct pairs *pairs, struct redis_primary *session, const char *prefix,
                       int argc, const char *const *words, struct error *error)
{
    char key[REDIS_ACCESS_KEY];
    const char *command[] = {words[0], key, argc > 2 ? words[2] : NULL, argc > 2 ? words[3] : NULL,
                             argc > 2 ? words[4] : NULL};
    const size_t step = strcmp(words[0], "HKEYS") == 0 ? 1 : 2;
    struct redis_answer answer;

    snprintf(key, sizeof key, "%s%s", prefix, words[1]);
    if (!redis_primary_try(session, doing, argc, command, NULL, &answer, error))
        return false;
    if (answer.kind == REDIS_ANSWER_ERROR && strncmp(answer.text, "WRONGTYPE", 9) == 0)
        return pairs_add(&keys->wrong, words[1], "") || no_memory(error);
    if (!redis_primary_judge(session, doing, &answer, error))
        return false;
    for (size_t i = 0; i + step <= answer.count; i += step)
        if (!pairs_add(pairs, redis_answer_item(&answer, i).text, step == 2 ? redis_answer_item(&answer, i + 1).text : ""))
            return no_memory(error);
    pairs_sort(pairs);
    return true;
}

static const char *name_of(const struct pairs *aliases, const char *name)
{
    const char *alias_of = pairs_find(aliases, name);

    return alias_of ? alias_of : name;
}

static bool resolve(struct campaign_keys *keys, const struct pairs *numbers, const struct pairs *names,
                    const struct pairs *aliases)
{
    bool ok = pairs_add(&keys->campaigns, "unassigned", "");

    for (size_t i = 0; ok && i < keys->scores.count; i++)
        ok = pairs_add(&keys->campaigns, keys->scores.list[i].name, "");
    for (size_t i = 0; ok && i < names->count; i++)
        ok = pairs_add(&keys->campaigns, name_of(aliases, names->list[i].value), "");
    for (size_t i = 0; ok && i < numbers->count; i++) {
        const char *name = name_of(aliases, numbers->list[i].name), *number = numbers->list[i].value;

        if (strcmp(name, "#") == 0) /* the last number that was given */
            continue;
        ok = pairs_add(&keys->campaigns, name, "") &&
             (pairs_find(names, number) || pairs_add(&keys->lost, number, name));
    }
    pairs_sort(&keys->campaigns);
    pairs_sort(&keys->lost);
    keys->numbered = numbers->count;
    keys->named = names->count;
    return ok;
}

static bool find_linked(struct campaign_keys *keys, const struct pairs *links)
{
    for (size_t i = 0; i < links->count; i++) {
        const char *behind = strchr(links->list[i].name, '|');

        if (behind && !pairs_add(&keys->linked, behind + 1, ""))
            return false;
    }
    pairs_sort(&keys->linked);
    return true;
}

bool campaign_keys_read(struct campaign_keys *keys, struct redis_primary *session, const char *prefix, struct error *error)
{
    static const char *const scores[] = {"ZRANGE", "campaigns", "0", "-1", "WITHSCORES"};
    static const char *const all_numbers[] = {"HGETALL", "drops:campaign_numbers"};
    static const char *const all_names[] = {"HGETALL", "drops:campaign_names"};
    static const char *const all_aliases[] = {"HGETALL", "campaign_aliases"};
    static const char *const all_links[] = {"HKEYS", "campaign_links"};
    struct pairs numbers = {0}, names = {0}, aliases = {0}, links = {0};
    bool ok;

    *keys = (struct campaign_keys){0};
    ok = read_pairs(keys, &keys->scores, session, prefix, 5, scores, error) &&
         read_pairs(keys, &numbers, session, prefix, 2, all_numbers, error) &&
         read_pairs(keys, &names, session, prefix, 2, all_names, error) &&
         read_pairs(keys, &aliases, session, prefix, 2, all_aliases, error) &&
         read_pairs(keys, &links, session, prefix, 2, all_links, error);
    if (ok && (!resolve(keys, &numbers, &names, &aliases) || !find_linked(keys, &links)))
        ok = no_memory(error);
    pairs_clear(&numbers);
    pairs_clear(&names);
    pairs_clear(&aliases);
    pairs_clear(&links);
    return ok;
}

void campaign_keys_clear(struct campaign_keys *keys)
{
    pairs_clear(&keys->campaigns);
    pairs_clear(&keys->scores);
    pairs_clear(&keys->linked);
    pairs_clear(&keys->lost);
    pairs_clear(&keys->wrong);
}
