#include "bridge/broker/connection.h"

#include "cases.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A connection without a broker: these take the place of common/amqp_session.c and of the library. What the broker says
   comes in one row; whether the descriptor tells of it depends on who has read it from the socket. */

enum { FRAMES = 8, EVENTS = AMQP_CHANNEL, REJECTED = AMQP_CHANNEL + 1 };

static int nobody;

static struct {
    int fd; /* readable: something has come that the library has not read */
    amqp_frame_t frames[FRAMES];
    size_t first, end;
    amqp_frame_t at_reopening; /* read by the library beside the answer to channel.open */
    int opened;
    atomic_bool slept_over; /* the session has gone to sleep over a frame that the library had read */
} wire;

static amqp_channel_close_t too_large;
static amqp_basic_ack_t first_ack = {.delivery_tag = 1};
static amqp_connection_blocked_t low_on_memory;

static void put(amqp_frame_t frame)
{
    wire.frames[wire.end++] = frame;
}

static amqp_frame_t method_frame(amqp_channel_t channel, amqp_method_number_t id, void *decoded)
{
    return (amqp_frame_t){
        .frame_type = AMQP_FRAME_METHOD, .channel = channel, .payload.method = {.id = id, .decoded = decoded}};
}

struct amqp_session *amqp_session_connect(const struct amqp_settings *settings, size_t index, const char *name,
                                          struct watch *watch, struct error *error)
{
    (void)settings;
    (void)index;
    (void)name;
    (void)watch;
    (void)error;
    return (struct amqp_session *)&nobody;
}

bool amqp_session_declare(struct amqp_session *session, const struct amqp_settings *settings, struct error *error)
{
    (void)session;
    (void)settings;
    (void)error;
    return true;
}

void amqp_session_close(struct amqp_session *session)
{
    (void)session;
}

void amqp_session_drop(struct amqp_session *session)
{
    (void)session;
}

amqp_connection_state_t amqp_session_connection(const struct amqp_session *session)
{
    (void)session;
    return (amqp_connection_state_t)&nobody;
}

int amqp_session_fd(const struct amqp_session *session)
{
    (void)session;
    return wire.fd;
}

/* As with TLS: the library sends. */
bool amqp_session_is_plain(const struct amqp_session *session)
{
    (void)session;
    return false;
}

const char *amqp_session_peer(const struct amqp_session *session)
{
    (void)session;
    return "h:1";
}

void amqp_error_of_status(struct error *error, const char *doing, const char *peer, int status)
{
    error_set(error, ERROR_UNAVAILABLE, "%s %s: %d", doing, peer, status);
}

void amqp_error_of_close(struct error *error, const char *doing, const char *peer, const amqp_method_t *method)
{
    (void)method;
    error_set(error, ERROR_UNAVAILABLE, "%s %s: closed", doing, peer);
}

void amqp_error_of_reply(struct error *error, const char *doing, const char *peer, amqp_rpc_reply_t reply)
{
    (void)reply;
    error_set(error, ERROR_UNAVAILABLE, "%s %s", doing, peer);
}

int amqp_simple_wait_frame_noblock(amqp_connection_state_t state, amqp_frame_t *frame, const struct timeval *timeout)
{
    uint64_t readable;

    (void)state;
    (void)timeout;
    (void)!read(wire.fd, &readable, sizeof readable);
    if (wire.first == wire.end)
        return AMQP_STATUS_TIMEOUT;
    *frame = wire.frames[wire.first++];
    return AMQP_STATUS_OK;
}

/* In the place of the C library's. Of two descriptors: how the session goes to sleep. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (count == 2 && wire.first < wire.end && syscall(SYS_poll, fds, count, 0) == 0)
        atomic_store(&wire.slept_over, true);
    return (int)syscall(SYS_poll, fds, count, timeout_ms);
}

void amqp_maybe_release_buffers(amqp_connection_state_t state)
{
    (void)state;
}

amqp_channel_open_ok_t *amqp_channel_open(amqp_connection_state_t state, amqp_channel_t channel)
{
    static amqp_channel_open_ok_t ok;

    (void)state;
    (void)channel;
    if (wire.opened++ > 0)
        put(wire.at_reopening);
    return &ok;
}

amqp_rpc_reply_t amqp_channel_close(amqp_connection_state_t state, amqp_channel_t channel, int code)
{
    (void)state;
    (void)channel;
    (void)code;
    return (amqp_rpc_reply_t){.reply_type = AMQP_RESPONSE_NORMAL};
}

amqp_confirm_select_ok_t *amqp_confirm_select(amqp_connection_state_t state, amqp_channel_t channel)
{
    static amqp_confirm_select_ok_t ok;

    (void)state;
    (void)channel;
    return &ok;
}

amqp_rpc_reply_t amqp_get_rpc_reply(amqp_connection_state_t state)
{
    (void)state;
    return (amqp_rpc_reply_t){.reply_type = AMQP_RESPONSE_NORMAL};
}

int amqp_send_method(amqp_connection_state_t state, amqp_channel_t channel, amqp_method_number_t id, void *decoded)
{
    (void)state;
    (void)channel;
    (void)id;
    (void)decoded;
    return AMQP_STATUS_OK;
}

/* An event gets no word for now; the rejected queue's channel is closed over what it is sent. */
int amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t exchange,
                       amqp_bytes_t routing_key, amqp_boolean_t mandatory, amqp_boolean_t immediate,
                       struct amqp_basic_properties_t_ const *properties, amqp_bytes_t body)
{
    const uint64_t one = 1;

    (void)state;
    (void)exchange;
    (void)routing_key;
    (void)mandatory;
    (void)immediate;
    (void)properties;
    (void)body;
    if (channel == REJECTED) {
        put(method_frame(channel, AMQP_CHANNEL_CLOSE_METHOD, &too_large));
        (void)!write(wire.fd, &one, sizeof one);
    }
    return AMQP_STATUS_OK;
}

/* ---- a session that serves ---- */

struct scene {
    struct bridge_metrics *metrics;
    struct availability *availability;
    struct watchdog *dog;
    struct amqp_settings amqp;
    struct broker_connection *session;
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct scene *scene = argument;
    struct error error;

    assert_true(broker_connection_serve(scene->session, &error));
    return NULL;
}

/* The opened state has woken it; what comes next finds it asleep. */
static void wait_until_asleep(struct scene *scene)
{
    struct pollfd fd = {.fd = handoff_fd(availability_queue(scene->availability, 0)), .events = POLLIN};

    WAIT_UNTIL(poll(&fd, 1, 0) == 0);
}

static void scene_init(struct scene *scene, amqp_frame_t at_reopening)
{
    struct error error;

    memset(&wire, 0, sizeof wire);
    wire.fd = eventfd(0, EFD_NONBLOCK);
    wire.at_reopening = at_reopening;
    too_large = (amqp_channel_close_t){.reply_code = 406,
                                       .reply_text = amqp_cstring_bytes("larger than configured max size 1")};
    low_on_memory.reason = amqp_cstring_bytes("low on memory");
    *scene = (struct scene){.amqp = {.urls = "", .exchange = "e", .queue = "q", .rejected_queue = "r"}};
    scene->metrics = bridge_metrics_new();
    scene->availability = availability_new(1, scene->metrics, &error);
    scene->dog = watchdog_start(&error);
    const struct broker_connection_settings settings = {.amqp = &scene->amqp,
                                              .confirm_timeout_ms = 20000,
                                              .metrics = scene->metrics,
                                              .availability = scene->availability,
                                              .dog = scene->dog,
                                              .name = "test"};
    scene->session = broker_connection_new(&settings, &error);
    assert_non_null(scene->session);
    assert_true(broker_connection_open(scene->session, 0, &error));
    assert_int_equal(pthread_create(&scene->thread, NULL, serve, scene), 0);
    wait_until_asleep(scene);
}

static void scene_clear(struct scene *scene)
{
    broker_connection_stop(scene->session, clock_monotonic_ms());
    pthread_join(scene->thread, NULL);
    broker_connection_close(scene->session, true);
    broker_connection_free(scene->session);
    availability_free(scene->availability);
    watchdog_stop(scene->dog);
    bridge_metrics_free(scene->metrics);
    close(wire.fd);
}

static struct pending_message *offer(struct scene *scene, enum message_target target)
{
    struct pending_message *message = message_new(2);
    const struct envelope envelope = {.type = ENVELOPE_WEBHOOK, .message_id = "id"};
    enum publish_outcome outcome;

    assert_non_null(message);
    memcpy(message_body(message), "xx", 2);
    message_set_body_len(message, 2);
    if (target == MESSAGE_REJECTED)
        assert_true(message_set_rejected(message, &envelope, "reason", "detail"));
    else
        message_set_event(message, &envelope);
    assert_true(handoff_offer(availability_queue(scene->availability, 0), message, &outcome));
    return message;
}

/* ---- what the library has read for itself ---- */

/* The loop looks by itself once a second: what it sleeps over it reads, but too late. */

static void an_ack_that_comes_while_another_channel_is_opened_again_is_read_at_once(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, method_frame(EVENTS, AMQP_BASIC_ACK_METHOD, &first_ack));
    struct pending_message *event = offer(&scene, MESSAGE_EVENT);
    struct pending_message *rejected = offer(&scene, MESSAGE_REJECTED);
    assert_int_equal(message_await(rejected, clock_monotonic_ms() + HANG_GUARD_MS), PUBLISH_REFUSED);
    assert_int_equal(message_await(event, clock_monotonic_ms() + HANG_GUARD_MS), PUBLISH_CONFIRMED);
    assert_false(atomic_load(&wire.slept_over));
    message_release(rejected);
    message_release(event);
    scene_clear(&scene);
}

static void a_block_that_comes_while_a_channel_is_opened_again_is_read_at_once(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, method_frame(0, AMQP_CONNECTION_BLOCKED_METHOD, &low_on_memory));
    struct pending_message *rejected = offer(&scene, MESSAGE_REJECTED);
    assert_int_equal(message_await(rejected, clock_monotonic_ms() + HANG_GUARD_MS), PUBLISH_REFUSED);
    WAIT_UNTIL(availability_of(scene.availability, 0) == BROKER_BLOCKED);
    assert_false(atomic_load(&wire.slept_over));
    message_release(rejected);
    scene_clear(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_that_comes_while_another_channel_is_opened_again_is_read_at_once),
        cmocka_unit_test(a_block_that_comes_while_a_channel_is_opened_again_is_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
