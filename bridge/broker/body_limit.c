#include "body_limit.h"

void body_limit_set(struct body_limit *limit, uint64_t bytes, int64_t now_ms)
{
    atomic_store(&limit->until_ms, now_ms + BODY_LIMIT_TRUSTED_MS);
    atomic_store(&limit->bytes, bytes);
}

void body_limit_forget(struct body_limit *limit)
{
    atomic_store(&limit->bytes, 0);
}

uint64_t body_limit_get(struct body_limit *limit, int64_t now_ms)
{
    const uint64_t bytes = atomic_load_explicit(&limit->bytes, memory_order_acquire);

    return bytes && now_ms < atomic_load_explicit(&limit->until_ms, memory_order_relaxed) ? bytes : 0;
}
