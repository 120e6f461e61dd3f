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

bool descriptor_listens(int fd, uint16_t port)
{
    int accepts = 0;
    socklen_t len = sizeof accepts;
    uint16_t own;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts && local_port_of(fd, &own) && own == port;
}

struct count {
    uint16_t port;
    bool listening;
    int how;
    int found;
};

static bool is_connection(int fd, uint16_t port)
{
    char address[DESCRIPTOR_ADDRESS];
    uint16_t remote, own;

    return descriptor_peer(fd, address, &remote, &own) && own == port;
}

static void count_one(void *context, int fd)
{
    struct count *count = context;

    if (!(count->listening ? descriptor_listens(fd, count->port) : is_connection(fd, count->port)))
        return;
    count->found++;
    if (count->how >= 0)
        (void)shutdown(fd, count->how);
}

int descriptors_of_port(uint16_t port, bool listening, int how)
{
    struct count count = {.port = port, .listening = listening, .how = how};

    (void)descriptors_each(count_one, &count);
    return count.found;
}
