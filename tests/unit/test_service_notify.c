#include "common/service_notify.h"

#include "cases.h"
#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEARD = 64, QUEUE_MORE_THAN = 4096, NOTIFY_MS = 60 };

/* A manager that listens where NOTIFY_SOCKET says. */
struct manager {
    int fd;
    char folder[32];
    char name[64];
};

static void listen_at(struct manager *manager, const char *name, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(name);

    snprintf(manager->name, sizeof manager->name, "%s", name);
    memcpy(address.sun_path, name, len);
    if (abstract)
        address.sun_path[0] = '\0';
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager->fd >= 0);
    const socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (abstract ? 0 : 1));
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, address_len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void listen_at_a_path(struct manager *manager)
{
    char path[64];

    snprintf(manager->folder, sizeof manager->folder, "/tmp/notify.XXXXXX");
    assert_non_null(mkdtemp(manager->folder));
    snprintf(path, sizeof path, "%s/socket", manager->folder);
    listen_at(manager, path, false);
}

static void listen_at_an_abstract_name(struct manager *manager)
{
    char name[64];

    manager->folder[0] = '\0';
    snprintf(name, sizeof name, "@dropbridge/test/%ld", (long)getpid());
    listen_at(manager, name, true);
}

static void leave(struct manager *manager)
{
    (void)close(manager->fd);
    (void)unsetenv("NOTIFY_SOCKET");
    if (manager->folder[0] != '\0') {
        (void)unlink(manager->name);
        (void)rmdir(manager->folder);
    }
}

/* What came, or "" if nothing did. */
static const char *hear(const struct manager *manager, char text[HEARD])
{
    const ssize_t len = recv(manager->fd, text, HEARD - 1, 0);

    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void tells_each_state_in_a_datagram(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*listen)(struct manager *manager);
    } cases[] = {{"at a path", listen_at_a_path}, {"at an abstract name", listen_at_an_abstract_name}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct manager manager;
        struct error error = {0};
        char text[HEARD];

        cases[i].listen(&manager);
        service_notify_ready();
        CHECK_CASE(cases[i].name, strcmp(hear(&manager, text), "READY=1") == 0);
        service_notify_stopping();
        CHECK_CASE(cases[i].name, strcmp(hear(&manager, text), "STOPPING=1") == 0);
        CHECK_CASE(cases[i].name, service_notify("STATUS=waiting\nREADY=1", NOTIFY_MS, &error));
        CHECK_CASE(cases[i].name, strcmp(hear(&manager, text), "STATUS=waiting\nREADY=1") == 0);
        CHECK_CASE(cases[i].name, strcmp(hear(&manager, text), "") == 0);
        leave(&manager);
    }
}

static void says_nothing_when_nobody_asked(void **state)
{
    (void)state;
    struct error error = {0};

    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_true(service_notify("READY=1", NOTIFY_MS, &error));
    assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
    assert_true(service_notify("READY=1", NOTIFY_MS, &error));
    assert_int_equal(error.code, ERROR_NONE);
}

static void names_what_cannot_be_reached(void **state)
{
    (void)state;
    char longest[128];
    static const struct {
        const char *name, *socket, *says;
    } cases[] = {
        {"a path that is not there", "/nonexistent/notify", "No such file"},
        {"an abstract name nobody listens at", "@dropbridge/nobody", "Connection refused"},
        {"another kind of address", "vsock:2:1234", "neither a path nor an abstract name"},
        {"a relative path", "run/notify", "neither a path nor an abstract name"},
        {"an empty abstract name", "@", "2 to 107 bytes, not 1"},
        {"a path past the limit of the system", NULL, "2 to 107 bytes, not 108"},
    };

    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[108] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};

        assert_int_equal(setenv("NOTIFY_SOCKET", cases[i].socket ? cases[i].socket : longest, 1), 0);
        CHECK_CASE(cases[i].name, !service_notify("READY=1", NOTIFY_MS, &error));
        CHECK_CASE(cases[i].name, error.code == ERROR_UNAVAILABLE);
        CHECK_CASE(cases[i].name, strstr(error.text, cases[i].says) != NULL);
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void uses_the_whole_length_of_an_address(void **state)
{
    (void)state;
    char name[108];
    struct manager manager = {.folder = ""};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error error = {0};
    char text[HEARD];

    memset(name, 'x', sizeof name);
    snprintf(name, sizeof name, "@%ld", (long)getpid());
    name[strlen(name)] = 'x';
    name[sizeof name - 1] = '\0';
    memcpy(address.sun_path, name, sizeof name);
    address.sun_path[0] = '\0';
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager.fd >= 0);
    assert_int_equal(bind(manager.fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_true(service_notify("READY=1", NOTIFY_MS, &error));
    assert_string_equal(hear(&manager, text), "READY=1");
    leave(&manager);
}

static void waits_for_a_manager_that_does_not_read_only_so_long(void **state)
{
    (void)state;
    struct manager manager;
    struct error error = {0};
    size_t sent = 0;
    int64_t asked_ms = 0;

    listen_at_an_abstract_name(&manager);
    do
        asked_ms = clock_monotonic_ms();
    while (service_notify("READY=1", NOTIFY_MS, &error) && ++sent < QUEUE_MORE_THAN);
    assert_in_range(sent, 1, QUEUE_MORE_THAN - 1);
    assert_true(clock_monotonic_ms() - asked_ms >= NOTIFY_MS / 2);
    assert_non_null(strstr(error.text, "cannot tell the service manager"));
    assert_non_null(strstr(error.text, strerror(EAGAIN)));
    leave(&manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_state_in_a_datagram),
        cmocka_unit_test(says_nothing_when_nobody_asked),
        cmocka_unit_test(names_what_cannot_be_reached),
        cmocka_unit_test(uses_the_whole_length_of_an_address),
        cmocka_unit_test(waits_for_a_manager_that_does_not_read_only_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
