#include "backoff.h"

/* One step of splitmix64: enough to spread processes that fail together. */
static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms, uint64_t seed)
{
    const int64_t max = max_ms < 1 ? 1 : max_ms;
    const int64_t first = first_ms < 1 ? 1 : first_ms < max ? first_ms : max;
    *backoff = (struct backoff){.first_ms = first, .max_ms = max, .step_ms = first, .random = seed};
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    const int64_t step = backoff->step_ms;
    const int64_t half = step - step / 2;
    const uint64_t spread = (uint64_t)(step - half) + 1;
    backoff->step_ms = step > backoff->max_ms / 2 ? backoff->max_ms : step * 2;
    return half + (int64_t)(next_random(&backoff->random) % spread);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->step_ms = backoff->first_ms;
}
