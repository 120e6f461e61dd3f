#include "bridge/broker/connection.h"

#include "cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A connection without a broker: these take the place of common/amqp_session.c and of the library. What the broker says
   comes in one row. */

enum { FRAMES = 8, EVENTS = AMQP_CHANNEL, DECLARING = AMQP_CHANNEL + 2 };

static int nobody;

static struct {
    int fd; /* readable: something has come that the library has not read */
    pthread_mutex_t mutex; /* guards the frames */
    amqp_frame_t frames[FRAMES];
    size_t first, end;
    atomic_int published, declared;
} wire = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static amqp_basic_ack_t first_ack = {.delivery_tag = 1};
static amqp_connection_blocked_t low_on_memory;
static amqp_connection_unblocked_t unblocked;
static amqp_channel_close_t refused = {.reply_code = 406};
static amqp_connection_close_t forced = {.reply_code = 320};
static amqp_basic_return_t no_route = {.reply_code = 312};

static void broker_says(amqp_channel_t channel, amqp_method_number_t id, void *decoded)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&wire.mutex);
    wire.frames[wire.end++] = (amqp_frame_t){
        .frame_type = AMQP_FRAME_METHOD, .channel = channel, .payload.method = {.id = id, .decoded = decoded}};
    pthread_mutex_unlock(&wire.mutex);
    (void)!write(wire.fd, &one, sizeof one);
}

struct amqp_session *amqp_session_open(const struct amqp_settings *settings, size_t index, const char *name,
                                       struct watch *watch, struct error *error)
{
    (void)settings;
    (void)index;
    (void)name;
    (void)watch;
    (void)error;
    return (struct amqp_session *)&nobody;
}

bool amqp_session_declare_again(struct amqp_session *session, amqp_channel_t channel, const struct amqp_settings *settings,
                                struct error *error)
{
    (void)session;
    (void)settings;
    (void)error;
    assert_int_equal(channel, DECLARING);
    atomic_fetch_add(&wire.declared, 1);
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
    pthread_mutex_lock(&wire.mutex);
    const bool found = wire.first < wire.end;

    if (found)
        *frame = wire.frames[wire.first++];
    pthread_mutex_unlock(&wire.mutex);
    return found ? AMQP_STATUS_OK : AMQP_STATUS_TIMEOUT;
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
    return &ok;
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

int amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t exchange,
                       amqp_bytes_t routing_key, amqp_boolean_t mandatory, amqp_boolean_t immediate,
                       struct amqp_basic_properties_t_ const *properties, amqp_bytes_t body)
{
    (void)state;
    (void)channel;
    (void)exchange;
    (void)routing_key;
    (void)mandatory;
    (void)immediate;
    (void)properties;
    (void)body;
    atomic_fetch_add(&wire.published, 1);
    return AMQP_STATUS_OK;
}

/* ---- a connection that serves ---- */

struct scene {
    struct bridge_metrics *metrics;
    struct availability *availability;
    struct watchdog *dog;
    struct amqp_settings amqp;
    struct broker_connection *connection;
    struct pending_message *event; /* on its way */
    pthread_t thread;
    atomic_bool ended; /* by itself */
};

static void *serve(void *argument)
{
    struct scene *scene = argument;
    struct error error;

    atomic_store(&scene->ended, !broker_connection_serve(scene->connection, &error));
    return NULL;
}

static enum broker_state state_of(const struct scene *scene)
{
    return handoff_state(availability_queue(scene->availability, 0));
}

static struct pending_message *offer(struct scene *scene)
{
    struct pending_message *message = message_new(2);
    const struct envelope envelope = {.type = ENVELOPE_WEBHOOK, .message_id = "id"};
    enum publish_outcome outcome;

    assert_non_null(message);
    memcpy(message->body, "xx", 2);
    message->body_len = 2;
    message_set_event(message, &envelope);
    assert_true(handoff_offer(availability_queue(scene->availability, 0), message, &outcome));
    return message;
}

static void scene_init(struct scene *scene, int64_t confirm_timeout_ms)
{
    struct error error;

    wire.first = wire.end = 0;
    atomic_store(&wire.published, 0);
    atomic_store(&wire.declared, 0);
    wire.fd = eventfd(0, EFD_NONBLOCK);
    low_on_memory.reason = amqp_cstring_bytes("low on memory");
    *scene = (struct scene){.amqp = {.urls = "", .exchange = "e", .queue = "q", .rejected_queue = "r"}};
    scene->metrics = bridge_metrics_new();
    scene->availability = availability_new(1, scene->metrics, &error);
    scene->dog = watchdog_start(&error);
    const struct broker_connection_settings settings = {.amqp = &scene->amqp,
                                                        .confirm_timeout_ms = confirm_timeout_ms,
                                                        .metrics = scene->metrics,
                                                        .availability = scene->availability,
                                                        .dog = scene->dog,
                                                        .name = "test"};
    scene->connection = broker_connection_new(&settings, &error);
    assert_non_null(scene->connection);
    assert_true(broker_connection_open(scene->connection, 0, &error));
    assert_int_equal(state_of(scene), BROKER_OPEN);
    assert_int_equal(pthread_create(&scene->thread, NULL, serve, scene), 0);
    scene->event = offer(scene);
    WAIT_UNTIL(atomic_load(&wire.published) == 1);
}

static void scene_clear(struct scene *scene)
{
    broker_connection_stop(scene->connection, clock_monotonic_ms());
    pthread_join(scene->thread, NULL);
    broker_connection_close(scene->connection, true);
    assert_int_equal(state_of(scene), BROKER_AWAY);
    broker_connection_free(scene->connection);
    message_release(scene->event);
    availability_free(scene->availability);
    watchdog_stop(scene->dog);
    bridge_metrics_free(scene->metrics);
    close(wire.fd);
}

/* ---- what the broker says ---- */

static void an_event_is_confirmed_by_an_ack(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, FOREVER_MS);
    broker_says(EVENTS, AMQP_BASIC_ACK_METHOD, &first_ack);
    assert_int_equal(message_await(scene.event, hang_guard()), PUBLISH_CONFIRMED);
    scene_clear(&scene);
}

static void nobody_waits_while_the_broker_is_blocked(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, FOREVER_MS);
    broker_says(0, AMQP_CONNECTION_BLOCKED_METHOD, &low_on_memory);
    assert_int_equal(message_await(scene.event, hang_guard()), PUBLISH_TIMEOUT);
    assert_int_equal(state_of(&scene), BROKER_BLOCKED);
    broker_says(0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    WAIT_UNTIL(state_of(&scene) == BROKER_OPEN);
    scene_clear(&scene);
}

static void nobody_waits_for_a_broker_that_stands_still_until_it_confirms_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, 2000); /* overdue after 5 s: the ack comes before */
    assert_int_equal(message_await(scene.event, hang_guard()), PUBLISH_TIMEOUT);
    WAIT_UNTIL(state_of(&scene) == BROKER_AWAY);
    broker_says(EVENTS, AMQP_BASIC_ACK_METHOD, &first_ack);
    WAIT_UNTIL(state_of(&scene) == BROKER_OPEN || atomic_load(&scene.ended));
    scene_clear(&scene);
}

static void what_comes_back_is_a_reason_to_declare_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, FOREVER_MS);
    broker_says(EVENTS, AMQP_BASIC_RETURN_METHOD, &no_route);
    WAIT_UNTIL(atomic_load(&wire.declared) > 0);
    assert_false(atomic_load(&scene.ended));
    scene_clear(&scene);
}

static void it_ends_when_the_broker_closes_it_or_a_channel(void **state)
{
    static const struct {
        const char *name;
        amqp_channel_t channel;
        amqp_method_number_t id;
        void *decoded;
    } cases[] = {
        {"over a declaration", DECLARING, AMQP_CHANNEL_CLOSE_METHOD, &refused},
        {"over a message", EVENTS, AMQP_CHANNEL_CLOSE_METHOD, &refused},
        {"the connection", 0, AMQP_CONNECTION_CLOSE_METHOD, &forced},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene scene;

        scene_init(&scene, FOREVER_MS);
        broker_says(cases[i].channel, cases[i].id, cases[i].decoded);
        WAIT_UNTIL(atomic_load(&scene.ended));
        scene_clear(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_confirmed_by_an_ack),
        cmocka_unit_test(nobody_waits_while_the_broker_is_blocked),
        cmocka_unit_test(nobody_waits_for_a_broker_that_stands_still_until_it_confirms_again),
        cmocka_unit_test(what_comes_back_is_a_reason_to_declare_again),
        cmocka_unit_test(it_ends_when_the_broker_closes_it_or_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
