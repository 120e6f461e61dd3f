#include "common/admin_server.h"

#include "cases.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_program {
    _Atomic bool ready; /* the server's threads read it */
    struct metric metrics[1];
};

static bool is_ready(void *context, struct buf *members)
{
    const struct fake_program *program = context;
    if (program->ready)
        (void)buf_append_text(members, "\"broker\":\"connected\"");
    return program->ready;
}

static void refresh(void *context)
{
    struct fake_program *program = context;
    metric_set(&program->metrics[0], 42);
}

/* Takes what is written to standard error from now on into a pipe. */
struct capture {
    int saved;
    int end;
};

static void capture_begin(struct capture *capture)
{
    int ends[2];
    capture->saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    capture->end = ends[0];
}

static void capture_end(struct capture *capture, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got = 0;
    assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
    (void)close(capture->saved);
    while (len < size - 1 && (got = read(capture->end, out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    (void)close(capture->end);
}

/* Starts a server on a free port and finds the port in its log line. */
static struct admin_server *start(struct fake_program *program, enum log_level level, int *port)
{
    const struct admin_config config = {.listen = "127.0.0.1:0",
                                        .metrics = program->metrics,
                                        .metric_count = 1,
                                        .ready = is_ready,
                                        .refresh = refresh,
                                        .context = program};
    char line[512] = "";
    struct error error;
    struct capture capture;
    capture_begin(&capture);
    log_init("test", level, LOG_FORMAT_TEXT);
    struct admin_server *server = admin_server_start(&config, &error);
    capture_end(&capture, line, sizeof line);
    assert_non_null(server);
    const char *at = strstr(line, "admin listening on 127.0.0.1:");
    assert_non_null(at);
    *port = atoi(at + strlen("admin listening on 127.0.0.1:"));
    assert_in_range(*port, 1, 65535);
    return server;
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask(int port, const char *request_line, char *out, size_t size)
{
    char request[256];
    size_t len = 0;
    ssize_t got = 0;
    const int fd = connect_to(port);
    const int request_len = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n\r\n", request_line);
    assert_int_equal(write(fd, request, (size_t)request_len), request_len);
    while (len < size - 1 && (got = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    (void)close(fd);
}

static void answers_its_three_routes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        bool ready;
        const char *status, *header, *body;
    } cases[] = {
        {"health", "GET /healthz", false, "200 OK", "application/json", "{\"ok\":true}"},
        {"ready", "GET /readyz", true, "200 OK", "application/json", "{\"ready\":true,\"broker\":\"connected\"}"},
        {"not ready", "GET /readyz", false, "503 Service Unavailable", "application/json", "{\"ready\":false}"},
        {"metrics", "GET /metrics", true, "200 OK", "version=0.0.4",
         "# HELP depth Depth\n# TYPE depth gauge\ndepth 42\n"},
        {"health without its body", "HEAD /healthz", true, "200 OK", "Content-Length: 11", ""},
        {"a query is ignored", "GET /healthz?x=1", true, "200 OK", "application/json", "{\"ok\":true}"},
        {"another path", "GET /", true, "404 Not Found", "application/json", NULL},
        {"a file", "GET /../etc/passwd", true, "404 Not Found", "application/json", NULL},
        {"an encoded path", "GET /%68ealthz", true, "404 Not Found", "application/json", NULL},
        {"another method", "POST /healthz", true, "405 Method Not Allowed", "Allow: GET, HEAD", NULL},
        {"no request", "\001", true, "400 Bad Request", "application/json", "{\"error\":{\"code\":\"bad_request\"}}"},
        {"DELETE", "DELETE /metrics", true, "405 Method Not Allowed", "Allow: GET, HEAD", NULL},
    };
    struct fake_program program = {.metrics = {{.name = "depth", .help = "Depth", .type = METRIC_GAUGE}}};
    int port = 0;
    struct admin_server *server = start(&program, LOG_LEVEL_INFO, &port);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char answer[4096];
        program.ready = cases[i].ready;
        ask(port, cases[i].request, answer, sizeof answer);
        CHECK_CASE(cases[i].name, strncmp(answer, "HTTP/1.1 ", 9) == 0);
        CHECK_CASE(cases[i].name, strncmp(answer + 9, cases[i].status, strlen(cases[i].status)) == 0);
        CHECK_CASE(cases[i].name, strstr(answer, cases[i].header) != NULL);
        const char *body = strstr(answer, "\r\n\r\n");
        CHECK_CASE(cases[i].name, body != NULL);
        CHECK_CASE(cases[i].name, !cases[i].body || strcmp(body + 4, cases[i].body) == 0);
    }
    admin_server_stop(server);
}

/* Its turn comes behind theirs: with a thread too few, only once the server has given most of them up. */
static void answers_while_40_slow_clients_are_connected(void **state)
{
    (void)state;
    static const struct {
        const char *name, *said;
    } cases[] = {{"they say nothing", ""}, {"they say half a head", "GET /readyz HTTP/1.1\r\nHost: x\r\nX-"}};
    struct fake_program program = {.ready = true};
    int port = 0;
    struct admin_server *server = start(&program, LOG_LEVEL_INFO, &port);

    for (size_t i = 0; i < COUNT(cases); i++) {
        int slow[40];
        size_t open = 0;
        char answer[1024] = "";
        char byte;

        for (size_t n = 0; n < COUNT(slow); n++) {
            slow[n] = connect_to(port);
            assert_int_equal(write(slow[n], cases[i].said, strlen(cases[i].said)), strlen(cases[i].said));
        }
        ask(port, "GET /readyz", answer, sizeof answer);
        CHECK_CASE(cases[i].name, strstr(answer, "{\"ready\":true") != NULL);
        for (size_t n = 0; n < COUNT(slow); n++) {
            open += recv(slow[n], &byte, 1, MSG_DONTWAIT) < 0;
            (void)close(slow[n]);
        }
        CHECK_CASE(cases[i].name, open >= COUNT(slow) / 2);
    }
    admin_server_stop(server);
}

static void says_why_an_address_cannot_be_used(void **state)
{
    (void)state;
    int port = 0;
    char taken[32];
    struct fake_program program = {.metrics = {{.name = "depth", .help = "Depth", .type = METRIC_GAUGE}}};
    struct admin_server *server = start(&program, LOG_LEVEL_INFO, &port);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%d", port);
    const struct {
        const char *name, *listen;
        enum error_code code;
        const char *word;
    } cases[] = {
        {"taken", taken, ERROR_NOT_YET, "in use"},
        {"TLS", "127.0.0.1:0s", ERROR_CONFIG, "TLS"},
        {"no port", "127.0.0.1", ERROR_CONFIG, "host:port"},
        {"no such host", "no-such-host.invalid:0", ERROR_NOT_YET, "no-such-host"},
        {"not of this machine", "192.0.2.1:0", ERROR_NOT_YET, "192.0.2.1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct admin_config config = {.listen = cases[i].listen, .ready = is_ready, .context = &program};
        struct error error = {.code = ERROR_NONE};
        CHECK_CASE(cases[i].name, admin_server_start(&config, &error) == NULL);
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        CHECK_CASE(error.text, strstr(error.text, cases[i].word) != NULL);
    }
    admin_server_stop(server);
    admin_server_stop(NULL);
}

static void logs_nothing_that_a_request_says(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
    } cases[] = {
        {"no method of HTTP", "HIDDEN /healthz"},
        {"no path", "GET HIDDEN"},
        {"a path that leads up", "GET /../../HIDDEN"},
        {"a NUL in the path", "GET /%00HIDDEN"},
        {"a malformed line", "GET /HIDDEN HIDDEN HIDDEN"},
        {"a host that is none", "GET /healthz HTTP/1.1\r\nHost: HIDDEN@[HIDDEN\r\nX-Rest:"},
        {"a length that is none", "POST /healthz HTTP/1.1\r\nContent-Length: HIDDEN\r\nX-Rest:"},
        {"an encoding that is none", "POST /healthz HTTP/1.1\r\nTransfer-Encoding: HIDDEN\r\nX-Rest:"},
        {"a URL with a port past the last", "GET http://HIDDEN:99999/HIDDEN"},
        {"another version", "GET /HIDDEN HTTP/9.9\r\nX-Rest:"},
        /* The HTTP library complains that this one does not fit its message. */
        {"a long version", "GET /healthz HTTP/9.HIDDENxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nX-Rest:"},
    };
    struct fake_program program = {.metrics = {{.name = "depth", .help = "Depth", .type = METRIC_GAUGE}}};
    char log[32768];
    int port = 0;
    struct capture capture;
    struct admin_server *server = start(&program, LOG_LEVEL_DEBUG, &port);
    capture_begin(&capture);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char answer[4096];
        ask(port, cases[i].request, answer, sizeof answer);
    }
    admin_server_stop(server); /* its threads have said what they had to say */
    capture_end(&capture, log, sizeof log);
    CHECK_CASE(log, strstr(log, "HIDDEN") == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_its_three_routes),
        cmocka_unit_test(answers_while_40_slow_clients_are_connected),
        cmocka_unit_test(says_why_an_address_cannot_be_used),
        cmocka_unit_test(logs_nothing_that_a_request_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
