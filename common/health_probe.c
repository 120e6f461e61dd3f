#include "health_probe.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_LIMIT = 128 * 1024, HOST_SIZE = 256, PORT_SIZE = 6 };

static bool unavailable(struct error *error, const char *listen, const char *what)
{
    error_set(error, ERROR_UNAVAILABLE, "nothing healthy at ADMIN_LISTEN %s: %s", listen, what);
    return false;
}

/* The one address of host:port. To be freed with freeaddrinfo; NULL with *error. */
static struct addrinfo *look_up(const char *listen, struct error *error)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    const char *colon = strrchr(listen, ':');
    const size_t host_len = colon ? (size_t)(colon - listen) : 0;
    char host[HOST_SIZE] = "";
    struct addrinfo *found = NULL;

    if (!colon || host_len == 0 || host_len >= sizeof host || strlen(colon + 1) >= PORT_SIZE) {
        error_set(error, ERROR_CONFIG, "ADMIN_LISTEN %s is not host:port", listen);
        return NULL;
    }
    if (strcmp(colon + 1, "0") == 0) {
        error_set(error, ERROR_CONFIG, "ADMIN_LISTEN %s lets the system pick the port: give one that can be asked",
                  listen);
        return NULL;
    }
    memcpy(host, listen, host_len);
    const int status = getaddrinfo(strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : host, colon + 1, &hints, &found);
    if (status != 0) {
        (void)unavailable(error, listen, gai_strerror(status));
        return NULL;
    }
    return found;
}

/* Whether `events` came, or an error that the next call will tell. */
static bool wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd one = {.fd = fd, .events = events};
        if (left_ms <= 0)
            return false;
        const int ready = poll(&one, 1, (int)left_ms);
        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

/* 0 or an errno. */
static int connect_until(int fd, const struct addrinfo *address, int64_t deadline_ms)
{
    int failure = 0;
    socklen_t size = sizeof failure;

    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (!wait_for(fd, POLLOUT, deadline_ms))
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 ? failure : errno;
}

/* Reads until the other side closes, which the request asked for. 0 or an errno. */
static int exchange(int fd, int64_t deadline_ms, struct buf *answer)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char chunk[4096];

    /* A new connection's buffer takes so few bytes at once. */
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return errno ? errno : EIO;
    for (;;) {
        if (!wait_for(fd, POLLIN, deadline_ms))
            return ETIMEDOUT;
        const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        if (got > 0 && !buf_append(answer, chunk, (size_t)got))
            return EMSGSIZE;
    }
}

/* RFC 9112, section 4: HTTP-version SP status-code SP. */
static bool read_answer(const struct buf *answer, struct buf *detail, bool *ready)
{
    const char *body = answer->data ? strstr(answer->data, "\r\n\r\n") : NULL;

    if (!body || strncmp(answer->data, "HTTP/1.", 7) != 0 || strcspn(answer->data, " ") != 8)
        return false;
    *ready = strncmp(answer->data + 9, "200 ", 4) == 0;
    return buf_append_text(detail, body + 4);
}

bool health_probe(const char *listen, int64_t timeout_ms, struct buf *detail, bool *ready, struct error *error)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    struct buf answer;
    bool ok = false;
    int failure = 0;
    int fd = -1;

    buf_init(&answer, ANSWER_LIMIT);
    struct addrinfo *address = look_up(listen, error);
    if (!address)
        goto out;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    failure = fd < 0 ? errno : connect_until(fd, address, deadline_ms);
    if (failure == 0)
        failure = exchange(fd, deadline_ms, &answer);
    if (failure != 0)
        ok = unavailable(error, listen, failure == ETIMEDOUT ? "no answer in time" : strerror(failure));
    else
        ok = read_answer(&answer, detail, ready) || unavailable(error, listen, "what it answers is not HTTP");
out:
    if (fd >= 0)
        (void)close(fd);
    if (address)
        freeaddrinfo(address);
    buf_clear(&answer);
    return ok;
}

int health_report(const char *listen)
{
    struct error error = {.code = ERROR_NONE};
    struct buf detail;
    bool ready = false;

    buf_init(&detail, ANSWER_LIMIT);
    if (health_probe(listen, HEALTH_PROBE_MS, &detail, &ready, &error))
        (void)puts(detail.data ? detail.data : "");
    else
        (void)fprintf(stderr, "%s\n", error.text);
    buf_clear(&detail);
    return ready ? 0 : 1;
}
