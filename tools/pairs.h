/* Names with values, as a hash or a sorted set of Redis holds them; found by name. */
#ifndef DROPBRIDGE_PAIRS_H
#define DROPBRIDGE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

struct pair {
    char *name, *value;
};

/* Zeroed: empty. */
struct pairs {
    struct pair *list;
    size_t count, capacity;
};

/* False when out of memory. */
bool pairs_add(struct pairs *pairs, const char *name, const char *value);
/* By name, which pairs_find relies on; of equal names one is kept. */
void pairs_sort(struct pairs *pairs);
/* NULL: there is none of that name. */
const char *pairs_find(const struct pairs *pairs, const char *name);
void pairs_clear(struct pairs *pairs);

#endif
