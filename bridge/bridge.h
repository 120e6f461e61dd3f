/* The parts of the bridge: main.c starts and stops them, readiness.c tells how they are. */
#ifndef DROPBRIDGE_BRIDGE_H
#define DROPBRIDGE_BRIDGE_H

#include "broker/pool.h"
#include "common/admin_server.h"
#include "common/buf.h"
#include "common/reread.h"
#include "http/refusals.h"
#include "http/server.h"
#include "ingest.h"
#include "settings.h"
#include "spool/drain.h"
#include "spool/spool.h"

#include <stdatomic.h>
#include <stdbool.h>

struct bridge {
    const struct bridge_settings *config;
    struct reread *reread;
    struct amqp_settings amqp;
    struct bridge_metrics *metrics;
    struct refusals *refusals;
    struct ingest *ingest;
    struct spool *spool;
    struct broker_pool *publishers;
    struct spool_drain *drain;
    struct admin_server *admin;
    struct http_server *_Atomic http; /* NULL: it does not listen; other threads ask it too */
};

/* Appends the members of /readyz. Whether an event sent now would be taken: the bridge listens, and the broker or the spool takes
   events. Any thread; does not block. `bridge` is a struct bridge. */
bool bridge_ready(void *bridge, struct buf *members);

#endif
