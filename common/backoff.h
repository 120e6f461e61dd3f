/* Exponential waiting times with full jitter between half and the whole of the step. Pure except for the random state
 * inside. */
#ifndef DROPBRIDGE_BACKOFF_H
#define DROPBRIDGE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t max_ms;
    int64_t step_ms;
    uint64_t random;
};

/* `seed`: anything that differs between processes. */
void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms, uint64_t seed);

/* The next wait: in [step/2, step], the step doubling from first_ms to max_ms, which bounds the first one too. */
int64_t backoff_next_ms(struct backoff *backoff);

/* After a success: starts from first_ms again. */
void backoff_reset(struct backoff *backoff);

#endif
