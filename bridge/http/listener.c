#include "listener.h"

#include "common/descriptors.h"
#include "common/log.h"

#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

bool listener_open(struct listener *listener, const char *listen, struct error *error)
{
    *listener = (struct listener){.listen = listen, .tls = listen[strlen(listen) - 1] == 's', .handed_over = {.fd = -1}};
    /* From the start, since a stop may find no descriptor left. */
    listener->plug = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->plug < 0) {
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
        return false;
    }
    if (!listen_fds_take(&listener->handed_over, error))
        return false;
    /* The second port becomes the plug's number. */
    snprintf(listener->ports, sizeof listener->ports, "%s,0.0.0.0:0",
             listener->handed_over.fd < 0 ? listen : listener->tls ? "0.0.0.0:0s" : "0.0.0.0:0");
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener->plug >= 0)
        close(listener->plug);
    if (listener->handed_over.fd >= 0)
        close(listener->handed_over.fd);
}

struct replacement {
    uint16_t port;
    int with;
    bool shut; /* what was there, first */
    bool done;
};

static void replace_one(void *context, int fd)
{
    struct replacement *replacement = context;

    if (!descriptor_listens(fd, replacement->port))
        return;
    if (replacement->shut)
        (void)shutdown(fd, SHUT_RDWR);
    /* As a bare system call: the thread sanitizer does not see that mg_stop orders civetweb's close behind it. */
    replacement->done = syscall(SYS_dup3, replacement->with, fd, O_CLOEXEC) >= 0;
}

/* Puts `with` under each number that listens at `port`. */
static bool replace(uint16_t port, int with, bool shut)
{
    struct replacement replacement = {.port = port, .with = with, .shut = shut};

    return descriptors_each(replace_one, &replacement) && replacement.done;
}

void listener_attach(struct listener *listener, const struct mg_context *context)
{
    const struct listen_fds_socket *handed_over = &listener->handed_over;
    struct mg_server_port ports[2];

    if (mg_get_server_ports(context, 2, ports) != 2)
        return;
    if (replace((uint16_t)ports[1].port, listener->plug, false) &&
        (handed_over->fd < 0 || replace((uint16_t)ports[0].port, handed_over->fd, false)))
        listener->port = handed_over->fd < 0 ? (uint16_t)ports[0].port : handed_over->port;
}

void listener_log(const struct listener *listener)
{
    const char *listen = listener->listen;
    const struct listen_fds_socket *handed_over = &listener->handed_over;
    const char *with_tls = listener->tls ? " with TLS" : "";
    char served[INET_ADDRSTRLEN + 8];

    if (handed_over->fd < 0) {
        log_info("listening on %.*s:%d%s", (int)(strchr(listen, ':') - listen), listen, listener->port, with_tls);
        return;
    }
    log_info("listening on %s:%d%s (socket from systemd)", handed_over->address, handed_over->port, with_tls);
    snprintf(served, sizeof served, "%s:%d%s", handed_over->address, handed_over->port, listener->tls ? "s" : "");
    if (strcmp(served, listen) != 0)
        log_warn("LISTEN=%s is not what is served: systemd has opened %s. Let ListenStream= of dropbridge.socket "
                 "(systemctl edit dropbridge.socket) and LISTEN name the same address and port",
                 listen, served);
}

/* A socket of ours is shut, so that those who connect are refused. Shutting systemd's would end it for the next bridge
   too: there our descriptors go. (With ADMIN_LISTEN at the same port of another address that listener goes as well: it
   ends now anyway.) Unlike a shut listener the plug is not readable, or civetweb would spin. */
void listener_take_away(struct listener *listener)
{
    (void)replace(listener->port, listener->plug, listener->handed_over.fd < 0);
}

void listener_wake(const struct listener *listener)
{
    (void)eventfd_write(listener->plug, 1);
}
