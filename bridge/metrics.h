/* The rows of the bridge's /metrics. */
#ifndef DROPBRIDGE_BRIDGE_METRICS_H
#define DROPBRIDGE_BRIDGE_METRICS_H

#include "common/metrics.h"
#include "bridge/http/response.h"

/* At rest, for one process's life: requests{code="received"} + kept_invalid = accepted{by="broker"} +
   accepted{by="spool"}; spool_found_at_start + spool_spooled = spool_drained + spool_waiting + spool_set_aside. The
   last is 0 unless a spool in use was damaged, or its file was taken away and with it what a failed write had just
   closed. spool_found_at_start is set once, when the file is open. */
enum bridge_metric {
    METRIC_REQUESTS, /* one row an answer: METRIC_REQUESTS + answer */
    METRIC_ACCEPTED_BROKER = METRIC_REQUESTS + RESPONSE_COUNT,
    METRIC_ACCEPTED_SPOOL,
    METRIC_KEPT_INVALID,
    METRIC_REFUSED_CALLBACKS,
    METRIC_PUBLISHED,
    METRIC_RETURNED,
    METRIC_NACKED,
    METRIC_LATE_CONFIRMS,
    METRIC_CONFIRM_TIMEOUTS,
    METRIC_RECONNECTS,
    METRIC_PUBLISHERS_CONNECTED,
    METRIC_IN_FLIGHT,
    METRIC_CONNECTIONS,                   /* one row a state: METRIC_CONNECTIONS + enum connection_state */
    METRIC_CLOSED = METRIC_CONNECTIONS + 5, /* one row a reason to cut: METRIC_CLOSED + enum connection_cut - 1 */
    METRIC_BODY_BYTES = METRIC_CLOSED + 3,
    METRIC_SPOOL_FOUND,
    METRIC_SPOOL_SPOOLED,
    METRIC_SPOOL_DRAINED,
    METRIC_SPOOL_SET_ASIDE,
    METRIC_SPOOL_WAITING,
    METRIC_SPOOL_BYTES,
    METRIC_SPOOL_FAILURES,
    METRIC_LOG_LINES_DROPPED, /* as log_lines_dropped tells, when /metrics is read */
    BRIDGE_METRIC_COUNT
};

struct bridge_metrics {
    struct metric rows[BRIDGE_METRIC_COUNT];
    char labels[RESPONSE_COUNT][48];
};

/* NULL without memory. */
struct bridge_metrics *bridge_metrics_new(void);
void bridge_metrics_free(struct bridge_metrics *metrics);

static inline void bridge_count(struct bridge_metrics *metrics, enum bridge_metric row, int64_t n)
{
    metric_add(&metrics->rows[row], n);
}

#endif
