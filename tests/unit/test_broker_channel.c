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

enum { MESSAGES = 4, QUEUE_BYTES = 1 << 20, CONFIRM_TIMEOUT_MS = 1000, SENT_MS = 1000000 };

struct scene {
    struct bridge_metrics *metrics;
    struct handoff *queue;
    struct amqp_settings amqp;
    struct broker_connection_settings settings;
    struct broker_channel channel;
    struct pending_message *messages[MESSAGES];
    size_t count;
    bool returned;
};

static void scene_init(struct scene *scene)
{
    const struct connection_facts open = {.peer = "h:1"};
    struct error error;

    *scene = (struct scene){.amqp = {.urls = "", .exchange = "e", .queue = "q", .rejected_queue = "r"}};
    scene->metrics = bridge_metrics_new();
    scene->queue = handoff_new(MESSAGES, QUEUE_BYTES, &error);
    scene->settings = (struct broker_connection_settings){.amqp = &scene->amqp,
                                                          .confirm_timeout_ms = CONFIRM_TIMEOUT_MS,
                                                          .metrics = scene->metrics,
                                                          .availability = availability_new(1, scene->metrics, &error),
                                                          .name = "test"};
    assert_true(broker_channel_init(&scene->channel, &scene->settings, MESSAGE_EVENT, NULL));
    assert_true(broker_channel_open(&scene->channel, (struct amqp_session *)&nobody, &error));
    availability_set(scene->settings.availability, 0, &open);
    handoff_set_state(scene->queue, BROKER_OPEN);
}

static void scene_clear(struct scene *scene)
{
    broker_channel_close(&scene->channel);
    broker_channel_clear(&scene->channel);
    for (size_t i = 0; i < scene->count; i++)
        message_release(scene->messages[i]);
    handoff_free(scene->queue);
    availability_free(scene->settings.availability);
    bridge_metrics_free(scene->metrics);
}

static struct pending_message *send_message(struct scene *scene, const char *id, size_t size)
{
    struct pending_message *message = message_new(size);
    struct envelope envelope = {.type = ENVELOPE_WEBHOOK};
    struct pending_message *taken[1];
    enum publish_outcome outcome;

    assert_non_null(message);
    memset(message->body, 'x', size);
    message->body_len = size;
    memcpy(envelope.message_id, id, strlen(id));
    message_set_event(message, &envelope);
    assert_true(handoff_offer(scene->queue, message, &outcome));
    assert_int_equal(handoff_take(scene->queue, taken, 1), 1);
    assert_int_equal(broker_channel_send(&scene->channel, taken[0], SENT_MS), AMQP_STATUS_OK);
    scene->messages[scene->count++] = message;
    return message;
}

static bool method_comes(struct scene *scene, amqp_method_number_t id, void *decoded)
{
    const amqp_frame_t frame = {
        .frame_type = AMQP_FRAME_METHOD, .channel = AMQP_CHANNEL, .payload.method = {.id = id, .decoded = decoded}};
    struct error error;

    return broker_channel_handle(&scene->channel, &frame, &scene->returned, &error);
}

static void message_comes_back(struct scene *scene, const char *id)
{
    amqp_basic_return_t returned = {.reply_code = 312};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG, .message_id = amqp_cstring_bytes(id)};
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = AMQP_CHANNEL};
    struct error error;

    assert_true(method_comes(scene, AMQP_BASIC_RETURN_METHOD, &returned));
    header.payload.properties.decoded = &properties;
    assert_true(broker_channel_handle(&scene->channel, &header, &scene->returned, &error));
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
        struct error error;
        struct scene scene;
        scene_init(&scene);
        struct pending_message *first = send_message(&scene, "id-1", 4);
        assert_true(broker_channel_check(&scene.channel, true, SENT_MS, &error));
        CHECK_CASE(cases[i].name, message_await(first, 0) == PUBLISH_TIMEOUT);
        struct pending_message *again = send_message(&scene, "id-1", 4);
        struct pending_message *other = send_message(&scene, "id-2", 4);
        message_comes_back(&scene, "id-1");
        ack_comes(&scene, cases[i].first_acked);
        ack_comes(&scene, cases[i].second_acked);
        ack_comes(&scene, 3);
        CHECK_CASE(cases[i].name, message_await(again, 0) == PUBLISH_FAILED);
        CHECK_CASE(cases[i].name, message_await(other, 0) == PUBLISH_CONFIRMED);
        CHECK_CASE(cases[i].name, scene.returned);
        scene_clear(&scene);
    }
}

/* ---- a channel closed over a message ---- */

static void only_what_the_broker_may_mean_is_refused(void **state)
{
    static const struct {
        const char *name, *text;
        uint16_t code;
        enum publish_outcome small, large;
        bool limited; /* none so large is sent from now on */
    } cases[] = {
        {"it names its limit", "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000", 406,
         PUBLISH_LOST, PUBLISH_REFUSED, true},
        {"it names none", "PRECONDITION_FAILED - no", 406, PUBLISH_REFUSED, PUBLISH_REFUSED, false},
        {"it says nothing at all", "", 406, PUBLISH_REFUSED, PUBLISH_REFUSED, false},
        {"content too large", "CONTENT_TOO_LARGE - max size 1000", 311, PUBLISH_LOST, PUBLISH_REFUSED, true},
        {"the exchange is gone", "NOT_FOUND - no exchange", 404, PUBLISH_LOST, PUBLISH_LOST, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        amqp_channel_close_t closed = {.reply_code = cases[i].code, .reply_text = amqp_cstring_bytes(cases[i].text)};
        struct scene scene;
        scene_init(&scene);
        struct pending_message *small = send_message(&scene, "id-1", 1000);
        struct pending_message *large = send_message(&scene, "id-2", 2000);
        CHECK_CASE(cases[i].name, !method_comes(&scene, AMQP_CHANNEL_CLOSE_METHOD, &closed));
        broker_channel_close(&scene.channel);
        CHECK_CASE(cases[i].name, scene.channel.unconfirmed->count == 0);
        CHECK_CASE(cases[i].name, message_await(small, 0) == cases[i].small);
        CHECK_CASE(cases[i].name, message_await(large, 0) == cases[i].large);
        CHECK_CASE(cases[i].name, availability_takes(scene.settings.availability, 1000, clock_monotonic_ms()));
        CHECK_CASE(cases[i].name, availability_takes(scene.settings.availability, 2000, clock_monotonic_ms()) != cases[i].limited);
        scene_clear(&scene);
    }
}

/* ---- nacks ---- */

static bool refuses(struct scene *scene)
{
    struct broker_status status;

    availability_status(scene->settings.availability, 0, &status); /* however long ago */
    return status.refusing;
}

static void nacks_that_go_on_are_told_until_an_ack_comes(void **state)
{
    amqp_basic_nack_t nack = {.delivery_tag = 1};
    struct scene scene;
    struct error error;

    (void)state;
    scene_init(&scene);
    for (int i = 0; i < 3; i++)
        (void)send_message(&scene, "id", 4);
    assert_true(method_comes(&scene, AMQP_BASIC_NACK_METHOD, &nack));
    assert_int_equal(message_await(scene.messages[0], 0), PUBLISH_FAILED);
    assert_false(refuses(&scene)); /* full for a moment */
    scene.channel.nacked_since_ms -= 5000;
    nack.delivery_tag = 2;
    assert_true(method_comes(&scene, AMQP_BASIC_NACK_METHOD, &nack));
    assert_true(refuses(&scene));
    /* Another connection has refused nothing, and its first nack is enough. */
    broker_channel_close(&scene.channel);
    assert_true(broker_channel_open(&scene.channel, (struct amqp_session *)&nobody, &error));
    assert_false(refuses(&scene));
    (void)send_message(&scene, "id", 4);
    nack.delivery_tag = 1;
    assert_true(method_comes(&scene, AMQP_BASIC_NACK_METHOD, &nack));
    assert_true(refuses(&scene));
    scene.count--; /* room for another */
    message_release(scene.messages[scene.count]);
    struct pending_message *last = send_message(&scene, "id", 4);
    ack_comes(&scene, 2);
    assert_int_equal(message_await(last, 0), PUBLISH_CONFIRMED);
    assert_false(refuses(&scene));
    scene_clear(&scene);
}

/* ---- confirms that do not come ---- */

static void who_waits_is_given_up_once_and_the_connection_later(void **state)
{
    enum { OVERDUE_MS = 5000 };
    static const struct {
        const char *name;
        bool blocked;
        int64_t after_ms; /* how long nothing was confirmed */
        bool stalled, goes_on;
        enum publish_outcome outcome;
    } cases[] = {
        {"a confirm may still come", false, CONFIRM_TIMEOUT_MS - 1, false, true, PUBLISH_CONFIRMED},
        {"it is late", false, CONFIRM_TIMEOUT_MS, true, true, PUBLISH_TIMEOUT},
        {"it is overdue", false, OVERDUE_MS + 1, true, false, PUBLISH_TIMEOUT},
        {"nobody waits for a blocked broker", true, 0, false, true, PUBLISH_TIMEOUT},
        {"which is not overdue", true, OVERDUE_MS + 1, false, true, PUBLISH_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene scene;
        struct error error;

        scene_init(&scene);
        (void)send_message(&scene, "id", 4);
        assert_int_equal(broker_channel_idle_ms(&scene.channel, SENT_MS), CONFIRM_TIMEOUT_MS);
        CHECK_CASE(cases[i].name,
                   broker_channel_check(&scene.channel, cases[i].blocked, SENT_MS + cases[i].after_ms, &error) == cases[i].goes_on);
        CHECK_CASE(cases[i].name, scene.channel.stalled == cases[i].stalled);
        ack_comes(&scene, 1);
        assert_true(broker_channel_check(&scene.channel, false, SENT_MS + cases[i].after_ms, &error));
        CHECK_CASE(cases[i].name, !scene.channel.stalled);
        CHECK_CASE(cases[i].name, message_await(scene.messages[0], 0) == cases[i].outcome);
        scene_clear(&scene);
    }
}

static void what_was_sent_before_a_block_has_all_its_time_after_it(void **state)
{
    struct scene scene;
    struct error error;

    (void)state;
    scene_init(&scene);
    (void)send_message(&scene, "id", 4);
    assert_true(broker_channel_check(&scene.channel, true, SENT_MS + 100000, &error));
    assert_true(broker_channel_check(&scene.channel, false, SENT_MS + 100000 + CONFIRM_TIMEOUT_MS - 1, &error));
    assert_false(scene.channel.stalled);
    assert_true(broker_channel_check(&scene.channel, false, SENT_MS + 100000 + CONFIRM_TIMEOUT_MS, &error));
    assert_true(scene.channel.stalled);
    scene_clear(&scene);
}

static void a_refusal_that_lasts_is_asked_about_by_another_connection(void **state)
{
    amqp_basic_nack_t nack = {.delivery_tag = 1};
    struct scene scene;
    struct error error;

    (void)state;
    scene_init(&scene);
    (void)send_message(&scene, "id", 4);
    assert_true(method_comes(&scene, AMQP_BASIC_NACK_METHOD, &nack));
    const int64_t since_ms = scene.channel.nacked_since_ms;
    assert_true(broker_channel_check(&scene.channel, false, since_ms + TIMER_MS(20000), &error));
    assert_false(broker_channel_check(&scene.channel, false, since_ms + TIMER_MS(20000) + 1, &error));
    broker_channel_close(&scene.channel);
    assert_true(broker_channel_open(&scene.channel, (struct amqp_session *)&nobody, &error));
    assert_true(broker_channel_check(&scene.channel, false, since_ms + TIMER_MS(20000) + 1, &error));
    scene_clear(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_returned_copy_is_not_told_as_confirmed),
        cmocka_unit_test(only_what_the_broker_may_mean_is_refused),
        cmocka_unit_test(nacks_that_go_on_are_told_until_an_ack_comes),
        cmocka_unit_test(who_waits_is_given_up_once_and_the_connection_later),
        cmocka_unit_test(what_was_sent_before_a_block_has_all_its_time_after_it),
        cmocka_unit_test(a_refusal_that_lasts_is_asked_about_by_another_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
