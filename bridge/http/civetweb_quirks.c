#include "civetweb_quirks.h"

#include "common/descriptors.h"

#include <civetweb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* What else a build can have that changes the structures below. */
static const unsigned features_unknown = MG_FEATURES_STATS | MG_FEATURES_COMPRESSION | MG_FEATURES_HTTP2 | MG_FEATURES_X_DOMAIN_SOCKET;

/* How struct mg_connection begins. Before the first request nothing public tells of it. */
struct known_begin {
    int types[3];
    struct mg_request_info request;
    struct mg_response_info response;
    void *contexts[2];
    void *tls;
    int socket;
    /* Two addresses and three bytes: see rest_of. */
};

/* How it goes on. */
struct known_rest {
    time_t born;
    struct timespec request_time;
    int64_t sent;
    int64_t content_len; /* of the body; negative: until the connection ends */
    int64_t consumed_content;
    int is_chunked;
    char *buf;
    char *path_info;
    int flags[4];
    int handled_requests;
    int buf_size;
    int request_len; /* of the head, in buf */
    int data_len;    /* of all that is in buf */
};

bool civetweb_is_known(struct error *error)
{
    const char *version = mg_version();

    if ((strcmp(version, "1.15") == 0 || strcmp(version, "1.16") == 0) && mg_check_feature(MG_FEATURES_WEBSOCKET) &&
        !mg_check_feature(features_unknown))
        return true;
    error_set(error, ERROR_INTERNAL, "the civetweb library %s, as it was built here, is not known to this program: use Debian's 1.15 or 1.16",
              version);
    return false;
}

static struct known_rest *rest_of(const struct mg_connection *connection)
{
    const size_t address = mg_check_feature(MG_FEATURES_IPV6) ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    const size_t end = offsetof(struct known_begin, socket) + sizeof(int) + 2 * address + 3;
    const size_t align = _Alignof(struct known_rest);

    return (struct known_rest *)((uintptr_t)connection + (end + align - 1) / align * align);
}

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

void civetweb_head(const struct mg_connection *connection, const char **start, const char **end)
{
    const struct known_rest *rest = rest_of(connection);

    *start = rest->buf;
    *end = rest->buf + rest->request_len;
}

bool civetweb_head_is_too_large(const struct mg_connection *connection)
{
    const struct known_rest *rest = rest_of(connection);

    return rest->data_len >= rest->buf_size;
}

void civetweb_read_raw(struct mg_connection *connection)
{
    struct known_rest *rest = rest_of(connection);

    rest->is_chunked = 0;
    rest->content_len = -1;
}

void civetweb_end_body(struct mg_connection *connection)
{
    struct known_rest *rest = rest_of(connection);

    rest->content_len = rest->consumed_content;
}
