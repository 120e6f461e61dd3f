#include "admin_server.h"

#include "buf.h"
#include "descriptors.h"
#include "listen_error.h"
#include "log.h"

#include <civetweb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { READY_LIMIT = 64 * 1024, METRICS_LIMIT = 1024 * 1024, LISTEN_SIZE = 300, MESSAGE_SIZE = 256 };

static const char type_json[] = "application/json";
static const char type_metrics[] = "text/plain; version=0.0.4; charset=utf-8";

struct admin_server {
    struct admin_config config;
    struct mg_context *context;
    uint16_t port;
    int listeners; /* of ours at this port: the admin listener, and perhaps one at another address */
    pthread_t starter;
    char message[MESSAGE_SIZE]; /* civetweb's first complaint in the thread that started it */
};

/* ---- answers ---- */

static int answer(struct mg_connection *connection, int status, const char *status_text, const char *type,
                  const char *extra, const char *body, size_t len)
{
    const char *method = mg_get_request_info(connection)->request_method; /* NULL: there was none */
    const bool head = method && strcmp(method, "HEAD") == 0;

    (void)mg_printf(connection,
                    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s"
                    "Connection: close\r\n\r\n",
                    status, status_text, type, len, extra);
    if (!head)
        (void)mg_write(connection, body, len);
    return status;
}

static int answer_error(struct mg_connection *connection, int status, const char *status_text, const char *extra,
                        const char *body)
{
    return answer(connection, status, status_text, type_json, extra, body, strlen(body));
}

static int answer_health(struct mg_connection *connection)
{
    static const char body[] = "{\"ok\":true}";
    return answer(connection, 200, "OK", type_json, "", body, sizeof body - 1);
}

static void add_settings_problem(struct reread *reread, struct buf *members)
{
    struct buf problem;

    buf_init(&problem, READY_LIMIT / 4);
    reread_problem(reread, &problem);
    if (problem.len > 0) {
        (void)buf_append_text(members, members->len > 0 ? ",\"settings_problem\":" : "\"settings_problem\":");
        (void)buf_append_json_string(members, problem.data, problem.len - 1); /* without the last newline */
    }
    buf_clear(&problem);
}

static int answer_ready(struct admin_server *server, struct mg_connection *connection)
{
    struct buf members;
    struct buf body;
    int status = 0;

    buf_init(&members, READY_LIMIT);
    buf_init(&body, READY_LIMIT + 64);
    const bool ready = server->config.ready(server->config.context, &members);
    if (server->config.reread)
        add_settings_problem(server->config.reread, &members);
    if (members.overflow || !buf_printf(&body, "{\"ready\":%s%s%s}", ready ? "true" : "false",
                                        members.len > 0 ? "," : "", members.data ? members.data : ""))
        status = answer_error(connection, 500, "Internal Server Error", "", "{\"error\":{\"code\":\"internal\"}}");
    else
        status = answer(connection, ready ? 200 : 503, ready ? "OK" : "Service Unavailable", type_json, "", body.data,
                        body.len);
    buf_clear(&members);
    buf_clear(&body);
    return status;
}

static int answer_metrics(struct admin_server *server, struct mg_connection *connection)
{
    struct buf text;
    int status = 0;

    buf_init(&text, METRICS_LIMIT);
    if (server->config.refresh)
        server->config.refresh(server->config.context);
    metrics_print(server->config.metrics, server->config.metric_count, &text);
    if (text.overflow)
        status = answer_error(connection, 500, "Internal Server Error", "", "{\"error\":{\"code\":\"internal\"}}");
    else
        status = answer(connection, 200, "OK", type_metrics, "", text.data ? text.data : "", text.len);
    buf_clear(&text);
    return status;
}

/* ---- civetweb's callbacks ---- */

static struct admin_server *server_of(const struct mg_connection *connection)
{
    return mg_get_user_data(mg_get_context(connection));
}

/* The only way in: civetweb serves nothing by itself. */
static int begin_request(struct mg_connection *connection)
{
    struct admin_server *server = server_of(connection);
    const struct mg_request_info *request = mg_get_request_info(connection);
    const char *path = request->local_uri ? request->local_uri : "";
    const bool health = strcmp(path, "/healthz") == 0;
    const bool ready = strcmp(path, "/readyz") == 0;
    const bool metrics = strcmp(path, "/metrics") == 0;

    if (!health && !ready && !metrics)
        return answer_error(connection, 404, "Not Found", "",
                            "{\"error\":{\"code\":\"not_found\",\"message\":\"there are /healthz, /readyz and "
                            "/metrics\"}}");
    if (strcmp(request->request_method, "GET") != 0 && strcmp(request->request_method, "HEAD") != 0)
        return answer_error(connection, 405, "Method Not Allowed", "Allow: GET, HEAD\r\n",
                            "{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"GET and HEAD only\"}}");
    if (health)
        return answer_health(connection);
    return ready ? answer_ready(server, connection) : answer_metrics(server, connection);
}

/* Of what is no request. The library's own answer has a date, for which its threads share one struct of libc. */
static int refuse(struct mg_connection *connection, int status, const char *message)
{
    (void)message; /* may repeat bytes of the request */
    (void)answer_error(connection, status, mg_get_response_code_text(connection, status), "",
                       "{\"error\":{\"code\":\"bad_request\"}}");
    return 0;
}

static int take_message(const struct mg_connection *connection, const char *message)
{
    struct admin_server *server = server_of(connection);
    const bool starting = server && pthread_equal(pthread_self(), server->starter);
    /* What it says later may repeat bytes of a request. */
    if (!starting)
        log_debug("admin: the HTTP library could not serve a connection");
    else if (server->message[0] == '\0')
        (void)snprintf(server->message, sizeof server->message, "%s", message);
    else
        log_debug("admin: %s", message);
    return 1;
}

/* ---- start and stop ---- */

static bool check_address(const char *listen, struct error *error)
{
    const size_t len = strlen(listen);
    if (len == 0 || len >= LISTEN_SIZE || !strchr(listen, ':')) {
        error_set(error, ERROR_CONFIG, "ADMIN_LISTEN must be host:port");
        return false;
    }
    if (listen[len - 1] == 's') {
        error_set(error, ERROR_CONFIG, "ADMIN_LISTEN %s: the admin listener has no TLS; keep it on a private address",
                  listen);
        return false;
    }
    if (listen[0] == '[' && mg_check_feature(MG_FEATURES_IPV6) == 0) {
        error_set(error, ERROR_CONFIG, "ADMIN_LISTEN %s: listening on IPv6 is not supported: give an IPv4 address",
                  listen);
        return false;
    }
    return true;
}

static void note_address(struct admin_server *server)
{
    struct mg_server_port port = {0};
    const char *listen = server->config.listen;
    const int host_len = (int)(strrchr(listen, ':') - listen);
    if (mg_get_server_ports(server->context, 1, &port) != 1) {
        log_info("admin listening on %s", listen);
        return;
    }
    server->port = (uint16_t)port.port;
    server->listeners = descriptors_of_port(server->port, true, -1);
    log_info("admin listening on %.*s:%d", host_len, listen, port.port);
}

struct admin_server *admin_server_start(const struct admin_config *config, struct error *error)
{
    const char *options[] = {
        "listening_ports",
        config->listen,
        "num_threads",
        "64", /* one slow client holds one until request_timeout_ms: some dozens stop nobody else */
        "tcp_nodelay",
        "1",
        "enable_keep_alive",
        "no",
        "request_timeout_ms",
        "5000",
        "decode_url",
        "no",
        "enable_directory_listing",
        "no",
        NULL,
    };
    const struct mg_callbacks callbacks = {
        .begin_request = begin_request, .http_error = refuse, .log_message = take_message};
    struct admin_server *server = NULL;
    struct admin_server *result = NULL;

    (void)mg_init_library(MG_FEATURES_DEFAULT);
    if (!check_address(config->listen, error))
        goto out;
    server = calloc(1, sizeof *server);
    if (!server) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        goto out;
    }
    server->config = *config;
    server->starter = pthread_self();
    server->context = mg_start(&callbacks, server, options);
    if (!server->context) {
        error_set(error, listen_error_code(server->message), "ADMIN_LISTEN %s cannot be used: %s", config->listen,
                  server->message[0] != '\0' ? server->message : "the listener does not start");
        goto out;
    }
    note_address(server);
    result = server;
    server = NULL;
out:
    free(server);
    if (!result)
        (void)mg_exit_library();
    return result;
}

void admin_server_stop(struct admin_server *server)
{
    if (!server)
        return;
    /* mg_stop waits for polls of 2 s. A listener that is shut, and a connection that is not read any more, are readable: the polls
       return, however early this comes. A request that has come is answered. With two listeners on this port, at two addresses,
       their connections cannot be told apart: the polls time out instead. */
    if (server->listeners == 1) {
        (void)descriptors_of_port(server->port, true, SHUT_RDWR);
        (void)descriptors_of_port(server->port, false, SHUT_RD);
    }
    mg_stop(server->context);
    free(server);
    (void)mg_exit_library();
}
