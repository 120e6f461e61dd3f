#include "pairs.h"

#include <stdlib.h>
#include <string.h>

bool pairs_add(struct pairs *pairs, const char *name, const char *value)
{
    struct pair one = {.name = strdup(name), .value = strdup(value)};

    if (pairs->count == pairs->capacity) {
        const size_t capacity = 2 * pairs->capacity + 16;
        struct pair *list = realloc(pairs->list, capacity * sizeof *list);

        pairs->list = list ? list : pairs->list;
        pairs->capacity = list ? capacity : pairs->capacity;
    }
    if (pairs->count < pairs->capacity && one.name && one.value) {
        pairs->list[pairs->count++] = one;
        return true;
    }
    free(one.name);
    free(one.value);
    return false;
}

static int compare(const void *a, const void *b)
{
    const struct pair *one = a, *other = b;

    return strcmp(one->name, other->name);
}

static void clear(struct pair *pair)
{
    free(pair->name);
    free(pair->value);
}

void pairs_sort(struct pairs *pairs)
{
    size_t kept = 0;

    if (pairs->count > 0)
        qsort(pairs->list, pairs->count, sizeof *pairs->list, compare);
    for (size_t i = 0; i < pairs->count; i++) {
        if (kept > 0 && compare(&pairs->list[kept - 1], &pairs->list[i]) == 0)
            clear(&pairs->list[i]);
        else
            pairs->list[kept++] = pairs->list[i];
    }
    pairs->count = kept;
}

const char *pairs_find(const struct pairs *pairs, const char *name)
{
    size_t low = 0, high = pairs->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(pairs->list[middle].name, name);

        if (order == 0)
            return pairs->list[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void pairs_clear(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        clear(&pairs->list[i]);
    free(pairs->list);
    *pairs = (struct pairs){0};
}
