/* Generations of remembered drops, so that old ones are forgotten in bulk: one takes new drops for RETENTION_S and keeps
   them for as long again. One that is full ends early. Length and number of buckets are fixed at its birth, by Redis's
   clock: a changed setting or a worker's clock forgets nothing. Pure. */
#ifndef DROPBRIDGE_GENERATIONS_H
#define DROPBRIDGE_GENERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With their NULs: dc:drops:epoch, and the name of any key of ours. */
enum { EPOCH_TEXT = 64, KEY_TEXT = 512 };

/* Whether both epochs are of one Redis that was not emptied in between. */
bool epoch_same_incarnation(const char *a, const char *b);

enum { GENERATION_BUCKETS_MAX = 1048576, GENERATIONS_MAX = 16, GENERATIONS_TEXT = GENERATIONS_MAX * 80 };

struct generation {
    uint32_t number;
    int64_t birth_ms, length_ms, keep_ms;
    uint32_t buckets;
};

/* The newest first. */
struct generations {
    size_t count;
    struct generation list[GENERATIONS_MAX];
};

/* "number:birth:length:keep:buckets", one behind the other with spaces: as Redis holds them. */
void generations_write(const struct generations *generations, char out[GENERATIONS_TEXT]);
/* False, with *out untouched, if no worker wrote this. */
bool generations_read(const char *text, struct generations *out);

/* When a generation is forgotten. */
int64_t generation_end_ms(const struct generation *generation);
/* How many drops fill the newest; UINT64_MAX if it has GENERATION_BUCKETS_MAX, or there are so many generations that the
   oldest would go too early. There must be one. */
uint64_t generations_limit(const struct generations *generations);
/* Whether the newest, which took so many drops, still takes some, and keeps them as long as it should. */
bool generations_current(const struct generations *generations, int64_t now_ms, int64_t retention_ms, uint64_t drops);
/* Begins a new one and drops those that are forgotten. `drops` is how many the last one took; the new one gets buckets for
   as many as that would have taken in its whole length. Numbers are never used again; `first` is that of one before which
   there is none. */
void generations_renew(struct generations *generations, uint32_t first, int64_t now_ms, int64_t retention_ms,
                       uint64_t drops);

#endif
