#include "reject.h"

#include "common/clock.h"
#include "common/protection.h"

#include <stdlib.h>

enum {
    RPC_TIMEOUT_S = 2,
    WINDOW_BYTES = 128 * 1024, /* unconfirmed at a time: a broker that stops reading must not stop the send */
    MESSAGE_OVERHEAD = 512,    /* about what properties and headers take */
};

struct rejecter {
    struct amqp_settings settings;
    const char *name;
    struct watch *watch;
    struct amqp_session *session; /* NULL: not connected */
    size_t url_index;             /* stays with a URL as long as that serves */
    bool declares;                /* something was missing: the next connection declares the topology */
    int64_t used_at_ms;
    uint64_t published; /* on this session: the broker numbers confirms from 1 */
    bool proven;        /* a confirm has come: before, one message is sent at a time */
    bool blocked;       /* the broker has said that it reads no more for now */
    bool refused;       /* it has nacked one: to a connection that it once refused it may do so for ever */
    int64_t reads_since_ms;
};

/* What one call is given. */
struct round {
    struct rejection *rejections;
    size_t count;
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

/* A broker that does not read would not hear a goodbye either. */
static void disconnect(struct rejecter *rejecter)
{
    if (rejecter->blocked)
        amqp_session_drop(rejecter->session);
    else
        amqp_session_close(rejecter->session);
    rejecter->session = NULL;
}

void rejecter_free(struct rejecter *rejecter)
{
    if (!rejecter)
        return;
    disconnect(rejecter);
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

/* The connection has failed. What may still come on it cannot be told from what belongs to the next. */
static void abandon(struct rejecter *rejecter)
{
    amqp_session_drop(rejecter->session);
    rejecter->session = NULL;
    rejecter->url_index++;
}

static bool select_confirms(struct rejecter *rejecter, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(rejecter->session);
    struct timeval timeout = {.tv_sec = RPC_TIMEOUT_S};
    amqp_set_rpc_timeout(connection, &timeout);
    begin_call(rejecter, RPC_TIMEOUT_S * 1000 + REJECT_STUCK_MS);
    bool selected = amqp_confirm_select(connection, AMQP_CHANNEL) != NULL;
    (void)watch_end(rejecter->watch);
    if (!selected)
        amqp_error_of_reply(error, "asking for confirms from", peer(rejecter), amqp_get_rpc_reply(connection));
    return selected;
}

/* The consumer has declared everything; a declaration waits for the queue, and that may stand still. So it is made only
   when something was found missing. */
static bool connect_if_needed(struct rejecter *rejecter, const struct round *round, struct error *error)
{
    if (rejecter->session)
        return true;
    rejecter->session =
        amqp_session_connect(&rejecter->settings, rejecter->url_index, rejecter->name, rejecter->watch, error);
    if (!rejecter->session) {
        rejecter->url_index++;
        return false;
    }
    if ((rejecter->declares && !amqp_session_declare(rejecter->session, &rejecter->settings, error)) ||
        !select_confirms(rejecter, error)) {
        abandon(rejecter);
        return false;
    }
    rejecter->declares = false;
    rejecter->published = 0;
    rejecter->proven = false;
    rejecter->blocked = false;
    rejecter->refused = false;
    rejecter->reads_since_ms = 0;
    for (size_t i = 0; i < round->count; i++)
        round->rejections[i].sent_tag = 0;
    return true;
}

static bool publish_one(struct rejecter *rejecter, struct rejection *rejection, struct error *error)
{
    struct delivery *delivery = rejection->delivery;
    const char *queue = rejecter->settings.rejected_queue;
    struct envelope_properties properties;
    envelope_to_properties(&delivery->envelope, &properties);
    envelope_add_rejection(&properties, delivery->reason, delivery->detail);
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
    rejection->sent_tag = ++rejecter->published;
    rejection->sent_at_ms = clock_monotonic_ms();
    if (!protection("reject-confirm"))
        rejection->confirmed = true;
    return true;
}

/* What the broker says of a tag, with `multiple` of all up to it; the tag 0 then means all. What is no longer in the
   round was delivered again meanwhile, and is forgotten. False for a tag that was never given out. */
static bool on_verdict(struct rejecter *rejecter, const struct round *round, uint64_t tag, bool multiple, bool taken)
{
    uint64_t last = tag == 0 && multiple ? rejecter->published : tag;
    if (last > rejecter->published || (tag == 0 && !multiple))
        return false;
    for (size_t i = 0; i < round->count; i++) {
        struct rejection *rejection = &round->rejections[i];
        if (rejection->sent_tag == 0 || rejection->sent_tag > last || (!multiple && rejection->sent_tag != last))
            continue;
        if (taken)
            rejection->confirmed = true;
        else if (!rejection->confirmed)
            rejection->sent_tag = 0; /* to be published again */
    }
    rejecter->proven = true;
    rejecter->refused = rejecter->refused || !taken;
    return true;
}

static bool on_method(struct rejecter *rejecter, const struct round *round, const amqp_method_t *method,
                      struct error *error)
{
    const amqp_basic_ack_t *ack = method->decoded;
    const amqp_basic_nack_t *nack = method->decoded;
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD:
        if (on_verdict(rejecter, round, ack->delivery_tag, ack->multiple, true))
            return true;
        error_set(error, ERROR_UNAVAILABLE, "%s confirmed a message that was never published", peer(rejecter));
        return false;
    case AMQP_BASIC_NACK_METHOD:
        if (on_verdict(rejecter, round, nack->delivery_tag, nack->multiple, false))
            return true;
        error_set(error, ERROR_UNAVAILABLE, "%s refused a message that was never published", peer(rejecter));
        return false;
    case AMQP_BASIC_RETURN_METHOD:
        /* The acknowledgement that follows a return means nothing: nobody holds the message. */
        rejecter->declares = true;
        error_set(error, ERROR_UNAVAILABLE,
                  "%s returned a rejected message: no queue is bound to the exchange %s; it is declared again with the "
                  "next connection",
                  peer(rejecter), rejecter->settings.rejected_queue);
        return false;
    case AMQP_CHANNEL_CLOSE_METHOD: /* without the exchange, for one */
        rejecter->declares = true;
        amqp_error_of_close(error, "publishing a rejected message to", peer(rejecter), method);
        return false;
    case AMQP_CONNECTION_CLOSE_METHOD:
        amqp_error_of_close(error, "publishing a rejected message to", peer(rejecter), method);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        rejecter->blocked = true;
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        rejecter->blocked = false;
        rejecter->reads_since_ms = clock_monotonic_ms();
        return true;
    default:
        return true;
    }
}

/* Takes in one frame, if one is there: else *nothing is set. */
static bool serve(struct rejecter *rejecter, const struct round *round, bool *nothing, struct error *error)
{
    amqp_connection_state_t connection = amqp_session_connection(rejecter->session);
    struct timeval timeout = {0};
    amqp_frame_t frame;
    begin_call(rejecter, REJECT_STUCK_MS);
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
    if (watch_end(rejecter->watch))
        status = AMQP_STATUS_HEARTBEAT_TIMEOUT;
    *nothing = status == AMQP_STATUS_TIMEOUT;
    if (*nothing)
        return true;
    if (status != AMQP_STATUS_OK) {
        amqp_error_of_status(error, "publishing a rejected message to", peer(rejecter), status);
        return false;
    }
    bool good = frame.frame_type != AMQP_FRAME_METHOD || on_method(rejecter, round, &frame.payload.method, error);
    amqp_maybe_release_buffers(connection);
    return good;
}

/* Reads what is there. */
static bool serve_all(struct rejecter *rejecter, const struct round *round, struct error *error)
{
    bool nothing = false;
    while (!nothing) {
        if (!serve(rejecter, round, &nothing, error))
            return false;
    }
    return true;
}

/* Published on this connection, and without a verdict. */
static bool on_its_way(const struct rejection *rejection)
{
    return rejection->sent_tag != 0 && !rejection->confirmed;
}

/* Whether the broker may be sent another one now. */
static bool has_window(const struct rejecter *rejecter, size_t unconfirmed_bytes)
{
    return unconfirmed_bytes == 0 || (rejecter->proven && unconfirmed_bytes < WINDOW_BYTES);
}

static bool publish_rest(struct rejecter *rejecter, const struct round *round, struct error *error)
{
    size_t unconfirmed_bytes = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (on_its_way(&round->rejections[i]))
            unconfirmed_bytes += round->rejections[i].delivery->body_len + MESSAGE_OVERHEAD;
    }
    for (size_t i = 0; i < round->count && has_window(rejecter, unconfirmed_bytes); i++) {
        struct rejection *rejection = &round->rejections[i];
        if (rejection->sent_tag != 0 || rejection->confirmed)
            continue;
        if (!publish_one(rejecter, rejection, error))
            return false;
        if (on_its_way(rejection))
            unconfirmed_bytes += rejection->delivery->body_len + MESSAGE_OVERHEAD;
    }
    return true;
}

/* How long the broker has owed a confirm while it did read; -1 if it owes none. */
static int64_t owed_ms(const struct rejecter *rejecter, const struct round *round)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t longest_ms = -1;
    for (size_t i = 0; i < round->count; i++) {
        const struct rejection *rejection = &round->rejections[i];
        int64_t since_ms =
            rejection->sent_at_ms > rejecter->reads_since_ms ? rejection->sent_at_ms : rejecter->reads_since_ms;
        if (on_its_way(rejection) && now_ms - since_ms > longest_ms)
            longest_ms = now_ms - since_ms;
    }
    return longest_ms;
}

/* What is wrong with a connection that works. */
static bool complain(const struct rejecter *rejecter, int64_t owed, struct error *error)
{
    if (rejecter->blocked)
        error_set(error, ERROR_UNAVAILABLE, "%s takes no messages for now: it is short of memory or disk",
                  peer(rejecter));
    else if (rejecter->refused)
        error_set(error, ERROR_UNAVAILABLE, "%s refused a rejected message: the queue %s is full, or has no leader",
                  peer(rejecter), rejecter->settings.rejected_queue);
    else if (owed >= REJECT_CONFIRM_TIMEOUT_MS)
        error_set(error, ERROR_UNAVAILABLE,
                  "%s has not confirmed a rejected message within %d ms: the queue %s stands still", peer(rejecter),
                  REJECT_CONFIRM_TIMEOUT_MS, rejecter->settings.rejected_queue);
    else
        return true;
    return false;
}

bool rejecter_publish(struct rejecter *rejecter, struct rejection *rejections, size_t count, struct error *error)
{
    const struct round round = {.rejections = rejections, .count = count};
    rejecter->used_at_ms = clock_monotonic_ms();
    if (!connect_if_needed(rejecter, &round, error))
        return false;
    if (!serve_all(rejecter, &round, error)) {
        abandon(rejecter);
        return false;
    }
    /* A call to publish sends without looking, for ever if the broker does not read. */
    if (!rejecter->blocked && !rejecter->refused && !publish_rest(rejecter, &round, error)) {
        abandon(rejecter);
        return false;
    }
    int64_t owed = rejecter->blocked ? 0 : owed_ms(rejecter, &round);
    bool good = complain(rejecter, owed, error);
    if (owed >= REJECT_GIVE_UP_MS)
        abandon(rejecter);
    else if (rejecter->refused && owed < 0)
        disconnect(rejecter);
    return good;
}

void rejecter_tend(struct rejecter *rejecter)
{
    if (rejecter->session && clock_monotonic_ms() - rejecter->used_at_ms >= REJECT_IDLE_MS)
        disconnect(rejecter);
}
