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
    METRIC_REQUESTS_LAST = METRIC_REQUESTS + RESPONSE_COUNT - 1,
#define COUNTER(row, ...) METRIC_##row,
#define GAUGE(row, ...) METRIC_##row,
#include "bridge/metrics.def"
    BRIDGE_METRIC_COUNT
};

struct bridge_metrics {
    struct metric rows[BRIDGE_METRIC_COUNT];
};

/* NULL without memory. */
struct bridge_metrics *bridge_metrics_new(void);
void bridge_metrics_free(struct bridge_metrics *metrics);

static inline void bridge_count(struct bridge_metrics *metrics, enum bridge_metric row, int64_t n)
{
    metric_add(&metrics->rows[row], n);
}

#endif
