#include "publisher.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "publish_lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUEUE_TICKETS = 16384,
    QUEUE_BYTES = 256 * 1024 * 1024,
    /* Publishes between two looks at the socket, so that acks never wait behind a long burst. */
    BURST = 512,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    /* The library sends heartbeats only when called: well below half of AMQP_HEARTBEAT_S. */
    IDLE_POLL_MS = 1000,
    /* A send that takes longer means a broker that has stopped reading: requests stop waiting for it, ... */
    STUCK_MS = 1000,
    /* ... and the connection is cut, since the library would wait for ever. */
    STUCK_CUT_MS = 10000,
    /* A confirm older than this (or twice CONFIRM_TIMEOUT_MS) will not come any more. */
    OVERDUE_MS = 5000,
    /* A stuck rejected queue is no reason to interrupt the events so often: its messages are refused meanwhile. */
    REJECTED_PATIENCE = 12,
    /* A session that is to be replaced takes nothing new and waits so long for what it has sent. */
    LEAVE_MS = 200,
    LOG_AGAIN_MS = 60000,
};

/* The broker's channel waits when one of its queues is stuck: rejected messages, which go to another queue, must not
   stop the events. */
enum { LANE_EVENTS, LANE_REJECTED, LANES };

static const amqp_channel_t lane_channels[LANES] = {[LANE_EVENTS] = AMQP_CHANNEL, [LANE_REJECTED] = AMQP_CHANNEL + 1};

struct publisher {
    struct publishers *owner;
    pthread_t thread;
    bool started;
    bool finished; /* under the owner's mutex */
    struct ticket_queue *queue;
    struct publish_lane lanes[LANES];
    struct ticket **burst;
    char name[32];
    size_t url_index;
    bool connected_before;
    char last_problem[ERROR_TEXT]; /* why the last attempt to connect failed, as logged */
    int64_t last_problem_ms;
    struct amqp_session *session; /* publisher thread only */
    bool rejected_stuck;          /* nothing more is sent to the rejected queue until it confirms */
    int64_t free_since_ms;        /* since when the broker may be expected to confirm */
    int64_t leave_by_ms;          /* while leaving */
    struct error leave_reason;

    /* Under the owner's mutex; they decide about the gate. */
    const char *peer; /* NULL: not connected */
    bool blocked;     /* the broker has told this connection so */
    bool leaving;

    _Atomic int64_t sending_since_ms; /* 0: not in a send */
    _Atomic int64_t stop_at_ms;       /* 0: run; else stop, at the latest then */

    pthread_mutex_t fd_mutex; /* the descriptor lives while this is held and fd is not -1 */
    int fd;
};

struct publishers {
    const struct amqp_settings *settings;
    struct bridge_metrics *metrics;
    int64_t overdue_ms;
    size_t count;
    _Atomic unsigned turn;
    atomic_bool no_more_connecting;

    pthread_mutex_t mutex; /* guards the four below and some fields of each */
    pthread_cond_t changed;
    size_t attempts;
    size_t connected_at_first;
    struct error refusal; /* of a publisher that every URL refused */
    struct error other;   /* of one that may still get through */

    struct publisher items[];
};

static void publisher_count(struct publisher *publisher, enum bridge_metric row, int64_t n)
{
    bridge_count(publisher->owner->metrics, row, n);
}

static bool stopping(struct publisher *publisher)
{
    return atomic_load_explicit(&publisher->stop_at_ms, memory_order_relaxed) != 0;
}

static bool may_connect(struct publisher *publisher)
{
    return !stopping(publisher) && !atomic_load(&publisher->owner->no_more_connecting);
}

static void set_fd(struct publisher *publisher, int fd)
{
    pthread_mutex_lock(&publisher->fd_mutex);
    publisher->fd = fd;
    pthread_mutex_unlock(&publisher->fd_mutex);
}

/* Any thread. */
static void cut_connection(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->fd_mutex);
    if (publisher->fd >= 0)
        (void)shutdown(publisher->fd, SHUT_RDWR);
    pthread_mutex_unlock(&publisher->fd_mutex);
}

/* ---- gates ---- */

/* A broker says "blocked" only to connections that publish: what one hears holds for all to the same host and port.
   The owner's mutex is held. */
static enum gate gate_for(const struct publisher *publisher)
{
    const struct publishers *owner = publisher->owner;

    if (!publisher->peer || publisher->leaving)
        return GATE_AWAY;
    for (size_t i = 0; i < owner->count; i++) {
        const struct publisher *other = &owner->items[i];

        if (other->blocked && other->peer && strcmp(other->peer, publisher->peer) == 0)
            return GATE_BLOCKED;
    }
    return GATE_OPEN;
}

/* To be called when something that gate_for looks at has changed, with the owner's mutex held. */
static void set_gates(struct publishers *owner)
{
    for (size_t i = 0; i < owner->count; i++) {
        struct publisher *publisher = &owner->items[i];
        const enum gate gate = publisher->queue ? gate_for(publisher) : GATE_AWAY;

        if (!publisher->queue || gate == ticket_queue_gate(publisher->queue))
            continue;
        if (gate == GATE_OPEN)
            publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, 1);
        else if (ticket_queue_gate(publisher->queue) == GATE_OPEN)
            publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, -1);
        ticket_queue_set_gate(publisher->queue, gate);
        /* Its thread looks at the gate again. */
        ticket_queue_wake(publisher->queue);
    }
}

static void set_connected(struct publisher *publisher, const char *peer)
{
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->peer = peer;
    publisher->blocked = false;
    publisher->leaving = false;
    set_gates(publisher->owner);
    pthread_mutex_unlock(&publisher->owner->mutex);
}

static void set_blocked(struct publisher *publisher, bool blocked)
{
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->blocked = blocked;
    set_gates(publisher->owner);
    pthread_mutex_unlock(&publisher->owner->mutex);
}

/* The session is to be replaced: `reason` is logged when it ends. */
static void leave(struct publisher *publisher, const struct error *reason)
{
    publisher->leave_by_ms = clock_monotonic_ms() + LEAVE_MS;
    publisher->leave_reason = *reason;
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->leaving = true;
    set_gates(publisher->owner);
    pthread_mutex_unlock(&publisher->owner->mutex);
}

/* ---- frames from the broker ---- */

static void handle_blocked(struct publisher *publisher, const amqp_connection_blocked_t *blocked)
{
    if (publisher->blocked)
        return;
    log_warn("%s takes no messages for now: %.*s", amqp_session_peer(publisher->session),
             blocked->reason.len > 200 ? 200 : (int)blocked->reason.len, (const char *)blocked->reason.bytes);
    set_blocked(publisher, true);
}

static void handle_unblocked(struct publisher *publisher)
{
    if (!publisher->blocked)
        return;
    log_info("%s takes messages again", amqp_session_peer(publisher->session));
    set_blocked(publisher, false);
}

static bool handle_connection_method(struct publisher *publisher, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD:
        handle_blocked(publisher, method->decoded);
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        handle_unblocked(publisher);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD: {
        amqp_connection_close_ok_t ok = {0};

        amqp_error_of_close(error, "publishing to", amqp_session_peer(publisher->session), method);
        (void)amqp_send_method(amqp_session_connection(publisher->session), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return false;
    }
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

static bool handle_frame(struct publisher *publisher, const amqp_frame_t *frame, struct error *error)
{
    for (int i = 0; i < LANES; i++) {
        if (frame->channel == publisher->lanes[i].channel)
            return publish_lane_handle(&publisher->lanes[i], frame, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_connection_method(publisher, &frame->payload.method, error);
    return true;
}

/* Reads all that has come, and lets the library send its heartbeat. */
static bool read_frames(struct publisher *publisher, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(publisher->session);

    for (;;) {
        const struct timeval no_wait = {0, 0};
        amqp_frame_t frame;
        const int status = amqp_simple_wait_frame_noblock(connection, &frame, &no_wait);

        if (status == AMQP_STATUS_TIMEOUT)
            break;
        if (status != AMQP_STATUS_OK) {
            amqp_error_of_status(error, "reading confirms from", amqp_session_peer(publisher->session), status);
            return false;
        }
        if (!handle_frame(publisher, &frame, error))
            return false;
    }
    amqp_maybe_release_buffers(connection);
    return true;
}

/* ---- messages to the broker ---- */

/* Gathers the small sends of a burst into full segments; without it each publish is three packets. */
static void set_cork(struct publisher *publisher, int on)
{
    (void)setsockopt(amqp_session_fd(publisher->session), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static size_t waiting(const struct publisher *publisher)
{
    size_t count = 0;

    for (int i = 0; i < LANES; i++)
        count += publish_lane_waiting(&publisher->lanes[i]);
    return count;
}

/* How many tickets may be taken now, whatever lanes they are for. */
static size_t room(const struct publisher *publisher)
{
    size_t least = BURST;

    if (ticket_queue_gate(publisher->queue) != GATE_OPEN)
        return 0;
    for (int i = 0; i < LANES; i++) {
        const size_t left = publish_lane_room(&publisher->lanes[i]);

        least = left < least ? left : least;
    }
    return least;
}

/* Sends what waits. *sent: how many. False on a failed send; every ticket taken is in its lane by then. */
static bool send_burst(struct publisher *publisher, size_t *sent, struct error *error)
{
    const int64_t now_ms = clock_monotonic_ms();
    const size_t count = ticket_queue_take(publisher->queue, publisher->burst, room(publisher));
    int64_t published = 0;
    int status = AMQP_STATUS_OK;

    *sent = count;
    if (count == 0)
        return true;
    atomic_store_explicit(&publisher->sending_since_ms, now_ms, memory_order_relaxed);
    set_cork(publisher, 1);
    for (size_t i = 0; i < count; i++) {
        const bool rejected = ticket_target(publisher->burst[i]) == TICKET_REJECTED;
        struct publish_lane *lane = &publisher->lanes[rejected ? LANE_REJECTED : LANE_EVENTS];

        if (rejected && publisher->rejected_stuck) {
            ticket_settle(publisher->burst[i], PUBLISH_AWAY);
            continue;
        }
        published++;
        const int failed = publish_lane_send(lane, publisher->burst[i], now_ms, status == AMQP_STATUS_OK);

        if (failed != AMQP_STATUS_OK)
            status = failed;
    }
    set_cork(publisher, 0);
    atomic_store_explicit(&publisher->sending_since_ms, 0, memory_order_relaxed);
    publisher_count(publisher, METRIC_PUBLISHED, published);
    if (status == AMQP_STATUS_OK)
        return true;
    amqp_error_of_status(error, "publishing to", amqp_session_peer(publisher->session), status);
    return false;
}

/* Sleeps until there is something to read or to send. */
static void wait_for_work(struct publisher *publisher)
{
    struct pollfd fds[2] = {{.fd = amqp_session_fd(publisher->session), .events = POLLIN},
                            {.fd = ticket_queue_fd(publisher->queue), .events = POLLIN}};

    if (room(publisher) > 0 && !ticket_queue_sleep(publisher->queue))
        return;
    (void)poll(fds, 2, publisher->leaving ? LEAVE_MS / 4 : IDLE_POLL_MS);
    if (fds[1].revents)
        ticket_queue_awake(publisher->queue);
}

/* While the broker is blocked nobody waits for it; from then on its confirms have all their time again. */
static void heed_block(struct publisher *publisher)
{
    if (ticket_queue_gate(publisher->queue) != GATE_BLOCKED)
        return;
    publisher->free_since_ms = clock_monotonic_ms();
    for (int i = 0; i < LANES; i++)
        publish_lane_give_up(&publisher->lanes[i]);
}

/* For how long the lane has waited for a confirm; 0 if it waits for none. */
static int64_t waited_ms(const struct publisher *publisher, const struct publish_lane *lane)
{
    const int64_t oldest_ms = publish_lane_oldest_ms(lane);
    const int64_t since_ms = oldest_ms > publisher->free_since_ms ? oldest_ms : publisher->free_since_ms;

    return oldest_ms == INT64_MAX ? 0 : clock_monotonic_ms() - since_ms;
}

static void heed_stuck_rejected(struct publisher *publisher)
{
    const bool stuck = waited_ms(publisher, &publisher->lanes[LANE_REJECTED]) > publisher->owner->overdue_ms;

    if (stuck && !publisher->rejected_stuck)
        log_warn("%s: %s does not confirm messages to the rejected queue; they are refused until it does",
                 publisher->name, amqp_session_peer(publisher->session));
    publisher->rejected_stuck = stuck;
}

/* Whether opening a session anew is called for: *reason. */
static bool should_leave(const struct publisher *publisher, struct error *reason)
{
    const char *peer = amqp_session_peer(publisher->session);

    for (int i = 0; i < LANES; i++) {
        const struct publish_lane *lane = &publisher->lanes[i];
        const int64_t waited = waited_ms(publisher, lane);
        const int64_t limit = publisher->owner->overdue_ms * (i == LANE_REJECTED ? REJECTED_PATIENCE : 1);

        if (lane->came_back) {
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

/* Works on the open session until it fails (false with *error) or the program stops (true). */
static bool serve(struct publisher *publisher, struct error *error)
{
    for (;;) {
        size_t sent = 0;
        struct error reason;

        /* Frames first: an overdue heartbeat is noticed here, before amqp_basic_publish of 0.11 would wait for ever. */
        if (!read_frames(publisher, error))
            return false;
        heed_block(publisher);
        heed_stuck_rejected(publisher);
        if (!send_burst(publisher, &sent, error))
            return false;
        const int64_t now_ms = clock_monotonic_ms();
        const int64_t stop_at = atomic_load_explicit(&publisher->stop_at_ms, memory_order_relaxed);
        if (stop_at && (waiting(publisher) == 0 || now_ms >= stop_at))
            return true;
        if (!publisher->leaving && should_leave(publisher, &reason))
            leave(publisher, &reason);
        if (publisher->leaving && (waiting(publisher) == 0 || now_ms >= publisher->leave_by_ms)) {
            *error = publisher->leave_reason;
            return false;
        }
        if (sent == 0)
            wait_for_work(publisher);
    }
}

/* ---- the connection's life ---- */

static bool open_session(struct publisher *publisher, struct error *error)
{
    struct amqp_session *session =
        amqp_session_open(publisher->owner->settings, publisher->url_index++, publisher->name, error);

    if (!session)
        return false;
    for (int i = 0; i < LANES; i++) {
        if (!publish_lane_open(&publisher->lanes[i], session, error)) {
            amqp_session_drop(session);
            return false;
        }
    }
    publisher->session = session;
    publisher->last_problem[0] = '\0';
    publisher->free_since_ms = 0;
    publisher->rejected_stuck = false;
    set_fd(publisher, amqp_session_fd(session));
    set_connected(publisher, amqp_session_peer(session));
    return true;
}

/* Fails what is outstanding and forgets the connection. */
static void close_session(struct publisher *publisher, bool orderly)
{
    set_connected(publisher, NULL);
    for (int i = 0; i < LANES; i++)
        publish_lane_close(&publisher->lanes[i]);
    set_fd(publisher, -1);
    if (orderly)
        amqp_session_close(publisher->session);
    else
        amqp_session_drop(publisher->session);
    publisher->session = NULL;
}

static void report_first_attempt(struct publisher *publisher, bool connected, const struct error *error)
{
    struct publishers *owner = publisher->owner;

    pthread_mutex_lock(&owner->mutex);
    owner->attempts++;
    if (connected)
        owner->connected_at_first++;
    else if (error->code == ERROR_REFUSED)
        owner->refusal = *error;
    else
        owner->other = *error;
    pthread_cond_broadcast(&owner->changed);
    pthread_mutex_unlock(&owner->mutex);
}

/* A broker may be away for hours: the same sentence again only once a minute. */
static void log_problem(struct publisher *publisher, const struct error *error)
{
    const int64_t now_ms = clock_monotonic_ms();

    if (strcmp(error->text, publisher->last_problem) == 0 && now_ms - publisher->last_problem_ms < LOG_AGAIN_MS)
        return;
    memcpy(publisher->last_problem, error->text, sizeof publisher->last_problem);
    publisher->last_problem_ms = now_ms;
    log_warn("%s: %s", publisher->name, error->text);
}

static void wait_before_retry(struct publisher *publisher, struct backoff *backoff)
{
    const int64_t until = clock_monotonic_ms() + backoff_next_ms(backoff);

    while (may_connect(publisher)) {
        const int64_t left = until - clock_monotonic_ms();
        struct pollfd fd = {.fd = ticket_queue_fd(publisher->queue), .events = POLLIN};

        if (left <= 0)
            break;
        if (poll(&fd, 1, (int)left) > 0)
            ticket_queue_awake(publisher->queue);
    }
}

static void serve_session(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    if (publisher->connected_before)
        publisher_count(publisher, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    log_info("%s: publishing to %s", publisher->name, amqp_session_peer(publisher->session));
    orderly = serve(publisher, &error);
    if (!orderly)
        log_warn("%s: %s", publisher->name, error.text);
    close_session(publisher, orderly);
}

/* Tries each URL once and reports. A first refusal is not logged if all refuse: main says it, as the reason why it
   stops. */
static bool connect_first(struct publisher *publisher)
{
    struct error ignored;
    struct error refusal = {0};
    struct error other = {0};
    const size_t urls = amqp_urls_count(publisher->owner->settings->urls, &ignored);
    bool connected = false;

    for (size_t i = 0; i < urls && !connected && may_connect(publisher); i++) {
        struct error error = {0};

        connected = open_session(publisher, &error);
        if (connected)
            break;
        if (error.code == ERROR_REFUSED && refusal.code == ERROR_NONE) {
            refusal = error;
            continue;
        }
        log_problem(publisher, &error);
        if (error.code != ERROR_REFUSED)
            other = error;
    }
    if (refusal.code != ERROR_NONE && (connected || other.code != ERROR_NONE))
        log_problem(publisher, &refusal);
    report_first_attempt(publisher, connected, other.code == ERROR_NONE ? &refusal : &other);
    return connected;
}

static bool connect_again(struct publisher *publisher)
{
    struct error error = {0};

    if (open_session(publisher, &error))
        return true;
    log_problem(publisher, &error);
    return false;
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct backoff backoff;
    bool connected = connect_first(publisher);

    backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                 (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)publisher);
    for (;;) {
        if (connected) {
            backoff_reset(&backoff);
            serve_session(publisher);
        }
        wait_before_retry(publisher, &backoff);
        if (!may_connect(publisher))
            break;
        connected = connect_again(publisher);
    }
    pthread_mutex_lock(&publisher->owner->mutex);
    publisher->finished = true;
    pthread_cond_broadcast(&publisher->owner->changed);
    pthread_mutex_unlock(&publisher->owner->mutex);
    return NULL;
}

/* ---- all of them ---- */

static bool publisher_init(struct publisher *publisher, struct publishers *owner, size_t index, struct error *error)
{
    publisher->owner = owner;
    publisher->fd = -1;
    publisher->url_index = index;
    snprintf(publisher->name, sizeof publisher->name, "dropbridge-%zu", index + 1);
    pthread_mutex_init(&publisher->fd_mutex, NULL);
    publisher->queue = ticket_queue_new(QUEUE_TICKETS, QUEUE_BYTES, error);
    if (!publisher->queue)
        return false;
    publisher->burst = calloc(BURST, sizeof(struct ticket *));
    bool ok = publisher->burst != NULL;
    for (int i = 0; i < LANES; i++)
        ok &= publish_lane_init(&publisher->lanes[i], lane_channels[i], owner->settings, owner->metrics);
    if (!ok) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a publisher");
        return false;
    }
    return true;
}

static bool publisher_start(struct publisher *publisher, struct error *error)
{
    const int failed = pthread_create(&publisher->thread, NULL, publisher_run, publisher);

    if (failed) {
        error_set(error, ERROR_INTERNAL, "cannot start a publisher's thread: %s", strerror(failed));
        return false;
    }
    publisher->started = true;
    return true;
}

struct publishers *publishers_start(const struct amqp_settings *settings, size_t count, int64_t confirm_timeout_ms,
                                    struct bridge_metrics *metrics, struct error *error)
{
    struct publishers *publishers = calloc(1, sizeof *publishers + count * sizeof publishers->items[0]);
    pthread_condattr_t attributes;

    if (!publishers) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    publishers->settings = settings;
    publishers->metrics = metrics;
    publishers->overdue_ms = 2 * confirm_timeout_ms > OVERDUE_MS ? 2 * confirm_timeout_ms : OVERDUE_MS;
    pthread_mutex_init(&publishers->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&publishers->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        publishers->count = i + 1;
        ok = publisher_init(&publishers->items[i], publishers, i, error);
    }
    /* The threads look at each other's state: all of it is there before the first starts. */
    for (size_t i = 0; ok && i < count; i++)
        ok = publisher_start(&publishers->items[i], error);
    if (ok)
        return publishers;
    publishers_stop(publishers, clock_monotonic_ms());
    return NULL;
}

enum error_code publishers_first_attempt(struct publishers *publishers, struct error *error)
{
    enum error_code code = ERROR_NONE;

    pthread_mutex_lock(&publishers->mutex);
    while (publishers->attempts < publishers->count)
        pthread_cond_wait(&publishers->changed, &publishers->mutex);
    if (publishers->connected_at_first == 0) {
        *error = publishers->other.code != ERROR_NONE ? publishers->other : publishers->refusal;
        code = error->code;
    }
    pthread_mutex_unlock(&publishers->mutex);
    return code;
}

static enum gate gate_of(struct publisher *publisher)
{
    const int64_t since = atomic_load_explicit(&publisher->sending_since_ms, memory_order_relaxed);

    if (since && clock_monotonic_ms() - since > STUCK_MS)
        return GATE_AWAY;
    return ticket_queue_gate(publisher->queue);
}

/* Whether another connection may take a ticket that had this outcome. A lost one may arrive twice, and counts once. */
static bool may_try_another(enum publish_outcome outcome)
{
    switch (outcome) {
    case PUBLISH_LOST:
    case PUBLISH_FULL:
    case PUBLISH_AWAY:
        return true;
    case PUBLISH_CONFIRMED:
    case PUBLISH_FAILED:
    case PUBLISH_TIMEOUT:
        break;
    }
    return false;
}

enum publish_outcome publishers_submit(struct publishers *publishers, struct ticket *ticket, int64_t deadline_ms)
{
    const unsigned turn = atomic_fetch_add_explicit(&publishers->turn, 1, memory_order_relaxed);
    enum publish_outcome outcome = PUBLISH_AWAY;

    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[(turn + i) % publishers->count];

        if (gate_of(publisher) != GATE_OPEN)
            continue;
        outcome = ticket_queue_submit(publisher->queue, ticket, deadline_ms);
        if (!may_try_another(outcome) || clock_monotonic_ms() >= deadline_ms)
            break;
    }
    return outcome;
}

enum gate publishers_gate(struct publishers *publishers)
{
    enum gate best = GATE_AWAY;

    for (size_t i = 0; i < publishers->count; i++) {
        const enum gate gate = gate_of(&publishers->items[i]);

        if (gate > best)
            best = gate;
    }
    return best;
}

void publishers_watch(struct publishers *publishers)
{
    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[i];
        const int64_t since = atomic_load_explicit(&publisher->sending_since_ms, memory_order_relaxed);

        if (!since || clock_monotonic_ms() - since <= STUCK_CUT_MS)
            continue;
        log_warn("%s: the broker has not read for %d s; reconnecting", publisher->name, STUCK_CUT_MS / 1000);
        cut_connection(publisher);
    }
}

void publishers_stop_connecting(struct publishers *publishers)
{
    atomic_store(&publishers->no_more_connecting, true);
    for (size_t i = 0; i < publishers->count; i++)
        ticket_queue_wake(publishers->items[i].queue);
}

/* Joins the thread; one that is stuck in a send past the deadline loses its connection. */
static void join_publisher(struct publisher *publisher, int64_t deadline_ms)
{
    struct publishers *owner = publisher->owner;
    const struct timespec until = clock_timespec_of_ms(deadline_ms + STUCK_MS);
    int waited = 0;

    pthread_mutex_lock(&owner->mutex);
    while (!publisher->finished && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&owner->changed, &owner->mutex, &until);
    pthread_mutex_unlock(&owner->mutex);
    if (waited == ETIMEDOUT)
        cut_connection(publisher);
    pthread_join(publisher->thread, NULL);
}

void publishers_stop(struct publishers *publishers, int64_t deadline_ms)
{
    if (!publishers)
        return;
    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[i];

        atomic_store(&publisher->stop_at_ms, deadline_ms);
        if (publisher->queue)
            ticket_queue_wake(publisher->queue);
    }
    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[i];

        if (publisher->started)
            join_publisher(publisher, deadline_ms);
    }
    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[i];

        ticket_queue_free(publisher->queue);
        for (int k = 0; k < LANES; k++)
            publish_lane_clear(&publisher->lanes[k]);
        free(publisher->burst);
        pthread_mutex_destroy(&publisher->fd_mutex);
    }
    pthread_cond_destroy(&publishers->changed);
    pthread_mutex_destroy(&publishers->mutex);
    free(publishers);
}
