#include "connection.h"

#include "common/amqp_calls.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /* Publishes between two looks at the socket, so that acks never wait behind a long burst. */
    BURST = 512,
    BURSTS_MAX = 4, /* on their way; one alone would wait for the slowest sync, many are small ones again */
    OUT_FLUSH = 256 * 1024, /* bytes of frames that are gathered for one send, ... */
    OUT_LIMIT = OUT_FLUSH + 32 * 1024 * 1024, /* ... and one message more, of whatever size */
    /* The library sends heartbeats only when called: well below half of AMQP_HEARTBEAT_S. */
    IDLE_POLL_MS = 1000,
    /* A send or a read that takes longer is cut, for nothing else can be done on the connection meanwhile. */
    CALL_MS = 3000,
    /* How often exchanges, queues and bindings are declared again, and how soon when a message came back. */
    DECLARE_MS = TIMER_MS(10000),
    DECLARE_SOON_MS = TIMER_MS(1000),
    GRACE_MS = 1000, /* behind the deadline of a stop, for a goodbye to the broker; then calls are cut */
};

/* A channel waits when one of its queues is stuck: rejected messages, which go to another queue, must not stop the events.
   The last is for declarations, over which the broker closes it. */
enum { CHANNELS = MESSAGE_TARGETS, DECLARING = AMQP_CHANNEL + CHANNELS };

struct broker_connection {
    struct broker_connection_settings settings;
    struct handoff *queue; /* availability's */
    struct watch *watch;
    struct broker_channel channels[CHANNELS]; /* by enum message_target */
    struct pending_message *burst[BURST];
    struct buf out; /* frames for one send */

    struct amqp_session *session;    /* NULL: closed; what follows is of the open one */
    uint64_t burst_ends[BURSTS_MAX]; /* the tag behind each of the last bursts of events */
    size_t bursts;                   /* so far, modulo BURSTS_MAX the oldest of these, whose place the next one takes */
    struct connection_facts facts;
    int64_t declared_ms;
    bool returned; /* since then: a message could not be routed */

    _Atomic int64_t stop_at_ms; /* 0: run; else stop, at the latest then */
};

static const char *peer(const struct broker_connection *connection)
{
    return amqp_session_peer(connection->session);
}

static void publish_facts(struct broker_connection *connection)
{
    availability_set(connection->settings.availability, connection->settings.index, &connection->facts);
}

static void begin_call(struct broker_connection *connection)
{
    watch_begin(connection->watch, amqp_session_fd(connection->session), CALL_MS);
}

static bool end_call(struct broker_connection *connection, const char *doing, bool good, struct error *error)
{
    return amqp_end_call(connection->session, connection->watch, doing, good, error);
}

/* ---- frames from the broker ---- */

static void handle_blocked(struct broker_connection *connection, const amqp_connection_blocked_t *blocked)
{
    char text[ERROR_TEXT];

    (void)snprintf(text, sizeof text, "%s takes no messages for now: %.*s", peer(connection), (int)blocked->reason.len,
                   (const char *)blocked->reason.bytes);
    log_warn("%s", text);
    availability_say(connection->settings.availability, text);
    connection->facts.blocked = true;
    publish_facts(connection);
}

static bool handle_connection_method(struct broker_connection *connection, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD:
        handle_blocked(connection, method->decoded);
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        log_info("%s takes messages again", peer(connection));
        connection->facts.blocked = false;
        publish_facts(connection);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD:
        amqp_error_of_close(error, "publishing to", peer(connection), method);
        return false;
    case AMQP_CHANNEL_CLOSE_METHOD: /* opening the connection again says what is to be done */
        amqp_error_of_close(error, "declaring exchanges and queues at", peer(connection), method);
        return false;
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

static bool handle_frame(struct broker_connection *connection, const amqp_frame_t *frame, struct error *error)
{
    for (int i = 0; i < CHANNELS; i++) {
        if (frame->channel == connection->channels[i].number)
            return broker_channel_handle(&connection->channels[i], frame, &connection->returned, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_connection_method(connection, &frame->payload.method, error);
    return true;
}

/* Reads all that has come, and lets the library send its heartbeat. */
static bool read_frames(struct broker_connection *connection, struct error *error)
{
    static const char doing[] = "reading confirms from";
    enum amqp_read read;
    amqp_frame_t frame;
    bool good = true;

    begin_call(connection);
    while (good && (read = amqp_read_frame(connection->session, &frame, doing, error)) != AMQP_READ_NOTHING)
        good = read == AMQP_READ_FRAME && handle_frame(connection, &frame, error);
    if (good)
        amqp_maybe_release_buffers(amqp_session_connection(connection->session));
    return end_call(connection, doing, good, error);
}

/* ---- messages to the broker ---- */

/* With TLS: gathers the library's small sends of a burst into full segments; without it each publish is three packets. */
static void set_cork(struct broker_connection *connection, int on)
{
    (void)setsockopt(amqp_session_fd(connection->session), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

/* How many messages may be taken now, whatever channels they are for. */
static size_t room(const struct broker_connection *connection)
{
    size_t least = BURST;

    if (handoff_state(connection->queue) != BROKER_OPEN)
        return 0;
    for (int i = 0; i < CHANNELS; i++) {
        const size_t left = broker_channel_room(&connection->channels[i]);

        least = left < least ? left : least;
    }
    return least;
}

/* Waits for a broker that does not read; the watch ends that by shutting the socket. */
static int send_out(struct broker_connection *connection)
{
    const int fd = amqp_session_fd(connection->session);
    size_t sent = 0;

    while (sent < connection->out.len) {
        const ssize_t got = send(fd, connection->out.data + sent, connection->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};

        if (got > 0)
            sent += (size_t)got;
        else if (got < 0 && errno == EAGAIN)
            (void)poll(&writable, 1, -1);
        else if (got == 0 || errno != EINTR)
            return AMQP_STATUS_SOCKET_ERROR;
    }
    buf_reset(&connection->out);
    return AMQP_STATUS_OK;
}

/* Sends the first `count` of the burst; the library's status. Every one is in its channel, or settled, by then. */
static int send_all(struct broker_connection *connection, size_t count, int64_t now_ms)
{
    int64_t published = 0;
    const bool plain = amqp_session_is_plain(connection->session);
    int status = AMQP_STATUS_OK;

    buf_reset(&connection->out);
    if (!plain)
        set_cork(connection, 1);
    for (size_t i = 0; i < count; i++) {
        struct pending_message *message = connection->burst[i];
        struct broker_channel *channel = &connection->channels[message->target];

        if (status != AMQP_STATUS_OK) {
            message_settle(message, PUBLISH_LOST);
            continue;
        }
        if (channel->stalled || !availability_takes(connection->settings.availability, message->body_len, now_ms)) {
            message_settle(message, channel->stalled ? PUBLISH_AWAY : PUBLISH_REFUSED);
            continue;
        }
        published++;
        status = broker_channel_send(channel, message, now_ms);
        if (status == AMQP_STATUS_OK && connection->out.len >= OUT_FLUSH)
            status = send_out(connection);
    }
    if (!plain)
        set_cork(connection, 0);
    else if (status == AMQP_STATUS_OK)
        status = send_out(connection);
    bridge_count(connection->settings.metrics, METRIC_PUBLISHED, published);
    return status;
}

/* Bursts clock themselves by the confirms (as Nagle's bytes do): with enough of them on their way the next goes when one is
   confirmed, with all that has come meanwhile. Few large writes cost the broker, and its confirms us, less than many small ones. */
static bool may_send(const struct broker_connection *connection)
{
    return connection->burst_ends[connection->bursts % BURSTS_MAX] <= connection->channels[MESSAGE_EVENT].unconfirmed->first;
}

/* Sends what waits. *sent: how many. */
static bool send_burst(struct broker_connection *connection, size_t *sent, struct error *error)
{
    const struct unconfirmed *events = connection->channels[MESSAGE_EVENT].unconfirmed;
    const size_t count = handoff_take(connection->queue, connection->burst, room(connection));

    *sent = count;
    if (count == 0)
        return true;
    begin_call(connection);
    const int status = send_all(connection, count, clock_monotonic_ms());
    if (events->count > 0)
        connection->burst_ends[connection->bursts++ % BURSTS_MAX] = events->next;
    const bool ok = amqp_check(connection->session, "publishing to", status, error);
    return end_call(connection, "publishing to", ok, error);
}

/* Makes again what was deleted or unbound, even when nothing is published. */
static bool declare_again(struct broker_connection *connection, struct error *error)
{
    const int64_t now_ms = clock_monotonic_ms();

    /* A broker that is blocked does not read. */
    if (now_ms - connection->declared_ms < (connection->returned ? DECLARE_SOON_MS : DECLARE_MS) ||
        handoff_state(connection->queue) != BROKER_OPEN)
        return true;
    begin_call(connection);
    const bool ok = amqp_session_declare_again(connection->session, DECLARING, connection->settings.amqp, error);
    connection->declared_ms = now_ms;
    connection->returned = false;
    return end_call(connection, "declaring exchanges and queues at", ok, error);
}

/* False with *error if the connection is to be opened anew. */
static bool check_confirms(struct broker_connection *connection, struct error *error)
{
    const bool blocked = handoff_state(connection->queue) == BROKER_BLOCKED;
    const int64_t now_ms = clock_monotonic_ms();

    for (int i = 0; i < CHANNELS; i++) {
        if (!broker_channel_check(&connection->channels[i], blocked, now_ms, error))
            return false;
    }
    if (connection->facts.stalled != connection->channels[MESSAGE_EVENT].stalled) {
        connection->facts.stalled = connection->channels[MESSAGE_EVENT].stalled;
        publish_facts(connection);
    }
    return true;
}

/* ---- the loop ---- */

/* How long nothing can become due. */
static int64_t idle_ms(const struct broker_connection *connection)
{
    const int64_t stop_at = atomic_load_explicit(&connection->stop_at_ms, memory_order_relaxed);
    const int64_t now_ms = clock_monotonic_ms();
    int64_t idle = IDLE_POLL_MS;

    if (stop_at)
        idle = stop_at - now_ms < idle ? stop_at - now_ms : idle;
    for (int i = 0; i < CHANNELS; i++) {
        const int64_t left = broker_channel_idle_ms(&connection->channels[i], now_ms);

        idle = left < idle ? left : idle;
    }
    return idle > 1 ? idle : 1;
}

/* Sleeps until there is something to read, to send or to judge. */
static void wait_for_work(struct broker_connection *connection)
{
    struct pollfd fds[2] = {{.fd = amqp_session_fd(connection->session), .events = POLLIN},
                            {.fd = handoff_fd(connection->queue), .events = POLLIN}};

    const bool takes = may_send(connection);

    if (takes && room(connection) > 0 && !handoff_sleep(connection->queue))
        return;
    (void)poll(fds, takes ? 2 : 1, (int)idle_ms(connection));
    if (takes && fds[1].revents)
        handoff_awake(connection->queue);
}

static bool must_stop(const struct broker_connection *connection)
{
    const int64_t stop_at = atomic_load_explicit(&connection->stop_at_ms, memory_order_relaxed);
    size_t waiting = 0;

    if (!stop_at)
        return false;
    for (int i = 0; i < CHANNELS; i++)
        waiting += connection->channels[i].unconfirmed->count;
    return waiting == 0 || clock_monotonic_ms() >= stop_at;
}

bool broker_connection_serve(struct broker_connection *connection, struct error *error)
{
    for (;;) {
        size_t sent = 0;

        /* Frames first: an overdue heartbeat is noticed here, before amqp_basic_publish of 0.11 would wait for ever. */
        if (!read_frames(connection, error) || !check_confirms(connection, error) || !declare_again(connection, error))
            return false;
        if (may_send(connection) && !send_burst(connection, &sent, error))
            return false;
        if (must_stop(connection))
            return true;
        if (sent == 0)
            wait_for_work(connection);
    }
}

/* ---- its life ---- */

static bool open_channels(struct broker_connection *connection, struct error *error)
{
    bool ok = true;

    watch_begin(connection->watch, amqp_session_fd(connection->session), AMQP_OPEN_TIMEOUT_MS);
    for (int i = 0; ok && i < CHANNELS; i++)
        ok = broker_channel_open(&connection->channels[i], connection->session, error);
    ok = ok && amqp_open_channel(connection->session, DECLARING, error);
    return end_call(connection, "opening channels to", ok, error);
}

bool broker_connection_open(struct broker_connection *connection, size_t url_index, struct error *error)
{
    const struct broker_connection_settings *settings = &connection->settings;

    connection->session = amqp_session_open(settings->amqp, url_index, settings->name, connection->watch, error);
    if (!connection->session)
        return false;
    if (!open_channels(connection, error)) {
        broker_connection_close(connection, false);
        return false;
    }
    connection->declared_ms = clock_monotonic_ms();
    connection->returned = false;
    memset(connection->burst_ends, 0, sizeof connection->burst_ends);
    connection->facts = (struct connection_facts){.peer = peer(connection)};
    publish_facts(connection);
    log_info("%s: publishing to %s", settings->name, peer(connection));
    return true;
}

void broker_connection_close(struct broker_connection *connection, bool orderly)
{
    connection->facts = (struct connection_facts){.peer = NULL};
    publish_facts(connection);
    for (int i = 0; i < CHANNELS; i++)
        broker_channel_close(&connection->channels[i]);
    if (orderly)
        amqp_session_close(connection->session);
    else
        amqp_session_drop(connection->session);
    connection->session = NULL;
}

struct broker_connection *broker_connection_new(const struct broker_connection_settings *settings, struct error *error)
{
    struct broker_connection *connection = calloc(1, sizeof *connection);
    bool ok = connection != NULL;

    if (connection) {
        connection->settings = *settings;
        connection->queue = availability_queue(settings->availability, settings->index);
        connection->watch = watch_new(settings->dog);
        buf_init(&connection->out, OUT_LIMIT);
        ok = connection->watch != NULL;
        for (int i = 0; i < CHANNELS; i++)
            ok &= broker_channel_init(&connection->channels[i], &connection->settings, (enum message_target)i, &connection->out);
    }
    if (ok)
        return connection;
    error_set(error, ERROR_NO_MEMORY, "no memory for a publisher");
    broker_connection_free(connection);
    return NULL;
}

void broker_connection_free(struct broker_connection *connection)
{
    if (!connection)
        return;
    for (int i = 0; i < CHANNELS; i++)
        broker_channel_clear(&connection->channels[i]);
    buf_clear(&connection->out);
    watch_free(connection->watch);
    free(connection);
}

void broker_connection_stop(struct broker_connection *connection, int64_t at_ms)
{
    atomic_store(&connection->stop_at_ms, at_ms);
    handoff_wake(connection->queue);
    watch_abort_at(connection->watch, at_ms + GRACE_MS);
}
