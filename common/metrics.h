/* Counters and gauges for /metrics (Prometheus text format 0.0.4). Values are atomics: any thread may add. */
#ifndef DROPBRIDGE_METRICS_H
#define DROPBRIDGE_METRICS_H

#include "buf.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name;   /* dropbridge_requests_total */
    const char *labels; /* NULL, or code="missing_token" */
    const char *help;   /* rows of one name stand together; the first one's help is printed */
    enum metric_type type;
    _Atomic int64_t value;
};

static inline void metric_add(struct metric *metric, int64_t n)
{
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

static inline void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

static inline int64_t metric_get(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* Appends the text of all rows. */
void metrics_print(struct metric *metrics, size_t count, struct buf *out);

#endif
