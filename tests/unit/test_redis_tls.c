/* rediss://: what can be told of a handshake without a certificate. tests/integration/test_redis_tls.py has the rest.
 */
#include "common/redis/tls.h"

#include "cases.h"
#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHORT_MS = 60, DRIP_MS = 5 };

static const struct redis_tls_files no_files = {.ca_file = "", .cert_file = NULL};

static void a_file_that_is_away_is_no_reason_to_give_up_for_good(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct redis_tls_files files;
        const char *words;
    } cases[] = {
        {"the authorities", {"/nowhere/ca.pem", NULL}, "REDIS_CA_FILE names /nowhere/ca.pem"},
        {"the certificate", {NULL, "/nowhere/own.pem"}, "REDIS_CERT_FILE names /nowhere/own.pem"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        CHECK_CASE(cases[i].name, redis_tls_new(&cases[i].files, "h", &error) == NULL);
        CHECK_CASE(cases[i].name, error.code == ERROR_UNAVAILABLE && strstr(error.text, cases[i].words));
    }
    redis_tls_free(NULL);
}

static void what_is_lent_may_be_kept_or_returned(void **state)
{
    (void)state;
    static const char *const hosts[] = {"redis.example", "127.0.0.1", "::1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct error error = {0};
        struct redis_tls *tls = redis_tls_new(&no_files, hosts[i], &error);
        CHECK_CASE(hosts[i], tls != NULL);
        const char *name = SSL_get_servername(redis_tls_lend(tls), TLSEXT_NAMETYPE_host_name);
        CHECK_CASE(hosts[i], i == 0 ? name && strcmp(name, hosts[i]) == 0 : !name);
        redis_tls_return(tls);
        SSL_free(redis_tls_lend(tls));
        redis_tls_free(tls);
    }
}

/* The other end of the handshake: says its words at once, or drips them and then the last byte without end. */
struct server {
    int fd;
    const char *words;
    size_t len;
    bool drips, ends;
};

static void *serve(void *context)
{
    const struct server *server = context;
    char taken[4096];

    assert_true(recv(server->fd, taken, sizeof taken, 0) > 0); /* the greeting, so that an end is no reset */
    if (!server->drips && server->len > 0)
        assert_int_equal(send(server->fd, server->words, server->len, MSG_NOSIGNAL), server->len);
    for (size_t i = 0; server->drips && send(server->fd, server->words + i, 1, MSG_NOSIGNAL) > 0;) {
        i += i < server->len - 1;
        clock_sleep_ms(DRIP_MS); /* clock: the pace of the drips */
    }
    if (server->ends)
        (void)shutdown(server->fd, SHUT_RDWR);
    return NULL;
}

static void a_handshake_that_fails_is_explained_in_time(void **state)
{
    (void)state;
    /* A record of 16 KiB that is never whole. */
    static const char endless[] = "\x16\x03\x03\x3f\xff\x02";
    static const struct {
        const char *name, *server;
        size_t len;
        bool drips, ends;
        const char *words;
    } cases[] = {
        {"silence", NULL, 0, false, false, "not answered in time"},
        {"byte by byte, without end", endless, sizeof endless, true, false, "not answered in time"},
        {"an end", NULL, 0, false, true, "no TLS is spoken there: rediss:// goes to"},
        {"another protocol", "-ERR unknown command\r\n", 22, false, false, "no TLS is spoken there: rediss:// goes to"},
        {"an alert", "\x15\x03\x03\x00\x02\x02\x28", 7, false, false, "set REDIS_CERT_FILE"},
        {"an old version", "\x15\x03\x03\x00\x02\x02\x46", 7, false, false, "protocol version"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        struct redis_tls *tls = redis_tls_new(&no_files, "h", &error);
        struct server server = {-1, cases[i].server, cases[i].len, cases[i].drips, cases[i].ends};
        int ends[2];
        pthread_t thread;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        server.fd = ends[1];
        SSL *ssl = redis_tls_lend(tls);
        assert_int_equal(SSL_set_fd(ssl, ends[0]), 1);
        SSL_set_connect_state(ssl);
        assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
        const bool speaks = cases[i].ends || (cases[i].server && !cases[i].drips);
        CHECK_CASE(cases[i].name,
                   !redis_tls_shake_hands(tls, ends[0], clock_monotonic_ms() + (speaks ? FOREVER_MS : SHORT_MS)));
        redis_tls_explain(tls, "Redis at h:1: connecting", &error);
        CHECK_CASE(cases[i].name, error.code == ERROR_UNAVAILABLE);
        CHECK_CASE(cases[i].name, strncmp(error.text, "Redis at h:1: connecting: ", 26) == 0);
        if (!strstr(error.text, cases[i].words))
            fail_msg("%s: %s", cases[i].name, error.text);
        redis_tls_return(tls);
        redis_tls_free(tls);
        close(ends[0]);
        pthread_join(thread, NULL);
        close(ends[1]);
    }
}

static void a_call_before_is_not_blamed(void **state)
{
    (void)state;
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    assert_string_equal(redis_tls_reason(), "no shared cipher");
    redis_tls_begin_call();
    assert_null(redis_tls_reason());
    ERR_raise(ERR_LIB_SYS, ECONNRESET);
    assert_string_equal(redis_tls_reason(), "Connection reset by peer");
    redis_tls_begin_call();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_away_is_no_reason_to_give_up_for_good),
        cmocka_unit_test(what_is_lent_may_be_kept_or_returned),
        cmocka_unit_test(a_handshake_that_fails_is_explained_in_time),
        cmocka_unit_test(a_call_before_is_not_blamed),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the programs do */
    /* No test needs the system's certificates, and each reading of them takes long. */
    assert_int_equal(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    assert_int_equal(setenv("SSL_CERT_DIR", "/dev/null", 1), 0);
    /* Its words. */
    assert_int_equal(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
