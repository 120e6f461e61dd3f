#include "body.h"

#include "civetweb_quirks.h"
#include "common/clock.h"

#include <civetweb.h>

enum {
    /* A first buffer for chunked bodies. */
    CHUNKED_FIRST = 4096,
    /* The first buffer for one that is longer, and then twice as much each time. */
    LARGE_FIRST = 64 * 1024,
    DISCARD_BYTES = 256 * 1024,
    DISCARD_MS = 1000,
    /* How long a body waits for the memory of one that was cut off, and how often it looks. */
    MEMORY_WAIT_MS = 1000,
    MEMORY_LOOK_MS = 5,
};

/* Makes room for `capacity` bytes in all. When memory is short the oldest large body that is still being read gives way. */
static bool take_memory(struct body *body, struct body_limits *limits, const struct connection *connection, size_t capacity)
{
    const size_t more = capacity - body->taken;

    if (body_memory_take(&limits->memory, body->taken, more))
        return true;
    if (more > limits->memory.limit || !connections_cut_oldest_body(limits->connections, connection))
        return false;
    for (int64_t deadline_ms = clock_monotonic_ms() + MEMORY_WAIT_MS; clock_monotonic_ms() < deadline_ms;) {
        if (body_memory_take(&limits->memory, body->taken, more))
            return true;
        clock_sleep_ms(MEMORY_LOOK_MS);
    }
    return false;
}

static bool grow(struct body *body, struct body_limits *limits, struct connection *connection, size_t capacity)
{
    struct pending_message *message;

    if (capacity > BODY_SMALL)
        connection_body_is_large(connection);
    if (!take_memory(body, limits, connection, capacity))
        return false;
    body->taken = capacity;
    message = body->message ? message_grow(body->message, capacity) : message_new(capacity);
    if (message)
        body->message = message;
    return message != NULL;
}

/* Reads up to `want` bytes in all: mg_read waits for them, for longer than BODY_TIMEOUT_MS can be. False: the body ended before. */
static bool read_up_to(struct body *body, struct mg_connection *mg, size_t want)
{
    const int n = mg_read(mg, body->message->body + body->len, want - body->len);

    if (n > 0)
        body->len += (size_t)n;
    return body->len == want;
}

/* The same of a chunked body, without what makes its chunks. It is read no further than where it must go on. Fewer at its end;
   false: it is broken. */
static bool read_chunks_up_to(struct body *body, struct mg_connection *mg, size_t want)
{
    size_t ahead;

    while (body->len < want && (ahead = chunks_ahead(&body->chunks)) > 0) {
        const size_t before = body->len;
        const size_t len = ahead < want - before ? ahead : want - before;

        if (!read_up_to(body, mg, before + len))
            return false;
        const long decoded = chunks_decode(&body->chunks, body->message->body + before, len);
        if (decoded < 0)
            return false;
        body->len = before + (size_t)decoded;
    }
    return true;
}

static size_t first_capacity(const struct framing *framing, size_t want)
{
    const size_t first = framing->body == FRAMING_LENGTH ? (want > BODY_SMALL ? LARGE_FIRST : want) : CHUNKED_FIRST;

    return first < want ? first : want;
}

/* With a chunked body one byte past the limit says enough: the rest is not waited for. */
static enum response read_all(struct body *body, struct mg_connection *mg, struct connection *connection,
                              const struct framing *framing, struct body_limits *limits)
{
    const bool sized = framing->body == FRAMING_LENGTH;
    const size_t want = sized ? (size_t)framing->length : limits->max_bytes + 1;
    size_t capacity = first_capacity(framing, want);

    for (;;) {
        if (!grow(body, limits, connection, capacity))
            return RESPONSE_UNAVAILABLE;
        if (!(sized ? read_up_to(body, mg, capacity) : read_chunks_up_to(body, mg, capacity)))
            return RESPONSE_BAD_REQUEST;
        if (body->len < capacity)
            return RESPONSE_RECEIVED;
        if (body->len == want)
            return sized ? RESPONSE_RECEIVED : RESPONSE_PAYLOAD_TOO_LARGE;
        capacity = capacity < LARGE_FIRST / 2 ? capacity * 4 : capacity * 2;
        if (capacity > want)
            capacity = want;
    }
}

enum response body_read(struct body *body, struct mg_connection *mg, struct connection *connection, const struct framing *framing,
                        struct body_limits *limits, enum connection_cut *cut)
{
    enum response answer;
    enum connection_cut before = connection_enter(connection, CONNECTION_BODY, clock_monotonic_ms() + limits->timeout_ms);

    if (framing->body == FRAMING_CHUNKED)
        civetweb_read_raw(mg);
    answer = read_all(body, mg, connection, framing, limits);
    if (framing->body == FRAMING_CHUNKED && (answer == RESPONSE_RECEIVED || answer == RESPONSE_BAD_REQUEST))
        civetweb_end_body(mg); /* of a broken one nobody knows where it ends: nothing behind it is read */
    *cut = connection_enter(connection, CONNECTION_CONFIRM, 0);
    if (*cut == CUT_NONE)
        *cut = before;
    if (answer == RESPONSE_RECEIVED && body->message)
        body->message->body_len = body->len;
    return answer;
}

void body_discard(struct mg_connection *mg, struct connection *connection)
{
    char sink[4096];
    size_t left = DISCARD_BYTES;

    (void)connection_enter(connection, CONNECTION_BODY, clock_monotonic_ms() + DISCARD_MS);
    while (left > 0) {
        const int n = mg_read(mg, sink, left < sizeof sink ? left : sizeof sink);

        if (n <= 0)
            break;
        left -= (size_t)n;
    }
}

void body_clear(struct body *body, struct body_limits *limits)
{
    message_release(body->message);
    body->message = NULL;
    body_memory_give(&limits->memory, body->taken);
    body->taken = 0;
}
