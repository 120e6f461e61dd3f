#include "connection.h"

#include "common/amqp_calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/protection.h"
#include "channel.h"

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
    /* A send or a read that takes longer is cut: the library would wait for ever. (It is unavailable long before.) */
    STUCK_CUT_MS = 10000,
    /* A confirm older than this (or twice CONFIRM_TIMEOUT_MS) will not come any more. */
    OVERDUE_MS = 5000,
    /* A stuck rejected queue is no reason to interrupt the events so often: its messages are refused meanwhile. */
    REJECTED_PATIENCE = 12,
    /* A session that is to be replaced takes nothing new and waits so long for what it has sent. */
    LEAVE_MS = 200,
    REASON_SHOWN = 200,
};

/* The broker's channel waits when one of its queues is stuck: rejected messages, which go to another queue, must not
   stop the events. */
enum { CHANNEL_OF_EVENTS = MESSAGE_EVENT, CHANNEL_OF_REJECTED = MESSAGE_REJECTED, CHANNELS };

static const amqp_channel_t channel_numbers[CHANNELS] = {[CHANNEL_OF_EVENTS] = AMQP_CHANNEL, [CHANNEL_OF_REJECTED] = AMQP_CHANNEL + 1};

/* What was made known of a channel's refusal. */
struct told_nacks {
    bool lasts;
    bool logged;
    int64_t nacked_ms; /* told to `availability`, of this session */
};

struct broker_connection {
    struct broker_connection_settings settings;
    struct handoff *queue; /* availability's */
    int64_t overdue_ms;
    struct watch *watch;
    struct broker_channel channels[CHANNELS];
    struct pending_message **burst;
    struct buf out; /* frames for one send */
    uint64_t burst_ends[BURSTS_MAX]; /* the tag behind each burst of events that is on its way, the oldest first */
    size_t bursts;
    struct log_limiter limiter;
    struct told_nacks refusals[CHANNELS];

    struct amqp_session *session; /* NULL: closed; what follows is of the open one */
    bool blocked;                 /* the broker has told this connection so */
    bool stalled;                 /* nobody waits for its confirms until they come again */
    bool stall_told;              /* the log has it */
    bool rejected_stuck;          /* nothing more is sent to the rejected queue until it confirms */
    bool leaving;
    int64_t free_since_ms; /* since when the broker may be expected to confirm */
    int64_t leave_by_ms;   /* while leaving */
    struct error leave_reason;

    _Atomic int64_t stop_at_ms; /* 0: run; else stop, at the latest then */
};

const char *broker_connection_peer(const struct broker_connection *session)
{
    return amqp_session_peer(session->session);
}

static void set_fact(struct broker_connection *session, enum broker_fact fact, bool holds)
{
    availability_set(session->settings.availability, session->settings.index, fact, holds);
}

/* ---- frames from the broker ---- */

static void handle_blocked(struct broker_connection *session, const amqp_connection_blocked_t *blocked)
{
    char text[ERROR_TEXT];

    if (session->blocked)
        return;
    (void)snprintf(text, sizeof text, "%s takes no messages for now: %.*s", broker_connection_peer(session),
                   blocked->reason.len > REASON_SHOWN ? REASON_SHOWN : (int)blocked->reason.len,
                   (const char *)blocked->reason.bytes);
    log_warn("%s", text);
    availability_say(session->settings.availability, text);
    session->blocked = true;
    set_fact(session, BROKER_IS_BLOCKED, true);
}

static void handle_unblocked(struct broker_connection *session)
{
    if (!session->blocked)
        return;
    log_info("%s takes messages again", broker_connection_peer(session));
    session->blocked = false;
    set_fact(session, BROKER_IS_BLOCKED, false);
}

static bool handle_connection_method(struct broker_connection *session, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD:
        handle_blocked(session, method->decoded);
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        handle_unblocked(session);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD: {
        amqp_connection_close_ok_t ok = {0};

        amqp_error_of_close(error, "publishing to", broker_connection_peer(session), method);
        (void)amqp_send_method(amqp_session_connection(session->session), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return false;
    }
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

static bool handle_frame(struct broker_connection *session, const amqp_frame_t *frame, struct error *error)
{
    for (int i = 0; i < CHANNELS; i++) {
        if (frame->channel == session->channels[i].number)
            return broker_channel_handle(&session->channels[i], frame, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_connection_method(session, &frame->payload.method, error);
    return true;
}

static bool read_all(struct broker_connection *session, struct error *error)
{
    enum amqp_read read;
    amqp_frame_t frame;

    while ((read = amqp_read_frame(session->session, &frame, "reading confirms from", error)) == AMQP_READ_FRAME) {
        if (!handle_frame(session, &frame, error))
            return false;
    }
    amqp_maybe_release_buffers(amqp_session_connection(session->session));
    return read == AMQP_READ_NOTHING;
}

static bool end_call(struct broker_connection *session, const char *doing, bool good, struct error *error)
{
    return amqp_end_call(session->session, session->watch, doing, good, error);
}

/* Reads all that has come, and lets the library send its heartbeat. */
static bool read_frames(struct broker_connection *session, struct error *error)
{
    watch_begin(session->watch, amqp_session_fd(session->session), STUCK_CUT_MS);
    const bool ok = read_all(session, error);

    return end_call(session, "reading confirms from", ok, error);
}

/* Opens the channel's channel again if it is shut, else shuts it: the connection and the other channel go on. */
static bool renew_channel(struct broker_connection *session, struct broker_channel *channel, struct error *error)
{
    bool ok;

    availability_sending(session->settings.availability, session->settings.index, clock_monotonic_ms());
    watch_begin(session->watch, amqp_session_fd(session->session), STUCK_CUT_MS);
    if (channel->shut)
        ok = broker_channel_reopen(channel, error);
    else
        ok = broker_channel_shut(channel, error);
    availability_sending(session->settings.availability, session->settings.index, 0);
    return end_call(session, "renewing a channel to", ok, error);
}

/* One step for a channel that was closed over a message, or that is refused all and may not know better. *renewed: what
   the library has read meanwhile, for other channels too, lies in its queue, and no descriptor tells of it. */
static bool renew_channels(struct broker_connection *session, bool *renewed, struct error *error)
{
    const int64_t now_ms = clock_monotonic_ms();

    for (int i = 0; i < CHANNELS; i++) {
        struct broker_channel *channel = &session->channels[i];
        const bool may_ask = broker_channel_waiting(channel) == 0 && !session->leaving && !session->blocked;

        if (!channel->shut && !(may_ask && nack_tracker_asks_afresh(&channel->refusal, now_ms)))
            continue;
        if (!channel->shut)
            log_debug("%s: asks %s afresh, by a new channel, whether it takes what it has refused",
                      session->settings.name, broker_connection_peer(session));
        if (!renew_channel(session, channel, error))
            return false;
        *renewed = true;
    }
    return true;
}

/* ---- messages to the broker ---- */

/* With TLS: gathers the library's small sends of a burst into full segments; without it each publish is three packets. */
static void set_cork(struct broker_connection *session, int on)
{
    (void)setsockopt(amqp_session_fd(session->session), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static size_t waiting(const struct broker_connection *session)
{
    size_t count = 0;

    for (int i = 0; i < CHANNELS; i++)
        count += broker_channel_waiting(&session->channels[i]);
    return count;
}

/* How many messages may be taken now, whatever channels they are for. */
static size_t room(const struct broker_connection *session)
{
    size_t least = BURST;

    if (handoff_state(session->queue) != BROKER_OPEN)
        return 0;
    for (int i = 0; i < CHANNELS; i++) {
        const size_t left = broker_channel_room(&session->channels[i]);

        least = left < least ? left : least;
    }
    return least;
}

/* Waits for a broker that does not read; the watch ends that by shutting the socket. */
static int send_out(struct broker_connection *session)
{
    const int fd = amqp_session_fd(session->session);
    size_t sent = 0;

    while (sent < session->out.len) {
        const ssize_t got = send(fd, session->out.data + sent, session->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};

        if (got > 0)
            sent += (size_t)got;
        else if (got < 0 && errno == EAGAIN)
            (void)poll(&writable, 1, -1);
        else if (got == 0 || errno != EINTR)
            return AMQP_STATUS_SOCKET_ERROR;
    }
    buf_reset(&session->out);
    return AMQP_STATUS_OK;
}

/* Sends the first `count` of the burst; the library's status. Every one is in its channel, or settled, by then. */
static int send_all(struct broker_connection *session, size_t count, int64_t now_ms)
{
    int64_t published = 0;
    const bool plain = amqp_session_is_plain(session->session);
    int status = AMQP_STATUS_OK;

    buf_reset(&session->out);
    if (!plain)
        set_cork(session, 1);
    for (size_t i = 0; i < count; i++) {
        struct broker_channel *channel = &session->channels[message_target(session->burst[i])];
        const bool stuck = channel == &session->channels[CHANNEL_OF_REJECTED] && session->rejected_stuck;

        if (stuck || nack_tracker_asks_afresh(&channel->refusal, now_ms)) {
            message_settle(session->burst[i], PUBLISH_AWAY);
            continue;
        }
        if (!broker_channel_takes(channel, session->burst[i], now_ms)) {
            message_settle(session->burst[i], PUBLISH_REFUSED);
            continue;
        }
        published++;
        const int failed = broker_channel_send(channel, session->burst[i], now_ms, status == AMQP_STATUS_OK);

        if (failed != AMQP_STATUS_OK)
            status = failed;
        if (status == AMQP_STATUS_OK && session->out.len >= OUT_FLUSH)
            status = send_out(session);
    }
    if (!plain)
        set_cork(session, 0);
    else if (status == AMQP_STATUS_OK)
        status = send_out(session);
    bridge_count(session->settings.metrics, METRIC_PUBLISHED, published);
    return status;
}

/* Bursts clock themselves by the confirms (as Nagle's bytes do): with enough of them on their way the next goes when one is
   confirmed, with all that has come meanwhile. Few large writes cost the broker, and its confirms us, less than many small ones. */
static bool may_send(struct broker_connection *session)
{
    const struct unconfirmed *window = session->channels[CHANNEL_OF_EVENTS].window;
    size_t done = 0;

    while (done < session->bursts && session->burst_ends[done] <= unconfirmed_first(window))
        done++;
    session->bursts -= done;
    memmove(session->burst_ends, session->burst_ends + done, session->bursts * sizeof session->burst_ends[0]);
    return session->bursts < BURSTS_MAX;
}

static void note_burst(struct broker_connection *session)
{
    const struct unconfirmed *window = session->channels[CHANNEL_OF_EVENTS].window;

    if (unconfirmed_count(window) > 0)
        session->burst_ends[session->bursts++] = unconfirmed_next(window);
}

/* Sends what waits. *sent: how many. */
static bool send_burst(struct broker_connection *session, size_t *sent, struct error *error)
{
    struct availability *availability = session->settings.availability;
    const size_t count = handoff_take(session->queue, session->burst, room(session));
    const int64_t now_ms = clock_monotonic_ms();

    *sent = count;
    if (count == 0)
        return true;
    availability_sending(availability, session->settings.index, now_ms);
    watch_begin(session->watch, amqp_session_fd(session->session), STUCK_CUT_MS);
    const int status = send_all(session, count, now_ms);
    note_burst(session);
    availability_sending(availability, session->settings.index, 0);
    const bool ok = amqp_check(session->session, "publishing to", status, error);
    return end_call(session, "publishing to", ok, error);
}

/* ---- confirms that do not come ---- */

/* While the broker is blocked nobody waits for it; from then on its confirms have all their time again. */
static void heed_block(struct broker_connection *session)
{
    if (handoff_state(session->queue) != BROKER_BLOCKED)
        return;
    session->free_since_ms = clock_monotonic_ms();
    for (int i = 0; i < CHANNELS; i++)
        broker_channel_give_up(&session->channels[i]);
}

/* For how long the channel has waited for a confirm; 0 if it waits for none. */
static int64_t waited_ms(const struct broker_connection *session, const struct broker_channel *channel)
{
    const int64_t oldest_ms = broker_channel_oldest_ms(channel);
    const int64_t since_ms = oldest_ms > session->free_since_ms ? oldest_ms : session->free_since_ms;

    return oldest_ms == INT64_MAX ? 0 : clock_monotonic_ms() - since_ms;
}

static bool is_late(const struct broker_connection *session, int channel)
{
    return waited_ms(session, &session->channels[channel]) >= session->settings.confirm_timeout_ms && protection("deadline");
}

static void begin_stall(struct broker_connection *session)
{
    char text[ERROR_TEXT];

    (void)snprintf(text, sizeof text, "%s has not confirmed a message for %lld ms; nobody waits for it until it does",
                   broker_connection_peer(session), (long long)session->settings.confirm_timeout_ms);
    availability_say(session->settings.availability, text);
    session->stalled = true;
    session->stall_told = log_limiter_is_news(&session->limiter, text, clock_monotonic_ms());
    if (session->stall_told)
        log_warn("%s: %s", session->settings.name, text);
    /* First the state, so that who is given up goes elsewhere. */
    set_fact(session, BROKER_IS_STALLED, true);
    broker_channel_give_up(&session->channels[CHANNEL_OF_EVENTS]);
}

/* A broker that stands still costs one CONFIRM_TIMEOUT_MS of waiting, not one a request. */
static void heed_stall(struct broker_connection *session)
{
    const bool late = is_late(session, CHANNEL_OF_EVENTS);

    if (late == session->stalled)
        return;
    if (late) {
        begin_stall(session);
        return;
    }
    session->stalled = false;
    if (session->stall_told)
        log_info("%s: %s confirms again", session->settings.name, broker_connection_peer(session));
    set_fact(session, BROKER_IS_STALLED, false);
}

static void heed_stuck_rejected(struct broker_connection *session)
{
    const bool stuck = is_late(session, CHANNEL_OF_REJECTED);
    char text[ERROR_TEXT];

    if (stuck && !session->rejected_stuck) {
        (void)snprintf(text, sizeof text,
                       "%s does not confirm messages to the rejected queue; it is sent no more until it does",
                       broker_connection_peer(session));
        if (log_limiter_is_news(&session->limiter, text, clock_monotonic_ms()))
            log_warn("%s: %s", session->settings.name, text);
        broker_channel_give_up(&session->channels[CHANNEL_OF_REJECTED]);
    }
    session->rejected_stuck = stuck;
}

/* ---- events that are not taken ---- */

/* The queue of the channel, for people. */
static const char *queue_of(const struct broker_connection *session, int channel)
{
    return channel == CHANNEL_OF_EVENTS ? session->settings.amqp->queue : session->settings.amqp->rejected_queue;
}

static void say_refusal(struct broker_connection *session, int channel)
{
    static const char *const refused[CHANNELS] = {
        [CHANNEL_OF_EVENTS] = "events", [CHANNEL_OF_REJECTED] = "messages to the rejected queue"};
    static const char *const remedies[CHANNELS] = {[CHANNEL_OF_EVENTS] = "Let workers empty it", [CHANNEL_OF_REJECTED] = "Empty it"};
    struct told_nacks *told = &session->refusals[channel];
    const char *peer = broker_connection_peer(session);
    char text[ERROR_TEXT];

    if (told->lasts) {
        (void)snprintf(text, sizeof text, "%s refuses %s: is %s full (max-length)? %s, or raise the limit", peer,
                       refused[channel], queue_of(session, channel), remedies[channel]);
        told->logged = log_limiter_is_news(&session->limiter, text, clock_monotonic_ms());
        if (told->logged)
            log_warn("%s: %s", session->settings.name, text);
    } else if (told->logged) {
        log_info("%s: %s takes %s again", session->settings.name, peer, refused[channel]);
    }
}

/* The state stays open: only a message that is sent shows when the queue has room again. */
static void heed_refusal(struct broker_connection *session, int channel)
{
    const struct nack_tracker *refusal = &session->channels[channel].refusal;
    struct told_nacks *told = &session->refusals[channel];
    const int64_t nacked_ms = nack_tracker_told_ms(refusal);

    if (nacked_ms != told->nacked_ms) {
        told->nacked_ms = nacked_ms;
        availability_nacked(session->settings.availability, session->settings.index, (enum message_target)channel, nacked_ms);
    }
    if (refusal->lasts != told->lasts) {
        told->lasts = refusal->lasts;
        say_refusal(session, channel);
    }
}

/* ---- leaving ---- */

/* Whether opening a session anew is called for: *reason. */
static bool should_leave(const struct broker_connection *session, struct error *reason)
{
    const char *peer = broker_connection_peer(session);

    for (int i = 0; i < CHANNELS; i++) {
        const struct broker_channel *channel = &session->channels[i];
        const int64_t waited = waited_ms(session, channel);
        const int64_t limit = session->overdue_ms * (i == CHANNEL_OF_REJECTED ? REJECTED_PATIENCE : 1);

        if (channel->came_back) {
            error_set(reason, ERROR_UNAVAILABLE,
                      "%s could not route a message (was a queue deleted?): declaring all again", peer);
            return true;
        }
        if (waited > limit) {
            error_set(reason, ERROR_UNAVAILABLE, "%s has not confirmed a message for %lld ms: connecting again", peer,
                      (long long)waited);
            return true;
        }
    }
    return false;
}

/* The session is to be replaced: `reason` is what serving ends with. */
static void leave(struct broker_connection *session, const struct error *reason)
{
    session->leaving = true;
    session->leave_by_ms = clock_monotonic_ms() + LEAVE_MS;
    session->leave_reason = *reason;
    set_fact(session, BROKER_IS_LEAVING, true);
}

/* ---- the loop ---- */

/* How long nothing can become due. */
static int64_t idle_ms(const struct broker_connection *session)
{
    const int64_t stop_at = atomic_load_explicit(&session->stop_at_ms, memory_order_relaxed);
    int64_t idle = session->leaving ? LEAVE_MS / 4 : IDLE_POLL_MS;

    if (stop_at) {
        const int64_t left = stop_at - clock_monotonic_ms();

        idle = left < idle ? left : idle;
    }
    for (int i = 0; i < CHANNELS; i++) {
        const bool late = i == CHANNEL_OF_EVENTS ? session->stalled : session->rejected_stuck;

        if (late || broker_channel_waiting(&session->channels[i]) == 0)
            continue;
        const int64_t left = session->settings.confirm_timeout_ms - waited_ms(session, &session->channels[i]);

        idle = left < idle ? left : idle;
    }
    return idle > 1 ? idle : 1;
}

/* Sleeps until there is something to read, to send or to judge. */
static void wait_for_work(struct broker_connection *session)
{
    struct pollfd fds[2] = {{.fd = amqp_session_fd(session->session), .events = POLLIN},
                            {.fd = handoff_fd(session->queue), .events = POLLIN}};

    const bool takes = may_send(session);

    if (takes && room(session) > 0 && !handoff_sleep(session->queue))
        return;
    (void)poll(fds, takes ? 2 : 1, (int)idle_ms(session));
    if (takes && fds[1].revents)
        handoff_awake(session->queue);
}

bool broker_connection_serve(struct broker_connection *session, struct error *error)
{
    for (;;) {
        size_t sent = 0;
        bool renewed = false;
        struct error reason;

        /* Frames first: an overdue heartbeat is noticed here, before amqp_basic_publish of 0.11 would wait for ever. */
        if (!read_frames(session, error) || !renew_channels(session, &renewed, error))
            return false;
        if (renewed)
            continue;
        heed_block(session);
        heed_stall(session);
        heed_stuck_rejected(session);
        for (int i = 0; i < CHANNELS; i++)
            heed_refusal(session, i);
        if (may_send(session) && !send_burst(session, &sent, error))
            return false;
        const int64_t now_ms = clock_monotonic_ms();
        const int64_t stop_at = atomic_load_explicit(&session->stop_at_ms, memory_order_relaxed);
        if (stop_at && (waiting(session) == 0 || now_ms >= stop_at))
            return true;
        if (!session->leaving && should_leave(session, &reason))
            leave(session, &reason);
        if (session->leaving && (waiting(session) == 0 || now_ms >= session->leave_by_ms)) {
            *error = session->leave_reason;
            return false;
        }
        if (sent == 0)
            wait_for_work(session);
    }
}

/* ---- its life ---- */

static bool open_lanes(struct broker_connection *session, struct amqp_session *amqp, struct error *error)
{
    bool ok = true;

    watch_begin(session->watch, amqp_session_fd(amqp), AMQP_OPEN_TIMEOUT_MS);
    for (int i = 0; ok && i < CHANNELS; i++)
        ok = broker_channel_open(&session->channels[i], amqp, error);
    if (watch_end(session->watch) && ok) {
        error_set(error, ERROR_UNAVAILABLE, "%s did not answer in time", amqp_session_peer(amqp));
        ok = false;
    }
    return ok;
}

bool broker_connection_open(struct broker_connection *session, size_t url_index, struct error *error)
{
    const struct broker_connection_settings *settings = &session->settings;
    struct amqp_session *amqp = amqp_session_connect(settings->amqp, url_index, settings->name, session->watch, error);

    if (!amqp)
        return false;
    if (!amqp_session_declare(amqp, settings->amqp, error)) {
        amqp_session_close(amqp);
        return false;
    }
    if (!open_lanes(session, amqp, error)) {
        for (int i = 0; i < CHANNELS; i++)
            broker_channel_close(&session->channels[i]);
        amqp_session_drop(amqp);
        return false;
    }
    session->session = amqp;
    session->blocked = false;
    session->stalled = false;
    session->rejected_stuck = false;
    session->leaving = false;
    session->free_since_ms = 0;
    session->bursts = 0;
    for (int i = 0; i < CHANNELS; i++)
        session->refusals[i].nacked_ms = 0;
    availability_connected(settings->availability, settings->index, amqp_session_peer(amqp), url_index);
    return true;
}

void broker_connection_close(struct broker_connection *session, bool orderly)
{
    availability_connected(session->settings.availability, session->settings.index, NULL, 0);
    for (int i = 0; i < CHANNELS; i++)
        broker_channel_close(&session->channels[i]);
    if (orderly)
        amqp_session_close(session->session);
    else
        amqp_session_drop(session->session);
    session->session = NULL;
}

struct broker_connection *broker_connection_new(const struct broker_connection_settings *settings, struct error *error)
{
    struct broker_connection *session = calloc(1, sizeof *session);
    const int64_t twice_ms = 2 * settings->confirm_timeout_ms;
    bool ok = session != NULL;

    if (session) {
        session->settings = *settings;
        session->queue = availability_queue(settings->availability, settings->index);
        session->overdue_ms = twice_ms > OVERDUE_MS ? twice_ms : OVERDUE_MS;
        session->watch = watch_new(settings->dog);
        session->burst = calloc(BURST, sizeof(struct pending_message *));
        buf_init(&session->out, OUT_LIMIT);
        ok = session->watch && session->burst;
        for (int i = 0; i < CHANNELS; i++)
            ok &= broker_channel_init(&session->channels[i], channel_numbers[i], settings->amqp,
                                    availability_body_limit(settings->availability), &session->out, settings->metrics);
    }
    if (ok)
        return session;
    error_set(error, ERROR_NO_MEMORY, "no memory for a publisher");
    broker_connection_free(session);
    return NULL;
}

void broker_connection_free(struct broker_connection *session)
{
    if (!session)
        return;
    for (int i = 0; i < CHANNELS; i++)
        broker_channel_clear(&session->channels[i]);
    free(session->burst);
    buf_clear(&session->out);
    watch_free(session->watch);
    free(session);
}

void broker_connection_stop(struct broker_connection *session, int64_t at_ms)
{
    atomic_store(&session->stop_at_ms, at_ms);
    handoff_wake(session->queue);
}

void broker_connection_abort(struct broker_connection *session)
{
    watch_abort(session->watch);
}
