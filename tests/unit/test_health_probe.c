#include "common/health_probe.h"

#include "cases.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHORT_MS = 60 };

/* Takes one connection, reads the request, says its piece, and again every 20 ms if it drips; keeps the connection if
   it is mute. */
struct fake_server {
    int listener;
    const char *piece;
    bool drips, mute;
    char request[512];
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct fake_server *server = argument;
    const int fd = accept(server->listener, NULL, NULL);
    assert_true(fd >= 0);
    const ssize_t got = recv(fd, server->request, sizeof server->request - 1, 0);
    server->request[got > 0 ? got : 0] = '\0';
    do {
        (void)send(fd, server->piece, strlen(server->piece), MSG_NOSIGNAL);
        if (server->drips)
            usleep(20000); /* clock: the pace of the drips */
    } while (server->drips && recv(fd, &(char){0}, 1, MSG_DONTWAIT) != 0);
    if (server->mute)
        (void)recv(fd, &(char){0}, 1, 0);
    (void)close(fd);
    return NULL;
}

/* A listener on a free port of 127.0.0.1; writes it as "HOST:port" to `listen`. */
static int open_listener(const char *host, char *listen_text, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(listen_text, size, "%s:%d", host, ntohs(address.sin_port));
    return fd;
}

static void tells_what_the_program_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *host, *piece;
        bool drips, mute, answered, ready;
        const char *text; /* of the detail, or of the error */
    } cases[] = {
        {"ready", "127.0.0.1", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"ready\":true}", false, false, true, true,
         "{\"ready\":true}"},
        {"not ready", "127.0.0.1", "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}", false, false, true,
         false, "{\"ready\":false}"},
        {"asked where all addresses are listened on", "0.0.0.0", "HTTP/1.1 200 OK\r\n\r\n", false, false, true, true,
         ""},
        {"asked by a name", "localhost", "HTTP/1.0 200 OK\r\n\r\n", false, false, true, true, ""},
        {"another status that begins alike", "127.0.0.1", "HTTP/1.1 2000 OK\r\n\r\n", false, false, true, false, ""},
        {"a header that does not end", "127.0.0.1", "HTTP/1.1 200 OK\r\n", false, false, false, false, "not HTTP"},
        {"no HTTP", "127.0.0.1", "AMQP 200 \r\n\r\n", false, false, false, false, "not HTTP"},
        {"closes without a word", "127.0.0.1", "", false, false, false, false, "not HTTP"},
        {"says nothing", "127.0.0.1", "", false, true, false, false, "in time"},
        {"never comes to an end", "127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", true, false, false, false, "in time"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_server server = {.piece = cases[i].piece, .drips = cases[i].drips, .mute = cases[i].mute};
        const bool slow = cases[i].drips || cases[i].mute;
        struct error error = {.code = ERROR_NONE};
        char listen_text[64];
        struct buf detail;
        bool ready = false;

        buf_init(&detail, 4096);
        server.listener = open_listener(cases[i].host, listen_text, sizeof listen_text);
        assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
        const bool answered = health_probe(listen_text, slow ? SHORT_MS : FOREVER_MS, &detail, &ready, &error);
        CHECK_CASE(cases[i].name, answered == cases[i].answered && ready == cases[i].ready);
        CHECK_CASE(cases[i].name, answered || error.code == ERROR_UNAVAILABLE);
        CHECK_CASE(cases[i].name, strstr(answered ? (detail.data ? detail.data : "") : error.text, cases[i].text));
        assert_int_equal(pthread_join(server.thread, NULL), 0);
        CHECK_CASE(cases[i].name, strncmp(server.request, "GET /readyz HTTP/1.1\r\n", 22) == 0);
        (void)close(server.listener);
        buf_clear(&detail);
    }
}

static void names_what_cannot_be_asked(void **state)
{
    (void)state;
    char closed[64];
    (void)close(open_listener("127.0.0.1", closed, sizeof closed));
    const struct {
        const char *name, *listen;
        enum error_code code;
        const char *text;
    } cases[] = {
        {"nobody listens", closed, ERROR_UNAVAILABLE, "refused"},
        {"a port that the system picks", "127.0.0.1:0", ERROR_CONFIG, "pick the port"},
        {"no port", "127.0.0.1", ERROR_CONFIG, "host:port"},
        {"no host", ":9090", ERROR_CONFIG, "host:port"},
        {"a port too long", "127.0.0.1:909090", ERROR_CONFIG, "host:port"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.code = ERROR_NONE};
        struct buf detail;
        bool ready = true;

        buf_init(&detail, 4096);
        CHECK_CASE(cases[i].name, !health_probe(cases[i].listen, FOREVER_MS, &detail, &ready, &error));
        CHECK_CASE(cases[i].name, error.code == cases[i].code && strstr(error.text, cases[i].text));
        CHECK_CASE(cases[i].name, detail.len == 0 && ready);
        buf_clear(&detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_the_program_answers),
        cmocka_unit_test(names_what_cannot_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
