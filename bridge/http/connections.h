/* Who holds an HTTP thread, since when, and doing what. Deadlines that a slow client cannot stretch: the HTTP library loops in
   its reads and writes as long as bytes trickle, so a watcher thread shuts the socket down, and the call returns. When threads
   run short the connections that have waited longest without a verified request are closed (as nginx does with idle ones),
   whatever their address: behind a balancer all have one.
   civetweb 1.15 starts all threads, and those that have nothing to do wait on one condition variable: on kernels with a small futex
   hash every wake-up of any thread then walks them all (2,048 of them cost a quarter of what the bridge can take in). So most of
   them stay here, each asleep in a read, until connections come. A thread that was let go does not come back. */
#ifndef DROPBRIDGE_HTTP_CONNECTIONS_H
#define DROPBRIDGE_HTTP_CONNECTIONS_H

#include "bridge/metrics.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connection_state {
    CONNECTION_HEAD,    /* nothing came yet, or a TLS handshake, or half a head */
    CONNECTION_BODY,    /* being read */
    CONNECTION_CONFIRM, /* the broker or the spool has its message: never closed by us */
    CONNECTION_WRITING, /* an answer */
    CONNECTION_IDLE,    /* between two requests */
    CONNECTION_STATES,
};

enum connection_cut { CUT_NONE, CUT_DEADLINE, CUT_THREADS_SHORT, CUT_MEMORY_SHORT };

struct connections;
struct connection; /* the place of one HTTP thread; only that thread calls functions with it */

/* Starts the watcher, for `threads` HTTP threads. NULL with *error on failure. */
struct connections *connections_start(size_t threads, struct bridge_metrics *metrics, struct error *error);
/* All HTTP threads have ended. NULL is fine. */
void connections_stop(struct connections *connections);

/* An HTTP thread has started: its place, once the thread is needed; NULL if `threads` have theirs. */
struct connection *connections_join(struct connections *connections);
/* The end: no thread waits there any more. */
void connections_let_all_go(struct connections *connections);

/* The thread has a connection on that socket, which stays open until connection_end; more threads are let go if too few wait. A
   second call changes nothing, nor does one with -1. */
void connection_begin(struct connection *connection, int fd);
/* What it does from now on, at the most until deadline_ms (CLOCK_MONOTONIC; 0: no matter), give or take 100 ms. Returns why the
   state that ends here was cut: reading then finds the end, and the connection is to be closed. */
enum connection_cut connection_enter(struct connection *connection, enum connection_state state, int64_t deadline_ms);
/* A verified request. */
void connection_verified(struct connection *connection);
/* Before the socket is closed. A second call changes nothing. */
void connection_end(struct connection *connection);

/* Any thread: whether threads run short: then answers close their connections. */
bool connections_are_short(const struct connections *connections);
/* Any thread: cuts the body that has been read for longest of those whose state was entered with connection_body_is_large; false:
   there is none but `own`. */
bool connections_cut_oldest_body(struct connections *connections, const struct connection *own);
/* The body that is being read takes part in that. */
void connection_body_is_large(struct connection *connection);

struct connections_status {
    size_t threads;
    size_t held;
    size_t states[CONNECTION_STATES];
    bool threads_short;
};

/* Any thread. Sets the gauges too. */
void connections_status(struct connections *connections, struct connections_status *out);
/* "idle" */
const char *connection_state_name(enum connection_state state);

#endif
