#include "channel.h"

#include "common/amqp_calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "publish_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Unconfirmed publishes: HTTP threads bound them too; past some thousands the broker gains nothing. */
    WAITING_MAX = 4096,
    /* Tags from the oldest unconfirmed to the newest: one confirm that never comes must not stop the rest. */
    SPAN_MAX = 65536,
    CLOSE_TEXT = 256, /* AMQP's short strings are no longer */
    /* Nacks only for so long are more than a queue that is full for a moment. */
    NACKS_LAST_MS = TIMER_MS(1000),
    /* RabbitMQ 3.10 does not tell an open connection that a queue's limit was taken away: another hears it. */
    REFUSAL_MAX_MS = TIMER_MS(20000),
    /* A confirm older than this (or twice CONFIRM_TIMEOUT_MS) will not come any more. */
    OVERDUE_MS = 5000,
    /* Trouble of the rejected queue is no reason to interrupt the events so often. */
    REJECTED_PATIENCE = 12,
};

static const char *const messages[] = {[MESSAGE_EVENT] = "events", [MESSAGE_REJECTED] = "messages to the rejected queue"};

bool broker_channel_init(struct broker_channel *channel, const struct broker_connection_settings *settings,
                         enum message_target target, struct buf *out)
{
    *channel = (struct broker_channel){.settings = settings,
                                       .target = target,
                                       .number = (amqp_channel_t)(AMQP_CHANNEL + target),
                                       .out = out,
                                       .unconfirmed = unconfirmed_new(SPAN_MAX)};
    return channel->unconfirmed != NULL;
}

void broker_channel_clear(struct broker_channel *channel)
{
    unconfirmed_free(channel->unconfirmed);
}

bool broker_channel_open(struct broker_channel *channel, struct amqp_session *session, struct error *error)
{
    if (channel->number != AMQP_CHANNEL && !amqp_open_channel(session, channel->number, error))
        return false;
    if (!amqp_ask_for_confirms(session, channel->number, error))
        return false;
    channel->session = session;
    channel->free_since_ms = 0;
    channel->stalled = false;
    channel->nacked_since_ms = 0;
    availability_refused(channel->settings->availability, channel->settings->index, channel->target, 0);
    return true;
}

/* ---- what becomes of messages ---- */

static void note_ack(struct broker_channel *channel)
{
    const struct broker_connection_settings *settings = channel->settings;

    if (channel->nacked_since_ms == 0 && !channel->refuses)
        return;
    availability_refused(settings->availability, settings->index, channel->target, 0);
    if (channel->refuses && channel->refusal_logged)
        log_info("%s: %s takes %s again", settings->name, amqp_session_peer(channel->session), messages[channel->target]);
    channel->refuses = false;
    channel->nacked_since_ms = 0;
}

static void note_nack(struct broker_channel *channel)
{
    const struct broker_connection_settings *settings = channel->settings;
    const char *refusal = availability_refusal(channel->target);
    const int64_t now_ms = clock_monotonic_ms();

    bridge_count(settings->metrics, METRIC_NACKED, 1);
    if (channel->nacked_since_ms == 0)
        channel->nacked_since_ms = now_ms;
    if (!channel->refuses) {
        if (now_ms - channel->nacked_since_ms < NACKS_LAST_MS)
            return;
        channel->refuses = true;
        channel->refusal_logged = log_limiter_is_news(&channel->limiter, refusal, now_ms);
        if (channel->refusal_logged)
            log_warn("%s: %s: %s", settings->name, amqp_session_peer(channel->session), refusal);
    }
    availability_refused(settings->availability, settings->index, channel->target, now_ms);
}

static void on_acked(void *context, void *item)
{
    struct broker_channel *channel = context;
    struct pending_message *message = item;
    const bool returned = message->returned;

    note_ack(channel);
    if (!message_settle(message, returned ? PUBLISH_FAILED : PUBLISH_CONFIRMED) && !returned)
        bridge_count(channel->settings->metrics, METRIC_LATE_CONFIRMS, 1);
}

static void on_nacked(void *context, void *item)
{
    note_nack(context);
    message_settle(item, PUBLISH_FAILED);
}

static void on_lost(void *context, void *item)
{
    struct pending_message *message = item;

    (void)context;
    message_settle(message, message->returned ? PUBLISH_FAILED : PUBLISH_LOST);
}

/* The channel was closed over a message that waited: the broker names none, and may name its limit, or 0. */
static void on_refused(void *context, void *item)
{
    const uint64_t *limit = context;
    struct pending_message *message = item;

    if (message->body_len > *limit && !message->returned)
        message_settle(message, PUBLISH_REFUSED);
    else
        on_lost(NULL, message);
}

void broker_channel_close(struct broker_channel *channel)
{
    unconfirmed_reset(channel->unconfirmed, on_lost, NULL);
    channel->session = NULL;
}

/* ---- messages to the broker ---- */

size_t broker_channel_room(const struct broker_channel *channel)
{
    const size_t waiting = channel->unconfirmed->count;
    const size_t tags_left = unconfirmed_room(channel->unconfirmed);
    const size_t left = waiting < WAITING_MAX ? WAITING_MAX - waiting : 0;

    return left < tags_left ? left : tags_left;
}

static int publish(struct broker_channel *channel, const struct pending_message *message)
{
    const struct amqp_settings *amqp = channel->settings->amqp;
    const bool rejected = channel->target == MESSAGE_REJECTED;
    const struct bytes body = message_body_bytes(message);
    const amqp_bytes_t content = {.len = body.len, .bytes = (void *)(uintptr_t)body.data};
    amqp_connection_state_t connection = amqp_session_connection(channel->session);
    struct envelope_properties properties;

    envelope_to_properties(&message->envelope, &properties);
    if (rejected)
        envelope_add_rejection(&properties, message->reject_reason, message->reject_detail);
    const struct publish_frames frames = {.channel = channel->number,
                                          .frame_max = amqp_get_frame_max(connection),
                                          .exchange = rejected ? amqp->rejected_queue : amqp->exchange,
                                          .routing_key = rejected ? "" : amqp->queue,
                                          .mandatory = true,
                                          .properties = &properties.basic,
                                          .body = body};

    if (amqp_session_is_plain(channel->session))
        return publish_frames_append(&frames, channel->out) ? AMQP_STATUS_OK : AMQP_STATUS_NO_MEMORY;
    return amqp_basic_publish(connection, channel->number, amqp_cstring_bytes(frames.exchange),
                              amqp_cstring_bytes(frames.routing_key), frames.mandatory, 0, frames.properties, content);
}

int broker_channel_send(struct broker_channel *channel, struct pending_message *message, int64_t now_ms)
{
    unconfirmed_push(channel->unconfirmed, message, now_ms);
    return publish(channel, message);
}

/* ---- frames from the broker ---- */

static bool settle(struct broker_channel *channel, uint64_t tag, bool multiple, void (*settled)(void *, void *),
                   struct error *error)
{
    if (unconfirmed_settle(channel->unconfirmed, tag, multiple, settled, channel) >= 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was not sent", amqp_session_peer(channel->session));
    return false;
}

/* "... message size 20000 is larger than configured max size 5000": the last number. 0 if the text is another. */
static uint64_t limit_in(amqp_bytes_t text)
{
    static const char mark[] = "max size ";
    char copy[CLOSE_TEXT] = "";
    const size_t len = text.len < sizeof copy ? text.len : sizeof copy - 1;
    const char *found;

    if (len > 0)
        memcpy(copy, text.bytes, len);
    found = strstr(copy, mark);
    return found ? strtoull(found + sizeof mark - 1, NULL, 10) : 0;
}

static void handle_close(struct broker_channel *channel, const amqp_method_t *method, struct error *error)
{
    const amqp_channel_close_t *closed = method->decoded;

    amqp_error_of_close(error, "publishing to", amqp_session_peer(channel->session), method);
    if (closed->reply_code != AMQP_PRECONDITION_FAILED && closed->reply_code != AMQP_CONTENT_TOO_LARGE)
        return;
    uint64_t limit = limit_in(closed->reply_text);
    /* Before anybody hears that a message was refused. */
    if (limit)
        availability_limit_bodies(channel->settings->availability, limit, clock_monotonic_ms());
    unconfirmed_reset(channel->unconfirmed, on_refused, &limit);
}

static bool handle_method(struct broker_channel *channel, const amqp_method_t *method, bool *returned, struct error *error)
{
    const amqp_basic_ack_t *ack = method->decoded;
    const amqp_basic_nack_t *nack = method->decoded;

    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD:
        return settle(channel, ack->delivery_tag, ack->multiple, on_acked, error);
    case AMQP_BASIC_NACK_METHOD:
        return settle(channel, nack->delivery_tag, nack->multiple, on_nacked, error);
    case AMQP_BASIC_RETURN_METHOD: /* with a header and a body behind it */
        *returned = true;
        bridge_count(channel->settings->metrics, METRIC_RETURNED, 1);
        return true;
    case AMQP_CHANNEL_CLOSE_METHOD:
        handle_close(channel, method, error);
        return false;
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

/* After a give-up the first copy and the one that was spooled can wait beside each other. Taking a copy that arrived
   for returned costs a repetition; the contrary would cost the message. */
static void mark_returned(void *context, void *item)
{
    const struct bytes *id = context;
    struct pending_message *message = item;

    if (bytes_equal(*id, bytes_of_text(message->envelope.message_id)))
        message->returned = true;
}

bool broker_channel_handle(struct broker_channel *channel, const amqp_frame_t *frame, bool *returned, struct error *error)
{
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(channel, &frame->payload.method, returned, error);
    /* Only returned messages have headers here, for nothing is consumed. */
    if (frame->frame_type == AMQP_FRAME_HEADER) {
        const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
        struct bytes id = bytes_of(properties->message_id.bytes, properties->message_id.len);

        if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
            unconfirmed_each(channel->unconfirmed, mark_returned, &id);
    }
    return true;
}

/* ---- confirms that do not come ---- */

/* For how long the oldest that waits has done so; 0 if none does. */
static int64_t waited_ms(const struct broker_channel *channel, int64_t now_ms)
{
    const int64_t oldest_ms = unconfirmed_oldest_ms(channel->unconfirmed);

    if (oldest_ms == INT64_MAX)
        return 0;
    return now_ms - (oldest_ms > channel->free_since_ms ? oldest_ms : channel->free_since_ms);
}

int64_t broker_channel_idle_ms(const struct broker_channel *channel, int64_t now_ms)
{
    const int64_t left_ms = channel->settings->confirm_timeout_ms - waited_ms(channel, now_ms);

    return channel->stalled || channel->unconfirmed->count == 0 ? INT64_MAX : left_ms;
}

static void give_up(void *context, void *item)
{
    (void)context;
    message_give_up(item);
}

static void note_stall(struct broker_channel *channel, int64_t now_ms)
{
    const struct broker_connection_settings *settings = channel->settings;
    const char *peer = amqp_session_peer(channel->session);
    char text[ERROR_TEXT];

    channel->stalled = !channel->stalled;
    (void)snprintf(text, sizeof text, "%s has not confirmed %s for %lld ms; nobody waits for it until it does", peer,
                   messages[channel->target], (long long)settings->confirm_timeout_ms);
    if (channel->stalled) {
        if (channel->target == MESSAGE_EVENT)
            availability_say(settings->availability, text);
        channel->stall_logged = log_limiter_is_news(&channel->limiter, text, now_ms);
        unconfirmed_each(channel->unconfirmed, give_up, NULL);
    }
    if (channel->stall_logged && channel->stalled)
        log_warn("%s: %s", settings->name, text);
    else if (channel->stall_logged)
        log_info("%s: %s confirms %s again", settings->name, peer, messages[channel->target]);
}

bool broker_channel_check(struct broker_channel *channel, bool blocked, int64_t now_ms, struct error *error)
{
    const char *peer = amqp_session_peer(channel->session);
    const int64_t timeout_ms = channel->settings->confirm_timeout_ms;
    const int64_t patience = channel->target == MESSAGE_REJECTED ? REJECTED_PATIENCE : 1;
    const int64_t overdue_ms = (2 * timeout_ms > OVERDUE_MS ? 2 * timeout_ms : OVERDUE_MS) * patience;
    const int64_t refused_ms = channel->nacked_since_ms ? now_ms - channel->nacked_since_ms : 0;

    if (blocked) { /* from then on its confirms have all their time again */
        channel->free_since_ms = now_ms;
        unconfirmed_each(channel->unconfirmed, give_up, NULL);
    }
    const int64_t waited = waited_ms(channel, now_ms);

    if (!blocked && channel->stalled != (waited >= timeout_ms))
        note_stall(channel, now_ms);
    if (waited > overdue_ms)
        error_set(error, ERROR_UNAVAILABLE, "%s has not confirmed %s for %lld ms: connecting again", peer,
                  messages[channel->target], (long long)waited);
    else if (refused_ms > REFUSAL_MAX_MS * patience)
        error_set(error, ERROR_UNAVAILABLE, "%s has refused %s for %lld s: asking again by another connection", peer,
                  messages[channel->target], (long long)refused_ms / 1000);
    return waited <= overdue_ms && refused_ms <= REFUSAL_MAX_MS * patience;
}
