#include "bridge/broker/channel.h"

#include "cases.h"
#include "common/clock.h"

#include <string.h>

/* A session without a broker: these take the place of common/amqp_session.c and of the library's sends. */

static int nobody;
static int published;

amqp_connection_state_t amqp_session_connection(const struct amqp_session *session)
{
    (void)session;
    return (amqp_connection_state_t)&nobody;
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

void amqp_error_of_close(struct error *error, const char *doing, const char *peer, const amqp_method_t *method)
{
    (void)doing;
    (void)method;
    error_set(error, ERROR_UNAVAILABLE, "%s closed it", peer);
}

void amqp_error_of_status(struct error *error, const char *doing, const char *peer, int status)
{
    (void)doing;
    (void)status;
    error_set(error, ERROR_UNAVAILABLE, "%s", peer);
}

void amqp_error_of_reply(struct error *error, const char *doing, const char *peer, amqp_rpc_reply_t reply)
{
    (void)doing;
    (void)reply;
    error_set(error, ERROR_UNAVAILABLE, "%s", peer);
}

int amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t exchange,
                       amqp_bytes_t routing_key, amqp_boolean_t mandatory, amqp_boolean_t immediate,
                       struct amqp_basic_properties_t_ const *properties, amqp_bytes_t body)
{
    (void)state;
    (void)channel;
    (void)exchange;
    (void)routing_key;
    (void)immediate;
    (void)properties;
    (void)body;
    assert_int_equal(mandatory, 1); /* what no queue takes must come back: it would be acked all the same */
    published++;
    return AMQP_STATUS_OK;
}

int amqp_send_method(amqp_connection_state_t state, amqp_channel_t channel, amqp_method_number_t id, void *decoded)
{
    (void)state;
    (void)channel;
    (void)id;
    (void)decoded;
    return AMQP_STATUS_OK;
}

amqp_rpc_reply_t amqp_channel_close(amqp_connection_state_t state, amqp_channel_t channel, int code)
{
    (void)state;
    (void)channel;
    (void)code;
    return (amqp_rpc_reply_t){.reply_type = AMQP_RESPONSE_NORMAL};
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

/* ---- a channel and its messages ---- */

enum { TICKETS = 4, QUEUE_BYTES = 1 << 20 };

struct scene {
    struct bridge_metrics *metrics;
    struct handoff *queue;
    struct amqp_settings settings;
    struct body_limit limit;
    struct broker_channel channel;
    struct pending_message *messages[TICKETS];
    size_t count;
};

static void scene_init(struct scene *scene)
{
    struct error error;

    *scene = (struct scene){.settings = {.urls = "", .exchange = "e", .queue = "q", .rejected_queue = "r"}};
    scene->metrics = bridge_metrics_new();
    scene->queue = handoff_new(TICKETS, QUEUE_BYTES, &error);
    assert_true(broker_channel_init(&scene->channel, AMQP_CHANNEL, &scene->settings, &scene->limit, NULL, scene->metrics));
    scene->channel.session = (struct amqp_session *)&nobody;
    handoff_set_state(scene->queue, BROKER_OPEN);
}

static void scene_clear(struct scene *scene)
{
    broker_channel_close(&scene->channel);
    broker_channel_clear(&scene->channel);
    for (size_t i = 0; i < scene->count; i++)
        message_release(scene->messages[i]);
    handoff_free(scene->queue);
    bridge_metrics_free(scene->metrics);
}

static struct pending_message *send_ticket(struct scene *scene, const char *id, size_t size)
{
    struct pending_message *message = message_new(size);
    struct envelope envelope = {.type = ENVELOPE_WEBHOOK};
    struct pending_message *taken[1];
    enum publish_outcome outcome;

    assert_non_null(message);
    memset(message_body(message), 'x', size);
    message_set_body_len(message, size);
    memcpy(envelope.message_id, id, strlen(id));
    message_set_event(message, &envelope);
    assert_true(handoff_offer(scene->queue, message, &outcome));
    assert_int_equal(handoff_take(scene->queue, taken, 1), 1);
    assert_int_equal(broker_channel_send(&scene->channel, taken[0], clock_monotonic_ms(), true), AMQP_STATUS_OK);
    scene->messages[scene->count++] = message;
    return message;
}

static bool method_comes(struct scene *scene, amqp_method_number_t id, void *decoded)
{
    const amqp_frame_t frame = {
        .frame_type = AMQP_FRAME_METHOD, .channel = AMQP_CHANNEL, .payload.method = {.id = id, .decoded = decoded}};
    struct error error;

    return broker_channel_handle(&scene->channel, &frame, &error);
}

static void message_comes_back(struct scene *scene, const char *id)
{
    amqp_basic_return_t returned = {.reply_code = 312};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG, .message_id = amqp_cstring_bytes(id)};
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = AMQP_CHANNEL};
    struct error error;

    assert_true(method_comes(scene, AMQP_BASIC_RETURN_METHOD, &returned));
    header.payload.properties.decoded = &properties;
    assert_true(broker_channel_handle(&scene->channel, &header, &error));
}

static void ack_comes(struct scene *scene, uint64_t tag)
{
    amqp_basic_ack_t ack = {.delivery_tag = tag};

    assert_true(method_comes(scene, AMQP_BASIC_ACK_METHOD, &ack));
}

/* ---- returns ---- */

static void a_returned_copy_is_not_told_as_confirmed(void **state)
{
    static const struct {
        const char *name;
        uint64_t first_acked, second_acked;
    } cases[] = {{"the copy of the spool is acked first", 2, 1}, {"the copy of the request is acked first", 1, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene scene;
        scene_init(&scene);
        struct pending_message *first = send_ticket(&scene, "id-1", 4);
        broker_channel_give_up(&scene.channel);
        CHECK_CASE(cases[i].name, message_await(first, 0) == PUBLISH_TIMEOUT);
        struct pending_message *again = send_ticket(&scene, "id-1", 4);
        struct pending_message *other = send_ticket(&scene, "id-2", 4);
        message_comes_back(&scene, "id-1");
        ack_comes(&scene, cases[i].first_acked);
        ack_comes(&scene, cases[i].second_acked);
        ack_comes(&scene, 3);
        CHECK_CASE(cases[i].name, message_await(again, 0) == PUBLISH_FAILED);
        CHECK_CASE(cases[i].name, message_await(other, 0) == PUBLISH_CONFIRMED);
        CHECK_CASE(cases[i].name, scene.channel.came_back);
        scene_clear(&scene);
    }
}

/* ---- a channel closed over a message ---- */

static void only_what_the_broker_may_mean_is_refused(void **state)
{
    static const struct {
        const char *name, *text;
        uint16_t code;
        bool goes_on;
        enum publish_outcome small, large;
    } cases[] = {
        {"it names its limit", "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000", 406,
         true, PUBLISH_LOST, PUBLISH_REFUSED},
        {"it names none", "PRECONDITION_FAILED - no", 406, true, PUBLISH_REFUSED, PUBLISH_REFUSED},
        {"it says nothing at all", "", 406, true, PUBLISH_REFUSED, PUBLISH_REFUSED},
        {"content too large", "CONTENT_TOO_LARGE - max size 1000", 311, true, PUBLISH_LOST, PUBLISH_REFUSED},
        {"the exchange is gone", "NOT_FOUND - no exchange", 404, false, PUBLISH_LOST, PUBLISH_LOST},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        amqp_channel_close_t closed = {.reply_code = cases[i].code, .reply_text = amqp_cstring_bytes(cases[i].text)};
        struct scene scene;
        scene_init(&scene);
        struct pending_message *small = send_ticket(&scene, "id-1", 1000);
        struct pending_message *large = send_ticket(&scene, "id-2", 2000);
        CHECK_CASE(cases[i].name, method_comes(&scene, AMQP_CHANNEL_CLOSE_METHOD, &closed) == cases[i].goes_on);
        CHECK_CASE(cases[i].name, scene.channel.shut == cases[i].goes_on);
        if (!cases[i].goes_on)
            broker_channel_close(&scene.channel);
        CHECK_CASE(cases[i].name, broker_channel_waiting(&scene.channel) == 0);
        CHECK_CASE(cases[i].name, message_await(small, 0) == cases[i].small);
        CHECK_CASE(cases[i].name, message_await(large, 0) == cases[i].large);
        scene_clear(&scene);
    }
}

static void a_limit_that_was_named_is_heeded_for_a_while(void **state)
{
    amqp_channel_close_t closed = {.reply_code = 406,
                                   .reply_text = amqp_cstring_bytes("than configured max size 1000")};
    struct scene scene;

    (void)state;
    scene_init(&scene);
    struct pending_message *small = send_ticket(&scene, "id-1", 1000);
    struct pending_message *large = send_ticket(&scene, "id-2", 1001);
    const int64_t now_ms = clock_monotonic_ms();
    assert_true(broker_channel_takes(&scene.channel, large, now_ms));
    assert_true(method_comes(&scene, AMQP_CHANNEL_CLOSE_METHOD, &closed));
    assert_true(broker_channel_takes(&scene.channel, small, now_ms));
    assert_false(broker_channel_takes(&scene.channel, large, now_ms));
    assert_true(broker_channel_takes(&scene.channel, large, now_ms + 3600000));
    scene_clear(&scene);
}

/* ---- nacks ---- */

static void refuses_until_an_ack_comes(void **state)
{
    amqp_basic_nack_t nack = {.delivery_tag = 1};
    struct scene scene;

    (void)state;
    scene_init(&scene);
    struct pending_message *first = send_ticket(&scene, "id-1", 4);
    struct pending_message *second = send_ticket(&scene, "id-2", 4);
    assert_true(method_comes(&scene, AMQP_BASIC_NACK_METHOD, &nack));
    assert_true(scene.channel.refusal.since_ms > 0);
    assert_int_equal(message_await(first, 0), PUBLISH_FAILED);
    ack_comes(&scene, 2);
    assert_true(scene.channel.refusal.since_ms == 0);
    assert_int_equal(message_await(second, 0), PUBLISH_CONFIRMED);
    scene_clear(&scene);
}

/* ---- a channel of our own accord ---- */

static void what_was_said_on_a_channel_that_is_shut_confirms_nothing_on_the_next(void **state)
{
    struct scene scene;
    struct error error;

    (void)state;
    scene_init(&scene);
    (void)send_ticket(&scene, "id-1", 4);
    ack_comes(&scene, 1);
    assert_true(broker_channel_shut(&scene.channel, &error));
    assert_true(scene.channel.shut);
    ack_comes(&scene, 1);
    assert_true(broker_channel_reopen(&scene.channel, &error));
    assert_false(scene.channel.shut);
    struct pending_message *second = send_ticket(&scene, "id-2", 4);
    assert_int_equal(broker_channel_waiting(&scene.channel), 1);
    ack_comes(&scene, 1);
    assert_int_equal(message_await(second, 0), PUBLISH_CONFIRMED);
    scene_clear(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_returned_copy_is_not_told_as_confirmed),
        cmocka_unit_test(only_what_the_broker_may_mean_is_refused),
        cmocka_unit_test(a_limit_that_was_named_is_heeded_for_a_while),
        cmocka_unit_test(refuses_until_an_ack_comes),
        cmocka_unit_test(what_was_said_on_a_channel_that_is_shut_confirms_nothing_on_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
