#include "publishing.h"

#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { WINDOW = 2048, BODY_MAX = 2048, ANSWER_S = 20 };

struct publishing {
    const struct amqp_settings *settings;
    struct amqp_session *session;
    publishing_make *make;
    void *context;
    struct publishing_plan plan;
    int64_t began_us;
    uint64_t sent;
    uint64_t confirmed;
    uint64_t oldest; /* the first tag that is not confirmed */
    bool *done;      /* by tag */
    int64_t *due_us; /* by tag: when its latency begins */
};

struct publishing *publishing_new(const struct amqp_settings *settings, const struct publishing_plan *plan,
                                  struct error *error)
{
    struct publishing *publishing = calloc(1, sizeof *publishing);

    if (publishing)
        *publishing = (struct publishing){.settings = settings,
                                          .plan = *plan,
                                          .oldest = 1,
                                          .done = calloc(plan->events + 2, sizeof(bool)),
                                          .due_us = calloc(plan->events + 2, sizeof(int64_t))};
    if (!publishing || !publishing->done || !publishing->due_us) {
        error_set(error, ERROR_NO_MEMORY, "no memory for %" PRIu64 " events: take fewer", plan->events);
        goto fail;
    }
    if (publishing->plan.window == 0)
        publishing->plan.window = WINDOW;
    publishing->session = amqp_session_open(settings, 0, "bench in", NULL, error);
    if (!publishing->session)
        goto fail;
    if (!amqp_confirm_select(amqp_session_connection(publishing->session), AMQP_CHANNEL)) {
        error_set(error, ERROR_UNAVAILABLE, "the broker gives no confirms");
        goto fail;
    }
    return publishing;
fail:
    publishing_free(publishing);
    return NULL;
}

void publishing_free(struct publishing *publishing)
{
    if (!publishing)
        return;
    amqp_session_close(publishing->session);
    free(publishing->done);
    free(publishing->due_us);
    free(publishing);
}

/* What is written meanwhile leaves together. */
static void hold_back(const struct publishing *publishing, bool on)
{
    int value = on;
    int fd = amqp_get_sockfd(amqp_session_connection(publishing->session));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

static bool publish_one(struct publishing *publishing, struct buf *body)
{
    struct envelope envelope = {.received_at_ms = clock_wall_ms()};
    struct envelope_properties properties;

    (void)snprintf(envelope.message_id, sizeof envelope.message_id, "%032" PRIx64, publishing->sent);
    buf_reset(body);
    if (!publishing->make(publishing->context, publishing->sent++, &envelope, body))
        return false;
    envelope_to_properties(&envelope, &properties);
    return amqp_basic_publish(amqp_session_connection(publishing->session), AMQP_CHANNEL,
                              amqp_cstring_bytes(publishing->settings->exchange),
                              amqp_cstring_bytes(publishing->settings->queue), true, false, &properties.basic,
                              (amqp_bytes_t){.len = body->len, .bytes = body->data}) == AMQP_STATUS_OK;
}

/* Of the next event. */
static int64_t due_us(const struct publishing *publishing, int64_t now_us)
{
    if (publishing->plan.rate <= 0)
        return now_us;
    return publishing->began_us + (int64_t)llround((double)publishing->sent * 1e6 / publishing->plan.rate);
}

static bool publish_what_is_due(struct publishing *publishing, struct buf *body)
{
    const struct publishing_plan *plan = &publishing->plan;
    bool good = true;
    if (!plan->apart)
        hold_back(publishing, true);
    while (good && publishing->sent < plan->events && publishing->sent - publishing->confirmed < plan->window) {
        int64_t now_us = clock_monotonic_us(), due = due_us(publishing, now_us);
        if (due > now_us)
            break;
        publishing->due_us[publishing->sent + 1] = due;
        good = publish_one(publishing, body);
    }
    if (!plan->apart)
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
        if (publishing->done[tag])
            continue;
        publishing->confirmed++;
        publishing->done[tag] = true;
        if (publishing->plan.latency)
            histogram_add(publishing->plan.latency, clock_monotonic_us() - publishing->due_us[tag]);
    }
    while (publishing->oldest <= publishing->sent && publishing->done[publishing->oldest])
        publishing->oldest++;
    return true;
}

/* Sleeps until a confirm comes or the next event is due; true if it is. */
static bool wait_until_due(const struct publishing *publishing)
{
    struct pollfd fd = {.fd = amqp_session_fd(publishing->session), .events = POLLIN};
    int64_t now_us = clock_monotonic_us(), wait_us = due_us(publishing, now_us) - now_us;
    const struct timespec rest = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    return publishing->plan.rate > 0 && publishing->sent < publishing->plan.events &&
           (wait_us <= 0 || ppoll(&fd, 1, &rest, NULL) == 0);
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

bool publishing_run(struct publishing *publishing, publishing_make *make, void *context, struct error *error)
{
    bool good = true;
    struct buf body;

    publishing->make = make;
    publishing->context = context;
    buf_init(&body, BODY_MAX);
    publishing->began_us = clock_monotonic_us();
    while (good && publishing->confirmed < publishing->plan.events) {
        good = publish_what_is_due(publishing, &body);
        if (!good)
            error_set(error, ERROR_UNAVAILABLE, "a message cannot be sent");
        else if (!wait_until_due(publishing))
            good = read_confirms(publishing, error);
    }
    buf_clear(&body);
    return good;
}
