#include "recent_events.h"

#include "common/sha256.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = RECENT_EVENTS };

/* A ring of entries, the oldest overwritten by the next, each in the chain of its bucket. */
struct recent_events {
    pthread_mutex_t mutex; /* guards all */
    uint32_t next;
    struct entry {
        uint8_t digest[RECENT_DIGEST];
        int64_t since_ms; /* 0: unused */
        uint32_t behind;  /* the next of the chain, or NONE */
    } entries[RECENT_EVENTS];
    uint32_t first[RECENT_EVENTS]; /* of each chain */
};

struct recent_events *recent_events_new(void)
{
    struct recent_events *recent = calloc(1, sizeof *recent);

    if (!recent)
        return NULL;
    pthread_mutex_init(&recent->mutex, NULL);
    for (uint32_t i = 0; i < RECENT_EVENTS; i++)
        recent->first[i] = NONE;
    return recent;
}

void recent_events_free(struct recent_events *recent)
{
    if (!recent)
        return;
    pthread_mutex_destroy(&recent->mutex);
    free(recent);
}

/* Where the chain of the digest begins. */
static uint32_t *chain_of(struct recent_events *recent, const uint8_t digest[RECENT_DIGEST])
{
    return &recent->first[digest[0] | digest[1] << 8];
}

static struct entry *find(struct recent_events *recent, const uint8_t digest[RECENT_DIGEST])
{
    uint32_t at = *chain_of(recent, digest);

    while (at != NONE && memcmp(recent->entries[at].digest, digest, RECENT_DIGEST) != 0)
        at = recent->entries[at].behind;
    return at == NONE ? NULL : &recent->entries[at];
}

bool recent_events_has(struct recent_events *recent, struct bytes body, int64_t now_ms, uint8_t digest[RECENT_DIGEST])
{
    uint8_t whole[SHA256_SIZE] = {0};
    const struct entry *entry;
    const bool done = sha256(body, whole);
    bool known;

    memcpy(digest, whole, RECENT_DIGEST);
    if (!done)
        return false;
    pthread_mutex_lock(&recent->mutex);
    entry = find(recent, digest);
    known = entry && now_ms - entry->since_ms < RECENT_MS;
    pthread_mutex_unlock(&recent->mutex);
    return known;
}

static void unchain(struct recent_events *recent, uint32_t at)
{
    uint32_t *link = chain_of(recent, recent->entries[at].digest);

    while (*link != at)
        link = &recent->entries[*link].behind;
    *link = recent->entries[at].behind;
}

void recent_events_add(struct recent_events *recent, const uint8_t digest[RECENT_DIGEST], int64_t now_ms)
{
    struct entry *entry;

    pthread_mutex_lock(&recent->mutex);
    entry = find(recent, digest);
    if (!entry) {
        const uint32_t at = recent->next;

        recent->next = (at + 1) % RECENT_EVENTS;
        if (recent->entries[at].since_ms != 0)
            unchain(recent, at);
        entry = &recent->entries[at];
        memcpy(entry->digest, digest, RECENT_DIGEST);
        entry->behind = *chain_of(recent, digest);
        *chain_of(recent, digest) = at;
    }
    entry->since_ms = now_ms;
    pthread_mutex_unlock(&recent->mutex);
}
