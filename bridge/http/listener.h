/* The socket that civetweb listens with. civetweb opens it, owns its number and polls that number to the end. To serve
   a socket of systemd's, and to stop listening while connections are served, another file is put under the number. */
#ifndef DROPBRIDGE_HTTP_LISTENER_H
#define DROPBRIDGE_HTTP_LISTENER_H

#include "common/error.h"
#include "common/listen_fds.h"

#include <stdbool.h>
#include <stdint.h>

struct mg_context;

enum { LISTENER_PORTS = 320 };

struct listener {
    const char *listen; /* LISTEN: host:port, an s behind it for TLS */
    bool tls;
    struct listen_fds_socket handed_over;
    int plug;      /* an eventfd: polled beside the listener, and in its place once that is taken away */
    uint16_t port; /* once attached; 0: it is not */
    char ports[LISTENER_PORTS]; /* civetweb's option listening_ports */
};

/* Takes systemd's socket, if there is one. `listen` must outlive the listener. False with *error. Close it in either
   case; {.plug = -1, .handed_over.fd = -1} may be closed too. */
bool listener_open(struct listener *listener, const char *listen, struct error *error);
void listener_close(struct listener *listener);

/* In civetweb's init_context: the sockets of `ports` are open and nobody polls them yet. */
void listener_attach(struct listener *listener, const struct mg_context *context);
/* "listening on host:port" */
void listener_log(const struct listener *listener);

/* No connection is accepted any more. Who connects is refused, or waits for the next bridge if the socket is systemd's.
   Call it once. */
void listener_take_away(struct listener *listener);
/* Then, before mg_stop: ends the poll. */
void listener_wake(const struct listener *listener);

#endif
