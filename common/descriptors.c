#include "descriptors.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool descriptors_each(void (*visit)(void *context, int fd), void *context)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (!directory)
        return false;
    while ((entry = readdir(directory)) != NULL) {
        char *end;
        const long fd = strtol(entry->d_name, &end, 10);

        if (end != entry->d_name && *end == '\0' && fd != dirfd(directory))
            visit(context, (int)fd);
    }
    closedir(directory);
    return true;
}

static bool port_of(const struct sockaddr_storage *address, uint16_t *port)
{
    if (address->ss_family == AF_INET)
        *port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    else if (address->ss_family == AF_INET6)
        *port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    else
        return false;
    return true;
}

static bool local_port_of(int fd, uint16_t *port)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    memset(&address, 0, sizeof address);
    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 && port_of(&address, port);
}

bool descriptor_peer(int fd, char address[DESCRIPTOR_ADDRESS], uint16_t *remote_port, uint16_t *local_port)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    const void *raw = &((const struct sockaddr_in *)&peer)->sin_addr;

    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 || !port_of(&peer, remote_port))
        return false;
    if (peer.ss_family == AF_INET6)
        raw = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
    return local_port_of(fd, local_port) && inet_ntop(peer.ss_family, raw, address, DESCRIPTOR_ADDRESS);
}

static bool is_one_of(uint16_t port, const uint16_t *ports, int count)
{
    for (int i = 0; i < count; i++) {
        if (ports[i] == port)
            return true;
    }
    return false;
}

bool descriptor_listens(int fd, const uint16_t *ports, int count)
{
    int accepts = 0;
    socklen_t len = sizeof accepts;
    uint16_t port;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts && local_port_of(fd, &port) &&
           is_one_of(port, ports, count);
}

bool descriptor_serves(int fd, const uint16_t *ports, int count)
{
    char address[DESCRIPTOR_ADDRESS];
    uint16_t remote_port;
    uint16_t port;

    return descriptor_peer(fd, address, &remote_port, &port) && is_one_of(port, ports, count);
}
