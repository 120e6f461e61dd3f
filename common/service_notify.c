#include "service_notify.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOTIFY_MS = 2000 };

/* False with *error if `name` is no address of the kinds that are served. */
static bool read_address(const char *name, struct sockaddr_un *address, socklen_t *address_len, struct error *error)
{
    const size_t len = strlen(name);

    if (name[0] != '/' && name[0] != '@') {
        error_set(error, ERROR_UNAVAILABLE,
                  "cannot tell the service manager: NOTIFY_SOCKET=\"%.64s\" is neither a path nor an abstract name; "
                  "use Type=exec in the unit",
                  name);
        return false;
    }
    if (len < 2 || len >= sizeof address->sun_path) {
        error_set(error, ERROR_UNAVAILABLE,
                  "cannot tell the service manager: the name in NOTIFY_SOCKET must have 2 to %zu bytes, not %zu",
                  sizeof address->sun_path - 1, len);
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, len);
    /* unix(7): an abstract name begins with a NUL and is as long as the address says; a path ends with one. */
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    *address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/' ? 1 : 0));
    return true;
}

static bool send_state(int fd, const struct sockaddr_un *address, socklen_t address_len, const char *state,
                       int64_t timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    const struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return false;
    for (;;) {
        const ssize_t sent =
            sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)address, address_len);

        if (sent >= 0 || errno != EINTR || clock_monotonic_ms() >= deadline_ms)
            return sent >= 0;
    }
}

bool service_notify(const char *state, int64_t timeout_ms, struct error *error)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t address_len = 0;
    bool told = false;
    int fd;

    if (!name || *name == '\0')
        return true;
    if (!read_address(name, &address, &address_len, error))
        return false;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        told = send_state(fd, &address, address_len, state, timeout_ms);
    if (!told)
        error_set(error, ERROR_UNAVAILABLE, "cannot tell the service manager at NOTIFY_SOCKET=%.108s: %s", name,
                  strerror(errno));
    if (fd >= 0)
        close(fd);
    return told;
}

static void notify_or_log(const char *state)
{
    struct error error = {0};

    if (!service_notify(state, NOTIFY_MS, &error))
        log_warn("%s", error.text);
}

void service_notify_ready(void)
{
    notify_or_log("READY=1");
}

void service_notify_stopping(void)
{
    notify_or_log("STOPPING=1");
}
