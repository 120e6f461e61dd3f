#include "server.h"

#include "common/clock.h"
#include "common/descriptors.h"
#include "common/listen_error.h"
#include "common/log.h"
#include "body_watch.h"
#include "framing.h"
#include "idle_threads.h"
#include "tls_listener.h"

#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MAX_PORTS = 4,
    /* A first buffer for chunked bodies; the vendor's are some 400 bytes. */
    CHUNKED_FIRST = 4096,
    /* What is read and dropped after an early refusal, so that the client sees the answer and not a reset. */
    DISCARD_BYTES = 256 * 1024,
    DISCARD_MS = 1000,
    DRAIN_POLL_MS = 5,
    /* How long connections are served after the last one was taken: who uses one hears in the answer that it closes. */
    GOODBYE_MS = 100,
    /* How long those who are cut off at the end have for their answer. */
    LAST_ANSWER_MS = 500,
    HEAD_SIZE = 320,
    /* Longer than any header value that can be right: a longer one is cut and stays wrong. */
    HEADER_SIZE = 192,
    COMPLAINTS_LOG_MS = 60000,
};

struct http_server {
    struct http_settings settings;
    struct ingest *ingest;
    struct bridge_metrics *metrics;
    struct body_watch *watch;
    struct idle_threads *idle;
    struct tls_listener *tls; /* NULL: plain HTTP */
    struct mg_context *context;
    uint16_t ports[MAX_PORTS];
    int port_count;
    atomic_bool draining;
    _Atomic int64_t last_ms;     /* while draining: no outcome is waited for past it */
    int64_t goodbye_ms;          /* while draining: when connections without a request are ended */
    int plug;                    /* an eventfd: stands in for the listeners while draining */
    /* The listeners that it stands in for. */
    int shut_listeners[MAX_PORTS];
    int shut_listener_count;
    atomic_uint logged_refusals; /* a bit for each answer */
    atomic_uint retry_turn;
    _Atomic uint64_t complaints; /* of the HTTP library */
    _Atomic int64_t complaints_logged_ms;
    _Atomic uint64_t handshakes_failed;
    _Atomic int64_t handshakes_logged_ms;
    /* What the thread in mg_start complains of is kept. */
    atomic_bool starting;
    pthread_t starter;
    char start_problem[256];
};

/* One request on its way through. */
struct exchange {
    struct http_server *server;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    struct http_field fields[FRAMING_MAX_FIELDS];
    size_t field_count;
    struct framing framing;
    struct ingest_request request;
    struct ingest_decision decision;
    struct pending_message *message;
    struct header_texts {
        char guide_signature[HEADER_SIZE];
        char v1_signature[HEADER_SIZE];
        char v1_timestamp[HEADER_SIZE];
        char v1_version[HEADER_SIZE];
        char event_id[HEADER_SIZE];
        char attempt[HEADER_SIZE];
    } texts;
    size_t body_len;
    bool body_unread;   /* the client may still be sending */
    bool continued;     /* 100 Continue was said */
    bool must_close;
};

/* ---- the answer ---- */

static void write_answer(struct exchange *x, enum response answer, bool close)
{
    const char *body = response_body(answer);
    const size_t body_len = strlen(body);
    char text[HEAD_SIZE + 256];
    char extra[64] = "";
    int len;

    if (answer == RESPONSE_METHOD_NOT_ALLOWED)
        snprintf(extra, sizeof extra, "Allow: %s\r\n", routes_allow(x->decision.match.route));
    else if (answer == RESPONSE_UNAVAILABLE) /* spread, so that those refused together do not come back together */
        snprintf(extra, sizeof extra, "Retry-After: %u\r\n", 1 + atomic_fetch_add(&x->server->retry_turn, 1) % 5);
    len =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%sConnection: %s\r\n\r\n",
                 response_status(answer), response_status_text(answer), body_len, extra, close ? "close" : "keep-alive");
    /* HEAD_SIZE holds the longest head, the rest the longest body of errors.def. */
    if (!x->request.method || strcmp(x->request.method, "HEAD") != 0) {
        memcpy(text + len, body, body_len);
        len += (int)body_len;
    }
    (void)mg_write(x->connection, text, (size_t)len);
}

/* The first of each kind, with its remedy. */
static void log_refused_callback(const struct exchange *x, enum response answer)
{
    const unsigned bit = 1u << answer;
    char campaign[LIMIT_CAMPAIGN + 1];

    if (atomic_fetch_or(&x->server->logged_refusals, bit) & bit)
        return;
    routes_campaign_for_log(x->decision.match.campaign, campaign);
    if (answer == RESPONSE_CALLBACK_NOT_CONFIGURED)
        log_warn("refused a callback from %s (%s): its result is lost. Set CALLBACK_SECRET and start again; further "
                 "refusals are counted only",
                 x->info->remote_addr, response_code(answer));
    else
        log_warn(
            "refused a callback from %s%s%s (%s): its result is lost. Put the URL that `dropctl callback-url --base "
            "URL%s%s` prints into callback_url; further refusals are counted only",
            x->info->remote_addr, *campaign ? " for campaign " : "", campaign, response_code(answer),
            *campaign                           ? " --campaign "
            : answer == RESPONSE_INVALID_CAMPAIGN ? " --campaign NAME"
                                                : "",
            campaign);
}

static void count_answer(struct exchange *x, enum response answer)
{
    struct bridge_metrics *metrics = x->server->metrics;

    bridge_count(metrics, METRIC_REQUESTS + answer, 1);
    /* What was refused before it was verified, or could not be kept, has another answer (see ingest). */
    if (answer == RESPONSE_INVALID_JSON && x->decision.scheme != ENVELOPE_OFF)
        bridge_count(metrics, METRIC_KEPT_INVALID, 1);
    if (response_loses_callback(answer)) {
        bridge_count(metrics, METRIC_REFUSED_CALLBACKS, 1);
        log_refused_callback(x, answer);
    }
}

/* ---- the body ---- */

static struct body_slot *slot_of(const struct exchange *x)
{
    return mg_get_thread_pointer(x->connection);
}

static void arm(const struct exchange *x, int64_t timeout_ms)
{
    body_slot_arm(slot_of(x), x->info->remote_addr, x->info->remote_port, x->info->server_port,
                  clock_monotonic_ms() + timeout_ms);
}

/* Reads up to `want` bytes behind what is there. The count, 0 at the end of the body, -1 on a broken one. */
static long read_more(struct exchange *x, size_t want)
{
    size_t got = 0;

    while (got < want) {
        const int n = mg_read(x->connection, message_body(x->message) + x->body_len, want - got);

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
        x->body_len += (size_t)n;
    }
    return (long)got;
}

static enum response read_sized(struct exchange *x)
{
    const size_t want = (size_t)x->framing.length;

    x->message = message_new(want);
    if (!x->message)
        return RESPONSE_UNAVAILABLE;
    return read_more(x, want) == (long)want ? RESPONSE_RECEIVED : RESPONSE_BAD_REQUEST;
}

static enum response read_chunked(struct exchange *x)
{
    const size_t limit = (size_t)x->server->settings.max_body_bytes;
    size_t capacity = CHUNKED_FIRST;

    x->message = message_new(capacity);
    while (x->message) {
        /* One byte past the limit says enough: the rest is not waited for. */
        const size_t past = limit + 1 - x->body_len;
        const size_t room = capacity - x->body_len < past ? capacity - x->body_len : past;
        const long got = read_more(x, room);

        if (got < 0)
            return RESPONSE_BAD_REQUEST;
        if (x->body_len > limit)
            return RESPONSE_PAYLOAD_TOO_LARGE;
        if ((size_t)got < room)
            return RESPONSE_RECEIVED;
        capacity *= 2;
        struct pending_message *grown = message_grow(x->message, capacity);
        if (!grown)
            break;
        x->message = grown;
    }
    return RESPONSE_UNAVAILABLE;
}

/* To a request that is broken or ends too early. A stop ends the reading side of connections, so it may be our doing:
   then the sender is to come again. */
static enum response answer_to_cut_off(struct exchange *x)
{
    x->must_close = true;
    return atomic_load(&x->server->draining) ? RESPONSE_UNAVAILABLE : RESPONSE_BAD_REQUEST;
}

/* RESPONSE_RECEIVED once the message holds the whole body. */
static enum response read_body(struct exchange *x)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum response answer;

    if (x->framing.body == FRAMING_NO_BODY)
        return RESPONSE_RECEIVED;
    if (x->framing.body == FRAMING_LENGTH && x->framing.length > (uint64_t)x->server->settings.max_body_bytes)
        return RESPONSE_PAYLOAD_TOO_LARGE;
    if (!slot_of(x)) /* no memory when the thread started */
        return RESPONSE_UNAVAILABLE;
    if (x->framing.expect_continue)
        (void)mg_write(x->connection, go_on, sizeof go_on - 1);
    x->continued = true;
    arm(x, x->server->settings.body_timeout_ms);
    answer = x->framing.body == FRAMING_LENGTH ? read_sized(x) : read_chunked(x);
    if (body_slot_disarm(slot_of(x))) {
        x->must_close = true; /* the reading side is shut by now, even if the last byte just made it */
        if (answer == RESPONSE_BAD_REQUEST)
            answer = RESPONSE_BODY_TIMEOUT;
    }
    if (answer == RESPONSE_BAD_REQUEST)
        answer = answer_to_cut_off(x);
    x->body_unread = answer != RESPONSE_RECEIVED;
    return answer;
}

/* A socket closed with unread bytes sends a reset, which can overtake the answer. */
static void discard_body(struct exchange *x)
{
    char sink[4096];
    size_t left = DISCARD_BYTES;

    if (!slot_of(x) || (x->framing.expect_continue && !x->continued))
        return;
    arm(x, DISCARD_MS);
    while (left > 0) {
        const int n = mg_read(x->connection, sink, left < sizeof sink ? left : sizeof sink);

        if (n <= 0)
            break;
        left -= (size_t)n;
    }
    (void)body_slot_disarm(slot_of(x));
}

/* ---- one request ---- */

/* The header's text without outer white space, kept in `out`; NULL if there is none. */
static const char *header(const struct exchange *x, const char *name, char out[HEADER_SIZE])
{
    return framing_text(x->fields, x->field_count, name, out, HEADER_SIZE) ? out : NULL;
}

static void read_head(struct exchange *x)
{
    const struct mg_request_info *info = x->info;

    x->field_count = info->num_headers > 0 ? (size_t)info->num_headers : 0;
    for (size_t i = 0; i < x->field_count; i++)
        x->fields[i] = (struct http_field){info->http_headers[i].name, info->http_headers[i].value};
    x->request = (struct ingest_request){
        .method = info->request_method,
        .path = info->local_uri_raw ? info->local_uri_raw : "",
        .query = info->query_string,
        .guide_signature = header(x, "X-DropCowboy-Signature", x->texts.guide_signature),
        .v1_signature = header(x, "X-Signature", x->texts.v1_signature),
        .v1_timestamp = header(x, "X-Timestamp", x->texts.v1_timestamp),
        .v1_version = header(x, "X-Signature-Version", x->texts.v1_version),
        .event_id = header(x, "X-Event-Id", x->texts.event_id),
        .attempt = header(x, "X-Attempt", x->texts.attempt),
    };
}

static enum response check_framing(struct exchange *x)
{
    const char *version = x->info->http_version;
    const char *problem = framing_of_fields(version, x->fields, x->field_count, &x->framing);

    if (!problem)
        problem = framing_of_buffer(version, x->fields, x->field_count);
    if (!problem)
        return RESPONSE_RECEIVED;
    log_debug("refused a request from %s: %s", x->info->remote_addr, problem);
    x->must_close = true;
    x->body_unread = true;
    return RESPONSE_BAD_REQUEST;
}

/* parse → ingest_check → read the body → ingest_accept */
static enum response judge(struct exchange *x)
{
    struct ingest_times times;
    enum response answer = check_framing(x);

    if (answer != RESPONSE_RECEIVED)
        return answer;
    x->body_unread = x->framing.body != FRAMING_NO_BODY;
    answer = ingest_check(x->server->ingest, &x->request, clock_wall_ms() / 1000, &x->decision);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    answer = read_body(x);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    if (x->message)
        message_set_body_len(x->message, x->body_len);
    times = (struct ingest_times){.received_at_ms = clock_wall_ms(),
                                  .arrived_ms = clock_monotonic_ms(),
                                  .last_ms = atomic_load(&x->server->last_ms)};
    return ingest_accept(x->server->ingest, &x->decision, &x->request, x->message, &times);
}

static int on_request(struct mg_connection *connection)
{
    struct exchange x;
    enum response answer;
    bool close;

    memset(&x, 0, sizeof x);
    x.connection = connection;
    x.info = mg_get_request_info(connection);
    x.server = x.info->user_data;
    bridge_count(x.server->metrics, METRIC_IN_FLIGHT, 1);
    read_head(&x);
    answer = judge(&x);
    count_answer(&x, answer);
    close = x.must_close || x.body_unread || answer == RESPONSE_BAD_REQUEST || atomic_load(&x.server->draining) ||
            !framing_keeps_alive(x.info->http_version, x.fields, x.field_count);
    if (close)
        mg_disable_connection_keep_alive(connection);
    write_answer(&x, answer, close);
    if (x.body_unread && answer != RESPONSE_BODY_TIMEOUT)
        discard_body(&x);
    message_release(x.message);
    bridge_count(x.server->metrics, METRIC_IN_FLIGHT, -1);
    return response_status(answer);
}

/* ---- civetweb's other calls ---- */

/* What its parser refuses, half a head among it; it closes the connection afterwards. `message` may quote the request:
   it is not logged. */
static int on_http_error(struct mg_connection *connection, int status, const char *message)
{
    struct exchange x;
    enum response answer;

    (void)message;
    memset(&x, 0, sizeof x);
    x.connection = connection;
    x.info = mg_get_request_info(connection);
    x.server = mg_get_user_data(mg_get_context(connection));
    log_debug("refused a request: the HTTP library says %d", status);
    answer = answer_to_cut_off(&x);
    count_answer(&x, answer);
    mg_disable_connection_keep_alive(connection);
    write_answer(&x, answer, true);
    return 0;
}

/* True once a minute. */
static bool is_due(_Atomic int64_t *logged_ms)
{
    const int64_t now_ms = clock_monotonic_ms();
    int64_t last_ms = atomic_load(logged_ms);

    return (last_ms == 0 || now_ms - last_ms >= COMPLAINTS_LOG_MS) &&
           atomic_compare_exchange_strong(logged_ms, &last_ms, now_ms);
}

/* The library's words may quote a request, with its token or phone number: they are counted. */
static void log_complaint(struct http_server *server)
{
    if (!server)
        return;
    const uint64_t count = atomic_fetch_add(&server->complaints, 1) + 1;
    if (is_due(&server->complaints_logged_ms))
        log_warn("the HTTP library complains of a connection or of a lack of resources (%llu times so far)",
                 (unsigned long long)count);
}

/* Scanners on the Internet cause it, or a client that does not trust our certificate: then OpenSSL's words say so.
   Nothing of a request can be in them. */
static bool is_failed_handshake(const char *message)
{
    return strncmp(message, "sslize error", strlen("sslize error")) == 0 ||
           strncmp(message, "SSL syscall error", strlen("SSL syscall error")) == 0;
}

static void log_failed_handshake(struct http_server *server, const char *message)
{
    const char *reason = strrchr(message, ':');
    const uint64_t count = atomic_fetch_add(&server->handshakes_failed, 1) + 1;

    if (is_due(&server->handshakes_logged_ms))
        log_info("a client failed in its TLS handshake (%llu so far): %s", (unsigned long long)count,
                 reason && reason[1] ? reason + 1 : "it ended the connection");
}

static int on_log(const struct mg_connection *connection, const char *message)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));

    if (server && server->tls && is_failed_handshake(message))
        log_failed_handshake(server, message);
    else if (!server || !atomic_load(&server->starting) || !pthread_equal(server->starter, pthread_self()))
        log_complaint(server);
    else if (server->start_problem[0] == '\0') /* the first one names the cause */
        snprintf(server->start_problem, sizeof server->start_problem, "%s", message);
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
    idle_threads_wait(server->idle);
    return body_slot_new(server->watch);
}

static void on_thread_end(const struct mg_context *context, int type, void *pointer)
{
    (void)context;
    if (type == 1)
        body_slot_free(pointer);
}

static int on_connection(const struct mg_connection *connection, void **data)
{
    const struct http_server *server = mg_get_user_data(mg_get_context(connection));

    (void)data;
    idle_threads_busy(server->idle);
    return 0;
}

static void on_connection_end(const struct mg_connection *connection)
{
    const struct http_server *server = mg_get_user_data(mg_get_context(connection));

    idle_threads_done(server->idle);
}

/* ---- start and stop ---- */

static void log_ports(struct http_server *server)
{
    struct mg_server_port ports[MAX_PORTS];
    const char *colon = strrchr(server->settings.listen, ':');
    const int host_len = colon ? (int)(colon - server->settings.listen) : 0;

    memset(ports, 0, sizeof ports);
    server->port_count = mg_get_server_ports(server->context, MAX_PORTS, ports);
    for (int i = 0; i < server->port_count; i++) {
        server->ports[i] = (uint16_t)ports[i].port;
        log_info("listening on %.*s:%d%s", host_len, server->settings.listen, ports[i].port,
                 ports[i].is_ssl ? " with TLS" : "");
    }
}

static bool start_civetweb(struct http_server *server, struct error *error)
{
    char threads[24];
    /* keep_alive_timeout_ms past the 60 s after which usual load balancers drop an idle connection: they close first.
     */
    const char *options[] = {"listening_ports",
                             server->settings.listen,
                             "num_threads",
                             threads,
                             "connection_queue",
                             "512",
                             "listen_backlog",
                             "4096",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "65000",
                             "request_timeout_ms",
                             "10000",
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "decode_query_string",
                             "no",
                             "enable_auth_domain_check",
                             "no",
                             "max_request_size",
                             "16384",
                             NULL};
    struct mg_callbacks callbacks;

    snprintf(threads, sizeof threads, "%lld", (long long)server->settings.threads);
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.begin_request = on_request;
    callbacks.http_error = on_http_error;
    callbacks.log_message = on_log;
    callbacks.external_ssl_ctx = on_tls_context;
    callbacks.init_thread = on_thread_start;
    callbacks.exit_thread = on_thread_end;
    callbacks.init_connection = on_connection;
    callbacks.connection_close = on_connection_end;
    if (server->tls) /* a handshake comes before on_connection: nobody counts it */
        idle_threads_let_all_go(server->idle);
    server->starter = pthread_self();
    atomic_store(&server->starting, true);
    server->context = mg_start(&callbacks, server, options);
    atomic_store(&server->starting, false);
    if (server->context) {
        if (server->start_problem[0] != '\0')
            log_warn("the HTTP library: %s", server->start_problem);
        return true;
    }
    error_set(error, listen_error_code(server->start_problem), "cannot listen on %s: %s", server->settings.listen,
              server->start_problem);
    return false;
}

static bool start_tls(struct http_server *server, struct error *error)
{
    const size_t len = strlen(server->settings.listen);

    if (len == 0 || server->settings.listen[len - 1] != 's')
        return true;
    server->tls = tls_listener_start(server->settings.tls_cert_file, error);
    return server->tls != NULL;
}

/* From the start, since a stop may find no descriptor left. */
static bool make_plug(struct http_server *server, struct error *error)
{
    server->plug = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->plug < 0)
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
    return server->plug >= 0;
}

struct http_server *http_server_start(const struct http_settings *settings, struct ingest *ingest,
                                      struct bridge_metrics *metrics, struct error *error)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (!server) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the HTTP server");
        return NULL;
    }
    mg_init_library(MG_FEATURES_DEFAULT);
    server->plug = -1;
    atomic_store(&server->last_ms, INT64_MAX);
    server->settings = *settings;
    server->ingest = ingest;
    server->metrics = metrics;
    server->watch = body_watch_start(error);
    server->idle = idle_threads_new((size_t)settings->threads, error);
    if (!server->watch || !server->idle || !make_plug(server, error) || !start_tls(server, error) || !start_civetweb(server, error)) {
        http_server_stop(server);
        return NULL;
    }
    log_ports(server);
    return server;
}

static void close_listener(void *context, int fd)
{
    struct http_server *server = context;
    int copy;

    /* civetweb owns the number: what it names is shut, for a poll that runs, and replaced by something that is never
       readable, since polling a shut listener returns at once, again and again. The kernel then refuses connections.
       (With ADMIN_LISTEN at the same port of another address, that listener is among them: it ends now as well.) */
    if (!descriptor_listens(fd, server->ports, server->port_count))
        return;
    (void)shutdown(fd, SHUT_RDWR);
    copy = server->shut_listener_count < MAX_PORTS ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy >= 0)
        server->shut_listeners[server->shut_listener_count++] = copy;
    /* Without a copy, for lack of descriptors, the end of a poll may have to be waited for (see wake_poll). As a bare
       system call: the thread sanitizer does not see that mg_stop orders civetweb's close behind it. */
    (void)syscall(SYS_dup3, server->plug, fd, O_CLOEXEC);
}

void http_server_refuse(struct http_server *server, int64_t deadline_ms)
{
    atomic_store(&server->last_ms, deadline_ms);
    atomic_store(&server->draining, true);
    server->goodbye_ms = clock_monotonic_ms() + GOODBYE_MS;
    (void)descriptors_each(close_listener, server);
}

struct connections {
    const struct http_server *server;
    bool end;
    int count;
};

static void visit_connection(void *context, int fd)
{
    struct connections *connections = context;

    if (!descriptor_serves(fd, connections->server->ports, connections->server->port_count))
        return;
    connections->count++;
    /* Its thread still reads what has come, answers that, and then finds the end. (Should another thread have closed
       the descriptor and opened a connection to the broker under its number meanwhile, that one ends: it is to end.) */
    if (connections->end)
        (void)shutdown(fd, SHUT_RD);
}

/* How many connections there are; with `end` no more is read from them than has come. */
static int count_connections(const struct http_server *server, bool end)
{
    struct connections connections = {.server = server, .end = end};

    (void)descriptors_each(visit_connection, &connections);
    return connections.count;
}

static bool is_served(const struct http_server *server, int64_t now_ms)
{
    return metric_get(&server->metrics->rows[METRIC_IN_FLIGHT]) > 0 ||
           count_connections(server, now_ms >= server->goodbye_ms) > 0;
}

void http_server_drain(struct http_server *server, int64_t deadline_ms)
{
    int64_t now_ms;

    while ((now_ms = clock_monotonic_ms()) < deadline_ms && is_served(server, now_ms))
        clock_sleep_ms(DRAIN_POLL_MS);
}

/* Those whose body the end has cut off, or whose outcome is waited for no longer, hear so: the library writes nothing
   any more once it is told to stop. */
static void await_last_answers(const struct http_server *server)
{
    const int64_t last_ms = clock_monotonic_ms() + LAST_ANSWER_MS;

    while (metric_get(&server->metrics->rows[METRIC_IN_FLIGHT]) > 0 && clock_monotonic_ms() < last_ms)
        clock_sleep_ms(DRAIN_POLL_MS);
}

/* Wakes the thread that polls. A poll that slept when the plug took the listener's place may have gone on sleeping: it
   looks at the plug then, but is woken through the listener only. */
static void wake_poll(struct http_server *server)
{
    (void)eventfd_write(server->plug, 1);
    for (int i = 0; i < server->shut_listener_count; i++) {
        (void)shutdown(server->shut_listeners[i], SHUT_RDWR);
        (void)close(server->shut_listeners[i]);
    }
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    if (server->context && !atomic_load(&server->draining))
        http_server_refuse(server, clock_monotonic_ms());
    if (server->context) {
        /* The library's threads look every 2 s only whether to stop: all that they wait for comes to its end. */
        (void)count_connections(server, true);
        await_last_answers(server);
        wake_poll(server);
        idle_threads_let_all_go(server->idle);
        mg_stop(server->context);
    }
    if (server->plug >= 0)
        close(server->plug);
    body_watch_stop(server->watch);
    idle_threads_free(server->idle);
    tls_listener_stop(server->tls);
    mg_exit_library();
    free(server);
}
