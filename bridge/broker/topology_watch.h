/* Looks again and again whether the broker's exchanges, queues and bindings are as they must be: opening a session
   declares them all, which makes again what was deleted or unbound, even when nothing is published. A queue that was
   made anew with other arguments is no place for events (INTERFACE: a quorum queue or the spool): then the publishers
   are shut, the log says what to do (again once a minute), and events go to the spool until it is mended. A refused
   login is told in the log, and shuts nothing: open connections go on working. Nothing is looked at while no publisher
   is connected: one that connects sees to it. */
#ifndef DROPBRIDGE_BROKER_TOPOLOGY_WATCH_H
#define DROPBRIDGE_BROKER_TOPOLOGY_WATCH_H

#include "common/amqp_session.h"
#include "common/error.h"
#include "common/timers.h"
#include "pool.h"

enum { TOPOLOGY_CHECK_MS = TIMER_MS(10000) };

struct topology_watch;

/* Starts the thread. The pointers must outlive it. NULL with *error on failure. */
struct topology_watch *topology_watch_start(const struct amqp_settings *settings, struct broker_pool *pool,
                                            struct error *error);
/* Ends the thread; a check that is under way is cut (while it connects, that ends first: see amqp_session). NULL is
   fine. */
void topology_watch_stop(struct topology_watch *watch);

#endif
