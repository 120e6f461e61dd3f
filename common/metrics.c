#include "metrics.h"

#include <inttypes.h>
#include <string.h>

static void print_head(const struct metric *metric, struct buf *out)
{
    const char *type = metric->type == METRIC_COUNTER ? "counter" : "gauge";
    buf_printf(out, "# HELP %s ", metric->name);
    for (const char *c = metric->help ? metric->help : ""; *c != '\0'; c++) {
        if (*c == '\\')
            buf_append_text(out, "\\\\");
        else if (*c == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append(out, c, 1);
    }
    buf_printf(out, "\n# TYPE %s %s\n", metric->name, type);
}

void metrics_print(struct metric *metrics, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct metric *metric = &metrics[i];
        if (i == 0 || strcmp(metrics[i - 1].name, metric->name) != 0)
            print_head(metric, out);
        if (metric->labels)
            buf_printf(out, "%s{%s} %" PRId64 "\n", metric->name, metric->labels, metric_get(metric));
        else
            buf_printf(out, "%s %" PRId64 "\n", metric->name, metric_get(metric));
    }
}
