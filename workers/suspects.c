#include "suspects.h"

#include "../common/log.h"

#include <stdio.h>
#include <string.h>

void suspects_init(struct suspects *suspects, struct redis_store *store)
{
    *suspects = (struct suspects){.store = store};
}

static void forget(struct suspects *suspects, size_t index)
{
    suspects->owed_count--;
    memmove(&suspects->owed[index], &suspects->owed[index + 1],
            (suspects->owed_count - index) * sizeof suspects->owed[0]);
}

static void forget_name(struct suspects *suspects, const char *name)
{
    for (size_t i = suspects->owed_count; i > 0; i--) {
        if (strcmp(suspects->owed[i - 1].name, name) == 0)
            forget(suspects, i - 1);
    }
}

bool suspects_mark(struct suspects *suspects, const char *name, uint64_t *earlier_marks, struct error *error)
{
    /* It is in hand again: whatever is owed for it is paid when it is finished or given back. */
    forget_name(suspects, name);
    return redis_store_mark(suspects->store, name, earlier_marks, error);
}

void suspects_unmark(struct suspects *suspects, const char *name, bool finished)
{
    struct error error = {0};
    forget_name(suspects, name);
    if (redis_store_unmark(suspects->store, name, finished, &error))
        return;
    log_debug("a mark stays until Redis is back: %s", error.text);
    if (suspects->owed_count == SUSPECTS_OWED)
        forget(suspects, 0);
    size_t last = suspects->owed_count++;
    snprintf(suspects->owed[last].name, sizeof suspects->owed[last].name, "%s", name);
    suspects->owed[last].finished = finished;
}

void suspects_settle(struct suspects *suspects)
{
    struct error error = {0};
    while (suspects->owed_count > 0 &&
           redis_store_unmark(suspects->store, suspects->owed[0].name, suspects->owed[0].finished, &error))
        forget(suspects, 0);
}
