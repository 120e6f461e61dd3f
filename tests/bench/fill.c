/* Fills a queue with callbacks, or with a callback and a status webhook of each drop. Prints one JSON object: what has to
   be counted. Used by scripts/bench. Uses AMQP_URL. */
#include "common/clock.h"
#include "drops.h"
#include "publishing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_MAX = 5000000 };

struct filling {
    uint64_t events;
    uint64_t apart; /* 0: one copy of each drop */
    uint64_t bytes; /* of bodies */
};

static bool make_copy(void *context, uint64_t number, struct envelope *envelope, struct buf *body)
{
    struct filling *filling = context;
    struct drop_copy copy = {.drop = number};

    if (filling->apart > 0)
        copy = drop_copy_at(number, filling->events / 2, filling->apart);
    bool good = drop_message(copy, envelope, body);
    filling->bytes += body->len;
    return good;
}

static void print_sums(const struct filling *filling, int64_t took_us)
{
    struct drop_sums sums = {0};
    const char *separator = "";

    for (uint64_t drop = 0; drop < (filling->apart > 0 ? filling->events / 2 : filling->events); drop++)
        drop_add(drop, &sums);
    printf("{\"events\":%" PRIu64 ",\"body_bytes\":%" PRIu64 ",\"took_us\":%" PRId64 ",\"sums\":{\"messages\":%" PRIu64
           ",\"success\":%" PRIu64 ",\"failure\":%" PRIu64 ",\"opt_out\":%" PRIu64 ",\"product_cost_micros\":%" PRIu64
           ",\"compliance_fee_micros\":%" PRIu64 ",\"tts_fee_micros\":%" PRIu64 "},\"campaigns\":{",
           filling->events, filling->bytes, took_us, sums.drops, sums.success, sums.failure, sums.opted_out,
           sums.product_cost_micros, sums.compliance_fee_micros, sums.tts_fee_micros);
    for (uint64_t i = 0; i < DROP_CAMPAIGNS; i++) {
        printf("%s\"bench-campaign-%" PRIu64 "\":{\"success\":%" PRIu64 ",\"failure\":%" PRIu64 "}", separator, i,
               sums.campaigns[i].success, sums.campaigns[i].failure);
        separator = ",";
    }
    printf("}}\n");
}

static bool run(const struct amqp_settings *settings, struct filling *filling, struct error *error)
{
    struct publishing *publishing = publishing_new(settings, &(struct publishing_plan){.events = filling->events}, error);
    int64_t began_us = clock_monotonic_us();
    bool good = publishing && publishing_run(publishing, make_copy, filling, error);

    if (good)
        print_sums(filling, clock_monotonic_us() - began_us);
    publishing_free(publishing);
    return good;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    const struct amqp_settings settings = {.urls = getenv("AMQP_URL"),
                                           .exchange = "dropcowboy",
                                           .queue = "dropcowboy.events",
                                           .rejected_queue = "dropcowboy.rejected"};
    struct filling filling = {.events = argc >= 2 ? strtoull(argv[1], NULL, 10) : 0,
                              .apart = argc == 3 ? strtoull(argv[2], NULL, 10) : 0};

    if (!settings.urls || argc > 3 || filling.events == 0 || filling.events > EVENTS_MAX ||
        (argc == 3 && (filling.apart == 0 || filling.events % 2 != 0))) {
        (void)fputs("usage: AMQP_URL=… fill EVENTS [APART]\n"
                    "  APART  two copies of each drop, so many places apart; EVENTS is then even\n",
                    stderr);
        return error_exit_status(ERROR_USAGE);
    }
    if (!run(&settings, &filling, &error)) {
        (void)fprintf(stderr, "fill: %s\n", error.text);
        return error_exit_status(error.code);
    }
    return 0;
}
