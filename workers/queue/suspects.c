#include "suspects.h"

#include "common/log.h"

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
    /* It is in hand again: what is owed for it is paid by the unmark to come. */
    forget_name(suspects, name);
    return suspects_settle(suspects, error) &&
           redis_store_mark(suspects->store, name, BATCH_MARKS_MAX, earlier_marks, error);
}

bool suspects_unmark(struct suspects *suspects, const char *name, bool all, struct error *error)
{
    return redis_store_unmark(suspects->store, name, all, error);
}

void suspects_unmark_later(struct suspects *suspects, const char *name, bool all)
{
    struct error error = {0};
    forget_name(suspects, name);
    if (!redis_store_connected(suspects->store) || redis_store_fd(suspects->store) >= 0)
        log_debug("a mark stays until Redis has time for it");
    else if (redis_store_unmark(suspects->store, name, all, &error))
        return;
    else
        log_debug("a mark stays until Redis takes it off: %s", error.text);
    if (suspects->owed_count == SUSPECTS_OWED)
        forget(suspects, 0);
    size_t last = suspects->owed_count++;
    snprintf(suspects->owed[last].name, sizeof suspects->owed[last].name, "%s", name);
    suspects->owed[last].all = all;
}

bool suspects_settle(struct suspects *suspects, struct error *error)
{
    struct error reason = {0};
    while (suspects->owed_count > 0) {
        if (redis_store_unmark(suspects->store, suspects->owed[0].name, suspects->owed[0].all, &reason)) {
            forget(suspects, 0);
            continue;
        }
        if (redis_store_connected(suspects->store))
            break;
        *error = reason;
        return false;
    }
    return true;
}
