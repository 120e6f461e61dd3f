/* Where a verified message becomes safe: the broker, else the spool, in time for the answer. */
#include "bridge/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ARRIVED_MS = 1000000, CONFIRM_MS = 2500, NOT_ASKED = -1 };

/* Both places, and what they were asked. */
struct places {
    enum publish_outcome broker_says;
    enum publish_outcome spool_says;
    int64_t broker_until_ms; /* NOT_ASKED: not asked */
    int64_t spool_until_ms;
    struct pending_message *offered;
    bool spooled_another; /* the spool got another message than the broker */
    bool same_message;
};

static enum publish_outcome to_broker(void *context, struct pending_message *message, int64_t deadline_ms)
{
    struct places *places = context;

    places->broker_until_ms = deadline_ms;
    places->offered = message;
    return places->broker_says;
}

static enum publish_outcome to_spool(void *context, struct pending_message *message, int64_t deadline_ms)
{
    struct places *places = context;

    places->spool_until_ms = deadline_ms;
    places->spooled_another = places->offered && message != places->offered;
    places->same_message = bytes_equal(message_body_bytes(message), bytes_of_text("{}")) &&
                           strcmp(message->envelope.message_id, "000000000000000a-0") == 0;
    return places->spool_says;
}

static const struct {
    const char *name;
    enum publish_outcome broker_says, spool_says;
    int64_t last_ms; /* after ARRIVED_MS; 0: none */
    bool safe;
    int64_t broker_ms, spool_ms; /* how long each may take; NOT_ASKED */
    bool copied;
    int by_broker, by_spool, timeouts;
} cases[] = {
    {"a confirm is enough", PUBLISH_CONFIRMED, PUBLISH_FAILED, 0, true, CONFIRM_MS, NOT_ASKED, false, 1, 0, 0},
    {"a broker that is away is not missed", PUBLISH_AWAY, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS, 3800, false, 0, 1, 0},
    {"a nack or a return goes to the spool", PUBLISH_FAILED, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS, 3800, false, 0, 1,
     0},
    {"so does a message over which the channel was closed", PUBLISH_REFUSED, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS,
     3800, false, 0, 1, 0},
    {"a lost connection too", PUBLISH_LOST, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS, 3800, false, 0, 1, 0},
    {"a full queue too", PUBLISH_FULL, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS, 3800, false, 0, 1, 0},
    {"what may still be on its way is spooled as a copy", PUBLISH_TIMEOUT, PUBLISH_CONFIRMED, 0, true, CONFIRM_MS, 3800,
     true, 0, 1, 1},
    {"a full spool keeps nothing", PUBLISH_AWAY, PUBLISH_FULL, 0, false, CONFIRM_MS, 3800, false, 0, 0, 0},
    {"nor one that has failed", PUBLISH_AWAY, PUBLISH_AWAY, 0, false, CONFIRM_MS, 3800, false, 0, 0, 0},
    {"nor a disk that refuses", PUBLISH_FAILED, PUBLISH_FAILED, 0, false, CONFIRM_MS, 3800, false, 0, 0, 0},
    {"nor a disk that is too slow", PUBLISH_TIMEOUT, PUBLISH_TIMEOUT, 0, false, CONFIRM_MS, 3800, true, 0, 0, 1},
    {"a stop in sight leaves the spool its second", PUBLISH_TIMEOUT, PUBLISH_CONFIRMED, 2000, true, 1000, 2000, true, 0,
     1, 1},
    {"a stop at once goes to the spool directly", PUBLISH_CONFIRMED, PUBLISH_CONFIRMED, 900, true, NOT_ASKED, 900,
     false, 0, 1, 0},
    {"a stop far away changes nothing", PUBLISH_TIMEOUT, PUBLISH_CONFIRMED, 9000, true, CONFIRM_MS, 3800, true, 0, 1,
     1},
};

static int64_t taken_ms(int64_t until_ms)
{
    return until_ms == NOT_ASKED ? NOT_ASKED : until_ms - ARRIVED_MS;
}

static void a_message_is_kept_in_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct places places = {.broker_says = cases[i].broker_says,
                                .spool_says = cases[i].spool_says,
                                .broker_until_ms = NOT_ASKED,
                                .spool_until_ms = NOT_ASKED,
                                .same_message = true};
        struct bridge_metrics *metrics = bridge_metrics_new();
        const struct ingest_settings settings = {.callback_auth_off = true,
                                                 .boot_id = 10,
                                                 .broker = {to_broker, &places},
                                                 .spool = {to_spool, &places},
                                                 .confirm_timeout_ms = CONFIRM_MS,
                                                 .metrics = metrics};
        const struct ingest_request request = {.method = "POST", .path = "/callbacks/dropcowboy"};
        const struct ingest_times times = {.received_at_ms = 1,
                                           .arrived_ms = ARRIVED_MS,
                                           .last_ms = cases[i].last_ms ? ARRIVED_MS + cases[i].last_ms : INT64_MAX};
        struct ingest_decision decision;
        struct error error;
        struct ingest *ingest = ingest_new(&settings, &error);
        struct pending_message *message = message_new(2);

        assert_non_null(metrics);
        assert_non_null(message);
        memcpy(message->body, "{}", 2);
        message->body_len = 2;
        assert_non_null(ingest);
        assert_int_equal(ingest_check(ingest, &request, 1, &decision), RESPONSE_RECEIVED);
        const bool safe = ingest_accept(ingest, &decision, &request, message, &times) == RESPONSE_RECEIVED;
        if (safe != cases[i].safe || taken_ms(places.broker_until_ms) != cases[i].broker_ms ||
            taken_ms(places.spool_until_ms) != cases[i].spool_ms || places.spooled_another != cases[i].copied ||
            !places.same_message)
            fail_msg("%s: %s, broker %lld ms, spool %lld ms, %s", cases[i].name, safe ? "safe" : "not safe",
                     (long long)taken_ms(places.broker_until_ms), (long long)taken_ms(places.spool_until_ms),
                     places.spooled_another ? "a copy" : "the same message");
        if (metric_get(&metrics->rows[METRIC_ACCEPTED_BROKER]) != cases[i].by_broker ||
            metric_get(&metrics->rows[METRIC_ACCEPTED_SPOOL]) != cases[i].by_spool ||
            metric_get(&metrics->rows[METRIC_CONFIRM_TIMEOUTS]) != cases[i].timeouts)
            fail_msg("%s: counted otherwise", cases[i].name);
        message_release(message);
        ingest_free(ingest);
        bridge_metrics_free(metrics);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_message_is_kept_in_time)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
