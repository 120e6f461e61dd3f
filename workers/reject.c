#include "reject.h"

#include "../common/clock.h"

#include <stdlib.h>

enum { RPC_TIMEOUT_S = 5 };

struct rejecter {
    struct amqp_settings settings;
    const char *name;
    struct watch *watch;
    struct amqp_session *session; /* NULL: not connected */
    size_t url_index;
    int64_t used_at_ms;
    uint64_t published; /* on this session: the broker numbers confirms from 1 */
    bool blocked;       /* the broker has said that it reads no more for now */
};

/* One call's view of the confirms that it waits for. */
struct confirms {
    struct rejection **waiting; /* in the order of publishing; waiting[i] has the delivery tag first_tag + i */
    size_t count;
    size_t confirmed;
    uint64_t first_tag;
};

struct rejecter *rejecter_new(const struct amqp_settings *settings, const char *name, struct watchdog *dog)
{
    struct rejecter *rejecter = calloc(1, sizeof *rejecter);
    if (!rejecter)
        return NULL;
    rejecter->settings = *settings;
    rejecter->name = name;
    rejecter->watch = watch_new(dog);
    if (!rejecter->watch) {
        free(rejecter);
        return NULL;
    }
    return rejecter;
}

void rejecter_free(struct rejecter *rejecter)
{
    if (!rejecter)
        return;
    amqp_session_close(rejecter->session);
    watch_free(rejecter->watch);
    free(rejecter);
}

static const char *peer(const struct rejecter *rejecter)
{
    return amqp_session_peer(rejecter->session);
}

static void begin_call(struct rejecter *rejecter, int64_t limit_ms)
{
    watch_begin(rejecter->watch, amqp_session_fd(rejecter->session), limit_ms);
}

static void disconnect(struct rejecter *rejecter)
{
    amqp_session_drop(rejecter->session);
    rejecter->session = NULL;
}

static bool connect_if_needed(struct rejecter *rejecter, struct error *error)
{
    if (rejecter->session)
        return true;
    rejecter->session = amqp_session_open(&rejecter->settings, rejecter->url_index++, rejecter->name, error);
    if (!rejecter->session)
        return false;
    amqp_connection_state_t connection = amqp_session_connection(rejecter->session);
    struct timeval timeout = {.tv_sec = RPC_TIMEOUT_S};
    amqp_set_rpc_timeout(connection, &timeout);
    begin_call(rejecter, RPC_TIMEOUT_S * 1000 + REJECT_STUCK_MS);
    bool selected = amqp_confirm_select(connection, AMQP_CHANNEL) != NULL;
    (void)watch_end(rejecter->watch);
    if (!selected) {
        amqp_error_of_reply(error, "asking for confirms from", peer(rejecter), amqp_get_rpc_reply(connection));
        disconnect(rejecter);
        return false;
    }
    rejecter->published = 0;
    rejecter->blocked = false;
    return true;
}

static bool publish_one(struct rejecter *rejecter, const struct rejection *rejection, struct error *error)
{
    struct delivery *delivery = rejection->delivery;
    const char *queue = rejecter->settings.rejected_queue;
    struct envelope_properties properties;
    envelope_to_properties(&delivery->envelope, &properties);
    envelope_add_rejection(&properties, rejection->reason, rejection->detail);
    amqp_bytes_t body = {.len = delivery->body_len, .bytes = delivery->body};
    begin_call(rejecter, REJECT_STUCK_MS);
    int status = amqp_basic_publish(amqp_session_connection(rejecter->session), AMQP_CHANNEL, amqp_cstring_bytes(queue),
                                    amqp_cstring_bytes(queue), 1, 0, &properties.basic, body);
    if (watch_end(rejecter->watch)) {
        error_set(error, ERROR_UNAVAILABLE, "publishing a rejected message to %s: it reads no more", peer(rejecter));
        return false;
    }
    if (status != AMQP_STATUS_OK) {
        amqp_error_of_status(error, "publishing a rejected message to", peer(rejecter), status);
        return false;
    }
    rejecter->published++;
    return true;
}

/* Confirms come in any order, but `multiple` covers all up to its tag. False for a tag that was never given out. */
static bool confirm(struct confirms *confirms, uint64_t tag, bool multiple)
{
    if (tag == 0 && multiple)
        tag = confirms->first_tag + confirms->count - 1;
    if (tag < confirms->first_tag || tag - confirms->first_tag >= confirms->count)
        return false;
    size_t last = (size_t)(tag - confirms->first_tag);
    for (size_t i = multiple ? 0 : last; i <= last; i++) {
        confirms->confirmed += !confirms->waiting[i]->confirmed;
        confirms->waiting[i]->confirmed = true;
    }
    return true;
}

static bool on_method(struct rejecter *rejecter, struct confirms *confirms, const amqp_method_t *method,
                      struct error *error)
{
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        if (confirm(confirms, ack->delivery_tag, ack->multiple))
            return true;
        error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was never published", peer(rejecter));
        return false;
    }
    case AMQP_BASIC_NACK_METHOD:
        error_set(error, ERROR_UNAVAILABLE, "%s refused a rejected message for the queue %s", peer(rejecter),
                  rejecter->settings.rejected_queue);
        return false;
    case AMQP_BASIC_RETURN_METHOD:
        /* The acknowledgement that follows a return means nothing: nobody holds the message. */
        error_set(error, ERROR_UNAVAILABLE,
                  "%s returned a rejected message: no queue is bound to the exchange %s; it is declared again with the "
                  "next connection",
                  peer(rejecter), rejecter->settings.rejected_queue);
        return false;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        amqp_error_of_close(error, "publishing a rejected message to", peer(rejecter), method);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        rejecter->blocked = true;
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        rejecter->blocked = false;
        return true;
    default:
        return true;
    }
}

/* Takes in one frame, if one comes in time. */
static bool serve(struct rejecter *rejecter, struct confirms *confirms, int64_t timeout_ms, bool *timed_out,
                  struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(rejecter->session);
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    amqp_frame_t frame;
    begin_call(rejecter, timeout_ms + REJECT_STUCK_MS);
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
    if (watch_end(rejecter->watch))
        status = AMQP_STATUS_HEARTBEAT_TIMEOUT;
    *timed_out = status == AMQP_STATUS_TIMEOUT;
    if (*timed_out)
        return true;
    if (status != AMQP_STATUS_OK) {
        amqp_error_of_status(error, "publishing a rejected message to", peer(rejecter), status);
        return false;
    }
    bool good = frame.frame_type != AMQP_FRAME_METHOD || on_method(rejecter, confirms, &frame.payload.method, error);
    amqp_maybe_release_buffers(connection);
    return good;
}

/* Reads what is already there: a call to publish sends without looking, for ever if the broker does not read. */
static bool serve_waiting(struct rejecter *rejecter, struct confirms *confirms, struct error *error)
{
    bool timed_out = false;
    while (!timed_out) {
        if (!serve(rejecter, confirms, 0, &timed_out, error))
            return false;
    }
    if (rejecter->blocked) {
        error_set(error, ERROR_UNAVAILABLE, "%s takes no messages for now: it is short of memory or disk",
                  peer(rejecter));
        return false;
    }
    return true;
}

static bool publish_all(struct rejecter *rejecter, struct rejection *rejections, size_t count,
                        struct confirms *confirms, struct error *error)
{
    confirms->first_tag = rejecter->published + 1;
    for (size_t i = 0; i < count; i++) {
        if (rejections[i].confirmed)
            continue;
        if (!serve_waiting(rejecter, confirms, error) || !publish_one(rejecter, &rejections[i], error))
            return false;
        confirms->waiting[confirms->count++] = &rejections[i];
    }
    return true;
}

static bool await_confirms(struct rejecter *rejecter, struct confirms *confirms, struct error *error)
{
    int64_t deadline_ms = clock_monotonic_ms() + REJECT_CONFIRM_TIMEOUT_MS;
    while (confirms->confirmed < confirms->count) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        bool timed_out = false;
        if (!serve(rejecter, confirms, left_ms > 0 ? left_ms : 0, &timed_out, error))
            return false;
        if (timed_out) {
            error_set(error, ERROR_UNAVAILABLE, "%s did not confirm a rejected message within %d ms%s", peer(rejecter),
                      REJECT_CONFIRM_TIMEOUT_MS, rejecter->blocked ? ": it is short of memory or disk" : "");
            return false;
        }
    }
    return true;
}

bool rejecter_publish(struct rejecter *rejecter, struct rejection *rejections, size_t count, struct error *error)
{
    struct confirms confirms = {.waiting = calloc(count, sizeof(struct rejection *))};
    bool done = false;
    if (!confirms.waiting) {
        error_set(error, ERROR_NO_MEMORY, "out of memory while rejecting %zu messages", count);
        goto out;
    }
    if (!connect_if_needed(rejecter, error))
        goto out;
    done = publish_all(rejecter, rejections, count, &confirms, error) && await_confirms(rejecter, &confirms, error);
    /* What may still come on a connection that failed cannot be told from what belongs to the next attempt. */
    if (!done)
        disconnect(rejecter);
    rejecter->used_at_ms = clock_monotonic_ms();
out:
    free(confirms.waiting);
    return done;
}

void rejecter_tend(struct rejecter *rejecter)
{
    if (!rejecter->session || clock_monotonic_ms() - rejecter->used_at_ms < REJECT_IDLE_MS)
        return;
    amqp_session_close(rejecter->session);
    rejecter->session = NULL;
}
