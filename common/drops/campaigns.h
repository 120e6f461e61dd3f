/* Numbers of campaigns, which stand for their names in records: what a worker has learned of them from Redis, where they are
   for good. Pure. One thread at a time. */
#ifndef DROPBRIDGE_CAMPAIGNS_H
#define DROPBRIDGE_CAMPAIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAMPAIGN_NUMBER_UNASSIGNED = 0,
    CAMPAIGN_NUMBER_UNKNOWN = -1,
    /* Learned ones: past it all are forgotten, and asked for again. */
    CAMPAIGNS_MAX = 131072,
};

/* The names behind numbers, which differ from one Redis to another. */
struct campaign_names {
    const void *context;
    /* Never NULL; valid until the next call. */
    const char *(*name_of)(const void *context, uint32_t number);
    /* The number that its name has now: another than this one once the campaign is an alias. */
    uint32_t (*number_of)(const void *context, uint32_t number);
};

/* Replaces numbers by those that their names have now, each once, in their order. Returns how many are left. */
size_t campaign_names_resolve(const struct campaign_names *names, uint32_t *numbers, size_t count);

struct campaigns;

struct campaigns *campaigns_new(void); /* NULL when out of memory */
void campaigns_free(struct campaigns *campaigns);
/* All but `unassigned`, 0. */
void campaigns_forget(struct campaigns *campaigns);

/* The number, or CAMPAIGN_NUMBER_UNKNOWN. */
int64_t campaigns_number(const struct campaigns *campaigns, const char *name);
/* NULL: not learned. Valid until the next campaigns_learn or campaigns_forget. */
const char *campaigns_name(const struct campaigns *campaigns, uint32_t number);
/* False when out of memory, or without room. A name that has a number keeps it; of the number the name is new. Aliases have
   their campaign's number: that one's own name is learned last. */
bool campaigns_learn(struct campaigns *campaigns, uint32_t number, const char *name);
/* Whether so many more can be learned without forgetting others. */
bool campaigns_room(const struct campaigns *campaigns, size_t more);

/* For those who ask by number; one that was not learned is shown as `unassigned`, and keeps its number. */
struct campaign_names campaigns_names(const struct campaigns *campaigns);

#endif
