#include "publisher.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "confirm_window.h"

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
    /* Unconfirmed publishes a connection: HTTP threads bound it too; past some thousands the broker gains nothing. */
    WINDOW = 4096,
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
    LOG_AGAIN_MS = 60000,
};

/* A returned message comes as a method, a header and body frames. */
struct incoming_return {
    bool active;
    bool has_header;
    uint64_t body_left;
};

struct publisher {
    struct publishers *owner;
    pthread_t thread;
    bool started;
    bool finished; /* under the owner's mutex */
    struct publish_queue *queue;
    struct confirm_window *window;
    struct ticket **burst;
    char name[32];
    size_t url_index;
    bool connected_before;
    bool blocked;
    bool reopen;                   /* a message came back: the queue is gone, and opening a session declares it again */
    char last_problem[ERROR_TEXT]; /* why the last attempt to connect failed, as logged */
    int64_t last_problem_ms;
    struct amqp_session *session; /* publisher thread only */
    struct incoming_return incoming;

    _Atomic int64_t sending_since_ms; /* 0: not in a send */
    _Atomic int64_t stop_at_ms;       /* 0: run; else stop, at the latest then */

    pthread_mutex_t fd_mutex; /* the descriptor lives while this is held and fd is not -1 */
    int fd;
};

struct publishers {
    const struct amqp_settings *settings;
    struct bridge_metrics *metrics;
    size_t count;
    _Atomic unsigned turn;

    pthread_mutex_t mutex; /* guards the three below and `finished` of each */
    pthread_cond_t changed;
    size_t attempts;
    size_t connected_at_first;
    struct error first_error;

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

/* ---- outcomes ---- */

static void on_acked(void *context, void *item)
{
    struct publisher *publisher = context;
    struct ticket *ticket = item;
    const bool returned = ticket_is_returned(ticket);

    if (!ticket_settle(ticket, returned ? PUBLISH_FAILED : PUBLISH_CONFIRMED) && !returned)
        publisher_count(publisher, METRIC_LATE_CONFIRMS, 1);
}

static void on_nacked(void *context, void *item)
{
    publisher_count(context, METRIC_NACKED, 1);
    ticket_settle(item, PUBLISH_FAILED);
}

static void on_lost(void *context, void *item)
{
    (void)context;
    ticket_settle(item, PUBLISH_FAILED);
}

/* ---- frames from the broker ---- */

static bool settle(struct publisher *publisher, uint64_t tag, bool multiple, void (*settled)(void *, void *),
                   struct error *error)
{
    if (confirm_window_settle(publisher->window, tag, multiple, settled, publisher) >= 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was not sent",
              amqp_session_peer(publisher->session));
    return false;
}

static void block(struct publisher *publisher, const amqp_connection_blocked_t *blocked)
{
    publisher->blocked = true;
    publish_queue_set_gate(publisher->queue, PUBLISH_GATE_BLOCKED);
    publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, -1);
    log_warn("%s takes no messages for now: %.*s", amqp_session_peer(publisher->session),
             blocked->reason.len > 200 ? 200 : (int)blocked->reason.len, (const char *)blocked->reason.bytes);
}

static void unblock(struct publisher *publisher)
{
    publisher->blocked = false;
    publish_queue_set_gate(publisher->queue, PUBLISH_GATE_OPEN);
    publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, 1);
    log_info("%s takes messages again", amqp_session_peer(publisher->session));
}

static void begin_return(struct publisher *publisher, const amqp_basic_return_t *returned)
{
    publisher->incoming = (struct incoming_return){.active = true};
    publisher->reopen = true;
    publisher_count(publisher, METRIC_RETURNED, 1);
    log_debug("a message came back: %d %.*s", returned->reply_code, (int)returned->reply_text.len,
              (const char *)returned->reply_text.bytes);
}

static bool handle_close(struct publisher *publisher, const amqp_method_t *method, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(publisher->session);

    amqp_error_of_close(error, "publishing to", amqp_session_peer(publisher->session), method);
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        amqp_connection_close_ok_t ok = {0};

        (void)amqp_send_method(connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    } else {
        amqp_channel_close_ok_t ok = {0};

        (void)amqp_send_method(connection, AMQP_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    }
    return false;
}

static bool handle_method(struct publisher *publisher, const amqp_method_t *method, struct error *error)
{
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;

        return settle(publisher, ack->delivery_tag, ack->multiple, on_acked, error);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;

        return settle(publisher, nack->delivery_tag, nack->multiple, on_nacked, error);
    }
    case AMQP_BASIC_RETURN_METHOD:
        begin_return(publisher, method->decoded);
        return true;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        if (!publisher->blocked)
            block(publisher, method->decoded);
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        if (publisher->blocked)
            unblock(publisher);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
        return handle_close(publisher, method, error);
    default:
        log_debug("ignored AMQP method 0x%08x", (unsigned)method->id);
        return true;
    }
}

static bool has_message_id(const void *context, const void *item)
{
    const struct bytes *id = context;

    return !ticket_is_returned(item) && bytes_equal(*id, bytes_of_text(ticket_envelope(item)->message_id));
}

static void handle_return_header(struct publisher *publisher, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct ticket *ticket = NULL;

    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        const struct bytes id = bytes_of(properties->message_id.bytes, properties->message_id.len);

        ticket = confirm_window_find(publisher->window, has_message_id, &id);
    }
    if (ticket)
        ticket_mark_returned(ticket);
    else
        log_warn("%s returned a message that does not wait", amqp_session_peer(publisher->session));
    publisher->incoming.has_header = true;
    publisher->incoming.body_left = frame->payload.properties.body_size;
    publisher->incoming.active = publisher->incoming.body_left > 0;
}

static bool handle_frame(struct publisher *publisher, const amqp_frame_t *frame, struct error *error)
{
    struct incoming_return *incoming = &publisher->incoming;

    if (frame->frame_type == AMQP_FRAME_METHOD)
        return handle_method(publisher, &frame->payload.method, error);
    if (frame->frame_type == AMQP_FRAME_HEADER && incoming->active && !incoming->has_header) {
        handle_return_header(publisher, frame);
    } else if (frame->frame_type == AMQP_FRAME_BODY && incoming->active && incoming->has_header) {
        const uint64_t len = frame->payload.body_fragment.len;

        incoming->body_left -= len < incoming->body_left ? len : incoming->body_left;
        incoming->active = incoming->body_left > 0;
    }
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

static int publish_one(struct publisher *publisher, struct ticket *ticket)
{
    const struct amqp_settings *settings = publisher->owner->settings;
    const bool rejected = ticket_target(ticket) == TICKET_REJECTED;
    const struct bytes body = ticket_body_bytes(ticket);
    const amqp_bytes_t content = {.len = body.len, .bytes = (void *)(uintptr_t)body.data};
    struct envelope_properties properties;

    envelope_to_properties(ticket_envelope(ticket), &properties);
    if (rejected)
        envelope_add_rejection(&properties, ticket_reject_reason(ticket), ticket_reject_detail(ticket));
    return amqp_basic_publish(amqp_session_connection(publisher->session), AMQP_CHANNEL,
                              amqp_cstring_bytes(rejected ? settings->rejected_queue : settings->exchange),
                              rejected ? amqp_empty_bytes : amqp_cstring_bytes(settings->queue), 1, 0,
                              &properties.basic, content);
}

/* Gathers the small sends of a burst into full segments; without it each publish is three packets. */
static void set_cork(struct publisher *publisher, int on)
{
    (void)setsockopt(amqp_session_fd(publisher->session), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

/* Sends what waits. *sent: how many. False on a failed send; every ticket taken is in the window by then. */
static bool send_burst(struct publisher *publisher, size_t *sent, struct error *error)
{
    struct confirm_window *window = publisher->window;
    const size_t room = confirm_window_capacity(window) - confirm_window_span(window);
    size_t count = 0;
    int status = AMQP_STATUS_OK;

    if (!publisher->blocked && !publisher->reopen)
        count = publish_queue_take(publisher->queue, publisher->burst, room < BURST ? room : BURST);
    *sent = count;
    if (count == 0)
        return true;
    atomic_store_explicit(&publisher->sending_since_ms, clock_monotonic_ms(), memory_order_relaxed);
    set_cork(publisher, 1);
    for (size_t i = 0; i < count; i++) {
        confirm_window_push(window, publisher->burst[i]);
        if (status == AMQP_STATUS_OK)
            status = publish_one(publisher, publisher->burst[i]);
    }
    set_cork(publisher, 0);
    atomic_store_explicit(&publisher->sending_since_ms, 0, memory_order_relaxed);
    publisher_count(publisher, METRIC_PUBLISHED, (int64_t)count);
    if (status == AMQP_STATUS_OK)
        return true;
    amqp_error_of_status(error, "publishing to", amqp_session_peer(publisher->session), status);
    return false;
}

/* Sleeps until there is something to read or to send. */
static void wait_for_work(struct publisher *publisher)
{
    struct pollfd fds[2] = {{.fd = amqp_session_fd(publisher->session), .events = POLLIN},
                            {.fd = publish_queue_fd(publisher->queue), .events = POLLIN}};

    const struct confirm_window *window = publisher->window;
    const bool can_send =
        !publisher->blocked && !publisher->reopen && confirm_window_span(window) < confirm_window_capacity(window);

    if (can_send && !publish_queue_sleep(publisher->queue))
        return;
    (void)poll(fds, 2, IDLE_POLL_MS);
    if (fds[1].revents)
        publish_queue_awake(publisher->queue);
}

/* Works on the open session until it fails (false with *error) or the program stops (true). */
static bool serve(struct publisher *publisher, struct error *error)
{
    for (;;) {
        size_t sent = 0;

        /* Frames first: an overdue heartbeat is noticed here, before amqp_basic_publish of 0.11 would wait for ever. */
        if (!read_frames(publisher, error) || !send_burst(publisher, &sent, error))
            return false;
        const int64_t stop_at = atomic_load_explicit(&publisher->stop_at_ms, memory_order_relaxed);
        if (stop_at && (confirm_window_count(publisher->window) == 0 || clock_monotonic_ms() >= stop_at))
            return true;
        if (publisher->reopen && confirm_window_count(publisher->window) == 0) {
            error_set(error, ERROR_UNAVAILABLE,
                      "%s could not route a message (was a queue deleted?): declaring all again",
                      amqp_session_peer(publisher->session));
            return false;
        }
        if (sent == 0)
            wait_for_work(publisher);
    }
}

/* ---- the connection's life ---- */

static bool select_confirms(struct publisher *publisher, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(publisher->session);

    if (amqp_confirm_select(connection, AMQP_CHANNEL))
        return true;
    amqp_error_of_reply(error, "asking for confirms from", amqp_session_peer(publisher->session),
                        amqp_get_rpc_reply(connection));
    return false;
}

static bool open_session(struct publisher *publisher, struct error *error)
{
    publisher->session = amqp_session_open(publisher->owner->settings, publisher->url_index++, publisher->name, error);
    if (!publisher->session)
        return false;
    if (!select_confirms(publisher, error)) {
        amqp_session_drop(publisher->session);
        publisher->session = NULL;
        return false;
    }
    publisher->blocked = false;
    publisher->reopen = false;
    publisher->incoming = (struct incoming_return){0};
    set_fd(publisher, amqp_session_fd(publisher->session));
    return true;
}

/* Fails what is outstanding and forgets the connection. */
static void close_session(struct publisher *publisher, bool orderly)
{
    const bool counted = !publisher->blocked;

    publish_queue_set_gate(publisher->queue, PUBLISH_GATE_AWAY);
    if (counted)
        publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, -1);
    confirm_window_reset(publisher->window, on_lost, publisher);
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
    else
        owner->first_error = *error;
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

    while (!stopping(publisher)) {
        const int64_t left = until - clock_monotonic_ms();
        struct pollfd fd = {.fd = publish_queue_fd(publisher->queue), .events = POLLIN};

        if (left <= 0)
            break;
        if (poll(&fd, 1, (int)left) > 0)
            publish_queue_awake(publisher->queue);
    }
}

static void serve_session(struct publisher *publisher)
{
    struct error error = {0};
    bool orderly;

    publish_queue_set_gate(publisher->queue, PUBLISH_GATE_OPEN);
    publisher_count(publisher, METRIC_PUBLISHERS_CONNECTED, 1);
    if (publisher->connected_before)
        publisher_count(publisher, METRIC_RECONNECTS, 1);
    publisher->connected_before = true;
    log_info("%s: publishing to %s", publisher->name, amqp_session_peer(publisher->session));
    orderly = serve(publisher, &error);
    if (!orderly)
        log_warn("%s: %s", publisher->name, error.text);
    close_session(publisher, orderly);
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct backoff backoff;
    bool first = true;

    backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                 (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)publisher);
    while (!stopping(publisher)) {
        struct error error = {0};
        const bool connected = open_session(publisher, &error);

        /* main says the first refusal, as the reason why it stops. */
        if (!connected && !(first && error.code == ERROR_REFUSED))
            log_problem(publisher, &error);
        if (connected) {
            publisher->last_problem[0] = '\0';
            /* The gate opens before the first attempt is reported, so that readiness is true once main goes on. */
            publish_queue_set_gate(publisher->queue, PUBLISH_GATE_OPEN);
            backoff_reset(&backoff);
        }
        if (first)
            report_first_attempt(publisher, connected, &error);
        first = false;
        if (connected)
            serve_session(publisher);
        wait_before_retry(publisher, &backoff);
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
    publisher->queue = publish_queue_new(QUEUE_TICKETS, QUEUE_BYTES, error);
    if (!publisher->queue)
        return false;
    publisher->window = confirm_window_new(WINDOW);
    publisher->burst = calloc(BURST, sizeof(struct ticket *));
    if (!publisher->window || !publisher->burst) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a publisher");
        return false;
    }
    const int failed = pthread_create(&publisher->thread, NULL, publisher_run, publisher);
    if (failed) {
        error_set(error, ERROR_INTERNAL, "cannot start a publisher's thread: %s", strerror(failed));
        return false;
    }
    publisher->started = true;
    return true;
}

struct publishers *publishers_start(const struct amqp_settings *settings, size_t count, struct bridge_metrics *metrics,
                                    struct error *error)
{
    struct publishers *publishers = calloc(1, sizeof *publishers + count * sizeof publishers->items[0]);
    pthread_condattr_t attributes;

    if (!publishers) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the publishers");
        return NULL;
    }
    publishers->settings = settings;
    publishers->metrics = metrics;
    pthread_mutex_init(&publishers->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&publishers->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (size_t i = 0; i < count; i++) {
        publishers->count = i + 1;
        if (!publisher_init(&publishers->items[i], publishers, i, error)) {
            publishers_stop(publishers, clock_monotonic_ms());
            return NULL;
        }
    }
    return publishers;
}

enum error_code publishers_first_attempt(struct publishers *publishers, struct error *error)
{
    enum error_code code = ERROR_NONE;

    pthread_mutex_lock(&publishers->mutex);
    while (publishers->attempts < publishers->count)
        pthread_cond_wait(&publishers->changed, &publishers->mutex);
    if (publishers->connected_at_first == 0) {
        code = publishers->first_error.code;
        *error = publishers->first_error;
    }
    pthread_mutex_unlock(&publishers->mutex);
    return code;
}

static enum publish_gate gate_of(struct publisher *publisher)
{
    const int64_t since = atomic_load_explicit(&publisher->sending_since_ms, memory_order_relaxed);

    if (since && clock_monotonic_ms() - since > STUCK_MS)
        return PUBLISH_GATE_AWAY;
    return publish_queue_gate(publisher->queue);
}

enum publish_outcome publishers_submit(struct publishers *publishers, struct ticket *ticket, int64_t deadline_ms)
{
    const unsigned turn = atomic_fetch_add_explicit(&publishers->turn, 1, memory_order_relaxed);

    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[(turn + i) % publishers->count];

        if (gate_of(publisher) == PUBLISH_GATE_OPEN)
            return publish_queue_submit(publisher->queue, ticket, deadline_ms);
    }
    return PUBLISH_AWAY;
}

enum publish_gate publishers_gate(struct publishers *publishers)
{
    enum publish_gate best = PUBLISH_GATE_AWAY;

    for (size_t i = 0; i < publishers->count; i++) {
        const enum publish_gate gate = gate_of(&publishers->items[i]);

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
            publish_queue_wake(publisher->queue);
    }
    for (size_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->items[i];

        if (publisher->started)
            join_publisher(publisher, deadline_ms);
        publish_queue_free(publisher->queue);
        confirm_window_free(publisher->window);
        free(publisher->burst);
        pthread_mutex_destroy(&publisher->fd_mutex);
    }
    pthread_cond_destroy(&publishers->changed);
    pthread_mutex_destroy(&publishers->mutex);
    free(publishers);
}
