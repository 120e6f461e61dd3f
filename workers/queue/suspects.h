/* The marks in Redis on messages that are read alone: who has begun one and not taken its mark off has died of it.
   Keeps in mind the marks that could not be taken off because Redis was away. One thread owns them. */
#ifndef DROPBRIDGE_SUSPECTS_H
#define DROPBRIDGE_SUSPECTS_H

#include "common/error.h"
#include "workers/batch.h"
#include "workers/redis/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mark is placed only where Redis answers, so more than one is seldom owed; past these the oldest stays, until it
   expires. */
enum { SUSPECTS_OWED = 8 };

struct suspects {
    struct redis_store *store; /* not owned */
    size_t owed_count;
    struct {
        char name[BATCH_MARK_NAME];
        bool all;
    } owed[SUSPECTS_OWED];
};

void suspects_init(struct suspects *suspects, struct redis_store *store);

/* As batch_ports.mark, .unmark and .unmark_later; the last does not connect. */
bool suspects_mark(struct suspects *suspects, const char *name, uint64_t *earlier_marks, struct error *error);
bool suspects_unmark(struct suspects *suspects, const char *name, bool all, struct error *error);
void suspects_unmark_later(struct suspects *suspects, const char *name, bool all);

/* Takes off what is owed, and connects for it; without a debt it does nothing. Call before anything else is done with
   Redis: false with *error when Redis cannot be reached. What a server refuses stays owed, and stops nothing. */
bool suspects_settle(struct suspects *suspects, struct error *error);

#endif
