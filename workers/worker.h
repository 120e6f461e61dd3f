/* The loop of the worker: consume → batch → Redis or the rejected queue → acknowledge. One thread. */
#ifndef DROPBRIDGE_WORKER_H
#define DROPBRIDGE_WORKER_H

#include "../common/error.h"
#include "worker_config.h"
#include "worker_status.h"

/* The last step may begin this late and take two calls to Redis: together a stop stays within 10 s. */
enum { WORKER_STOP_MS = 2500 };

struct worker;

/* Does not connect. `config` and `status` must outlive the worker. NULL with *error on failure. */
struct worker *worker_new(const struct worker_config *config, struct worker_status *status, struct error *error);
/* NULL is fine. */
void worker_free(struct worker *worker);

/* Connects for the first time. False with *error (ERROR_REFUSED) only when RabbitMQ or Redis refuses for good; a
   service that is merely away will be tried again. */
bool worker_start(struct worker *worker, struct error *error);

/* Works until a stop signal comes; then finishes the batch in hand within WORKER_STOP_MS (a second signal: at once).
   What is left goes back to the queue. */
void worker_run(struct worker *worker);

#endif
