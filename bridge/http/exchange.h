/* One request on its connection, from its head to its answer: parse → ingest_check → read the body → ingest_accept → respond.
   Called by civetweb's threads, any number at once. */
#ifndef DROPBRIDGE_HTTP_EXCHANGE_H
#define DROPBRIDGE_HTTP_EXCHANGE_H

#include "body.h"
#include "bridge/ingest.h"
#include "bridge/metrics.h"

#include <civetweb.h>
#include <stdatomic.h>
#include <stdint.h>

/* What all requests share. The thread pointer of each civetweb thread is its struct connection. */
struct exchange_service {
    struct ingest *ingest;
    struct bridge_metrics *metrics;
    struct refusals *refusals;
    struct body_limits body;
    atomic_bool draining;        /* every answer says that its connection closes */
    _Atomic int64_t last_ms;     /* while draining: no outcome is waited for past it; else INT64_MAX */
    atomic_uint retry_turn;
};

/* civetweb has read a head. Returns the status that was answered. */
int exchange_serve(struct mg_connection *connection, struct exchange_service *service);

/* civetweb's parser has refused what came, half a head among it (`status`: its word); it closes the connection afterwards. */
void exchange_refuse(struct mg_connection *connection, struct exchange_service *service, int status);

#endif
