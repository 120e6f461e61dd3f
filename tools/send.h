/* dropctl send: posts events as the vendor does, for tests and demonstrations. */
#ifndef DROPBRIDGE_SEND_H
#define DROPBRIDGE_SEND_H

#include "common/bytes.h"
#include "common/sha256.h"
#include "http_client.h"
#include "tool_config.h"

#include <stdbool.h>
#include <stdint.h>

enum send_scheme { SEND_GUIDE, SEND_V1, SEND_CALLBACK };

enum { SEND_HEADERS = 8, SEND_VALUE = 80 };

/* The headers of one request; the values live inside. */
struct send_headers {
    struct http_header items[SEND_HEADERS];
    size_t count;
    char values[SEND_HEADERS][SEND_VALUE];
};

/* Fills in what the vendor sends with `body` under the scheme: `key` signs (unused for SEND_CALLBACK), now_s is the
   timestamp and uuid the event id of v1. Pure. False only when libcrypto fails. */
bool send_make_headers(enum send_scheme scheme, const struct hmac_key *key, struct bytes body, int64_t now_s,
                       const char *uuid, struct send_headers *out);

/* Runs the subcommand (argv[0] is its name); returns the exit status: 0 if every answer was 2xx, 1 if not, 69 if there
   was no connection. */
int send_run(const struct tool_config *config, int argc, char **argv);

#endif
