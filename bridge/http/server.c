#include "server.h"

#include "common/clock.h"
#include "common/descriptors.h"
#include "common/listen_error.h"
#include "common/log.h"
#include "civetweb_quirks.h"
#include "connections.h"
#include "exchange.h"
#include "listener.h"
#include "tls_listener.h"

#include <civetweb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    QUEUE_MIN = 16,
    QUEUE_MAX = 512,
    DRAIN_POLL_MS = 5,
    /* How long connections are served after the last one was taken: who uses one hears in the answer that it closes. */
    GOODBYE_MS = 100,
    /* Longer where new connections need not be refused meanwhile: they wait with systemd. */
    GOODBYE_HANDED_OVER_MS = 500,
    /* How long those who are cut off at the end have for their answer. */
    LAST_ANSWER_MS = 500,
    TALLY_LOG_MS = 60000,
};

struct http_server {
    const struct bridge_settings *config;
    struct exchange_service service;
    struct connections *connections;
    struct tls_listener *tls; /* NULL: plain HTTP */
    struct mg_context *context;
    struct listener listener;
    int64_t goodbye_ms; /* while draining: when connections without a request are ended */
    struct tally {
        _Atomic uint64_t count;
        _Atomic int64_t next_ms;   /* when the log is told again */
    } complaints, handshakes_failed; /* of the HTTP library */
    char start_problem[256];
};

static _Thread_local struct http_server *starting; /* of the thread in mg_start: what the library complains of there is kept */
static _Thread_local struct connection *place;     /* of an HTTP thread */

/* ---- civetweb's calls ---- */

static void on_context(const struct mg_context *context)
{
    struct http_server *server = mg_get_user_data(context);

    listener_attach(&server->listener, context);
}

static int on_request(struct mg_connection *connection)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));

    return exchange_serve(connection, &server->service);
}

/* `message` may quote the request: it is not logged. */
static int on_http_error(struct mg_connection *connection, int status, const char *message)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));

    (void)message;
    exchange_refuse(connection, &server->service, status);
    return 0;
}

/* One more. Returns how many there were so far if the log is to be told, once a minute; else 0. */
static unsigned long long tally(struct tally *tally)
{
    const unsigned long long count = atomic_fetch_add(&tally->count, 1) + 1;
    const int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = atomic_load(&tally->next_ms);
    const bool due = now_ms >= next_ms && atomic_compare_exchange_strong(&tally->next_ms, &next_ms, now_ms + TALLY_LOG_MS);

    return due ? count : 0;
}

/* Scanners on the Internet cause it, or a client that does not trust our certificate: then OpenSSL's words say so. */
static bool is_failed_handshake(const char *message)
{
    return strncmp(message, "sslize error", strlen("sslize error")) == 0 ||
           strncmp(message, "SSL syscall error", strlen("SSL syscall error")) == 0;
}

/* The library's words may quote a request, with its token or phone number: they are counted. Those of a failed handshake cannot. */
static int on_log(const struct mg_connection *connection, const char *message)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));
    unsigned long long count;

    if (starting) {
        if (starting->start_problem[0] == '\0') /* the first one names the cause */
            snprintf(starting->start_problem, sizeof starting->start_problem, "%s", message);
    } else if (is_failed_handshake(message)) {
        const char *reason = strrchr(message, ':');

        if ((count = tally(&server->handshakes_failed)) > 0)
            log_info("a client failed in its TLS handshake (%llu so far): %s", count,
                     reason && reason[1] ? reason + 1 : "it ended the connection");
    } else if ((count = tally(&server->complaints)) > 0) {
        log_warn("the HTTP library complains of a connection or of a lack of resources (%llu times so far)", count);
    }
    return 1;
}

/* Asked for at the start, and at the stop, when a 1 keeps the library from freeing it. */
static int on_tls_context(void **context, void *user_data)
{
    struct http_server *server = user_data;

    if (!server->tls)
        return 0;
    *context = tls_listener_context(server->tls);
    return 1;
}

static void *on_thread_start(const struct mg_context *context, int type)
{
    const struct http_server *server = mg_get_user_data(context);

    if (type != 1)
        return NULL;
    place = connections_join(server->connections);
    return place;
}

/* A handshake comes before on_connection. */
static void on_handshake(int fd)
{
    connection_begin(place, fd);
}

static int on_connection(const struct mg_connection *connection, void **data)
{
    (void)data;
    connection_begin(place, civetweb_socket(connection));
    return 0;
}

static void on_connection_end(const struct mg_connection *connection)
{
    (void)connection;
    connection_end(place);
}

/* ---- start and stop ---- */

static bool start_civetweb(struct http_server *server, int64_t threads, struct error *error)
{
    char count[24], keep_alive[24], queue[24];
    const char *options[] = {
        "listening_ports", server->listener.ports,
        "num_threads", count,
        "connection_queue", queue,
        "listen_backlog", "4096",
        "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", keep_alive,
        "request_timeout_ms", "10000",
        "tcp_nodelay", "1",
        "decode_url", "no",
        "decode_query_string", "no",
        "enable_auth_domain_check", "no",
        "max_request_size", "16384",
        NULL};
    const struct mg_callbacks callbacks = {.init_context = on_context,
                                           .begin_request = on_request,
                                           .http_error = on_http_error,
                                           .log_message = on_log,
                                           .external_ssl_ctx = on_tls_context,
                                           .init_thread = on_thread_start,
                                           .init_connection = on_connection,
                                           .connection_close = on_connection_end};

    snprintf(count, sizeof count, "%lld", (long long)threads);
    snprintf(keep_alive, sizeof keep_alive, "%lld", (long long)server->config->keep_alive_s * 1000);
    /* Connections that wait for a thread need descriptors as well. */
    snprintf(queue, sizeof queue, "%lld", (long long)http_server_queue(threads));
    starting = server;
    server->context = mg_start(&callbacks, server, options);
    starting = NULL;
    if (server->context && server->listener.port == 0) {
        error_set(error, ERROR_INTERNAL, "its own descriptors cannot be found in /proc/self/fd: is /proc mounted?");
        return false;
    }
    if (server->context) {
        if (server->start_problem[0] != '\0')
            log_warn("the HTTP library: %s", server->start_problem);
        return true;
    }
    error_set(error, listen_error_code(server->start_problem), "cannot listen on %s: %s", server->config->listen,
              server->start_problem);
    return false;
}

static bool start_tls(struct http_server *server, struct error *error)
{
    if (server->listener.tls)
        server->tls = tls_listener_start(server->config->tls_cert_file, on_handshake, error);
    return server->tls || !server->listener.tls;
}

struct http_server *http_server_start(const struct bridge_settings *config, int64_t threads, struct ingest *ingest,
                                      struct refusals *refusals, struct bridge_metrics *metrics, struct error *error)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (!server) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the HTTP server");
        return NULL;
    }
    mg_init_library(MG_FEATURES_DEFAULT);
    server->listener = (struct listener){.plug = -1, .handed_over = {.fd = -1}};
    server->config = config;
    server->service = (struct exchange_service){.ingest = ingest,
                                                .metrics = metrics,
                                                .refusals = refusals,
                                                .body = {.max_bytes = (size_t)config->max_body_bytes,
                                                         .timeout_ms = config->body_timeout_ms,
                                                         .memory = {.limit = (size_t)config->body_memory_bytes}},
                                                .last_ms = INT64_MAX};
    server->connections = connections_start((size_t)threads, metrics, error);
    server->service.body.connections = server->connections;
    if (!server->connections || !civetweb_is_known(error) ||
        !listener_open(&server->listener, config->listen, error) || !start_tls(server, error) ||
        !start_civetweb(server, threads, error)) {
        http_server_stop(server);
        return NULL;
    }
    listener_log(&server->listener);
    return server;
}

int64_t http_server_queue(int64_t threads)
{
    return threads / 4 < QUEUE_MIN ? QUEUE_MIN : threads / 4 > QUEUE_MAX ? QUEUE_MAX : threads / 4;
}

void http_server_connections(struct http_server *server, struct connections_status *out)
{
    connections_status(server->connections, out);
    metric_set(&server->service.metrics->rows[METRIC_BODY_BYTES], (int64_t)atomic_load(&server->service.body.memory.used));
}

void http_server_look(struct http_server *server, struct config_report *report)
{
    if (server->tls)
        tls_listener_look(server->tls, report);
}

void http_server_refuse(struct http_server *server, int64_t deadline_ms)
{
    atomic_store(&server->service.last_ms, deadline_ms);
    atomic_store(&server->service.draining, true);
    server->goodbye_ms =
        clock_monotonic_ms() + (server->listener.handed_over.fd < 0 ? GOODBYE_MS : GOODBYE_HANDED_OVER_MS);
    listener_take_away(&server->listener);
}

/* How many connections there are; with `end` no more is read from them than has come: their threads still read that, answer it, and
   then find the end. (Should another thread have closed the descriptor and opened a connection to the broker under its number
   meanwhile, that one ends: it is to end.) */
static int count_connections(const struct http_server *server, bool end)
{
    return descriptors_of_port(server->listener.port, false, end ? SHUT_RD : -1);
}

static bool is_served(const struct http_server *server, int64_t now_ms)
{
    return metric_get(&server->service.metrics->rows[METRIC_IN_FLIGHT]) > 0 ||
           count_connections(server, now_ms >= server->goodbye_ms) > 0;
}

void http_server_drain(struct http_server *server, int64_t deadline_ms)
{
    /* First a pause: what was being accepted when the listener was taken away is a connection by then. */
    do
        clock_sleep_ms(DRAIN_POLL_MS);
    while (clock_monotonic_ms() < deadline_ms && is_served(server, clock_monotonic_ms()));
}

/* Those whose body the end has cut off, or whose outcome is waited for no longer, hear so: the library writes nothing
   any more once it is told to stop. */
static void await_last_answers(const struct http_server *server)
{
    const int64_t last_ms = clock_monotonic_ms() + LAST_ANSWER_MS;

    while (metric_get(&server->service.metrics->rows[METRIC_IN_FLIGHT]) > 0 && clock_monotonic_ms() < last_ms)
        clock_sleep_ms(DRAIN_POLL_MS);
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    if (server->context && !atomic_load(&server->service.draining))
        http_server_refuse(server, clock_monotonic_ms());
    if (server->context) {
        /* The library's threads look every 2 s only whether to stop: all that they wait for comes to its end. */
        (void)count_connections(server, true);
        await_last_answers(server);
        listener_wake(&server->listener);
        connections_let_all_go(server->connections);
        mg_stop(server->context);
    }
    listener_close(&server->listener);
    connections_stop(server->connections);
    tls_listener_stop(server->tls);
    mg_exit_library();
    free(server);
}
