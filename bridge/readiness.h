/* The members of /readyz: how every part of the bridge is. */
#ifndef DROPBRIDGE_BRIDGE_READINESS_H
#define DROPBRIDGE_BRIDGE_READINESS_H

#include "broker/pool.h"
#include "common/buf.h"
#include "http/refusals.h"
#include "http/server.h"
#include "ingest.h"
#include "spool/drain.h"
#include "spool/spool.h"

#include <stdbool.h>

struct readiness {
    struct broker_pool *publishers;
    struct spool *spool;
    struct spool_drain *drain;
    const struct ingest *ingest;
    bool callback_auth_off;
    struct refusals *refusals;
    struct http_server *http; /* NULL: it does not listen */
};

/* Whether an event sent now would be taken: the bridge listens, and the broker or the spool takes events. Any thread; does not block. */
bool readiness_report(const struct readiness *parts, struct buf *members);

#endif
