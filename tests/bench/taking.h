/* Takes events out of a queue and acknowledges them, as a worker does that has nothing to do with them: the bound of
   what can be had of the broker. */
#ifndef DROPBRIDGE_BENCH_TAKING_H
#define DROPBRIDGE_BENCH_TAKING_H

#include "common/amqp_session.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes so many from settings->queue over a connection of its own, PREFETCH and acknowledgements as a worker has them
   by default. True when all are acknowledged and the connection is closed. */
bool take_all(const struct amqp_settings *settings, uint64_t events, struct error *error);

#endif
