/* The public listener: HTTP ↔ ingest. */
#ifndef DROPBRIDGE_HTTP_SERVER_H
#define DROPBRIDGE_HTTP_SERVER_H

#include "bridge/ingest.h"
#include "bridge/metrics.h"
#include "bridge/settings.h"
#include "connections.h"
#include "refusals.h"

#include <stdint.h>

struct http_server;

/* Listens, or serves the socket that systemd hands over, with so many threads; logs "listening on host:port". What the arguments
   point to must outlive the server. NULL with *error (ERROR_CONFIG: the address, that socket or the certificate cannot be used;
   ERROR_NOT_YET: the address not now) on failure. */
struct http_server *http_server_start(const struct bridge_settings *config, int64_t threads, struct ingest *ingest,
                                      struct refusals *refusals, struct bridge_metrics *metrics, struct error *error);

/* How many connections may wait for one of so many threads. */
int64_t http_server_queue(int64_t threads);

/* Any thread. */
void http_server_connections(struct http_server *server, struct connections_status *out);

/* Takes a renewed certificate for the handshakes that come; what is wrong with it goes to the report. One thread. */
void http_server_look(struct http_server *server, struct config_report *report);

/* Takes no new connections: who connects is refused, or waits in systemd's socket. No request waits for its outcome past
   deadline_ms (CLOCK_MONOTONIC) any more. */
void http_server_refuse(struct http_server *server, int64_t deadline_ms);

/* After http_server_refuse: waits for the requests in flight, ends the connections that have none, and waits for their
   end, at the most until deadline_ms. */
void http_server_drain(struct http_server *server, int64_t deadline_ms);

/* Closes all connections, waits for the threads, frees. NULL is fine. */
void http_server_stop(struct http_server *server);

#endif
