/* What a worker has learned from Redis and may rely on as long as the epoch is the same: the generations of remembered drops,
   and the numbers of campaigns. apply.lua compares the epoch with each batch. One thread owns it. */
#ifndef DROPBRIDGE_KNOWN_H
#define DROPBRIDGE_KNOWN_H

#include "../../common/error.h"
#include "../redis_session.h"
#include "apply_call.h"
#include "campaigns.h"
#include "generations.h"

#include <stdbool.h>
#include <stdint.h>

struct known {
    struct redis_session *session; /* not owned */
    const char *prefix;
    int64_t retention_ms;
    char epoch[CALL_EPOCH]; /* empty: nothing is known */
    struct generations generations;
    struct campaigns *campaigns;
    bool wrote; /* on this connection: a Redis without an epoch was emptied since */
};

/* False when out of memory. */
bool known_init(struct known *known, struct redis_session *session, const char *prefix, int64_t retention_s);
void known_clear(struct known *known);

/* Another epoch has begun, or there is another connection. */
void known_forget(struct known *known);

/* Learns the epoch and the generations, if they are not known; begins a generation, and with it the next epoch, where the
   last one has ended. The session must be connected, with nothing owed; false with *error. */
bool known_ready(struct known *known, struct error *error);
/* Learns the number of a campaign, which gets one if it has none; or the name of a number. */
bool known_learn_number(struct known *known, const char *name, struct error *error);
bool known_learn_name(struct known *known, uint32_t number, struct error *error);

/* Reads the answer to TIME. */
bool known_read_time(struct known *known, const struct redis_answer *answer, int64_t *now_ms, struct error *error);

#endif
