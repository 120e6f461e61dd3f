#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    enum bridge_metric row;
    const char *name;
    const char *labels;
    const char *help;
    enum metric_type type;
} descriptions[] = {
    {METRIC_ACCEPTED_BROKER, "dropbridge_accepted_total", "by=\"broker\"",
     "Messages that were safe before the answer, by where.", METRIC_COUNTER},
    {METRIC_ACCEPTED_SPOOL, "dropbridge_accepted_total", "by=\"spool\"",
     "Messages that were safe before the answer, by where.", METRIC_COUNTER},
    {METRIC_KEPT_INVALID, "dropbridge_kept_invalid_total", NULL,
     "Verified bodies that are no JSON object, kept in the rejected queue.", METRIC_COUNTER},
    {METRIC_REFUSED_CALLBACKS, "dropbridge_refused_callbacks_total", NULL,
     "Callbacks refused for other reasons than a lack of room; each is a result lost.", METRIC_COUNTER},
    {METRIC_PUBLISHED, "dropbridge_published_total", NULL, "Messages handed to the broker.", METRIC_COUNTER},
    {METRIC_RETURNED, "dropbridge_returned_total", NULL, "Messages that the broker could not route.", METRIC_COUNTER},
    {METRIC_NACKED, "dropbridge_nacked_total", NULL, "Messages that the broker refused.", METRIC_COUNTER},
    {METRIC_LATE_CONFIRMS, "dropbridge_late_confirms_total", NULL,
     "Confirms that came when nobody waited any more; the same message comes again, and is counted once.",
     METRIC_COUNTER},
    {METRIC_CONFIRM_TIMEOUTS, "dropbridge_confirm_timeouts_total", NULL,
     "Requests that went on to the spool since the broker's word did not come in time.", METRIC_COUNTER},
    {METRIC_RECONNECTS, "dropbridge_reconnects_total", NULL, "Connections to the broker opened after the first.",
     METRIC_COUNTER},
    {METRIC_PUBLISHERS_CONNECTED, "dropbridge_publishers_connected", NULL, "Publishing connections that can be used.",
     METRIC_GAUGE},
    {METRIC_IN_FLIGHT, "dropbridge_in_flight", NULL, "Requests being served.", METRIC_GAUGE},
#define CONNECTIONS "Connections that hold an HTTP thread, by what they do."
    {METRIC_CONNECTIONS, "dropbridge_connections", "state=\"head\"", CONNECTIONS, METRIC_GAUGE},
    {METRIC_CONNECTIONS + 1, "dropbridge_connections", "state=\"body\"", CONNECTIONS, METRIC_GAUGE},
    {METRIC_CONNECTIONS + 2, "dropbridge_connections", "state=\"confirm\"", CONNECTIONS, METRIC_GAUGE},
    {METRIC_CONNECTIONS + 3, "dropbridge_connections", "state=\"writing\"", CONNECTIONS, METRIC_GAUGE},
    {METRIC_CONNECTIONS + 4, "dropbridge_connections", "state=\"idle\"", CONNECTIONS, METRIC_GAUGE},
#define CLOSED "Connections that were cut off, by why."
    {METRIC_CLOSED, "dropbridge_connections_closed_total", "reason=\"deadline\"", CLOSED, METRIC_COUNTER},
    {METRIC_CLOSED + 1, "dropbridge_connections_closed_total", "reason=\"threads_short\"", CLOSED, METRIC_COUNTER},
    {METRIC_CLOSED + 2, "dropbridge_connections_closed_total", "reason=\"memory_short\"", CLOSED, METRIC_COUNTER},
    {METRIC_BODY_BYTES, "dropbridge_body_bytes", NULL, "Memory that request bodies take, of BODY_MEMORY_BYTES.", METRIC_GAUGE},
    {METRIC_SPOOL_FOUND, "dropbridge_spool_found_at_start", NULL, "Messages that the spool held at the start.",
     METRIC_GAUGE},
    {METRIC_SPOOL_SPOOLED, "dropbridge_spool_spooled_total", NULL, "Messages synced to the spool.", METRIC_COUNTER},
    {METRIC_SPOOL_DRAINED, "dropbridge_spool_drained_total", NULL,
     "Messages that left the spool, confirmed by the broker.", METRIC_COUNTER},
    {METRIC_SPOOL_SET_ASIDE, "dropbridge_spool_set_aside_total", NULL,
     "Messages in a spool in use that was damaged or taken away before they could be sent; 0 but after such an "
     "accident.",
     METRIC_COUNTER},
    {METRIC_SPOOL_WAITING, "dropbridge_spool_waiting", NULL, "Messages in the spool.", METRIC_GAUGE},
    {METRIC_SPOOL_BYTES, "dropbridge_spool_bytes", NULL, "Size of the spool, free pages not counted.", METRIC_GAUGE},
    {METRIC_SPOOL_FAILURES, "dropbridge_spool_failures_total", NULL,
     "Writes to the spool that failed, each for all messages in it.", METRIC_COUNTER},
    {METRIC_LOG_LINES_DROPPED, "dropbridge_log_lines_dropped_total", NULL,
     "Lines of the log that standard error did not take at once.", METRIC_COUNTER},
};

struct bridge_metrics *bridge_metrics_new(void)
{
    struct bridge_metrics *metrics = calloc(1, sizeof *metrics);

    if (!metrics)
        return NULL;
    for (int i = 0; i < RESPONSE_COUNT; i++) {
        struct metric *metric = &metrics->rows[METRIC_REQUESTS + i];

        snprintf(metrics->labels[i], sizeof metrics->labels[i], "code=\"%s\"", response_code((enum response)i));
        metric->name = "dropbridge_requests_total";
        metric->labels = metrics->labels[i];
        metric->help = "Requests by their answer.";
        metric->type = METRIC_COUNTER;
    }
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++) {
        struct metric *metric = &metrics->rows[descriptions[i].row];

        metric->name = descriptions[i].name;
        metric->labels = descriptions[i].labels;
        metric->help = descriptions[i].help;
        metric->type = descriptions[i].type;
    }
    return metrics;
}

void bridge_metrics_free(struct bridge_metrics *metrics)
{
    free(metrics);
}
