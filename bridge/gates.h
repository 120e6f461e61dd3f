/* Which publishers may be given tickets: what is known about each one's connection decides about the gate of its queue.
   Any thread. */
#ifndef DROPBRIDGE_GATES_H
#define DROPBRIDGE_GATES_H

#include "../common/error.h"
#include "body_limit.h"
#include "bridge_metrics.h"
#include "ticket_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each shuts the gate of an open connection. */
enum gate_fact {
    GATE_IS_BLOCKED, /* the broker has said so; it holds for all connections to the same host and port */
    GATE_IS_STALLED, /* no confirm for so long that nobody should wait for one */
    GATE_IS_LEAVING, /* the session is about to be replaced */
    GATE_FACTS
};

struct gates;

/* A queue for each of `count` publishers, its gate shut. NULL with *error. */
struct gates *gates_new(size_t count, struct bridge_metrics *metrics, struct error *error);
/* Tickets that still wait are failed. NULL is fine. */
void gates_free(struct gates *gates);

struct ticket_queue *gates_queue(struct gates *gates, size_t index);
/* Forgotten when a session is opened: the broker may have been given another. */
struct body_limit *gates_body_limit(struct gates *gates);

/* The publisher has an open session to peer (host:port; the text must stay until the next call), which was opened by
   the URL of that index and found all queues as they must be; NULL: its session is over. Forgets the facts and the
   nacks. */
void gates_connected(struct gates *gates, size_t index, const char *peer, size_t url_index);
void gates_set(struct gates *gates, size_t index, enum gate_fact fact, bool holds);
/* The broker refuses all that goes to the target's queue by this connection; it did so last then (CLOCK_MONOTONIC). 0:
   it does not, or nobody has asked it yet. It shuts nothing: whether it still does only another message can tell. */
void gates_nacked(struct gates *gates, size_t index, enum ticket_target target, int64_t last_ms);
/* A send has begun then (CLOCK_MONOTONIC); 0: it has ended. One that lasts shuts the gate. */
void gates_sending(struct gates *gates, size_t index, int64_t since_ms);
/* A reason shuts all until NULL is given, or a session is opened (which proves the contrary). */
void gates_refuse(struct gates *gates, const char *reason);

enum gate gates_of(struct gates *gates, size_t index);
/* The best of all. */
enum gate gates_best(struct gates *gates);
/* Whether there are open gates, and the broker refuses events behind each: the last of them within REFUSAL_TRUSTED_MS,
   for what nobody asks for may have ended. */
bool gates_refusing(struct gates *gates);
/* Whether a session is open, whatever its gate; then *url_index is by which URL. */
bool gates_any_connected(struct gates *gates, size_t *url_index);

/* What is wrong, for people. */
void gates_say(struct gates *gates, const char *problem);
/* The last that was said, or the reason of a refusal; while a gate is open "", or what the broker refuses. */
void gates_problem(struct gates *gates, char out[ERROR_TEXT]);

#endif
