/* The private listener of both programs: /healthz, /readyz, /metrics on civetweb. */
#ifndef DROPBRIDGE_ADMIN_SERVER_H
#define DROPBRIDGE_ADMIN_SERVER_H

#include "error.h"
#include "metrics.h"
#include "reread.h"

#include <stdbool.h>
#include <stdint.h>

struct admin_config {
    const char *listen; /* host:port; port 0 picks a free one */
    struct metric *metrics;
    size_t metric_count;
    /* Appends the members of the readiness object, without braces ("\"broker\":\"connected\""), and returns whether the
       program is ready. Called from admin threads; must not block. */
    bool (*ready)(void *context, struct buf *members);
    /* Brings gauges up to date before /metrics prints; may be NULL. */
    void (*refresh)(void *context);
    void *context;
    struct reread *reread; /* its problem is a member of the readiness object; may be NULL */
};

struct admin_server;

/* Starts the listener; logs "admin listening on host:port". NULL with *error (ERROR_CONFIG: the address cannot
   be used; ERROR_NOT_YET: not now) on failure. `config` is copied; what it points to must outlive the server. */
struct admin_server *admin_server_start(const struct admin_config *config, struct error *error);
/* Stops, waits for requests in flight, frees. NULL is fine. */
void admin_server_stop(struct admin_server *server);

#endif
