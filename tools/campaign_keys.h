/* Which campaigns there are, by the several keys that name them, of which any may be lost; and what these keys tell of each. */
#ifndef DROPBRIDGE_CAMPAIGN_KEYS_H
#define DROPBRIDGE_CAMPAIGN_KEYS_H

#include "common/error.h"
#include "common/redis/primary.h"
#include "pairs.h"

#include <stdbool.h>
#include <stddef.h>

struct campaign_keys {
    struct pairs campaigns; /* their names, aliases resolved */
    struct pairs scores;    /* dc:campaigns */
    struct pairs linked;    /* other names of campaigns, by dc:campaign_links */
    struct pairs lost;      /* numbers of dc:drops:campaign_numbers that have no name in dc:drops:campaign_names, and it */
    struct pairs wrong;     /* keys of a wrong type, without the prefix; the values are empty */
    size_t numbered, named; /* fields of these two */
};

/* False with *error; *keys is to be cleared all the same. */
bool campaign_keys_read(struct campaign_keys *keys, struct redis_primary *session, const char *prefix, struct error *error);
void campaign_keys_clear(struct campaign_keys *keys);

#endif
