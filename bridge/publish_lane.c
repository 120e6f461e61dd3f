#include "publish_lane.h"

#include "../common/amqp_calls.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/protection.h"
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

bool publish_lane_init(struct publish_lane *lane, amqp_channel_t channel, const struct amqp_settings *settings,
                       struct body_limit *limit, struct buf *out, struct bridge_metrics *metrics)
{
    *lane = (struct publish_lane){
        .channel = channel, .settings = settings, .limit = limit, .out = out, .metrics = metrics};
    lane->window = confirm_window_new(SPAN_MAX);
    return lane->window != NULL;
}

void publish_lane_clear(struct publish_lane *lane)
{
    confirm_window_free(lane->window);
}

/* ---- outcomes ---- */

static void on_acked(void *context, void *item)
{
    struct publish_lane *lane = context;
    struct ticket *ticket = item;
    const bool returned = ticket_is_returned(ticket);

    refusal_acked(&lane->refusal);
    if (!ticket_settle(ticket, returned ? PUBLISH_FAILED : PUBLISH_CONFIRMED) && !returned)
        bridge_count(lane->metrics, METRIC_LATE_CONFIRMS, 1);
}

static void on_nacked(void *context, void *item)
{
    struct publish_lane *lane = context;

    refusal_nacked(&lane->refusal, clock_monotonic_ms());
    bridge_count(lane->metrics, METRIC_NACKED, 1);
    ticket_settle(item, PUBLISH_FAILED);
}

static void on_lost(void *context, void *item)
{
    (void)context;
    ticket_settle(item, ticket_is_returned(item) ? PUBLISH_FAILED : PUBLISH_LOST);
}

/* The channel was closed over a message that waited: it names none, and may name its limit. */
static void on_shut(void *context, void *item)
{
    const struct publish_lane *lane = context;
    const bool meant = lane->named_limit == 0 || ticket_body_bytes(item).len > lane->named_limit;

    if (ticket_is_returned(item))
        ticket_settle(item, PUBLISH_FAILED);
    else
        ticket_settle(item, meant ? PUBLISH_REFUSED : PUBLISH_LOST);
}

static void give_up(void *context, void *item)
{
    (void)context;
    ticket_give_up(item);
}

void publish_lane_give_up(struct publish_lane *lane)
{
    confirm_window_each(lane->window, give_up, NULL);
}

/* ---- the channel's life ---- */

static bool open_channel(struct publish_lane *lane, struct amqp_session *session, bool is_open, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(session);

    if (!is_open && !amqp_channel_open(connection, lane->channel)) {
        amqp_error_of_reply(error, "opening a channel to", amqp_session_peer(session), amqp_get_rpc_reply(connection));
        return false;
    }
    if (protection("confirm") && !amqp_ask_for_confirms(session, lane->channel, error))
        return false;
    lane->shut = false;
    lane->incoming = (struct incoming_return){0};
    refusal_new_channel(&lane->refusal);
    return true;
}

bool publish_lane_open(struct publish_lane *lane, struct amqp_session *session, struct error *error)
{
    if (!open_channel(lane, session, lane->channel == AMQP_CHANNEL, error))
        return false;
    lane->session = session;
    lane->came_back = false;
    refusal_new_connection(&lane->refusal);
    return true;
}

bool publish_lane_shut(struct publish_lane *lane, struct error *error)
{
    const amqp_rpc_reply_t reply =
        amqp_channel_close(amqp_session_connection(lane->session), lane->channel, AMQP_REPLY_SUCCESS);

    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        amqp_error_of_reply(error, "closing a channel to", amqp_session_peer(lane->session), reply);
        return false;
    }
    confirm_window_reset(lane->window, on_lost, lane);
    lane->shut = true;
    return true;
}

bool publish_lane_reopen(struct publish_lane *lane, struct error *error)
{
    return open_channel(lane, lane->session, false, error);
}

void publish_lane_close(struct publish_lane *lane)
{
    confirm_window_reset(lane->window, on_lost, lane);
    lane->session = NULL;
}

/* ---- messages to the broker ---- */

size_t publish_lane_room(const struct publish_lane *lane)
{
    const size_t waiting = confirm_window_count(lane->window);
    const size_t span_left = confirm_window_capacity(lane->window) - confirm_window_span(lane->window);
    const size_t left = waiting < WAITING_MAX ? WAITING_MAX - waiting : 0;

    return left < span_left ? left : span_left;
}

size_t publish_lane_waiting(const struct publish_lane *lane)
{
    return confirm_window_count(lane->window);
}

int64_t publish_lane_oldest_ms(const struct publish_lane *lane)
{
    return confirm_window_oldest_ms(lane->window);
}

bool publish_lane_takes(struct publish_lane *lane, const struct ticket *ticket, int64_t now_ms)
{
    const uint64_t limit = body_limit_get(lane->limit, now_ms);

    return limit == 0 || ticket_body_bytes(ticket).len <= limit;
}

static int publish(struct publish_lane *lane, struct ticket *ticket)
{
    const struct amqp_settings *settings = lane->settings;
    const bool rejected = ticket_target(ticket) == TICKET_REJECTED;
    const struct bytes body = ticket_body_bytes(ticket);
    const amqp_bytes_t content = {.len = body.len, .bytes = (void *)(uintptr_t)body.data};
    struct envelope_properties properties;

    envelope_to_properties(ticket_envelope(ticket), &properties);
    if (rejected)
        envelope_add_rejection(&properties, ticket_reject_reason(ticket), ticket_reject_detail(ticket));
    if (amqp_session_is_plain(lane->session)) {
        const struct publish_frames frames = {.channel = lane->channel,
                                              .frame_max = amqp_get_frame_max(amqp_session_connection(lane->session)),
                                              .exchange = rejected ? settings->rejected_queue : settings->exchange,
                                              .routing_key = rejected ? "" : settings->queue,
                                              .mandatory = protection("mandatory"),
                                              .properties = &properties.basic,
                                              .body = body};

        return publish_frames_append(&frames, lane->out) ? AMQP_STATUS_OK : AMQP_STATUS_NO_MEMORY;
    }
    return amqp_basic_publish(amqp_session_connection(lane->session), lane->channel,
                              amqp_cstring_bytes(rejected ? settings->rejected_queue : settings->exchange),
                              rejected ? amqp_empty_bytes : amqp_cstring_bytes(settings->queue),
                              protection("mandatory"), 0, &properties.basic, content);
}

int publish_lane_send(struct publish_lane *lane, struct ticket *ticket, int64_t now_ms, bool send)
{
    int status = AMQP_STATUS_OK;

    if (protection("confirm")) {
        confirm_window_push(lane->window, ticket, now_ms);
        return send ? publish(lane, ticket) : AMQP_STATUS_OK;
    }
    if (send)
        status = publish(lane, ticket);
    ticket_settle(ticket, send && status == AMQP_STATUS_OK ? PUBLISH_CONFIRMED : PUBLISH_LOST);
    return status;
}

/* ---- frames from the broker ---- */

static bool settle(struct publish_lane *lane, uint64_t tag, bool multiple, void (*settled)(void *, void *),
                   struct error *error)
{
    if (confirm_window_settle(lane->window, tag, multiple, settled, lane) >= 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was not sent", amqp_session_peer(lane->session));
    return false;
}

static void begin_return(struct publish_lane *lane, const amqp_basic_return_t *returned)
{
    lane->incoming = (struct incoming_return){.active = true};
    lane->came_back = true;
    bridge_count(lane->metrics, METRIC_RETURNED, 1);
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
static bool handle_close(struct publish_lane *lane, const amqp_method_t *method, struct error *error)
{
    const amqp_channel_close_t *closed = method->decoded;
    amqp_channel_close_ok_t ok = {0};
    struct error reason;

    amqp_error_of_close(&reason, "publishing to", amqp_session_peer(lane->session), method);
    (void)amqp_send_method(amqp_session_connection(lane->session), lane->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (closed->reply_code != AMQP_PRECONDITION_FAILED && closed->reply_code != AMQP_CONTENT_TOO_LARGE) {
        *error = reason;
        return false;
    }
    log_warn("%s; such a message stays in the spool", reason.text);
    lane->shut = true;
    lane->named_limit = named_limit(closed->reply_text);
    /* Before anybody hears that a message was refused. */
    if (lane->named_limit)
        body_limit_set(lane->limit, lane->named_limit, clock_monotonic_ms());
    confirm_window_reset(lane->window, on_shut, lane);
    return true;
}

static bool handle_method(struct publish_lane *lane, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;

        return settle(lane, ack->delivery_tag, ack->multiple, on_acked, error);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;

        return settle(lane, nack->delivery_tag, nack->multiple, on_nacked, error);
    }
    case AMQP_BASIC_RETURN_METHOD:
        begin_return(lane, method->decoded);
        return true;
    case AMQP_CHANNEL_CLOSE_METHOD:
        return handle_close(lane, method, error);
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

    if (!bytes_equal(returned->id, bytes_of_text(ticket_envelope(item)->message_id)))
        return;
    returned->waits = true;
    ticket_mark_returned(item);
}

static void handle_return_header(struct publish_lane *lane, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct returned_id returned = {.waits = false};

    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        returned.id = bytes_of(properties->message_id.bytes, properties->message_id.len);
        confirm_window_each(lane->window, mark_returned, &returned);
    }
    if (!returned.waits)
        log_warn("%s returned a message that does not wait", amqp_session_peer(lane->session));
    lane->incoming.has_header = true;
    lane->incoming.body_left = frame->payload.properties.body_size;
    lane->incoming.active = lane->incoming.body_left > 0;
}

bool publish_lane_handle(struct publish_lane *lane, const amqp_frame_t *frame, struct error *error)
{
    struct incoming_return *incoming = &lane->incoming;

    if (lane->shut) /* of the channel that was; its tags are not those of the next */
        return true;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(lane, &frame->payload.method, error);
    if (frame->frame_type == AMQP_FRAME_HEADER && incoming->active && !incoming->has_header) {
        handle_return_header(lane, frame);
    } else if (frame->frame_type == AMQP_FRAME_BODY && incoming->active && incoming->has_header) {
        const uint64_t len = frame->payload.body_fragment.len;

        incoming->body_left -= len < incoming->body_left ? len : incoming->body_left;
        incoming->active = incoming->body_left > 0;
    }
    return true;
}
