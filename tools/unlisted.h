/* Phones that a campaign's list of opt-outs has and dc:optouts has not, or has with a later time. */
#ifndef DROPBRIDGE_UNLISTED_H
#define DROPBRIDGE_UNLISTED_H

#include "common/error.h"
#include "common/redis/primary.h"
#include "look.h"

#include <stdbool.h>
#include <stddef.h>

struct unlisted_phone {
    char *phone, *ms;
    bool absent; /* not only later */
};

struct unlisted {
    struct unlisted_phone *list; /* each phone once, with its earliest time */
    size_t count, capacity;
    size_t absent;    /* how many are */
    size_t *by_row;   /* how many each campaign has, by the rows of the look */
};

/* Reads the lists a page at a time, beside workers that count: they never list a phone in a campaign and not in dc:optouts.
   False with *error; *unlisted is to be cleared all the same. */
bool unlisted_read(struct unlisted *unlisted, const struct look *look, struct redis_primary *session, const char *prefix,
                   struct error *error);
void unlisted_clear(struct unlisted *unlisted);

#endif
