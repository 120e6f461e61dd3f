/* A listening socket that the service manager opened before this program started (systemd.socket(5)). */
#ifndef DROPBRIDGE_LISTEN_FDS_H
#define DROPBRIDGE_LISTEN_FDS_H

#include "error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct listen_fds_socket {
    int fd; /* the caller's to close; -1: none was handed over */
    char address[INET_ADDRSTRLEN];
    uint16_t port;
};

/* The one socket that LISTEN_FDS announces to this process, as sd_listen_fds(3) would find it; it is made close-on-exec
   and non-blocking. Call it once, while there is one thread. False with *error (ERROR_CONFIG) if there are more, or if
   it is no IPv4 socket that listens. */
bool listen_fds_take(struct listen_fds_socket *out, struct error *error);

#endif
