/* What the broker takes from librabbitmq: publishes events with confirms, a window of them under way, each sent by itself.
   Prints one JSON object. Used by scripts/bench. Uses AMQP_URL. */
#include "common/clock.h"
#include "campaign.h"
#include "publishing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { EVENTS_MAX = 5000000, WINDOW = 1000 };

static bool make_event(void *context, uint64_t number, struct envelope *envelope, struct buf *body)
{
    (void)context;
    envelope->scheme = ENVELOPE_GUIDE;
    return campaign_event(number, envelope->received_at_ms, body);
}

static int64_t cpu_us(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static bool run(const struct amqp_settings *settings, struct publishing_plan *plan, struct error *error)
{
    struct publishing *publishing = publishing_new(settings, plan, error);
    int64_t began_us = clock_monotonic_us(), used_us = cpu_us();
    bool good = publishing && publishing_run(publishing, make_event, NULL, error);

    if (good)
        printf("{\"events\":%" PRIu64 ",\"took_us\":%" PRId64 ",\"cpu_us\":%" PRId64 ",\"latency_us\":{\"p50\":%" PRId64
               ",\"p99\":%" PRId64 ",\"max\":%" PRId64 "}}\n",
               plan->events, clock_monotonic_us() - began_us, cpu_us() - used_us, histogram_quantile(plan->latency, 0.5),
               histogram_quantile(plan->latency, 0.99), plan->latency->largest_us);
    publishing_free(publishing);
    return good;
}

int main(int argc, char **argv)
{
    static struct histogram latency;
    struct error error = {0};
    const struct amqp_settings settings = {.urls = getenv("AMQP_URL"),
                                           .exchange = "dropcowboy",
                                           .queue = "dropcowboy.events",
                                           .rejected_queue = "dropcowboy.rejected"};
    struct publishing_plan plan = {.events = argc >= 2 ? strtoull(argv[1], NULL, 10) : 0,
                                   .rate = argc == 3 ? strtod(argv[2], NULL) : 0,
                                   .window = WINDOW,
                                   .apart = true,
                                   .latency = &latency};

    if (!settings.urls || argc > 3 || plan.events == 0 || plan.events > EVENTS_MAX || !(plan.rate >= 0)) {
        (void)fputs("usage: AMQP_URL=… publish EVENTS [RATE]\n", stderr);
        return error_exit_status(ERROR_USAGE);
    }
    if (!run(&settings, &plan, &error)) {
        (void)fprintf(stderr, "publish: %s\n", error.text);
        return error_exit_status(error.code);
    }
    return 0;
}
