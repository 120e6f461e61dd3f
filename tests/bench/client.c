#include "client.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256, US_A_SECOND = 1000000, STATUS_LINE_MIN = 13, SPARE_DESCRIPTORS = 64, LAZY_BUSY = 16 };

struct connection {
    int fd;
    SSL *tls; /* NULL: plain */
    bool busy;
    const struct bytes *request; /* under way, if busy */
    size_t written;              /* of it */
    int64_t since_us;            /* when it was due, or begun */
    size_t have;
    char answer[CLIENT_ANSWER_MAX];
};

static const uint64_t TIMER = UINT64_MAX; /* in place of a connection's index */

struct client {
    struct client_plan plan;
    struct client_result *result;
    SSL_CTX *tls; /* NULL: plain */
    struct connection *connections;
    size_t *idle; /* a ring of those with nothing under way: each has its turn */
    size_t idle_from;
    size_t idle_count;
    size_t busy;
    int epoll;
    int timer;
    size_t next; /* request */
    int64_t began_us;
    bool ended; /* no more requests begin */
};

/* ---- connections ---- */

/* The handshake blocks: it is made before the measurement, or when a connection was lost. */
static bool begin_tls(SSL_CTX *context, struct connection *connection)
{
    connection->tls = SSL_new(context);
    if (connection->tls && SSL_set_fd(connection->tls, connection->fd) == 1 && SSL_connect(connection->tls) == 1 &&
        fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0)
        return true;
    errno = EPROTO;
    return false;
}

/* What SSL_read or SSL_write returned, as recv and send tell it. */
static ssize_t as_of_socket(const SSL *tls, int count)
{
    if (count > 0)
        return count;
    int why = SSL_get_error(tls, count);
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

static ssize_t send_some(struct connection *connection, const void *data, size_t len)
{
    if (!connection->tls)
        return send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    ERR_clear_error();
    return as_of_socket(connection->tls, SSL_write(connection->tls, data, (int)len));
}

static ssize_t receive_some(struct connection *connection, void *data, size_t room)
{
    if (!connection->tls)
        return recv(connection->fd, data, room, MSG_DONTWAIT);
    ERR_clear_error();
    return as_of_socket(connection->tls, SSL_read(connection->tls, data, (int)room));
}

static bool open_connection(struct client *client, size_t index, struct error *error)
{
    struct connection *connection = &client->connections[index];
    const struct sockaddr_in *address = &client->plan.address;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (client->tls && !begin_tls(client->tls, connection)) ||
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        error_set(error, ERROR_UNAVAILABLE, "connection %zu cannot be opened: %s", index + 1, strerror(errno));
        return false;
    }
    connection->have = 0;
    return true;
}

static void add_idle(struct client *client, size_t index)
{
    client->connections[index].busy = false;
    client->idle[(client->idle_from + client->idle_count) % client->plan.connections] = index;
    client->idle_count++;
}

static size_t take_idle(struct client *client)
{
    size_t index = client->idle[client->idle_from];
    client->idle_from = (client->idle_from + 1) % client->plan.connections;
    client->idle_count--;
    return index;
}

static void close_connection(struct connection *connection)
{
    SSL_free(connection->tls);
    connection->tls = NULL;
    if (connection->fd >= 0)
        (void)close(connection->fd);
    connection->fd = -1;
}

/* What was under way is lost; another connection takes its place, unless the plan is lazy. */
static bool replace_connection(struct client *client, size_t index, struct error *error)
{
    struct connection *connection = &client->connections[index];
    if (connection->busy) {
        client->busy--;
        add_idle(client, index);
    }
    close_connection(connection);
    return client->plan.lazy || open_connection(client, index, error);
}

/* ---- requests ---- */

static int64_t due_us(const struct client *client)
{
    return client->began_us + (int64_t)((double)client->next * US_A_SECOND / client->plan.rate);
}

static bool may_begin(struct client *client, int64_t now_us)
{
    int64_t at_us = client->plan.rate > 0 ? due_us(client) : now_us;
    if (client->next >= client->plan.request_count || at_us - client->began_us > client->plan.for_us)
        client->ended = true;
    if (client->plan.lazy && client->busy >= LAZY_BUSY)
        return false;
    return !client->ended && client->idle_count > 0 && at_us <= now_us;
}

/* False: the connection is broken. */
static bool write_more(struct client *client, size_t index)
{
    struct connection *connection = &client->connections[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    bool was_partial = connection->written > 0;
    ssize_t count = send_some(connection, connection->request->data + connection->written,
                              connection->request->len - connection->written);

    if (count < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    connection->written += count > 0 ? (size_t)count : 0;
    bool is_partial = connection->written < connection->request->len;
    if (is_partial)
        event.events = EPOLLIN | EPOLLOUT;
    return (!is_partial && !was_partial) || epoll_ctl(client->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0;
}

static bool begin_request(struct client *client, int64_t now_us, struct error *error)
{
    size_t index = take_idle(client);
    struct connection *connection = &client->connections[index];

    connection->since_us = client->plan.rate > 0 ? due_us(client) : now_us;
    connection->request = &client->plan.requests[client->next++];
    connection->written = 0;
    connection->busy = true;
    client->busy++;
    client->result->sent++;
    if (connection->fd < 0 && !open_connection(client, index, error))
        return false;
    if (write_more(client, index))
        return true;
    client->result->broken++;
    return replace_connection(client, index, error);
}

/* ---- answers ---- */

/* The length of the whole answer, 0 as long as its head is not there; -1 if it is none. */
static long answer_length(const char *answer, size_t have)
{
    static const char field[] = "\r\ncontent-length:";
    const char *end = memmem(answer, have, "\r\n\r\n", 4);
    const char *at = end ? strcasestr(answer, field) : NULL;

    if (!end)
        return have < CLIENT_ANSWER_MAX - 1 ? 0 : -1;
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || !at || at > end)
        return -1;
    long body = strtol(at + strlen(field), NULL, 10);
    return body >= 0 && body < CLIENT_ANSWER_MAX ? (long)(end + 4 - answer) + body : -1;
}

static void note_answer(struct client *client, size_t index, int64_t now_us)
{
    struct connection *connection = &client->connections[index];
    long status = strtol(connection->answer + strlen("HTTP/1.1 "), NULL, 10);

    client->result->answered++;
    client->result->statuses[status > 0 && status < CLIENT_STATUSES ? status : 0]++;
    histogram_add(&client->result->latency, now_us - connection->since_us);
    connection->have = 0;
    client->busy--;
    add_idle(client, index);
}

/* False: the connection is broken, or ends with this answer. */
static bool read_more(struct client *client, size_t index, int64_t now_us)
{
    struct connection *connection = &client->connections[index];
    size_t room = CLIENT_ANSWER_MAX - 1 - connection->have;
    ssize_t count = receive_some(connection, connection->answer + connection->have, room);

    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0 || !connection->busy)
        return false;
    connection->have += (size_t)count;
    connection->answer[connection->have] = '\0';
    long length = answer_length(connection->answer, connection->have);
    if (length < 0)
        return false;
    if (length > 0 && connection->have >= (size_t)length)
        note_answer(client, index, now_us);
    return true;
}

static bool serve_connection(struct client *client, size_t index, uint32_t events, int64_t now_us, struct error *error)
{
    bool good = (events & EPOLLOUT) == 0 || write_more(client, index);
    good = good && ((events & ~(uint32_t)EPOLLOUT) == 0 || read_more(client, index, now_us));
    if (good)
        return true;
    if (client->connections[index].busy)
        client->result->broken++;
    return replace_connection(client, index, error);
}

static bool give_up_on_late(struct client *client, int64_t now_us, struct error *error)
{
    for (size_t i = 0; i < client->plan.connections; i++) {
        const struct connection *connection = &client->connections[i];
        if (!connection->busy || now_us - connection->since_us < (int64_t)CLIENT_GIVE_UP_MS * 1000)
            continue;
        client->result->timed_out++;
        if (!replace_connection(client, i, error))
            return false;
    }
    return true;
}

/* ---- the whole ---- */

/* Wakes the loop when the next request is due; 100 ms at the latest. */
static bool arm_timer(const struct client *client, int64_t now_us)
{
    int64_t at_us = now_us + US_A_SECOND / 10;
    if (client->plan.rate > 0 && !client->ended && client->idle_count > 0 && due_us(client) < at_us)
        at_us = due_us(client);
    struct itimerspec when = {
        .it_value = {.tv_sec = at_us / US_A_SECOND, .tv_nsec = at_us % US_A_SECOND * 1000},
    };
    return timerfd_settime(client->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

static bool serve_ready(struct client *client, struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(client->epoll, events, EVENTS_AT_ONCE, -1);
    int64_t now_us = clock_monotonic_us();

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 != TIMER &&
            !serve_connection(client, (size_t)events[i].data.u64, events[i].events, now_us, error))
            return false;
    }
    return true;
}

bool client_run(struct client *client, struct client_result *result, struct error *error)
{
    bool good = true;
    int64_t now_us = clock_monotonic_us();
    int64_t looked_us = now_us;

    *result = (struct client_result){0};
    client->result = result;
    client->began_us = now_us;
    while (good && (!client->ended || client->busy > 0)) {
        while (good && may_begin(client, now_us))
            good = begin_request(client, now_us, error);
        if (client->ended && client->busy == 0)
            break;
        if (good && !arm_timer(client, now_us)) {
            error_set(error, ERROR_INTERNAL, "the timer cannot be set: %s", strerror(errno));
            good = false;
        }
        good = good && serve_ready(client, error);
        now_us = clock_monotonic_us();
        if (good && now_us - looked_us > US_A_SECOND) {
            looked_us = now_us;
            good = give_up_on_late(client, now_us, error);
        }
    }
    result->took_us = now_us - client->began_us;
    return good;
}

static bool raise_descriptors(size_t wanted, struct error *error)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < wanted + SPARE_DESCRIPTORS) {
        error_set(error, ERROR_UNAVAILABLE, "%zu connections need more descriptors than ulimit -Hn allows", wanted);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "the limit of descriptors cannot be raised: %s", strerror(errno));
    return false;
}

struct client *client_new(const struct client_plan *plan, struct error *error)
{
    struct client *client = calloc(1, sizeof *client);
    bool good = false;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = TIMER};

    if (client)
        *client = (struct client){.plan = *plan, .epoll = -1, .timer = -1};
    if (!client || !raise_descriptors(plan->connections, error))
        goto out;
    client->connections = calloc(plan->connections, sizeof *client->connections);
    client->idle = calloc(plan->connections, sizeof *client->idle);
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    client->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    client->tls = plan->tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (!client->connections || !client->idle || (plan->tls && !client->tls) || client->epoll < 0 || client->timer < 0 ||
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->timer, &event) != 0) {
        error_set(error, ERROR_NO_MEMORY, "no memory or descriptors for the connections");
        goto out;
    }
    if (client->tls)
        (void)SSL_CTX_set_mode(client->tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
    for (size_t i = 0; i < plan->connections; i++)
        client->connections[i].fd = -1;
    good = true;
    for (size_t i = 0; i < plan->connections && good; i++) {
        good = plan->lazy || open_connection(client, i, error);
        add_idle(client, i);
    }
out:
    if (!good) {
        client_free(client);
        client = NULL;
    }
    return client;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    for (size_t i = 0; client->connections && i < client->plan.connections; i++)
        close_connection(&client->connections[i]);
    SSL_CTX_free(client->tls);
    free(client->connections);
    free(client->idle);
    if (client->timer >= 0)
        (void)close(client->timer);
    if (client->epoll >= 0)
        (void)close(client->epoll);
    free(client);
}
