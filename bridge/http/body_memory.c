#include "body_memory.h"

static bool take(atomic_size_t *used, size_t bytes, size_t limit)
{
    if (atomic_fetch_add(used, bytes) + bytes <= limit)
        return true;
    (void)atomic_fetch_sub(used, bytes);
    return false;
}

bool body_memory_take(struct body_memory *memory, size_t before, size_t bytes)
{
    const size_t large = before + bytes <= BODY_SMALL ? 0 : before <= BODY_SMALL ? before + bytes : bytes;

    if (!take(&memory->used, bytes, memory->limit))
        return false;
    if (large == 0 || take(&memory->large, large, memory->limit - memory->limit / 4))
        return true;
    (void)atomic_fetch_sub(&memory->used, bytes);
    return false;
}

void body_memory_give(struct body_memory *memory, size_t bytes)
{
    (void)atomic_fetch_sub(&memory->used, bytes);
    if (bytes > BODY_SMALL)
        (void)atomic_fetch_sub(&memory->large, bytes);
}
