#include "campaigns.h"

#include "common/fnv1a.h"
#include "common/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * CAMPAIGNS_MAX }; /* a power of two */

struct campaign {
    uint32_t number;
    char name[LIMIT_CAMPAIGN + 1];
};

struct campaigns {
    struct campaign *list;
    size_t count, capacity;
    uint32_t by_name[SLOTS], by_number[SLOTS]; /* places in the list, from 1; 0: free */
};

static const char unassigned[] = "unassigned";

struct campaigns *campaigns_new(void)
{
    struct campaigns *campaigns = calloc(1, sizeof *campaigns);

    if (campaigns && campaigns_learn(campaigns, CAMPAIGN_NUMBER_UNASSIGNED, unassigned))
        return campaigns;
    campaigns_free(campaigns);
    return NULL;
}

void campaigns_free(struct campaigns *campaigns)
{
    if (campaigns)
        free(campaigns->list);
    free(campaigns);
}

void campaigns_forget(struct campaigns *campaigns)
{
    memset(campaigns->by_name, 0, sizeof campaigns->by_name);
    memset(campaigns->by_number, 0, sizeof campaigns->by_number);
    campaigns->count = 0;
    (void)campaigns_learn(campaigns, CAMPAIGN_NUMBER_UNASSIGNED, unassigned); /* there is room */
}

static size_t slot_of_name(const struct campaigns *campaigns, const char *name)
{
    const uint32_t hash = fnv1a(name, strlen(name), FNV1A_BEGIN);
    size_t slot;

    for (slot = hash & (SLOTS - 1); campaigns->by_name[slot] != 0; slot = (slot + 1) & (SLOTS - 1))
        if (strcmp(campaigns->list[campaigns->by_name[slot] - 1].name, name) == 0)
            break;
    return slot;
}

static size_t slot_of_number(const struct campaigns *campaigns, uint32_t number)
{
    size_t slot;

    for (slot = number & (SLOTS - 1); campaigns->by_number[slot] != 0; slot = (slot + 1) & (SLOTS - 1))
        if (campaigns->list[campaigns->by_number[slot] - 1].number == number)
            break;
    return slot;
}

int64_t campaigns_number(const struct campaigns *campaigns, const char *name)
{
    uint32_t place = campaigns->by_name[slot_of_name(campaigns, name)];

    return place > 0 ? (int64_t)campaigns->list[place - 1].number : CAMPAIGN_NUMBER_UNKNOWN;
}

const char *campaigns_name(const struct campaigns *campaigns, uint32_t number)
{
    uint32_t place = campaigns->by_number[slot_of_number(campaigns, number)];

    return place > 0 ? campaigns->list[place - 1].name : NULL;
}

bool campaigns_room(const struct campaigns *campaigns, size_t more)
{
    return campaigns->count + more <= CAMPAIGNS_MAX;
}

bool campaigns_learn(struct campaigns *campaigns, uint32_t number, const char *name)
{
    const char *known = campaigns_name(campaigns, number);
    uint32_t *place;

    if (known && strcmp(known, name) == 0 && campaigns_number(campaigns, name) != CAMPAIGN_NUMBER_UNKNOWN)
        return true;
    if (!campaigns->list || campaigns->count == campaigns->capacity) {
        size_t capacity = campaigns->capacity > 0 ? 2 * campaigns->capacity : 64;
        struct campaign *list = campaigns_room(campaigns, 1) ? realloc(campaigns->list, capacity * sizeof *list) : NULL;

        if (!list)
            return false;
        campaigns->list = list;
        campaigns->capacity = capacity;
    }
    campaigns->list[campaigns->count].number = number;
    snprintf(campaigns->list[campaigns->count].name, LIMIT_CAMPAIGN + 1, "%s", name);
    campaigns->count++;
    place = &campaigns->by_name[slot_of_name(campaigns, name)];
    if (*place == 0)
        *place = (uint32_t)campaigns->count;
    campaigns->by_number[slot_of_number(campaigns, number)] = (uint32_t)campaigns->count;
    return true;
}

static const char *name_or_unassigned(const void *context, uint32_t number)
{
    const char *name = campaigns_name(context, number);

    return name ? name : unassigned;
}

static uint32_t number_of_name(const void *context, uint32_t number)
{
    const char *name = campaigns_name(context, number);
    int64_t of_name = name ? campaigns_number(context, name) : CAMPAIGN_NUMBER_UNKNOWN;

    /* A number whose name was lost is only shown as `unassigned`: the name may be restored. */
    return of_name > CAMPAIGN_NUMBER_UNASSIGNED ? (uint32_t)of_name : number;
}

struct campaign_names campaigns_names(const struct campaigns *campaigns)
{
    return (struct campaign_names){.context = campaigns, .name_of = name_or_unassigned, .number_of = number_of_name};
}

size_t campaign_names_resolve(const struct campaign_names *names, uint32_t *numbers, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        const uint32_t number = names->number_of(names->context, numbers[i]);
        size_t at = 0;

        while (at < kept && numbers[at] != number)
            at++;
        numbers[at] = number;
        kept += at == kept;
    }
    return kept;
}
