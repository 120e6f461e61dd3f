#include "listen_fds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* The variables are inherited: they may be meant for a parent. */
static const char *count_for_us(void)
{
    const char *pid = getenv("LISTEN_PID");

    return pid && strtol(pid, NULL, 10) == getpid() ? getenv("LISTEN_FDS") : NULL;
}

bool listen_fds_take(struct listen_fds_socket *out, struct error *error)
{
    const char *count = count_for_us();
    struct sockaddr_in address = {0};
    socklen_t address_len = sizeof address;
    int listens = 0;
    socklen_t len = sizeof listens;

    out->fd = -1;
    if (!count)
        return true;
    if (strcmp(count, "1") != 0) {
        error_set(error, ERROR_CONFIG,
                  "systemd hands over LISTEN_FDS=%.16s sockets and one can be served: dropbridge.socket needs exactly "
                  "one ListenStream=",
                  count);
        return false;
    }
    if (getsockopt(FIRST_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens ||
        getsockname(FIRST_FD, (struct sockaddr *)&address, &address_len) != 0 || address.sin_family != AF_INET ||
        fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0 || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) != 0) {
        error_set(error, ERROR_CONFIG,
                  "what systemd hands over is no IPv4 socket that listens: dropbridge.socket needs ListenStream= with "
                  "an IPv4 address, such as 0.0.0.0:8080, and Accept=no");
        return false;
    }
    (void)inet_ntop(AF_INET, &address.sin_addr, out->address, sizeof out->address);
    out->port = ntohs(address.sin_port);
    out->fd = FIRST_FD;
    return true;
}
