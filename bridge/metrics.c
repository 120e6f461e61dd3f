#include "metrics.h"

#include <stdlib.h>
#include <string.h>

static const struct metric described[BRIDGE_METRIC_COUNT] = {
#define ANSWER(name, code)                                                                                             \
    [METRIC_REQUESTS + RESPONSE_##name] = {"dropbridge_requests_total", "code=\"" code "\"", "Requests by their answer.", \
                                           METRIC_COUNTER, 0},
#define ERROR_ROW(name, code, ...) ANSWER(name, code)
    ANSWER(RECEIVED, "received")
    ANSWER(DUPLICATE, "duplicate")
    ANSWER(HEALTHY, "healthy")
#include "http/errors.def"
#define COUNTER(row, name, labels, help) [METRIC_##row] = {"dropbridge_" name "_total", labels, help, METRIC_COUNTER, 0},
#define GAUGE(row, name, labels, help) [METRIC_##row] = {"dropbridge_" name, labels, help, METRIC_GAUGE, 0},
#include "metrics.def"
};

struct bridge_metrics *bridge_metrics_new(void)
{
    struct bridge_metrics *metrics = malloc(sizeof *metrics);

    if (metrics)
        memcpy(metrics->rows, described, sizeof described);
    return metrics;
}

void bridge_metrics_free(struct bridge_metrics *metrics)
{
    free(metrics);
}
