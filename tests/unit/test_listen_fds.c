#include "common/listen_fds.h"

#include "cases.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDED_OVER = 3 }; /* sd_listen_fds(3) */

/* Under the number that systemd uses; -1: nothing. */
static void hand_over(int fd)
{
    if (fd < 0)
        (void)close(HANDED_OVER);
    else if (fd != HANDED_OVER) {
        assert_int_equal(dup2(fd, HANDED_OVER), HANDED_OVER);
        (void)close(fd);
    }
}

static int nothing(void)
{
    return -1;
}

static int made(int family, int type, bool listens)
{
    const int fd = socket(family, type, 0);

    assert_true(fd >= 0);
    if (listens)
        assert_int_equal(listen(fd, 1), 0); /* at a port that the kernel picks */
    return fd;
}

static int listening(void)
{
    return made(AF_INET, SOCK_STREAM, true);
}

static int silent(void)
{
    return made(AF_INET, SOCK_STREAM, false);
}

static int datagrams(void)
{
    return made(AF_INET, SOCK_DGRAM, false);
}

static int of_ipv6(void)
{
    return made(AF_INET6, SOCK_STREAM, true);
}

static int no_socket(void)
{
    return open("/dev/null", O_RDONLY);
}

static void announce(const char *count, long pid)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%ld", pid);
    assert_int_equal(count ? setenv("LISTEN_FDS", count, 1) : unsetenv("LISTEN_FDS"), 0);
    assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
}

static void takes_one_listening_socket_and_says_what_is_wrong_with_others(void **state)
{
    (void)state;
    static const struct {
        const char *name, *count;
        int (*make)(void);
        bool for_another, taken;
        const char *says; /* NULL: it is no error */
    } cases[] = {
        {"one that listens", "1", listening, false, true, NULL},
        {"none announced", NULL, nothing, false, false, NULL},
        {"one for another process", "1", listening, true, false, NULL},
        {"two", "2", listening, false, false, "exactly one ListenStream="},
        {"a count that is none", "1x", listening, false, false, "exactly one ListenStream="},
        {"one that does not listen", "1", silent, false, false, "Accept=no"},
        {"one for datagrams", "1", datagrams, false, false, "no IPv4 socket that listens"},
        {"one of IPv6", "1", of_ipv6, false, false, "with an IPv4 address"},
        {"a file", "1", no_socket, false, false, "no IPv4 socket that listens"},
        {"a closed descriptor", "1", nothing, false, false, "no IPv4 socket that listens"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct listen_fds_socket socket = {.fd = 1};
        struct error error = {0};

        hand_over(cases[i].make());
        announce(cases[i].count, cases[i].for_another ? getpid() + 1L : getpid());
        CHECK_CASE(cases[i].name, listen_fds_take(&socket, &error) == !cases[i].says);
        CHECK_CASE(cases[i].name, socket.fd == (cases[i].taken ? HANDED_OVER : -1));
        CHECK_CASE(cases[i].name, !cases[i].says || (error.code == ERROR_CONFIG && strstr(error.text, cases[i].says)));
        CHECK_CASE(cases[i].name, !cases[i].taken || (socket.port != 0 && strcmp(socket.address, "0.0.0.0") == 0));
        hand_over(-1);
    }
}

static void makes_it_close_on_exec_and_non_blocking(void **state)
{
    (void)state;
    struct listen_fds_socket socket;
    struct error error = {0};

    hand_over(listening());
    announce("1", getpid());
    assert_true(listen_fds_take(&socket, &error));
    assert_int_equal(fcntl(HANDED_OVER, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(HANDED_OVER, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    hand_over(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_one_listening_socket_and_says_what_is_wrong_with_others),
        cmocka_unit_test(makes_it_close_on_exec_and_non_blocking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
