/* How much one quorum queue carries in and out at once: publishes events with confirms, as many under way as the bridge
   has, and takes and acknowledges them meanwhile, as a worker does that has nothing to do with them. Prints one JSON
   object. Uses AMQP_URL. */
#include "../../common/amqp_session.h"
#include "../../common/clock.h"
#include "../../common/envelope.h"
#include "campaign.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WINDOW = 2048, PREFETCH = 1024, ACK_EACH = 256, BODY_MAX = 2048, EVENTS_MAX = 5000000, ANSWER_S = 20 };

/* What both threads know; the settings are only read. */
struct trial {
    struct amqp_settings settings;
    uint64_t events;
    bool consumed; /* written by the consumer's thread, read once that has ended */
    struct error consume_error;
};

struct publishing {
    struct amqp_session *session;
    uint64_t events;
    uint64_t sent;
    uint64_t confirmed;
    uint64_t oldest; /* the first tag that is not confirmed */
    bool *done;      /* by tag */
};

/* ---- out ---- */

static void acknowledge(amqp_connection_state_t connection, uint64_t tag, uint64_t taken, uint64_t events)
{
    if (taken % ACK_EACH == 0 || taken == events)
        (void)amqp_basic_ack(connection, AMQP_CHANNEL, tag, true);
}

static bool consume_all(struct trial *trial, struct amqp_session *session, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);
    struct timeval timeout = {.tv_sec = ANSWER_S};

    if (!amqp_basic_qos(connection, AMQP_CHANNEL, 0, PREFETCH, false) ||
        !amqp_basic_consume(connection, AMQP_CHANNEL, amqp_cstring_bytes(trial->settings.queue), amqp_empty_bytes,
                            false, false, false, amqp_empty_table)) {
        error_set(error, ERROR_UNAVAILABLE, "the queue cannot be consumed");
        return false;
    }
    for (uint64_t taken = 1; taken <= trial->events; taken++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &timeout, 0);
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
            amqp_error_of_reply(error, "consuming from", amqp_session_peer(session), reply);
            return false;
        }
        acknowledge(connection, envelope.delivery_tag, taken, trial->events);
        amqp_destroy_envelope(&envelope);
    }
    return true;
}

static void *consume(void *context)
{
    struct trial *trial = context;
    struct amqp_session *session = amqp_session_open(&trial->settings, 0, "one_queue out", NULL, &trial->consume_error);
    if (session)
        trial->consumed = consume_all(trial, session, &trial->consume_error);
    amqp_session_close(session);
    return NULL;
}

/* ---- in ---- */

/* What is written meanwhile leaves together. */
static void hold_back(const struct publishing *publishing, bool on)
{
    int value = on;
    int fd = amqp_get_sockfd(amqp_session_connection(publishing->session));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

static bool publish_one(struct publishing *publishing, const struct amqp_settings *settings, struct buf *body)
{
    struct envelope envelope = {.scheme = ENVELOPE_GUIDE, .received_at_ms = clock_wall_ms()};
    struct envelope_properties properties;

    (void)snprintf(envelope.message_id, sizeof envelope.message_id, "%032" PRIx64, publishing->sent);
    envelope_to_properties(&envelope, &properties);
    buf_reset(body);
    publishing->sent++;
    return campaign_event(publishing->sent, envelope.received_at_ms, body) &&
           amqp_basic_publish(amqp_session_connection(publishing->session), AMQP_CHANNEL,
                              amqp_cstring_bytes(settings->exchange), amqp_cstring_bytes(settings->queue), true, false,
                              &properties.basic,
                              (amqp_bytes_t){.len = body->len, .bytes = body->data}) == AMQP_STATUS_OK;
}

static bool publish_window(struct publishing *publishing, const struct amqp_settings *settings, struct buf *body)
{
    bool good = true;
    hold_back(publishing, true);
    while (good && publishing->sent < publishing->events && publishing->sent - publishing->confirmed < WINDOW)
        good = publish_one(publishing, settings, body);
    hold_back(publishing, false);
    return good;
}

/* False on anything but a confirm of what was sent. */
static bool note_confirm(struct publishing *publishing, const amqp_frame_t *frame)
{
    if (frame->frame_type != AMQP_FRAME_METHOD || frame->payload.method.id != AMQP_BASIC_ACK_METHOD)
        return frame->frame_type == AMQP_FRAME_HEARTBEAT;
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    if (ack->delivery_tag == 0 || ack->delivery_tag > publishing->sent)
        return false;
    for (uint64_t tag = ack->multiple ? publishing->oldest : ack->delivery_tag; tag <= ack->delivery_tag; tag++) {
        publishing->confirmed += publishing->done[tag] ? 0 : 1;
        publishing->done[tag] = true;
    }
    while (publishing->oldest <= publishing->sent && publishing->done[publishing->oldest])
        publishing->oldest++;
    return true;
}

/* Waits for a confirm, and takes those that are there behind it. */
static bool read_confirms(struct publishing *publishing, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(publishing->session);
    struct timeval timeout = {.tv_sec = ANSWER_S};
    const struct timeval at_once = {0};
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);

    while (status == AMQP_STATUS_OK) {
        if (!note_confirm(publishing, &frame)) {
            error_set(error, ERROR_UNAVAILABLE,
                      "the broker said something else than a confirm: look for an alarm in its log");
            return false;
        }
        timeout = at_once;
        status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
    }
    amqp_maybe_release_buffers(connection);
    if (status == AMQP_STATUS_TIMEOUT && timeout.tv_sec == 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "no confirm: %s", amqp_error_string2(status));
    return false;
}

static bool publish_all(struct publishing *publishing, const struct amqp_settings *settings, struct error *error)
{
    bool good = true;
    struct buf body;

    buf_init(&body, BODY_MAX);
    while (good && publishing->confirmed < publishing->events) {
        good = publish_window(publishing, settings, &body);
        if (!good)
            error_set(error, ERROR_UNAVAILABLE, "a message cannot be sent");
        good = good && read_confirms(publishing, error);
    }
    buf_clear(&body);
    return good;
}

/* ---- both ---- */

static bool run(struct trial *trial, struct error *error)
{
    bool good = false;
    bool consuming = false;
    pthread_t consumer;
    struct publishing publishing = {
        .events = trial->events, .oldest = 1, .done = calloc(trial->events + 2, sizeof(bool))};

    publishing.session = amqp_session_open(&trial->settings, 0, "one_queue in", NULL, error);
    if (!publishing.session)
        goto out;
    if (!publishing.done) {
        error_set(error, ERROR_NO_MEMORY, "no memory for %" PRIu64 " events: take fewer", trial->events);
        goto out;
    }
    if (!amqp_confirm_select(amqp_session_connection(publishing.session), AMQP_CHANNEL)) {
        error_set(error, ERROR_UNAVAILABLE, "the broker gives no confirms");
        goto out;
    }
    int64_t began_us = clock_monotonic_us();
    consuming = pthread_create(&consumer, NULL, consume, trial) == 0;
    good = consuming && publish_all(&publishing, &trial->settings, error);
    int64_t published_us = clock_monotonic_us();
    if (consuming)
        (void)pthread_join(consumer, NULL);
    if (good && !trial->consumed)
        *error = trial->consume_error;
    good = good && trial->consumed;
    if (good)
        printf("{\"events\":%" PRIu64 ",\"published_us\":%" PRId64 ",\"took_us\":%" PRId64 "}\n", trial->events,
               published_us - began_us, clock_monotonic_us() - began_us);
out:
    amqp_session_close(publishing.session);
    free(publishing.done);
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
