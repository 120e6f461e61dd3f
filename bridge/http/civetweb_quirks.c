#include "civetweb_quirks.h"

#include "common/descriptors.h"

#include <civetweb.h>
#include <stdlib.h>
#include <string.h>

/* How struct mg_connection begins. Before the first request nothing public tells of it. */
struct known_begin {
    int types[3];
    struct mg_request_info request;
    struct mg_response_info response;
    void *contexts[2];
    void *tls;
    int socket;
};

/* Nothing is believed: the socket and the request's address must fit each other. */
int civetweb_socket(const struct mg_connection *connection)
{
    struct known_begin begin;
    char address[DESCRIPTOR_ADDRESS];
    uint16_t remote_port, local_port;

    memcpy(&begin, connection, sizeof begin);
    return begin.socket > 2 && descriptor_peer(begin.socket, address, &remote_port, &local_port) &&
                   remote_port == begin.request.remote_port && local_port == begin.request.server_port &&
                   strncmp(address, begin.request.remote_addr, sizeof begin.request.remote_addr) == 0
               ? begin.socket
               : -1;
}

long civetweb_threads_started(const char *message)
{
    static const char words[] = "Cannot start worker thread ";
    const char *number = strstr(message, words);

    return number ? strtol(number + sizeof words - 1, NULL, 10) - 1 : -1;
}
