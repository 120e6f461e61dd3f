/* The loop of the worker: consume → batch → Redis or the rejected queue → acknowledge. One thread does it all; it looks
   at stop_signal_came_at_ms, for which the caller has begun stop_signal_listen. */
#ifndef DROPBRIDGE_WORKER_H
#define DROPBRIDGE_WORKER_H

#include "common/error.h"
#include "common/reread.h"
#include "worker_config.h"
#include "worker_status.h"

enum {
    WORKER_STOP_MS = 2500,  /* the last step may begin this late, and take two calls to Redis */
    WORKER_GUARD_MS = 9500, /* then the process ends, whatever it waits for: a stop stays within 10 s */
};

struct worker;

/* Does not connect. `config`, `status` and `reread`, which knows the present URLs, must outlive the worker. NULL with
   *error on failure. */
struct worker *worker_new(const struct worker_config *config, struct worker_status *status, struct reread *reread,
                          struct error *error);
/* NULL is fine. */
void worker_free(struct worker *worker);

/* Connects for the first time. False with *error (ERROR_REFUSED) when RabbitMQ or Redis refuses for good; a service that
   is merely away will be tried again. */
bool worker_start(struct worker *worker, struct error *error);

/* Works until a stop signal comes; then finishes the batch in hand within WORKER_STOP_MS. What is left goes back to the
   queue. A second signal, or WORKER_GUARD_MS, ends the process at once. */
void worker_run(struct worker *worker);

#endif
