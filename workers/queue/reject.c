#include "reject.h"

#include "common/amqp_calls.h"
#include "common/clock.h"

#include <stdlib.h>

enum {
    RPC_TIMEOUT_S = 2,
    WINDOW_BYTES = 128 * 1024, /* unconfirmed at a time: a broker that stops reading must not stop the send */
    MESSAGE_OVERHEAD = 512,    /* about what properties and headers take */
};

static const char PUBLISHING[] = "publishing a rejected message to";

struct rejecter {
    struct amqp_settings settings;
    struct watch *watch;
    struct amqp_session *session; /* NULL: not connected */
    size_t url_index;             /* stays with a URL as long as that serves */
    bool declares;                /* something was missing: the next connection declares the topology */
    int64_t used_at_ms;
    uint64_t published;       /* on this session: the broker numbers confirms from 1 */
    bool blocked;             /* the broker has said that it reads no more for now */
    bool refused;             /* it has nacked one: to a connection that it once refused it may do so for ever */
    int64_t owes_since_ms;    /* while a confirm is owed: when it began to be, the last one came, or the alarm ended */
    struct delivery *rejects; /* of the call */
};

struct rejecter *rejecter_new(const struct amqp_settings *settings, struct watchdog *dog)
{
    struct rejecter *rejecter = calloc(1, sizeof *rejecter);
    if (!rejecter)
        return NULL;
    rejecter->settings = *settings;
    rejecter->watch = watch_new(dog);
    if (!rejecter->watch) {
        free(rejecter);
        return NULL;
    }
    return rejecter;
}

/* What may still come on a connection that failed cannot be told from what belongs to the next. A broker that does not
   read would not hear a goodbye. */
static void disconnect(struct rejecter *rejecter, bool failed)
{
    if (failed || rejecter->blocked)
        amqp_session_drop(rejecter->session);
    else
        amqp_session_close(rejecter->session);
    rejecter->session = NULL;
    rejecter->url_index += failed;
}

void rejecter_free(struct rejecter *rejecter)
{
    if (!rejecter)
        return;
    disconnect(rejecter, false);
    watch_free(rejecter->watch);
    free(rejecter);
}

static bool select_confirms(struct rejecter *rejecter, struct error *error)
{
    const struct amqp_session *session = rejecter->session;
    struct timeval timeout = {.tv_sec = RPC_TIMEOUT_S};
    amqp_set_rpc_timeout(amqp_session_connection(session), &timeout);
    watch_begin(rejecter->watch, amqp_session_fd(session), RPC_TIMEOUT_S * 1000 + REJECT_STUCK_MS);
    bool selected = amqp_ask_for_confirms(session, AMQP_CHANNEL, error);
    return amqp_end_call(session, rejecter->watch, "asking for confirms from", selected, error);
}

/* The consumer has declared everything; a declaration waits for the queue, and that may stand still. So it is made only
   when something was found missing. */
static bool connect_if_needed(struct rejecter *rejecter, struct error *error)
{
    if (rejecter->session)
        return true;
    rejecter->session =
        amqp_session_connect(&rejecter->settings, rejecter->url_index, "dropworker rejected", rejecter->watch, error);
    if (!rejecter->session ||
        (rejecter->declares && !amqp_session_declare(rejecter->session, &rejecter->settings, error)) ||
        !select_confirms(rejecter, error))
        return false;
    rejecter->declares = false;
    rejecter->published = 0;
    rejecter->blocked = false;
    rejecter->refused = false;
    for (struct delivery *one = rejecter->rejects; one; one = one->next)
        one->reject_tag = 0;
    return true;
}

static bool publish_one(struct rejecter *rejecter, struct delivery *delivery, struct error *error)
{
    const char *queue = rejecter->settings.rejected_queue;
    struct envelope_properties properties;
    envelope_to_properties(&delivery->envelope, &properties);
    envelope_add_rejection(&properties, delivery->reason, delivery->detail);
    amqp_bytes_t body = {.len = delivery->body_len, .bytes = delivery->body};
    int status = amqp_basic_publish(amqp_session_connection(rejecter->session), AMQP_CHANNEL, amqp_cstring_bytes(queue),
                                    amqp_cstring_bytes(queue), 1, 0, &properties.basic, body);
    if (!amqp_check(rejecter->session, PUBLISHING, status, error))
        return false;
    delivery->reject_tag = ++rejecter->published;
    delivery->reject_confirmed = false;
    return true;
}

/* Published on this connection, and without a verdict. */
static bool on_its_way(const struct delivery *delivery)
{
    return delivery->reject_tag != 0 && !delivery->reject_confirmed;
}

/* What the broker says of a tag, with `multiple` of all up to it. Tags of messages that are no longer in the list
   belong to nobody: those were delivered again meanwhile. */
static void on_verdict(struct rejecter *rejecter, uint64_t tag, bool multiple, bool taken)
{
    for (struct delivery *one = rejecter->rejects; one; one = one->next) {
        if (!on_its_way(one) || one->reject_tag > tag || (!multiple && one->reject_tag != tag))
            continue;
        one->reject_confirmed = taken;
        if (!taken)
            one->reject_tag = 0; /* to be published again */
    }
    rejecter->refused = rejecter->refused || !taken;
    rejecter->owes_since_ms = clock_monotonic_ms();
}

static bool on_method(struct rejecter *rejecter, const amqp_method_t *method, struct error *error)
{
    const amqp_basic_ack_t *ack = method->decoded;
    const amqp_basic_nack_t *nack = method->decoded;
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD:
        on_verdict(rejecter, ack->delivery_tag, ack->multiple, true);
        return true;
    case AMQP_BASIC_NACK_METHOD:
        on_verdict(rejecter, nack->delivery_tag, nack->multiple, false);
        return true;
    case AMQP_BASIC_RETURN_METHOD:
        /* The acknowledgement that follows a return means nothing: nobody holds the message. */
        rejecter->declares = true;
        error_set(error, ERROR_UNAVAILABLE,
                  "%s returned a rejected message: no queue is bound to the exchange %s; it is declared again with the "
                  "next connection",
                  amqp_session_peer(rejecter->session), rejecter->settings.rejected_queue);
        return false;
    case AMQP_CHANNEL_CLOSE_METHOD: /* without the exchange, for one */
        rejecter->declares = true;
        /* fall through */
    case AMQP_CONNECTION_CLOSE_METHOD:
        amqp_error_of_close(error, PUBLISHING, amqp_session_peer(rejecter->session), method);
        return false;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        rejecter->blocked = true;
        return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        rejecter->blocked = false;
        rejecter->owes_since_ms = clock_monotonic_ms();
        return true;
    default:
        return true;
    }
}

/* Takes in all that has come. */
static bool serve(struct rejecter *rejecter, struct error *error)
{
    enum amqp_read read;
    amqp_frame_t frame;
    while ((read = amqp_read_frame(rejecter->session, &frame, PUBLISHING, error)) == AMQP_READ_FRAME) {
        if (frame.frame_type == AMQP_FRAME_METHOD && !on_method(rejecter, &frame.payload.method, error))
            return false;
        amqp_maybe_release_buffers(amqp_session_connection(rejecter->session));
    }
    return read == AMQP_READ_NOTHING;
}

/* As many as may be on their way at a time. Not to a broker that has said that it does not read (a call to publish
   sends without looking, for ever), nor to one that refuses. */
static bool publish_rest(struct rejecter *rejecter, struct error *error)
{
    size_t unconfirmed_bytes = 0;
    if (rejecter->blocked || rejecter->refused)
        return true;
    for (struct delivery *one = rejecter->rejects; one && unconfirmed_bytes < WINDOW_BYTES; one = one->next) {
        if (one->reject_confirmed)
            continue;
        if (one->reject_tag == 0) {
            if (unconfirmed_bytes == 0)
                rejecter->owes_since_ms = clock_monotonic_ms();
            if (!publish_one(rejecter, one, error))
                return false;
        }
        unconfirmed_bytes += one->body_len + MESSAGE_OVERHEAD;
    }
    return true;
}

/* How long the broker has owed a confirm while it did read; -1 if it owes none. */
static int64_t owed_ms(const struct rejecter *rejecter)
{
    const struct delivery *one = rejecter->rejects;
    while (one && !on_its_way(one))
        one = one->next;
    return one ? clock_monotonic_ms() - rejecter->owes_since_ms : -1;
}

/* What is wrong with a connection that works. False with *error if something is. */
static bool in_order(const struct rejecter *rejecter, int64_t owed, struct error *error)
{
    const char *queue = rejecter->settings.rejected_queue, *peer = amqp_session_peer(rejecter->session);
    if (rejecter->blocked)
        error_set(error, ERROR_UNAVAILABLE, "%s takes no messages for now: it is short of memory or disk",
                  peer);
    else if (rejecter->refused)
        error_set(error, ERROR_UNAVAILABLE, "%s refused a rejected message: the queue %s is full, or has no leader",
                  peer, queue);
    else if (owed >= REJECT_CONFIRM_TIMEOUT_MS)
        error_set(error, ERROR_UNAVAILABLE,
                  "%s has not confirmed a rejected message within %d ms: the queue %s stands still", peer,
                  REJECT_CONFIRM_TIMEOUT_MS, queue);
    else
        return true;
    return false;
}

bool rejecter_publish(struct rejecter *rejecter, struct delivery *first, struct error *error)
{
    rejecter->rejects = first;
    rejecter->used_at_ms = clock_monotonic_ms();
    bool good = connect_if_needed(rejecter, error);
    if (good) {
        watch_begin(rejecter->watch, amqp_session_fd(rejecter->session), REJECT_STUCK_MS);
        good = serve(rejecter, error) && publish_rest(rejecter, error);
        (void)watch_end(rejecter->watch); /* what it cut shows in the next call, if not in this one */
    }
    if (!good) {
        disconnect(rejecter, true);
        return false;
    }
    int64_t owed = rejecter->blocked ? 0 : owed_ms(rejecter);
    good = in_order(rejecter, owed, error);
    if (owed >= REJECT_GIVE_UP_MS)
        disconnect(rejecter, true);
    else if (rejecter->refused && owed < 0)
        disconnect(rejecter, false);
    return good;
}

void rejecter_tend(struct rejecter *rejecter)
{
    if (rejecter->session && clock_monotonic_ms() - rejecter->used_at_ms >= REJECT_IDLE_MS)
        disconnect(rejecter, false);
}
