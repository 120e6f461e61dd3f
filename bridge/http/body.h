/* Reading a request's body: into a pending message that grows as bytes arrive, by a deadline, within the memory that all bodies
   share. Called by civetweb's threads. */
#ifndef DROPBRIDGE_HTTP_BODY_H
#define DROPBRIDGE_HTTP_BODY_H

#include "body_memory.h"
#include "bridge/pending_message.h"
#include "chunks.h"
#include "connections.h"
#include "framing.h"
#include "response.h"

#include <stddef.h>
#include <stdint.h>

struct mg_connection;

struct body_limits {
    struct connections *connections;
    struct body_memory memory;
    size_t max_bytes;
    int64_t timeout_ms; /* whole body, first to last byte */
};

struct body {
    struct pending_message *message; /* NULL: there is none yet; the body's, to be freed with body_clear */
    size_t len;
    size_t taken; /* of the memory */
    struct chunks chunks;
};

/* Reads it all. RESPONSE_RECEIVED once the message has it. RESPONSE_BAD_REQUEST: it ended too early, or its chunks are broken.
   *cut: its reading was ended by us. */
enum response body_read(struct body *body, struct mg_connection *mg, struct connection *connection, const struct framing *framing,
                        struct body_limits *limits, enum connection_cut *cut);

/* Reads and forgets some of what is left, after a refusal: a socket that is closed with unread bytes sends a reset, which can overtake
   the answer. */
void body_discard(struct mg_connection *mg, struct connection *connection);

/* Lets go of the message and of the memory. */
void body_clear(struct body *body, struct body_limits *limits);

#endif
