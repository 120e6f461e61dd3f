/* The marks in Redis on messages that are handled alone: who has begun one and not finished it has died of it. Keeps
   in mind the marks that could not be taken off because Redis was away. One thread owns them. */
#ifndef DROPBRIDGE_SUSPECTS_H
#define DROPBRIDGE_SUSPECTS_H

#include "../common/error.h"
#include "batch.h"
#include "redis_store.h"

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
        bool finished;
    } owed[SUSPECTS_OWED];
};

void suspects_init(struct suspects *suspects, struct redis_store *store);

/* As batch_ports.mark and .unmark. */
bool suspects_mark(struct suspects *suspects, const char *name, uint64_t *earlier_marks, struct error *error);
void suspects_unmark(struct suspects *suspects, const char *name, bool finished);

/* Takes off what is owed, as far as Redis lets it. Call when Redis has just answered and no message is in hand. */
void suspects_settle(struct suspects *suspects);

#endif
