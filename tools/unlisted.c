#include "unlisted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000, NUMBER = 24 };

static const char doing[] = "comparing the lists of opt-outs";

static bool no_memory(struct error *error)
{
    error_set(error, ERROR_NO_MEMORY, "no memory for the phones that are to be listed");
    return false;
}

static bool add(struct unlisted *unlisted, const char *phone, const char *ms, bool absent)
{
    struct unlisted_phone one = {.absent = absent};

    if (unlisted->count == unlisted->capacity) {
        const size_t capacity = unlisted->capacity > 0 ? 2 * unlisted->capacity : PAGE;
        struct unlisted_phone *list = realloc(unlisted->list, capacity * sizeof *list);

        if (!list)
            return false;
        unlisted->list = list;
        unlisted->capacity = capacity;
    }
    one.phone = strdup(phone);
    one.ms = strdup(ms);
    unlisted->list[unlisted->count++] = one;
    return one.phone && one.ms;
}

/* A page of a campaign's list, as the members and scores follow one another. */
struct page {
    char *texts[2 * PAGE];
    size_t count;
};

static void page_clear(struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->texts[i]);
    page->count = 0;
}

static bool page_read(struct page *page, size_t first, struct redis_primary *session, const char *key,
                      struct error *error)
{
    char from[NUMBER], to[NUMBER];
    const char *command[] = {"ZRANGE", key, from, to, "WITHSCORES"};
    struct redis_answer answer;

    snprintf(from, sizeof from, "%zu", first);
    snprintf(to, sizeof to, "%zu", first + PAGE - 1);
    if (!redis_primary_ask(session, doing, 5, command, NULL, &answer, error))
        return false;
    for (; page->count < answer.count && page->count < 2 * PAGE; page->count++) {
        page->texts[page->count] = strdup(redis_answer_item(&answer, page->count).text);
        if (!page->texts[page->count])
            return no_memory(error);
    }
    return true;
}

static bool page_compare(struct unlisted *unlisted, size_t row, const struct page *page, struct redis_primary *session,
                         const char *optouts, struct error *error)
{
    const char *command[2 + PAGE] = {"ZMSCORE", optouts};
    struct redis_answer answer;

    for (size_t i = 0; i < page->count / 2; i++)
        command[2 + i] = page->texts[2 * i];
    if (!redis_primary_ask(session, doing, (int)(2 + page->count / 2), command, NULL, &answer, error))
        return false;
    for (size_t i = 0; i < page->count / 2; i++) {
        const struct redis_answer listed = redis_answer_item(&answer, i);
        const char *phone = page->texts[2 * i], *ms = page->texts[2 * i + 1];
        const bool absent = listed.kind == REDIS_ANSWER_NIL;

        if (!absent && strtod(listed.text, NULL) <= strtod(ms, NULL))
            continue;
        if (!add(unlisted, phone, ms, absent))
            return no_memory(error);
        unlisted->by_row[row]++;
    }
    return true;
}

static bool read_list(struct unlisted *unlisted, size_t row, const char *name, struct redis_primary *session,
                      const char *prefix, struct error *error)
{
    char key[KEY_TEXT], optouts[KEY_TEXT];
    struct page page = {.count = 0};
    bool more = true, ok = true;

    snprintf(key, sizeof key, "%scampaign:%s:optouts", prefix, name);
    snprintf(optouts, sizeof optouts, "%soptouts", prefix);
    for (size_t first = 0; more && ok; first += PAGE) {
        ok = page_read(&page, first, session, key, error);
        more = page.count == 2 * PAGE;
        if (ok && page.count > 0)
            ok = page_compare(unlisted, row, &page, session, optouts, error);
        page_clear(&page);
    }
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct unlisted_phone *one = a, *other = b;
    const int order = strcmp(one->phone, other->phone);
    const double ms = strtod(one->ms, NULL), other_ms = strtod(other->ms, NULL);

    return order != 0 ? order : (ms > other_ms) - (ms < other_ms);
}

static void keep_earliest(struct unlisted *unlisted)
{
    size_t kept = 0;

    if (unlisted->count > 0)
        qsort(unlisted->list, unlisted->count, sizeof *unlisted->list, compare);
    for (size_t i = 0; i < unlisted->count; i++) {
        if (kept > 0 && strcmp(unlisted->list[kept - 1].phone, unlisted->list[i].phone) == 0) {
            free(unlisted->list[i].phone);
            free(unlisted->list[i].ms);
            continue;
        }
        unlisted->list[kept++] = unlisted->list[i];
    }
    unlisted->count = kept;
    for (size_t i = 0; i < kept; i++)
        unlisted->absent += unlisted->list[i].absent;
}

bool unlisted_read(struct unlisted *unlisted, const struct look *look, struct redis_primary *session, const char *prefix,
                   struct error *error)
{
    *unlisted = (struct unlisted){.by_row = calloc(look->sums.rows, sizeof *unlisted->by_row)};
    if (!unlisted->by_row)
        return no_memory(error);
    for (size_t row = 1; row < look->sums.rows; row++)
        if (look->sums.list[row].listed > 0 &&
            !read_list(unlisted, row, look->campaigns[row].name, session, prefix, error))
            return false;
    keep_earliest(unlisted);
    return true;
}

void unlisted_clear(struct unlisted *unlisted)
{
    for (size_t i = 0; i < unlisted->count; i++) {
        free(unlisted->list[i].phone);
        free(unlisted->list[i].ms);
    }
    free(unlisted->list);
    free(unlisted->by_row);
    *unlisted = (struct unlisted){0};
}
