/* Many keep-alive HTTP connections from one thread, plain or with TLS, each with one request under way at a time. IPv4 only. */
#ifndef DROPBRIDGE_BENCH_CLIENT_H
#define DROPBRIDGE_BENCH_CLIENT_H

#include "common/bytes.h"
#include "common/error.h"
#include "histogram.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLIENT_ANSWER_MAX = 4096, /* bytes of an answer, head and body */
    CLIENT_STATUSES = 600,
    CLIENT_GIVE_UP_MS = 10000, /* as long as the vendor waits */
};

struct client_plan {
    struct sockaddr_in address;
    size_t connections;
    int64_t for_us;               /* no request begins later than this after the first */
    double rate;                  /* requests a second, evenly spaced; 0: as fast as answers come */
    bool tls;                     /* whose certificate it is, is not checked; SIGPIPE must be ignored */
    bool lazy;                    /* a connection is opened with its first request, and again only with another one; few requests
                                     are under way at a time, for opening blocks */
    const struct bytes *requests; /* each sent once, in this order; all gone is the end */
    size_t request_count;
};

struct client_result {
    uint64_t sent;
    uint64_t answered;
    uint64_t broken; /* the connection ended, or the answer was no HTTP, before the whole answer was there */
    uint64_t timed_out;
    uint64_t statuses[CLIENT_STATUSES];
    struct histogram latency; /* of answers; with a rate from when the request was due, else from its first byte */
    int64_t took_us;          /* from the first request to the last answer */
};

struct client;

/* Opens all connections, unless the plan is lazy. NULL with *error when one is refused or descriptors run out. */
struct client *client_new(const struct client_plan *plan, struct error *error);
void client_free(struct client *client); /* NULL is fine */

/* Sends, and waits for what is under way, CLIENT_GIVE_UP_MS at the longest; the connections stay open. False with *error when no connection can be
   had any more. The plan's requests stay the caller's. */
bool client_run(struct client *client, struct client_result *result, struct error *error);

#endif
