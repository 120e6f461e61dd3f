/* Whether each publishing connection may be given messages, decided in one place by what is known of it; and what the
   broker does not take, for people. Any thread. */
#ifndef DROPBRIDGE_BROKER_AVAILABILITY_H
#define DROPBRIDGE_BROKER_AVAILABILITY_H

#include "common/error.h"
#include "common/timers.h"
#include "bridge/metrics.h"
#include "bridge/handoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_TARGETS = MESSAGE_REJECTED + 1,
    /* For so long a nack speaks of the messages to come. Longer than two of the drain's pauses: what waits in the spool
       keeps on asking. */
    NACKS_TRUSTED_MS = TIMER_MS(12000),
    /* The limit of bodies may be raised: then the broker is asked again, by a message that is larger. */
    BODY_LIMIT_TRUSTED_MS = TIMER_MS(120000),
};

/* What is known of one connection. All zero: it is not open. */
struct connection_facts {
    const char *peer; /* host:port; NULL: not open */
    bool blocked;     /* the broker has told this connection so */
    bool stalled;     /* no event has been confirmed for so long that nobody should wait for one */
};

/* The state of one of `count` connections. A broker says "blocked" only to connections that publish: what one hears holds
   for all to the same peer. Pure. */
enum broker_state availability_state(const struct connection_facts *all, size_t count, size_t index);

struct availability;

/* A queue for each of `count` connections, none of them open. NULL with *error. */
struct availability *availability_new(size_t count, struct bridge_metrics *metrics, struct error *error);
/* Messages that still wait are failed. NULL is fine. */
void availability_free(struct availability *availability);

struct handoff *availability_queue(struct availability *availability, size_t index);

/* The peer's text must stay until the next call for that connection. */
void availability_set(struct availability *availability, size_t index, const struct connection_facts *facts);
/* The connection's own thread: when the broker last refused (nacked) a message to the target's queue, having refused all
   for a while; 0: it takes them, or has not been asked. The state stays open: only another message can tell whether it
   still does. Times are of CLOCK_MONOTONIC. */
void availability_refused(struct availability *availability, size_t index, enum message_target target, int64_t now_ms);
/* What the broker refuses, and what to do. */
const char *availability_refusal(enum message_target target);

/* The broker has closed a channel over a body that was larger. What one connection has learned holds for all of them. */
void availability_limit_bodies(struct availability *availability, uint64_t bytes, int64_t now_ms);
/* False: it is known to close the channel over a body of that size. */
bool availability_takes(struct availability *availability, size_t bytes, int64_t now_ms);

/* What is wrong, for people: the last word counts. */
void availability_say(struct availability *availability, const char *problem);

struct broker_status {
    enum broker_state state; /* the best of all connections */
    bool refusing;           /* some are open, and the broker refuses events on each: the last of them within NACKS_TRUSTED_MS */
    char problem[ERROR_TEXT]; /* the last that was said, while none is open; else what the broker refuses, or "" */
};

void availability_status(struct availability *availability, int64_t now_ms, struct broker_status *out);

#endif
