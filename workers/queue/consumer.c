#include "consumer.h"

#include "common/amqp_calls.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONSUMER_TAG = 64,
    RPC_TIMEOUT_S = 5,
    GOODBYE_MS = 1000,
    REST_MS = 1000, /* how much later than asked consumer_next may return to have the whole of a message */
};

static const char CONSUMING[] = "consuming from";

struct consumer {
    struct consumer_settings settings;
    char tag[CONSUMER_TAG];
    struct watch *watch;
    struct amqp_session *session; /* NULL: not connected */
    size_t url_index;
    struct backoff backoff;
    int64_t retry_at_ms;
    /* The message that is being put together; `pending` is set from its header on, unless it is too large. */
    amqp_basic_deliver_t announced; /* its tag is 0: none; the texts are gone */
    struct delivery *pending;
    uint64_t pending_left; /* bytes of its body that are to come */
    int watched_fd;
    int64_t heartbeat_at_ms; /* when the next one is due, while nothing is read */
};

/* What one frame amounts to. */
enum frame_meaning { FRAME_NONE, FRAME_PART, FRAME_MESSAGE, FRAME_LOST };

struct consumer *consumer_new(const struct consumer_settings *settings)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return NULL;
    consumer->settings = *settings;
    consumer->watch = watch_new(settings->dog);
    if (!consumer->watch) {
        free(consumer);
        return NULL;
    }
    snprintf(consumer->tag, sizeof consumer->tag, "%.32s-%ld", settings->name, (long)getpid());
    backoff_init(&consumer->backoff, CONSUMER_RETRY_FIRST_MS, CONSUMER_RETRY_MAX_MS, settings->seed);
    return consumer;
}

static void forget_message(struct consumer *consumer)
{
    delivery_free(consumer->pending);
    consumer->pending = NULL;
    consumer->pending_left = 0;
    consumer->announced.delivery_tag = 0;
}

static bool within_message(const struct consumer *consumer)
{
    return consumer->announced.delivery_tag != 0;
}

static void begin_call(struct consumer *consumer, int64_t limit_ms)
{
    watch_begin(consumer->watch, amqp_session_fd(consumer->session), limit_ms);
}

static void lose(struct consumer *consumer)
{
    forget_message(consumer);
    amqp_session_drop(consumer->session);
    consumer->session = NULL;
    consumer->retry_at_ms = clock_monotonic_ms() + backoff_next_ms(&consumer->backoff);
}

static const char *peer(const struct consumer *consumer)
{
    return amqp_session_peer(consumer->session);
}

/* A failure loses the connection. Returns whether it is there. */
static bool end_call(struct consumer *consumer, bool good, struct error *error)
{
    good = amqp_end_call(consumer->session, consumer->watch, CONSUMING, good, error);
    if (!good)
        lose(consumer);
    return good;
}

/* Closes the channel, and throws away what still comes on it, as RabbitMQ delivers it again: amqp_channel_close would
   keep all that it sends before it answers, and that can be the whole prefetch. */
static bool close_channel(struct consumer *consumer, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(consumer->session);
    amqp_channel_close_t close_it = {.reply_code = AMQP_REPLY_SUCCESS};
    amqp_frame_t frame = {0};
    int status = amqp_send_method(connection, AMQP_CHANNEL, AMQP_CHANNEL_CLOSE_METHOD, &close_it);
    while (status == AMQP_STATUS_OK) {
        struct timeval timeout = {.tv_sec = RPC_TIMEOUT_S};
        amqp_maybe_release_buffers(connection);
        status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
        if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD)
            continue;
        if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_OK_METHOD)
            return true;
        if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD ||
            frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
            amqp_error_of_close(error, "closing the channel to", peer(consumer), &frame.payload.method);
            return false;
        }
    }
    return amqp_check(consumer->session, "closing the channel to", status, error);
}

void consumer_release(struct consumer *consumer)
{
    struct error ignored = {0};
    forget_message(consumer);
    if (consumer->session) {
        begin_call(consumer, GOODBYE_MS);
        bool closed = close_channel(consumer, &ignored);
        if (watch_end(consumer->watch) || !closed)
            amqp_session_drop(consumer->session);
        else
            amqp_session_close(consumer->session);
    }
    consumer->session = NULL;
    consumer->retry_at_ms = 0;
}

void consumer_free(struct consumer *consumer)
{
    if (!consumer)
        return;
    consumer_release(consumer);
    watch_free(consumer->watch);
    free(consumer);
}

/* Asks the broker to send messages. */
static bool subscribe(struct consumer *consumer, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(consumer->session);
    if (amqp_basic_qos(connection, AMQP_CHANNEL, 0, consumer->settings.prefetch, 0) &&
        amqp_basic_consume(connection, AMQP_CHANNEL, amqp_cstring_bytes(consumer->settings.amqp.queue),
                           amqp_cstring_bytes(consumer->tag), 0, 0, 0, amqp_empty_table))
        return true;
    amqp_error_of_reply(error, CONSUMING, peer(consumer), amqp_get_rpc_reply(connection));
    return false;
}

bool consumer_connect(struct consumer *consumer, struct error *error)
{
    if (consumer->session)
        return true;
    consumer->session = amqp_session_open(&consumer->settings.amqp, consumer->url_index++, consumer->settings.name,
                                          consumer->watch, error);
    if (!consumer->session) {
        lose(consumer);
        return false;
    }
    begin_call(consumer, RPC_TIMEOUT_S * 1000 + CONSUMER_STUCK_MS);
    return end_call(consumer, subscribe(consumer, error), error);
}

bool consumer_renew(struct consumer *consumer, struct error *error)
{
    if (!consumer->session || within_message(consumer))
        return true;
    begin_call(consumer, CONSUMER_RENEW_MS);
    bool done = close_channel(consumer, error);
    if (done) {
        (void)amqp_channel_open(amqp_session_connection(consumer->session), AMQP_CHANNEL); /* the next call tells */
        done = subscribe(consumer, error);
    }
    return end_call(consumer, done, error);
}

static enum frame_meaning on_method(struct consumer *consumer, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        forget_message(consumer);
        consumer->announced = *(const amqp_basic_deliver_t *)method->decoded;
        return FRAME_PART;
    case AMQP_BASIC_CANCEL_METHOD:
        error_set(error, ERROR_UNAVAILABLE, "%s cancelled our consumer: the queue %s was deleted or has moved",
                  peer(consumer), consumer->settings.amqp.queue);
        return FRAME_LOST;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        amqp_error_of_close(error, CONSUMING, peer(consumer), method);
        return FRAME_LOST;
    default: /* connection.blocked and the like: they do not concern a consumer */
        return FRAME_PART;
    }
}

static enum frame_meaning out_of_turn(const struct consumer *consumer, struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "consuming from %s: the frames of a message do not fit together",
              peer(consumer));
    return FRAME_LOST;
}

static enum frame_meaning on_header(struct consumer *consumer, const amqp_frame_t *frame, struct error *error)
{
    uint64_t size = frame->payload.properties.body_size;
    if (!within_message(consumer) || consumer->pending)
        return out_of_turn(consumer, error);
    consumer->pending_left = size;
    if (size > LIMIT_BODY_MAX)
        return FRAME_PART;
    consumer->pending = delivery_new((size_t)size, consumer->settings.held);
    if (!consumer->pending) {
        error_set(error, ERROR_NO_MEMORY, "out of memory for a message of %llu bytes", (unsigned long long)size);
        return FRAME_LOST;
    }
    consumer->pending->tag = consumer->announced.delivery_tag;
    consumer->pending->redelivered = consumer->announced.redelivered;
    consumer->pending->delivery_count =
        envelope_integer_header(frame->payload.properties.decoded, "x-delivery-count"); /* of a quorum queue */
    envelope_from_properties(frame->payload.properties.decoded, &consumer->pending->envelope);
    return size == 0 ? FRAME_MESSAGE : FRAME_PART;
}

/* Gives it to RabbitMQ to move to the rejected queue: whoever published it, no bridge took so much. */
static enum frame_meaning refuse_too_large(struct consumer *consumer, struct error *error)
{
    log_warn("a message of more than %d bytes is not read: RabbitMQ moves it to the rejected queue", LIMIT_BODY_MAX);
    int status = amqp_basic_reject(amqp_session_connection(consumer->session), AMQP_CHANNEL,
                                   consumer->announced.delivery_tag, false);
    forget_message(consumer);
    return amqp_check(consumer->session, "rejecting a message to", status, error) ? FRAME_PART : FRAME_LOST;
}

static enum frame_meaning on_body(struct consumer *consumer, amqp_bytes_t fragment, struct error *error)
{
    struct delivery *pending = consumer->pending;
    if (fragment.len > consumer->pending_left)
        return out_of_turn(consumer, error);
    if (pending)
        memcpy(pending->body + (pending->body_len - consumer->pending_left), fragment.bytes, fragment.len);
    consumer->pending_left -= fragment.len;
    if (consumer->pending_left > 0)
        return FRAME_PART;
    return pending ? FRAME_MESSAGE : refuse_too_large(consumer, error);
}

/* Takes in one frame, if it has come. */
static enum frame_meaning next_frame(struct consumer *consumer, struct error *error)
{
    amqp_frame_t frame;
    enum amqp_read read = amqp_read_frame(consumer->session, &frame, CONSUMING, error);
    enum frame_meaning meaning = FRAME_PART;
    if (read != AMQP_READ_FRAME)
        return read == AMQP_READ_NOTHING ? FRAME_NONE : FRAME_LOST;
    if (frame.frame_type == AMQP_FRAME_METHOD)
        meaning = on_method(consumer, &frame.payload.method, error);
    else if (frame.frame_type == AMQP_FRAME_HEADER)
        meaning = on_header(consumer, &frame, error);
    else if (frame.frame_type == AMQP_FRAME_BODY)
        meaning = on_body(consumer, frame.payload.body_fragment, error);
    /* All of it was copied: nothing points into them. */
    amqp_maybe_release_buffers(amqp_session_connection(consumer->session));
    return meaning;
}

/* Sleeps until the connection has the event, or is broken, somebody wakes us, or the time is up. -1: there is no
   connection. Returns what the connection has. */
static short sleep_until_woken(const struct consumer *consumer, int fd, short event, int64_t timeout_ms)
{
    struct pollfd fds[3] = {{.fd = fd, .events = event},
                            {.fd = consumer->settings.wake_fd, .events = POLLIN},
                            {.fd = consumer->watched_fd, .events = POLLIN}};
    return poll(fds, 3, (int)timeout_ms) > 0 ? fds[0].revents : 0;
}

/* Reads what has come, until a message is whole or, of one in many frames, the time is up. */
static enum frame_meaning read_frames(struct consumer *consumer, struct error *error)
{
    const int64_t end_ms = clock_monotonic_ms() + REST_MS;
    enum frame_meaning meaning;
    do
        meaning = next_frame(consumer, error);
    while (meaning == FRAME_PART && clock_monotonic_ms() < end_ms);
    return meaning;
}

static enum consumer_result reconnect(struct consumer *consumer, int64_t timeout_ms, struct error *error)
{
    int64_t wait_ms = consumer->retry_at_ms - clock_monotonic_ms();
    if (wait_ms > 0) {
        (void)sleep_until_woken(consumer, -1, 0, wait_ms < timeout_ms ? wait_ms : timeout_ms);
        return CONSUMER_NOTHING;
    }
    return consumer_connect(consumer, error) ? CONSUMER_CONNECTED : CONSUMER_AWAY;
}

/* Whether there is no room for another message; what is being put together is read to its end. */
static bool holds_enough(const struct consumer *consumer)
{
    return consumer->settings.held->bytes >= LIMIT_HELD_BYTES && !within_message(consumer);
}

/* The library sends heartbeats only where it reads. */
static int send_heartbeat(struct consumer *consumer)
{
    amqp_connection_state_t connection = amqp_session_connection(consumer->session);
    const int64_t every_ms = (int64_t)amqp_get_heartbeat(connection) * 1000 / 2;
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    const int64_t now_ms = clock_monotonic_ms();
    if (every_ms == 0 || now_ms < consumer->heartbeat_at_ms)
        return AMQP_STATUS_OK;
    consumer->heartbeat_at_ms = now_ms + every_ms;
    return amqp_send_frame(connection, &heartbeat);
}

static enum consumer_result wait_for_room(struct consumer *consumer, int64_t timeout_ms, struct error *error)
{
    begin_call(consumer, timeout_ms + CONSUMER_STUCK_MS);
    int status = send_heartbeat(consumer);
    if (status == AMQP_STATUS_OK &&
        sleep_until_woken(consumer, amqp_session_fd(consumer->session), POLLRDHUP, timeout_ms) != 0)
        status = AMQP_STATUS_CONNECTION_CLOSED;
    bool good = amqp_check(consumer->session, CONSUMING, status, error);
    return end_call(consumer, good, error) ? CONSUMER_NOTHING : CONSUMER_LOST;
}

enum consumer_result consumer_next(struct consumer *consumer, int64_t timeout_ms, int watched_fd,
                                   struct delivery **delivery, struct error *error)
{
    consumer->watched_fd = watched_fd;
    if (!consumer->session)
        return reconnect(consumer, timeout_ms, error);
    if (holds_enough(consumer))
        return wait_for_room(consumer, timeout_ms, error);
    begin_call(consumer, timeout_ms + REST_MS + CONSUMER_STUCK_MS);
    enum frame_meaning meaning = read_frames(consumer, error);
    if (meaning == FRAME_NONE && timeout_ms > 0) {
        (void)sleep_until_woken(consumer, amqp_session_fd(consumer->session), POLLIN, timeout_ms);
        meaning = read_frames(consumer, error);
    }
    if (!end_call(consumer, meaning != FRAME_LOST, error))
        return CONSUMER_LOST;
    if (meaning != FRAME_MESSAGE)
        return CONSUMER_NOTHING;
    *delivery = consumer->pending;
    consumer->pending = NULL;
    forget_message(consumer);
    backoff_reset(&consumer->backoff);
    return CONSUMER_DELIVERY;
}

bool consumer_acknowledge(struct consumer *consumer, uint64_t tag, bool multiple, struct error *error)
{
    if (!consumer->session) {
        error_set(error, ERROR_UNAVAILABLE, "the connection that the messages came by is gone");
        return false;
    }
    begin_call(consumer, CONSUMER_STUCK_MS);
    int status = amqp_basic_ack(amqp_session_connection(consumer->session), AMQP_CHANNEL, tag, multiple);
    return end_call(consumer, amqp_check(consumer->session, "acknowledging to", status, error), error);
}
