/* The bound for bodies in memory, all connections together, counted as bytes arrive. Large bodies have three quarters of it at the
   most, so that small ones never wait for them. Any thread. */
#ifndef DROPBRIDGE_HTTP_BODY_MEMORY_H
#define DROPBRIDGE_HTTP_BODY_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { BODY_SMALL = 16 * 1024 }; /* bytes; the vendor's are some 400 */

struct body_memory {
    size_t limit; /* bytes */
    atomic_size_t used, large;
};

/* Takes `bytes` more for a body that has `before` already; it is large from its first byte past BODY_SMALL on, and then its whole
   memory counts as that. False, with nothing taken: there is not so much now. */
bool body_memory_take(struct body_memory *memory, size_t before, size_t bytes);
/* Gives back all `bytes` of a body. */
void body_memory_give(struct body_memory *memory, size_t bytes);

#endif
