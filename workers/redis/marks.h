/* Marks in Redis on messages that are read alone, under {prefix}drops:marks:{name}: who sets one and does not take it
   off has died of the message. One thread owns them. */
#ifndef DROPBRIDGE_REDIS_MARKS_H
#define DROPBRIDGE_REDIS_MARKS_H

#include "common/error.h"
#include "common/redis/primary.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REDIS_MARK_TTL_S = 7 * 86400, /* a message that waits longer than that for its next try is as good as new */
    REDIS_MARK_WORKER = 160,
};

struct redis_marks {
    struct redis_primary *session; /* not owned */
    const char *prefix;
    char worker[REDIS_MARK_WORKER]; /* this process among all that ever marked a message */
};

void redis_marks_init(struct redis_marks *marks, struct redis_primary *session, const char *prefix);

/* As redis_store_mark and redis_store_unmark. A mark waits in the send buffer for what takes it off: until then an
   answer is owed on the connection, so that nothing else is asked on it. */
bool redis_marks_set(struct redis_marks *marks, const char *name, uint64_t enough, uint64_t *earlier_marks,
                     struct error *error);
bool redis_marks_take_off(struct redis_marks *marks, const char *name, bool all, struct error *error);

#endif
