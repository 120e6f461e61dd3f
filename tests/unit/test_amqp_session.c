#include "common/amqp_session.h"

#include "cases.h"
#include "common/clock.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Past the hang guard of the test, so that what ends sooner was ended. */
enum { SHORT_MS = 60 };

static void counts_the_urls_it_can_use(void **state)
{
    (void)state;
    static const struct {
        const char *name, *urls;
        size_t count;
    } cases[] = {
        {"one", "amqp://guest:guest@127.0.0.1:5672/%2f", 1},
        {"host alone", "amqp://h", 1},
        {"three, with spaces", "amqp://a, amqp://b ,amqp://c", 3},
        {"none", "", 0},
        {"a comma at the end", "amqp://a,", 0},
        {"TLS", "amqps://a", 1},
        {"with and without TLS", "amqp://a,amqps://b:5671", 2},
        {"another scheme", "http://a", 0},
        {"the second is malformed", "amqp://a,amqp://", 0},
        {"a raw comma in a password", "amqp://u:SECRET,SECRET@h", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.code = ERROR_NONE};
        CHECK_CASE(cases[i].name, amqp_urls_count(cases[i].urls, &error) == cases[i].count);
        CHECK_CASE(cases[i].name, (error.code == ERROR_CONFIG) == (cases[i].count == 0));
        CHECK_CASE(cases[i].name, strstr(error.text, "SECRET") == NULL);
    }
}

static void tells_whether_a_url_asks_for_tls(void **state)
{
    (void)state;
    static const struct {
        const char *name, *urls;
        bool asks;
    } cases[] = {
        {"no", "amqp://a", false},
        {"yes", "amqps://a", true},
        {"in capitals", "AMQPS://a", true},
        {"the last of three", "amqp://a,amqp://b, amqps://c", true},
        {"in a password", "amqp://u:amqps@a", false},
        {"one that cannot be used", "amqp://,amqps://c", true},
        {"none", "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, amqp_urls_ask_for_tls(cases[i].urls) == cases[i].asks);
}

static amqp_bytes_t text_of(const char *text)
{
    return amqp_cstring_bytes(text);
}

static void tells_what_will_pass_from_what_will_not(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t code;
        bool connection;
        enum error_code asked, unasked;
    } cases[] = {
        {"403 at login", 403, true, ERROR_REFUSED, ERROR_REFUSED},
        {"403 on a channel", 403, false, ERROR_REFUSED, ERROR_REFUSED},
        {"404 on a connection", 404, true, ERROR_REFUSED, ERROR_REFUSED},
        {"404 on a channel", 404, false, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
        {"406", 406, false, ERROR_REFUSED, ERROR_UNAVAILABLE},
        {"530", 530, true, ERROR_REFUSED, ERROR_REFUSED},
        {"320", 320, true, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
        {"405", 405, false, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
        {"501", 501, true, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
        {"506", 506, false, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
        {"541", 541, true, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        amqp_connection_close_t connection = {.reply_code = cases[i].code, .reply_text = text_of("why")};
        amqp_channel_close_t channel = {.reply_code = cases[i].code, .reply_text = text_of("why")};
        amqp_method_t method = {.id = AMQP_CHANNEL_CLOSE_METHOD, .decoded = &channel};
        struct error error;
        char expected[64];
        if (cases[i].connection)
            method = (amqp_method_t){.id = AMQP_CONNECTION_CLOSE_METHOD, .decoded = &connection};
        const amqp_rpc_reply_t reply = {.reply_type = AMQP_RESPONSE_SERVER_EXCEPTION, .reply = method};

        amqp_error_of_reply(&error, "asking", "h:1", reply);
        CHECK_CASE(cases[i].name, error.code == cases[i].asked);
        (void)snprintf(expected, sizeof expected, "asking h:1: %u why", (unsigned)cases[i].code);
        CHECK_CASE(cases[i].name, strcmp(error.text, expected) == 0);
        amqp_error_of_close(&error, "asking", "h:1", &method);
        CHECK_CASE(cases[i].name, error.code == cases[i].unasked);
    }
}

static void has_words_for_library_errors(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        enum error_code code;
    } cases[] = {
        {"time out", AMQP_STATUS_TIMEOUT, ERROR_UNAVAILABLE},
        {"closed", AMQP_STATUS_CONNECTION_CLOSED, ERROR_UNAVAILABLE},
        {"memory", AMQP_STATUS_NO_MEMORY, ERROR_NO_MEMORY},
        {"another protocol", AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION, ERROR_REFUSED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const amqp_rpc_reply_t reply = {.reply_type = AMQP_RESPONSE_LIBRARY_EXCEPTION,
                                        .library_error = cases[i].status};
        struct error error;
        amqp_error_of_reply(&error, "asking", "h:1", reply);
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        CHECK_CASE(cases[i].name, strncmp(error.text, "asking h:1: ", 12) == 0 && strlen(error.text) > 12);
    }
    const amqp_method_t other = {.id = AMQP_BASIC_ACK_METHOD};
    struct error error;
    amqp_error_of_close(&error, "asking", "h:1", &other);
    assert_int_equal(error.code, ERROR_UNAVAILABLE);
}

static void does_not_open_without_a_broker(void **state)
{
    (void)state;
    const struct amqp_settings settings = {
        .urls = "amqp://127.0.0.1:1", .exchange = "e", .queue = "q", .rejected_queue = "r"};
    struct error error;
    assert_null(amqp_session_open(&settings, 7, "test", NULL, &error));
    assert_int_equal(error.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
    amqp_session_close(NULL);
    amqp_session_drop(NULL);
}

/* A host that accepts connections and never says a word: *port. */
static int listen_mutely(unsigned *port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    *port = ntohs(bound.sin_port);
    return fd;
}

struct mute_host {
    int listener;
    struct watch *watch;
};

/* Waits for the greeting, answers nothing, and gives up for the one who waits. */
static void *abort_when_greeted(void *argument)
{
    const struct mute_host *host = argument;
    const int fd = accept(host->listener, NULL, NULL);
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    watch_abort_at(host->watch, 0);
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static void an_opening_is_cut_short_by_an_abort(void **state)
{
    (void)state;
    struct error error = {0};
    struct watchdog *dog = watchdog_start(&error);
    struct watch *watch = watch_new(dog);
    unsigned port = 0;
    struct mute_host host = {.listener = listen_mutely(&port), .watch = watch};
    char url[64];
    pthread_t thread;
    (void)snprintf(url, sizeof url, "amqp://127.0.0.1:%u", port);
    const struct amqp_settings settings = {
        .urls = url, .exchange = "e", .queue = "q", .rejected_queue = "r", .open_timeout_ms = FOREVER_MS};
    assert_int_equal(pthread_create(&thread, NULL, abort_when_greeted, &host), 0);
    assert_null(amqp_session_connect(&settings, 0, "test", watch, &error));
    assert_int_equal(error.code, ERROR_UNAVAILABLE);
    pthread_join(thread, NULL);
    watch_free(watch);
    watchdog_stop(dog);
    close(host.listener);
}

static void an_opening_ends_at_its_deadline(void **state)
{
    (void)state;
    struct error error = {0};
    unsigned port = 0;
    const int listener = listen_mutely(&port);
    char url[64];
    (void)snprintf(url, sizeof url, "amqp://127.0.0.1:%u", port);
    const struct amqp_settings settings = {
        .urls = url, .exchange = "e", .queue = "q", .rejected_queue = "r", .open_timeout_ms = SHORT_MS};
    const int64_t before = clock_monotonic_ms();
    assert_null(amqp_session_open(&settings, 0, "test", NULL, &error));
    assert_int_equal(error.code, ERROR_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - before >= SHORT_MS / 2);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_the_urls_it_can_use),
        cmocka_unit_test(tells_whether_a_url_asks_for_tls),
        cmocka_unit_test(tells_what_will_pass_from_what_will_not),
        cmocka_unit_test(has_words_for_library_errors),
        cmocka_unit_test(does_not_open_without_a_broker),
        cmocka_unit_test(an_opening_is_cut_short_by_an_abort),
        cmocka_unit_test(an_opening_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
