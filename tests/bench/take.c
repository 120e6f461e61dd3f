/* Takes and acknowledges so many events of the queue, and does nothing else. Used by scripts/bench. Uses AMQP_URL. */
#include "taking.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct error error = {0};
    const struct amqp_settings settings = {.urls = getenv("AMQP_URL"),
                                           .exchange = "dropcowboy",
                                           .queue = "dropcowboy.events",
                                           .rejected_queue = "dropcowboy.rejected"};
    uint64_t events = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

    if (!settings.urls || events == 0) {
        (void)fputs("usage: AMQP_URL=… take EVENTS\n", stderr);
        return error_exit_status(ERROR_USAGE);
    }
    if (!take_all(&settings, events, &error)) {
        (void)fprintf(stderr, "take: %s\n", error.text);
        return error_exit_status(error.code);
    }
    return 0;
}
