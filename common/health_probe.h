/* What --health does: a program asks the one that runs beside it, with the same settings, whether it is ready. For the
   HEALTHCHECK of containers, which have no HTTP client. */
#ifndef DROPBRIDGE_HEALTH_PROBE_H
#define DROPBRIDGE_HEALTH_PROBE_H

#include "buf.h"
#include "error.h"

#include <stdbool.h>
#include <stdint.h>

enum { HEALTH_PROBE_MS = 3000 };

/* GETs /readyz of the admin listener at `listen` (ADMIN_LISTEN: host:port; 0.0.0.0 is asked at 127.0.0.1) within
   timeout_ms, the look-up of a host's name aside. True when there was an answer: *ready says whether its status is
   200, and its body is appended to `detail`. False with *error: ERROR_UNAVAILABLE (nobody answered in time, or not
   with HTTP), ERROR_CONFIG (port 0). Any thread; blocks. */
bool health_probe(const char *listen, int64_t timeout_ms, struct buf *detail, bool *ready, struct error *error);

/* Asks within HEALTH_PROBE_MS, prints the answer to standard output or why there is none to standard error. The exit
   status: 0 ready, 1 not. */
int health_report(const char *listen);

#endif
