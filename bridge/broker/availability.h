/* Which publishers may be given messages: what is known about each one's connection decides the state of its queue.
   Any thread. */
#ifndef DROPBRIDGE_BROKER_AVAILABILITY_H
#define DROPBRIDGE_BROKER_AVAILABILITY_H

#include "common/error.h"
#include "body_limit.h"
#include "bridge/metrics.h"
#include "bridge/handoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each makes an open connection unavailable. */
enum broker_fact {
    BROKER_IS_BLOCKED, /* the broker has said so; it holds for all connections to the same host and port */
    BROKER_IS_STALLED, /* no confirm for so long that nobody should wait for one */
    BROKER_IS_LEAVING, /* the session is about to be replaced */
    BROKER_FACTS
};

struct availability;

/* A queue for each of `count` publishers, away at first. NULL with *error. */
struct availability *availability_new(size_t count, struct bridge_metrics *metrics, struct error *error);
/* Messages that still wait are failed. NULL is fine. */
void availability_free(struct availability *availability);

struct handoff *availability_queue(struct availability *availability, size_t index);
/* Forgotten when a session is opened: the broker may have been given another. */
struct body_limit *availability_body_limit(struct availability *availability);

/* The publisher has an open session to peer (host:port; the text must stay until the next call), which was opened by
   the URL of that index and found all queues as they must be; NULL: its session is over. Forgets the facts and the
   nacks. */
void availability_connected(struct availability *availability, size_t index, const char *peer, size_t url_index);
void availability_set(struct availability *availability, size_t index, enum broker_fact fact, bool holds);
/* The broker refuses all that goes to the target's queue by this connection; it did so last then (CLOCK_MONOTONIC). 0:
   it does not, or nobody has asked it yet. It shuts nothing: whether it still does only another message can tell. */
void availability_nacked(struct availability *availability, size_t index, enum message_target target, int64_t last_ms);
/* A send has begun then (CLOCK_MONOTONIC); 0: it has ended. One that lasts makes it unavailable. */
void availability_sending(struct availability *availability, size_t index, int64_t since_ms);
/* A reason shuts all until NULL is given, or a session is opened (which proves the contrary). */
void availability_refuse(struct availability *availability, const char *reason);

enum broker_state availability_of(struct availability *availability, size_t index);
/* The best of all. */
enum broker_state availability_best(struct availability *availability);
/* Whether there are open connections, and the broker refuses events on each: the last of them within NACKS_TRUSTED_MS,
   for what nobody asks for may have ended. */
bool availability_refusing(struct availability *availability);
/* Whether a session is open, whatever its state; *url_index then says by which URL. */
bool availability_any_connected(struct availability *availability, size_t *url_index);

/* What is wrong, for people. */
void availability_say(struct availability *availability, const char *problem);
/* The last that was said, or the reason of a refusal; "" while one is open, or what the broker refuses. */
void availability_problem(struct availability *availability, char out[ERROR_TEXT]);

#endif
