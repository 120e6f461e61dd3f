/* The public listener: HTTP ↔ ingest. The only file of the bridge that sees civetweb. */
#ifndef DROPBRIDGE_HTTP_SERVER_H
#define DROPBRIDGE_HTTP_SERVER_H

#include "common/config_report.h"
#include "common/error.h"
#include "bridge/metrics.h"
#include "bridge/ingest.h"
#include "connections.h"
#include "bridge/handoff.h"

#include <stdbool.h>
#include <stdint.h>

struct http_settings {
    const char *listen;        /* host:port; port 0 picks a free one; an s behind it: TLS */
    const char *tls_cert_file; /* with TLS: key, certificate and chain */
    int64_t threads;           /* connections served at once */
    int64_t max_body_bytes;
    int64_t body_timeout_ms;
    int64_t body_memory_bytes;
    int64_t keep_alive_s;
    struct refusals *refusals; /* told there, by any number of threads */
};

struct http_server;

/* Listens, or serves the socket that systemd hands over; logs "listening on host:port". What the arguments point to must
   outlive the server. NULL with *error (ERROR_CONFIG: the address, that socket or the certificate cannot be used;
   ERROR_NOT_YET: the address not now) on failure. */
struct http_server *http_server_start(const struct http_settings *settings, struct ingest *ingest,
                                      struct bridge_metrics *metrics, struct error *error);

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
