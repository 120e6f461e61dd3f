#include "generations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Small hashes of some 30 drops take the least memory. Redis reads all of a small hash to find a field, and
       stores one of more than 512 otherwise, twice as large: a generation of fuller ones ends early. */
    DROPS_A_BUCKET = 30,
    DROPS_A_BUCKET_MAX = 60,
    BUCKETS_MIN = 4096, /* the first has as many: many empty ones cost time and memory, too few are soon noticed */
    GROWTH = 16, /* in buckets at most, after one that ended early: it may have been a burst */
    /* A generation that ended early is taken as a sample, but not a smaller one than this. */
    SHARE_MIN_PERCENT = 1,
};

static const int64_t LENGTH_MAX_MS = INT64_C(1) << 48;

bool epoch_same_incarnation(const char *a, const char *b)
{
    size_t len = strcspn(a, ":");

    return len == strcspn(b, ":") && memcmp(a, b, len) == 0;
}

void generations_write(const struct generations *generations, char out[GENERATIONS_TEXT])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < generations->count; i++) {
        const struct generation *one = &generations->list[i];

        len += (size_t)snprintf(out + len, GENERATIONS_TEXT - len,
                                "%s%" PRIu32 ":%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRIu32, i > 0 ? " " : "",
                                one->number, one->birth_ms, one->length_ms, one->keep_ms, one->buckets);
    }
}

static bool read_number(const char **text, char end, int64_t max, int64_t *out)
{
    char *behind;
    long long value;

    if (**text < '0' || **text > '9')
        return false;
    value = strtoll(*text, &behind, 10);
    if (value > max || (*behind != end && !(end == ' ' && *behind == '\0')))
        return false;
    *out = value;
    *text = *behind == '\0' ? behind : behind + 1;
    return true;
}

static bool read_one(const char **text, struct generation *out)
{
    int64_t number, buckets;

    if (!read_number(text, ':', UINT32_MAX - 1, &number) || !read_number(text, ':', LENGTH_MAX_MS, &out->birth_ms) ||
        !read_number(text, ':', LENGTH_MAX_MS, &out->length_ms) ||
        !read_number(text, ':', LENGTH_MAX_MS, &out->keep_ms) || !read_number(text, ' ', GENERATION_BUCKETS_MAX, &buckets) ||
        buckets == 0)
        return false;
    out->number = (uint32_t)number;
    out->buckets = (uint32_t)buckets;
    return true;
}

bool generations_read(const char *text, struct generations *out)
{
    struct generations made = {0};
    char again[GENERATIONS_TEXT];

    for (const char *at = text; *at != '\0'; made.count++)
        if (made.count == GENERATIONS_MAX || !read_one(&at, &made.list[made.count]) ||
            (made.count > 0 && made.list[made.count].number >= made.list[made.count - 1].number))
            return false;
    generations_write(&made, again);
    if (made.count == 0 || strcmp(again, text) != 0) /* numbers have one form only */
        return false;
    *out = made;
    return true;
}

int64_t generation_end_ms(const struct generation *generation)
{
    return generation->birth_ms + generation->length_ms + generation->keep_ms;
}

uint64_t generations_limit(const struct generations *generations)
{
    uint32_t buckets = generations->list[0].buckets;

    if (buckets == GENERATION_BUCKETS_MAX || generations->count >= GENERATIONS_MAX / 2)
        return UINT64_MAX;
    return (uint64_t)buckets * DROPS_A_BUCKET_MAX;
}

bool generations_current(const struct generations *generations, int64_t now_ms, int64_t retention_ms, uint64_t drops)
{
    const struct generation *newest = &generations->list[0];

    return generations->count > 0 && now_ms < newest->birth_ms + newest->length_ms && newest->keep_ms >= retention_ms &&
           drops < generations_limit(generations);
}

/* For as many drops as the last one would have taken in its whole length. */
static uint32_t buckets_for(const struct generations *generations, int64_t now_ms, uint64_t drops)
{
    const struct generation *last = &generations->list[0];
    int64_t lived_ms = now_ms - last->birth_ms;
    double share = last->length_ms > 0 ? (double)lived_ms / (double)last->length_ms : 1;
    double buckets;

    if (share < SHARE_MIN_PERCENT / 100.0)
        share = SHARE_MIN_PERCENT / 100.0;
    if (share > 1)
        share = 1;
    buckets = (double)drops / share / DROPS_A_BUCKET;
    if (lived_ms < last->length_ms && buckets > (double)last->buckets * GROWTH)
        buckets = (double)last->buckets * GROWTH;
    if (buckets < BUCKETS_MIN)
        return BUCKETS_MIN;
    return buckets > GENERATION_BUCKETS_MAX ? GENERATION_BUCKETS_MAX : (uint32_t)buckets;
}

void generations_renew(struct generations *generations, uint32_t first, int64_t now_ms, int64_t retention_ms,
                       uint64_t drops)
{
    struct generations renewed = {.count = 1};
    struct generation *born = &renewed.list[0];

    *born = (struct generation){
        .number = first, .birth_ms = now_ms, .length_ms = retention_ms, .keep_ms = retention_ms, .buckets = BUCKETS_MIN};
    if (generations->count > 0) {
        born->number = generations->list[0].number + 1;
        born->buckets = buckets_for(generations, now_ms, drops);
    }
    for (size_t i = 0; i < generations->count && renewed.count < GENERATIONS_MAX; i++)
        if (now_ms <= generation_end_ms(&generations->list[i]))
            renewed.list[renewed.count++] = generations->list[i];
    *generations = renewed;
}
