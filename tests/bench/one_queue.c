/* How much one quorum queue carries in and out at once: publishes events and takes and acknowledges them meanwhile.
   Prints one JSON object. Uses AMQP_URL. */
#include "common/clock.h"
#include "campaign.h"
#include "publishing.h"
#include "taking.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_MAX = 5000000 };

/* What both threads know; the settings are only read. */
struct trial {
    struct amqp_settings settings;
    uint64_t events;
    bool consumed; /* written by the consumer's thread, read once that has ended */
    struct error consume_error;
};

static void *consume(void *context)
{
    struct trial *trial = context;
    trial->consumed = take_all(&trial->settings, trial->events, &trial->consume_error);
    return NULL;
}

static bool make_event(void *context, uint64_t number, struct envelope *envelope, struct buf *body)
{
    (void)context;
    envelope->scheme = ENVELOPE_GUIDE;
    return campaign_event(number, envelope->received_at_ms, body);
}

static bool run(struct trial *trial, struct error *error)
{
    pthread_t consumer;
    struct publishing *publishing = publishing_new(&trial->settings, &(struct publishing_plan){.events = trial->events}, error);

    if (!publishing)
        return false;
    int64_t began_us = clock_monotonic_us();
    bool consuming = pthread_create(&consumer, NULL, consume, trial) == 0;
    bool good = consuming && publishing_run(publishing, make_event, NULL, error);
    int64_t published_us = clock_monotonic_us();
    if (consuming)
        (void)pthread_join(consumer, NULL);
    if (good && !trial->consumed)
        *error = trial->consume_error;
    good = good && trial->consumed;
    if (good)
        printf("{\"events\":%" PRIu64 ",\"published_us\":%" PRId64 ",\"took_us\":%" PRId64 "}\n", trial->events,
               published_us - began_us, clock_monotonic_us() - began_us);
    publishing_free(publishing);
    return good;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct trial trial = {
        .settings = {.urls = getenv("AMQP_URL"),
                     .exchange = "dropcowboy",
                     .queue = "dropcowboy.events",
                     .rejected_queue = "dropcowboy.rejected"},
        .events = argc == 2 ? strtoull(argv[1], NULL, 10) : 0,
    };

    if (!trial.settings.urls || trial.events == 0 || trial.events > EVENTS_MAX) {
        (void)fputs("usage: AMQP_URL=… one_queue EVENTS\n", stderr);
        return error_exit_status(ERROR_USAGE);
    }
    if (!run(&trial, &error)) {
        (void)fprintf(stderr, "one_queue: %s\n", error.text);
        return error_exit_status(error.code);
    }
    return 0;
}
