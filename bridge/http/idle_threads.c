#include "idle_threads.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SPARE = 16 }; /* threads that wait for a connection, at least */

struct idle_threads {
    size_t threads;
    int fd; /* a semaphore: one read, one thread */
    _Atomic size_t let_go;
};

/* Up to so many in all. */
static void let_go(struct idle_threads *idle, size_t wanted)
{
    size_t before = atomic_load(&idle->let_go);

    if (wanted > idle->threads)
        wanted = idle->threads;
    while (before < wanted)
        if (atomic_compare_exchange_weak(&idle->let_go, &before, wanted)) {
            (void)eventfd_write(idle->fd, wanted - before);
            return;
        }
}

struct idle_threads *idle_threads_new(size_t threads, struct error *error)
{
    struct idle_threads *idle = calloc(1, sizeof *idle);

    if (!idle) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the HTTP threads");
        return NULL;
    }
    idle->threads = threads;
    idle->fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    if (idle->fd < 0) {
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
        free(idle);
        return NULL;
    }
    let_go(idle, 2 * SPARE);
    return idle;
}

void idle_threads_free(struct idle_threads *idle)
{
    if (!idle)
        return;
    close(idle->fd);
    free(idle);
}

void idle_threads_wait(struct idle_threads *idle)
{
    eventfd_t one;

    while (eventfd_read(idle->fd, &one) != 0 && errno == EINTR)
        ;
}

void idle_threads_need(struct idle_threads *idle, size_t busy)
{
    if (busy + SPARE > atomic_load(&idle->let_go))
        let_go(idle, busy + 2 * SPARE);
}

void idle_threads_let_all_go(struct idle_threads *idle)
{
    let_go(idle, idle->threads);
}
