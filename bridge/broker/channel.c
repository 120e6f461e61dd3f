#include "channel.h"

#include "common/amqp_calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/protection.h"
#include "publish_frames.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Unconfirmed publishes: HTTP threads bound them too; past some thousands the broker gains nothing. */
    WAITING_MAX = 4096,
    /* Tags from the oldest unconfirmed to the newest: one confirm that never comes must not stop the rest. */
    SPAN_MAX = 65536,
    CLOSE_TEXT = 256, /* AMQP's short strings are no longer */
};

bool broker_channel_init(struct broker_channel *channel, amqp_channel_t number, const struct amqp_settings *settings,
                       struct body_limit *limit, struct buf *out, struct bridge_metrics *metrics)
{
    *channel = (struct broker_channel){
        .number = number, .settings = settings, .limit = limit, .out = out, .metrics = metrics};
    channel->window = unconfirmed_new(SPAN_MAX);
    return channel->window != NULL;
}

void broker_channel_clear(struct broker_channel *channel)
{
    unconfirmed_free(channel->window);
}

/* ---- outcomes ---- */

static void on_acked(void *context, void *item)
{
    struct broker_channel *channel = context;
    struct pending_message *message = item;
    const bool returned = message_is_returned(message);

    nack_tracker_acked(&channel->refusal);
    if (!message_settle(message, returned ? PUBLISH_FAILED : PUBLISH_CONFIRMED) && !returned)
        bridge_count(channel->metrics, METRIC_LATE_CONFIRMS, 1);
}

static void on_nacked(void *context, void *item)
{
    struct broker_channel *channel = context;

    nack_tracker_nacked(&channel->refusal, clock_monotonic_ms());
    bridge_count(channel->metrics, METRIC_NACKED, 1);
    message_settle(item, PUBLISH_FAILED);
}

static void on_lost(void *context, void *item)
{
    (void)context;
    message_settle(item, message_is_returned(item) ? PUBLISH_FAILED : PUBLISH_LOST);
}

/* The channel was closed over a message that waited: it names none, and may name its limit. */
static void on_shut(void *context, void *item)
{
    const struct broker_channel *channel = context;
    const bool meant = channel->named_limit == 0 || message_body_bytes(item).len > channel->named_limit;

    if (message_is_returned(item))
        message_settle(item, PUBLISH_FAILED);
    else
        message_settle(item, meant ? PUBLISH_REFUSED : PUBLISH_LOST);
}

static void give_up(void *context, void *item)
{
    (void)context;
    message_give_up(item);
}

void broker_channel_give_up(struct broker_channel *channel)
{
    unconfirmed_each(channel->window, give_up, NULL);
}

/* ---- the channel's life ---- */

static bool open_channel(struct broker_channel *channel, struct amqp_session *session, bool is_open, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);

    if (!is_open && !amqp_channel_open(connection, channel->number)) {
        amqp_error_of_reply(error, "opening a channel to", amqp_session_peer(session), amqp_get_rpc_reply(connection));
        return false;
    }
    if (protection("confirm") && !amqp_ask_for_confirms(session, channel->number, error))
        return false;
    channel->shut = false;
    channel->incoming = (struct incoming_return){0};
    nack_tracker_new_channel(&channel->refusal);
    return true;
}

bool broker_channel_open(struct broker_channel *channel, struct amqp_session *session, struct error *error)
{
    if (!open_channel(channel, session, channel->number == AMQP_CHANNEL, error))
        return false;
    channel->session = session;
    channel->came_back = false;
    nack_tracker_new_connection(&channel->refusal);
    return true;
}

bool broker_channel_shut(struct broker_channel *channel, struct error *error)
{
    const amqp_rpc_reply_t reply =
        amqp_channel_close(amqp_session_connection(channel->session), channel->number, AMQP_REPLY_SUCCESS);

    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        amqp_error_of_reply(error, "closing a channel to", amqp_session_peer(channel->session), reply);
        return false;
    }
    unconfirmed_reset(channel->window, on_lost, channel);
    channel->shut = true;
    return true;
}

bool broker_channel_reopen(struct broker_channel *channel, struct error *error)
{
    return open_channel(channel, channel->session, false, error);
}

void broker_channel_close(struct broker_channel *channel)
{
    unconfirmed_reset(channel->window, on_lost, channel);
    channel->session = NULL;
}

/* ---- messages to the broker ---- */

size_t broker_channel_room(const struct broker_channel *channel)
{
    const size_t waiting = unconfirmed_count(channel->window);
    const size_t span_left = unconfirmed_capacity(channel->window) - unconfirmed_span(channel->window);
    const size_t left = waiting < WAITING_MAX ? WAITING_MAX - waiting : 0;

    return left < span_left ? left : span_left;
}

size_t broker_channel_waiting(const struct broker_channel *channel)
{
    return unconfirmed_count(channel->window);
}

int64_t broker_channel_oldest_ms(const struct broker_channel *channel)
{
    return unconfirmed_oldest_ms(channel->window);
}

bool broker_channel_takes(struct broker_channel *channel, const struct pending_message *message, int64_t now_ms)
{
    const uint64_t limit = body_limit_get(channel->limit, now_ms);

    return limit == 0 || message_body_bytes(message).len <= limit;
}

static int publish(struct broker_channel *channel, struct pending_message *message)
{
    const struct amqp_settings *settings = channel->settings;
    const bool rejected = message_target(message) == MESSAGE_REJECTED;
    const struct bytes body = message_body_bytes(message);
    const amqp_bytes_t content = {.len = body.len, .bytes = (void *)(uintptr_t)body.data};
    struct envelope_properties properties;

    envelope_to_properties(message_envelope(message), &properties);
    if (rejected)
        envelope_add_rejection(&properties, message_reject_reason(message), message_reject_detail(message));
    if (amqp_session_is_plain(channel->session)) {
        const struct publish_frames frames = {.channel = channel->number,
                                              .frame_max = amqp_get_frame_max(amqp_session_connection(channel->session)),
                                              .exchange = rejected ? settings->rejected_queue : settings->exchange,
                                              .routing_key = rejected ? "" : settings->queue,
                                              .mandatory = protection("mandatory"),
                                              .properties = &properties.basic,
                                              .body = body};

        return publish_frames_append(&frames, channel->out) ? AMQP_STATUS_OK : AMQP_STATUS_NO_MEMORY;
    }
    return amqp_basic_publish(amqp_session_connection(channel->session), channel->number,
                              amqp_cstring_bytes(rejected ? settings->rejected_queue : settings->exchange),
                              rejected ? amqp_empty_bytes : amqp_cstring_bytes(settings->queue),
                              protection("mandatory"), 0, &properties.basic, content);
}

int broker_channel_send(struct broker_channel *channel, struct pending_message *message, int64_t now_ms, bool send)
{
    int status = AMQP_STATUS_OK;

    if (protection("confirm")) {
        unconfirmed_push(channel->window, message, now_ms);
        return send ? publish(channel, message) : AMQP_STATUS_OK;
    }
    if (send)
        status = publish(channel, message);
    message_settle(message, send && status == AMQP_STATUS_OK ? PUBLISH_CONFIRMED : PUBLISH_LOST);
    return status;
}

/* ---- frames from the broker ---- */

static bool settle(struct broker_channel *channel, uint64_t tag, bool multiple, void (*settled)(void *, void *),
                   struct error *error)
{
    if (unconfirmed_settle(channel->window, tag, multiple, settled, channel) >= 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was not sent", amqp_session_peer(channel->session));
    return false;
}

static void begin_return(struct broker_channel *channel, const amqp_basic_return_t *returned)
{
    channel->incoming = (struct incoming_return){.active = true};
    channel->came_back = true;
    bridge_count(channel->metrics, METRIC_RETURNED, 1);
    log_debug("a message came back: %d %.*s", returned->reply_code, (int)returned->reply_text.len,
              (const char *)returned->reply_text.bytes);
}

/* "... message size 20000 is larger than configured max size 5000": the last number. 0 if the text is another. */
static uint64_t named_limit(amqp_bytes_t text)
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

/* The channel is over. True if only a message is to blame: another channel will do. */
static bool handle_close(struct broker_channel *channel, const amqp_method_t *method, struct error *error)
{
    const amqp_channel_close_t *closed = method->decoded;
    amqp_channel_close_ok_t ok = {0};
    struct error reason;

    amqp_error_of_close(&reason, "publishing to", amqp_session_peer(channel->session), method);
    (void)amqp_send_method(amqp_session_connection(channel->session), channel->number, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (closed->reply_code != AMQP_PRECONDITION_FAILED && closed->reply_code != AMQP_CONTENT_TOO_LARGE) {
        *error = reason;
        return false;
    }
    log_warn("%s; such a message stays in the spool", reason.text);
    channel->shut = true;
    channel->named_limit = named_limit(closed->reply_text);
    /* Before anybody hears that a message was refused. */
    if (channel->named_limit)
        body_limit_set(channel->limit, channel->named_limit, clock_monotonic_ms());
    unconfirmed_reset(channel->window, on_shut, channel);
    return true;
}

static bool handle_method(struct broker_channel *channel, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;

        return settle(channel, ack->delivery_tag, ack->multiple, on_acked, error);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;

        return settle(channel, nack->delivery_tag, nack->multiple, on_nacked, error);
    }
    case AMQP_BASIC_RETURN_METHOD:
        begin_return(channel, method->decoded);
        return true;
    case AMQP_CHANNEL_CLOSE_METHOD:
        return handle_close(channel, method, error);
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

struct returned_id {
    struct bytes id;
    bool waits;
};

/* After a give-up the first copy and the one that was spooled can wait beside each other. Taking a copy that arrived
   for returned costs a repetition; the contrary would cost the message. */
static void mark_returned(void *context, void *item)
{
    struct returned_id *returned = context;

    if (!bytes_equal(returned->id, bytes_of_text(message_envelope(item)->message_id)))
        return;
    returned->waits = true;
    message_mark_returned(item);
}

static void handle_return_header(struct broker_channel *channel, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct returned_id returned = {.waits = false};

    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        returned.id = bytes_of(properties->message_id.bytes, properties->message_id.len);
        unconfirmed_each(channel->window, mark_returned, &returned);
    }
    if (!returned.waits)
        log_warn("%s returned a message that does not wait", amqp_session_peer(channel->session));
    channel->incoming.has_header = true;
    channel->incoming.body_left = frame->payload.properties.body_size;
    channel->incoming.active = channel->incoming.body_left > 0;
}

bool broker_channel_handle(struct broker_channel *channel, const amqp_frame_t *frame, struct error *error)
{
    struct incoming_return *incoming = &channel->incoming;

    if (channel->shut) /* of the channel that was; its tags are not those of the next */
        return true;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(channel, &frame->payload.method, error);
    if (frame->frame_type == AMQP_FRAME_HEADER && incoming->active && !incoming->has_header) {
        handle_return_header(channel, frame);
    } else if (frame->frame_type == AMQP_FRAME_BODY && incoming->active && incoming->has_header) {
        const uint64_t len = frame->payload.body_fragment.len;

        incoming->body_left -= len < incoming->body_left ? len : incoming->body_left;
        incoming->active = incoming->body_left > 0;
    }
    return true;
}
