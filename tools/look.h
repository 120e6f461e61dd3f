/* What dropctl verify reads of Redis in one look: the counts of all campaigns, and what else of theirs follows from other
   keys. They come in one transaction, so that they fit together while workers count: ten thousand campaigns keep Redis busy
   for 0.1 s (a script that reads them for 0.4 s), so there is no need for parts. */
#ifndef DROPBRIDGE_LOOK_H
#define DROPBRIDGE_LOOK_H

#include "common/drops/generations.h"
#include "common/error.h"
#include "common/redis/primary.h"
#include "campaign_keys.h"
#include "sums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct look_campaign {
    const char *name;
    char *last_event_at; /* empty: none */
    int64_t score_ms;    /* in dc:campaigns */
    bool scored, hashed; /* it is in dc:campaigns; dc:campaign:{name} is there */
};

struct look {
    char epoch[EPOCH_TEXT];          /* empty: none */
    char damaged_at[EPOCH_TEXT];     /* when a worker last met damage; empty: never */
    struct campaign_keys keys;       /* with keys of a wrong type nothing else can be compared */
    struct sums sums;                /* not yet solved */
    struct look_campaign *campaigns; /* by the rows of `sums`; the first is nameless */
    size_t in_use;                   /* campaigns that have counts or times */
    char **reasons;                  /* by the columns from SUM_FIELDS on */
    size_t reason_count;
};

/* False with *error, and *look is to be cleared all the same. */
bool look_read(struct look *look, struct redis_primary *session, const char *prefix, struct error *error);
void look_clear(struct look *look);
/* The name of the column's field; that of the key it stands in, in that row, without the prefix, which is written to `key`. */
const char *look_field(const struct look *look, size_t column);
const char *look_key(const struct look *look, size_t row, size_t column, char key[KEY_TEXT]);

#endif
