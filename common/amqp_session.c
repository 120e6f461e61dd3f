#include "amqp_session.h"

#include "amqp_tls.h"
#include "bytes.h"
#include "clock.h"
#include "uri.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    GOODBYE_MS = 1000, /* what a connection.close may take */
    USER_TIMEOUT_MS =
        15000,          /* unacknowledged bytes: the peer is gone; a send of the library has no deadline of its own */
    FRAME_MAX = 131072, /* the broker's own default */
    /* The calls of an opening keep their deadline by themselves; the watch is behind it. */
    OPEN_WATCH_REST_MS = 1000,
    GOODBYE_WATCH_MS = GOODBYE_MS + 1000,
    URL_SIZE = 2048,
    DELIVERY_LIMIT = 1000000,
    PORT_PLAIN = 5672,
    PORT_TLS = 5671,
};

struct amqp_session {
    amqp_connection_state_t connection;
    struct amqp_tls *tls;    /* NULL: a plain connection */
    struct watch *watch;     /* the caller's; NULL: none */
    int fd;                  /* a duplicate of the library's; -1 before there is one */
    int64_t deadline_ms;     /* of the opening */
    char peer[URI_PART + 8]; /* host:port */
};

/* ---- AMQP_URL ---- */

/* The next of the comma-separated parts, without outer spaces; false after the last. *rest NULL: none left. */
static bool next_url(const char **rest, struct bytes *url)
{
    if (!*rest)
        return false;
    const char *start = *rest;
    const char *comma = strchr(start, ',');
    size_t len = comma ? (size_t)(comma - start) : strlen(start);
    *rest = comma ? comma + 1 : NULL;
    while (len > 0 && *start == ' ') {
        start++;
        len--;
    }
    while (len > 0 && start[len - 1] == ' ')
        len--;
    *url = bytes_of(start, len);
    return true;
}

static bool asks_for_tls(const struct uri *uri)
{
    return strcmp(uri->scheme, "amqps") == 0;
}

static bool parse_url(struct bytes text, struct uri *out, struct error *error)
{
    char url[URL_SIZE];
    if (text.len == 0 || text.len >= sizeof url) {
        error_set(error, ERROR_CONFIG, "the URL is %s", text.len == 0 ? "empty" : "too long");
        return false;
    }
    memcpy(url, text.data, text.len);
    url[text.len] = '\0';
    struct uri uri;
    if (!uri_parse(url, &uri, error))
        return false;
    if (strcmp(uri.scheme, "amqp") != 0 && !asks_for_tls(&uri)) {
        error_set(error, ERROR_CONFIG, "the scheme must be amqp or amqps, not %s", uri.scheme);
        return false;
    }
    if (!uri.has_user) {
        memcpy(uri.user, "guest", sizeof "guest");
        memcpy(uri.password, "guest", sizeof "guest");
    }
    if (!uri.has_path)
        memcpy(uri.path, "/", sizeof "/");
    if (uri.port == 0)
        uri.port = asks_for_tls(&uri) ? PORT_TLS : PORT_PLAIN;
    *out = uri;
    return true;
}

size_t amqp_urls_count(const char *urls, struct error *error)
{
    const char *rest = urls;
    struct bytes text;
    size_t count = 0;
    while (next_url(&rest, &text)) {
        struct uri uri;
        struct error inner;
        count++;
        if (!parse_url(text, &uri, &inner)) {
            if (count == 1 && !rest)
                error_set(error, ERROR_CONFIG, "cannot be used: %.400s", inner.text);
            else
                error_set(error, ERROR_CONFIG, "cannot be used: URL %zu of the list: %.400s", count, inner.text);
            return 0;
        }
        explicit_bzero(&uri, sizeof uri);
    }
    if (count == 0)
        error_set(error, ERROR_CONFIG, "names no URL");
    return count;
}

bool amqp_urls_ask_for_tls(const char *urls)
{
    const char *rest = urls;
    struct bytes text;
    bool asks = false;

    while (next_url(&rest, &text)) {
        struct uri uri;

        if (!parse_url(text, &uri, NULL))
            continue;
        asks |= asks_for_tls(&uri);
        explicit_bzero(&uri, sizeof uri);
    }
    return asks;
}

static bool pick_url(const char *urls, size_t index, struct uri *out, struct error *error)
{
    struct error inner;
    const size_t count = amqp_urls_count(urls, &inner);
    const char *rest = urls;
    struct bytes text = {0};
    if (count == 0) {
        error_set(error, inner.code, "AMQP_URL %.400s", inner.text);
        return false;
    }
    for (size_t i = 0; i <= index % count; i++)
        (void)next_url(&rest, &text);
    return parse_url(text, out, error);
}

/* ---- words for what went wrong ---- */

void amqp_error_of_status(struct error *error, const char *doing, const char *peer, int status)
{
    enum error_code code = ERROR_UNAVAILABLE;
    if (status == AMQP_STATUS_SSL_ERROR) {
        amqp_tls_explain_end(error, doing, peer);
        return;
    }
    if (status == AMQP_STATUS_NO_MEMORY)
        code = ERROR_NO_MEMORY;
    else if (status == AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION || status == AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD)
        code = ERROR_REFUSED;
    error_set(error, code, "%s %s: %s", doing, peer, amqp_error_string2(status));
}

/* The code and text of a close method; false for any other method. */
static bool close_reason(const amqp_method_t *method, uint16_t *code, amqp_bytes_t *text)
{
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *closed = method->decoded;
        *code = closed->reply_code;
        *text = closed->reply_text;
        return true;
    }
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *closed = method->decoded;
        *code = closed->reply_code;
        *text = closed->reply_text;
        return true;
    }
    return false;
}

static void set_close_error(struct error *error, const char *doing, const char *peer, const amqp_method_t *method,
                            bool asked)
{
    uint16_t code = 0;
    amqp_bytes_t text = amqp_empty_bytes;
    if (!close_reason(method, &code, &text)) {
        error_set(error, ERROR_UNAVAILABLE, "%s %s: unexpected method 0x%08x", doing, peer, (unsigned)method->id);
        return;
    }
    bool refused = false;
    switch (code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_ALLOWED:
    case AMQP_INVALID_PATH:
    case AMQP_NOT_IMPLEMENTED:
        refused = true;
        break;
    case AMQP_NOT_FOUND:
        /* A virtual host; on a channel a queue whose node is down, or one deleted that opening again declares. */
        refused = method->id == AMQP_CONNECTION_CLOSE_METHOD;
        break;
    case AMQP_PRECONDITION_FAILED:
        /* To a declaration: other arguments. Unasked: an acknowledgement that came too late, for one. */
        refused = asked;
        break;
    default:
        break;
    }
    error_set(error, refused ? ERROR_REFUSED : ERROR_UNAVAILABLE, "%s %s: %u %.*s", doing, peer, (unsigned)code,
              (int)(text.len < ERROR_TEXT ? text.len : ERROR_TEXT), text.bytes ? (const char *)text.bytes : "");
}

void amqp_error_of_reply(struct error *error, const char *doing, const char *peer, amqp_rpc_reply_t reply)
{
    switch (reply.reply_type) {
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        amqp_error_of_status(error, doing, peer, reply.library_error);
        return;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        set_close_error(error, doing, peer, &reply.reply, true);
        return;
    case AMQP_RESPONSE_NONE:
    case AMQP_RESPONSE_NORMAL:
        break;
    }
    error_set(error, ERROR_UNAVAILABLE, "%s %s: the connection ended", doing, peer);
}

void amqp_error_of_close(struct error *error, const char *doing, const char *peer, const amqp_method_t *method)
{
    set_close_error(error, doing, peer, method, false);
}

/* Puts what to do behind a refusal. */
static void advise(struct error *error, const char *advice)
{
    if (!error || error->code != ERROR_REFUSED)
        return;
    const struct error cause = *error;
    error_set(error, cause.code, "%.350s; %.150s", cause.text, advice);
}

/* ---- opening ---- */

static struct timeval time_left(const struct amqp_session *session)
{
    const int64_t left_ms = session->deadline_ms - clock_monotonic_ms();
    const int64_t ms = left_ms > 1 ? left_ms : 1;
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* To be called before each request to the broker: all of them share one deadline. */
static void limit_call(struct amqp_session *session)
{
    const struct timeval left = time_left(session);
    (void)amqp_set_rpc_timeout(session->connection, &left);
}

/* Whether the last call of the amqp_..._declare kind succeeded; else *error. */
static bool call_succeeded(struct amqp_session *session, const char *doing, struct error *error)
{
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(session->connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    amqp_error_of_reply(error, doing, session->peer, reply);
    return false;
}

/* A socket that is not open yet; the connection's. NULL with *error. */
static amqp_socket_t *make_socket(struct amqp_session *session, const struct amqp_settings *settings,
                                  const struct uri *uri, struct error *error)
{
    amqp_socket_t *socket;

    if (!asks_for_tls(uri)) {
        socket = amqp_tcp_socket_new(session->connection);
        if (!socket)
            error_set(error, ERROR_NO_MEMORY, "out of memory");
        return socket;
    }
    session->tls = amqp_tls_new(settings->ca_file, settings->cert_file, uri->host, error);
    return session->tls ? amqp_tls_socket(session->tls, session->connection, error) : NULL;
}

static bool connect_socket(struct amqp_session *session, const struct amqp_settings *settings, const struct uri *uri,
                           struct error *error)
{
    const int on = 1;
    const unsigned user_timeout_ms = USER_TIMEOUT_MS;
    amqp_socket_t *socket = make_socket(session, settings, uri, error);
    if (!socket)
        return false;
    struct timeval left = time_left(session);
    const int status = amqp_socket_open_noblock(socket, uri->host, uri->port, &left);
    if (session->tls && amqp_tls_explain(session->tls, session->peer, status, error))
        return false;
    if (status == AMQP_STATUS_SOCKET_ERROR) { /* the library's own text says no more than that */
        error_set(error, ERROR_UNAVAILABLE, "connecting to %s: no connection; is RabbitMQ running there?",
                  session->peer);
        return false;
    }
    if (status != AMQP_STATUS_OK) {
        amqp_error_of_status(error, "connecting to", session->peer, status);
        return false;
    }
    session->fd = fcntl(amqp_get_sockfd(session->connection), F_DUPFD_CLOEXEC, 0);
    if (session->fd < 0) {
        error_set(error, ERROR_UNAVAILABLE, "connecting to %s: %s", session->peer, strerror(errno));
        return false;
    }
    (void)setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(session->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(session->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
    return true;
}

static amqp_table_entry_t flag_entry(const char *key)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

static amqp_table_entry_t text_entry(const char *key, const char *text)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)}};
}

static amqp_table_entry_t integer_entry(const char *key, int32_t value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = value}};
}

/* A TLS port ends a connection that begins with other words. */
static void suspect_tls_port(const struct amqp_session *session, const amqp_rpc_reply_t *reply, struct error *error)
{
    if (!error || session->tls || reply->reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION ||
        (reply->library_error != AMQP_STATUS_SOCKET_ERROR && reply->library_error != AMQP_STATUS_CONNECTION_CLOSED &&
         reply->library_error != AMQP_STATUS_BAD_AMQP_DATA))
        return;
    const struct error cause = *error;
    error_set(error, cause.code, "%.400s (if that is a TLS port, AMQP_URL must say amqps://)", cause.text);
}

static bool log_in(struct amqp_session *session, const struct uri *uri, const char *name, struct error *error)
{
    amqp_table_entry_t capabilities[] = {flag_entry("connection.blocked"), flag_entry("consumer_cancel_notify"),
                                         flag_entry("publisher_confirms"), flag_entry("basic.nack")};
    amqp_table_entry_t entries[] = {text_entry("connection_name", name), {.key = amqp_cstring_bytes("capabilities")}};
    entries[1].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[1].value.value.table =
        (amqp_table_t){.num_entries = sizeof capabilities / sizeof capabilities[0], .entries = capabilities};
    const amqp_table_t properties = {.num_entries = sizeof entries / sizeof entries[0], .entries = entries};
    const struct timeval left = time_left(session);

    (void)amqp_set_handshake_timeout(session->connection, &left);
    const amqp_rpc_reply_t reply =
        amqp_login_with_properties(session->connection, uri->path, AMQP_DEFAULT_MAX_CHANNELS, FRAME_MAX,
                                   AMQP_HEARTBEAT_S, &properties, AMQP_SASL_METHOD_PLAIN, uri->user, uri->password);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    amqp_error_of_reply(error, "logging in to", session->peer, reply);
    suspect_tls_port(session, &reply, error);
    advise(error, "check the user, the password and the virtual host in AMQP_URL, and that user's permissions");
    return false;
}

static bool open_channel(struct amqp_session *session, struct error *error)
{
    limit_call(session);
    (void)amqp_channel_open(session->connection, AMQP_CHANNEL);
    return call_succeeded(session, "opening a channel to", error);
}

/* ---- topology ---- */

/* Says what to do when a name cannot be declared: whose setting it is decides. */
static void advise_on_name(struct error *error, const char *what, const char *setting)
{
    char advice[128];
    (void)snprintf(
        advice, sizeof advice,
        "if it exists with other arguments, delete that %s or set %s to another name; else check permissions", what,
        setting);
    advise(error, advice);
}

/* How it is declared: each answer waited for, or (`nowait`) none given; then the broker closes the channel over what is wrong. */
struct declaring {
    struct amqp_session *session;
    amqp_channel_t channel;
    bool nowait;
};

static bool ask(const struct declaring *by, amqp_method_number_t method, amqp_method_number_t answer, void *decoded,
                const char *doing, const char *name, struct error *error)
{
    struct amqp_session *session = by->session;
    char whole[300];

    (void)snprintf(whole, sizeof whole, "%s %.255s at", doing, name);
    if (by->nowait) {
        const int status = amqp_send_method(session->connection, by->channel, method, decoded);

        if (status != AMQP_STATUS_OK)
            amqp_error_of_status(error, whole, session->peer, status);
        return status == AMQP_STATUS_OK;
    }
    limit_call(session);
    (void)amqp_simple_rpc_decoded(session->connection, by->channel, method, answer, decoded);
    return call_succeeded(session, whole, error);
}

static bool declare_exchange(const struct declaring *by, const char *name, const char *type, const char *setting,
                             struct error *error)
{
    amqp_exchange_declare_t method = {.exchange = amqp_cstring_bytes(name),
                                      .type = amqp_cstring_bytes(type),
                                      .durable = 1,
                                      .nowait = by->nowait};

    if (ask(by, AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD, &method, "declaring the exchange", name, error))
        return true;
    advise_on_name(error, "exchange", setting);
    return false;
}

static bool declare_queue(const struct declaring *by, const char *name, amqp_table_t arguments, const char *setting,
                          struct error *error)
{
    amqp_queue_declare_t method = {
        .queue = amqp_cstring_bytes(name), .durable = 1, .nowait = by->nowait, .arguments = arguments};

    if (ask(by, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &method, "declaring the queue", name, error))
        return true;
    advise_on_name(error, "queue", setting);
    return false;
}

static bool bind_queue(const struct declaring *by, const char *queue, const char *exchange, const char *key,
                       struct error *error)
{
    amqp_queue_bind_t method = {.queue = amqp_cstring_bytes(queue),
                                .exchange = amqp_cstring_bytes(exchange),
                                .routing_key = amqp_cstring_bytes(key),
                                .nowait = by->nowait};

    if (ask(by, AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_BIND_OK_METHOD, &method, "binding the queue", queue, error))
        return true;
    advise(error, "check the user's permissions on the exchange and the queue");
    return false;
}

/* In the order of INTERFACE: where rejected messages go exists before anything can be dead-lettered there. */
static bool declare_topology(const struct declaring *by, const struct amqp_settings *settings, struct error *error)
{
    amqp_table_entry_t rejected[] = {text_entry("x-queue-type", "quorum")};
    amqp_table_entry_t events[] = {
        text_entry("x-queue-type", "quorum"),
        text_entry("x-overflow", "reject-publish"),
        text_entry("x-dead-letter-exchange", settings->rejected_queue),
        text_entry("x-dead-letter-strategy", "at-least-once"),
        integer_entry("x-delivery-limit", DELIVERY_LIMIT),
    };
    const amqp_table_t rejected_table = {.num_entries = sizeof rejected / sizeof rejected[0], .entries = rejected};
    const amqp_table_t events_table = {.num_entries = sizeof events / sizeof events[0], .entries = events};

    return declare_exchange(by, settings->rejected_queue, "fanout", "AMQP_REJECTED_QUEUE", error) &&
           declare_queue(by, settings->rejected_queue, rejected_table, "AMQP_REJECTED_QUEUE", error) &&
           bind_queue(by, settings->rejected_queue, settings->rejected_queue, "", error) &&
           declare_exchange(by, settings->exchange, "direct", "AMQP_EXCHANGE", error) &&
           declare_queue(by, settings->queue, events_table, "AMQP_QUEUE", error) &&
           bind_queue(by, settings->queue, settings->exchange, settings->queue, error);
}

static int64_t open_ms(const struct amqp_settings *settings)
{
    return settings->open_timeout_ms > 0 ? settings->open_timeout_ms : AMQP_OPEN_TIMEOUT_MS;
}

/* Memory and a deadline for a connection to be opened. NULL with *error. */
static struct amqp_session *session_new(const struct uri *uri, int64_t timeout_ms, struct error *error)
{
    struct amqp_session *session = calloc(1, sizeof *session);

    if (!session) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    session->fd = -1;
    session->deadline_ms = clock_monotonic_ms() + timeout_ms;
    (void)snprintf(session->peer, sizeof session->peer, strchr(uri->host, ':') ? "[%s]:%u" : "%s:%u", uri->host,
                   (unsigned)uri->port);
    session->connection = amqp_new_connection();
    if (session->connection)
        return session;
    error_set(error, ERROR_NO_MEMORY, "out of memory");
    free(session);
    return NULL;
}

/* The broker is there; does it let us in? */
static bool enter(struct amqp_session *session, const struct amqp_settings *settings, const struct uri *uri,
                  const char *name, struct error *error)
{
    watch_begin(session->watch, session->fd, open_ms(settings) + OPEN_WATCH_REST_MS);
    const bool entered = log_in(session, uri, name, error) && open_channel(session, error);
    const bool was_cut = watch_end(session->watch);

    if (entered && was_cut)
        error_set(error, ERROR_UNAVAILABLE, "%s did not answer in time", session->peer);
    return entered && !was_cut;
}

struct amqp_session *amqp_session_connect(const struct amqp_settings *settings, size_t index, const char *name,
                                          struct watch *watch, struct error *error)
{
    struct amqp_session *session = NULL;
    struct amqp_session *result = NULL;
    struct uri uri = {0};
    char *urls = settings->reread ? reread_text(settings->reread, "AMQP_URL") : NULL;
    const bool picked = pick_url(urls ? urls : settings->urls, index, &uri, error);

    reread_text_free(urls);
    if (!picked)
        goto out;
    session = session_new(&uri, open_ms(settings), error);
    if (!session)
        goto out;
    session->watch = watch;
    if (!connect_socket(session, settings, &uri, error) || !enter(session, settings, &uri, name, error))
        goto out;
    result = session;
    session = NULL;
out:
    amqp_session_drop(session);
    explicit_bzero(&uri, sizeof uri);
    return result;
}

bool amqp_session_declare(struct amqp_session *session, const struct amqp_settings *settings, struct error *error)
{
    watch_begin(session->watch, session->fd, open_ms(settings) + OPEN_WATCH_REST_MS);
    const bool declared =
        declare_topology(&(struct declaring){.session = session, .channel = AMQP_CHANNEL}, settings, error);
    const bool was_cut = watch_end(session->watch);

    (void)amqp_set_rpc_timeout(session->connection, &(struct timeval){.tv_sec = AMQP_OPEN_TIMEOUT_MS / 1000});
    if (declared && was_cut)
        error_set(error, ERROR_UNAVAILABLE, "%s did not answer in time", session->peer);
    return declared && !was_cut;
}

bool amqp_session_declare_again(struct amqp_session *session, amqp_channel_t channel, const struct amqp_settings *settings,
                                struct error *error)
{
    return declare_topology(&(struct declaring){.session = session, .channel = channel, .nowait = true}, settings, error);
}

struct amqp_session *amqp_session_open(const struct amqp_settings *settings, size_t index, const char *name,
                                       struct watch *watch, struct error *error)
{
    struct amqp_session *session = amqp_session_connect(settings, index, name, watch, error);

    if (!session || amqp_session_declare(session, settings, error))
        return session;
    amqp_session_close(session);
    return NULL;
}

/* ---- closing ---- */

/* The library sends without a deadline: with a full socket the goodbye would wait for a broker that does not read. */
static bool socket_takes_bytes(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLERR | POLLHUP)) == 0;
}

void amqp_session_close(struct amqp_session *session)
{
    if (!session)
        return;
    if (amqp_get_sockfd(session->connection) >= 0 && socket_takes_bytes(session->fd)) {
        (void)amqp_set_rpc_timeout(session->connection,
                                   &(struct timeval){.tv_sec = GOODBYE_MS / 1000, .tv_usec = GOODBYE_MS % 1000 * 1000});
        watch_begin(session->watch, session->fd, GOODBYE_WATCH_MS);
        (void)amqp_connection_close(session->connection, AMQP_REPLY_SUCCESS);
        (void)watch_end(session->watch);
    }
    amqp_session_drop(session);
}

void amqp_session_drop(struct amqp_session *session)
{
    if (!session)
        return;
    (void)amqp_destroy_connection(session->connection);
    amqp_tls_free(session->tls);
    if (session->fd >= 0)
        close(session->fd);
    free(session);
}

amqp_connection_state_t amqp_session_connection(const struct amqp_session *session)
{
    return session->connection;
}

int amqp_session_fd(const struct amqp_session *session)
{
    return session->fd;
}

bool amqp_session_is_plain(const struct amqp_session *session)
{
    return session->tls == NULL;
}

const char *amqp_session_peer(const struct amqp_session *session)
{
    return session->peer;
}
