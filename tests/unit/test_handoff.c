#include "bridge/handoff.h"

#include "cases.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

/* A thread that submits one message, as an HTTP thread does. */
struct submitter {
    struct handoff *queue;
    struct pending_message *message;
    int64_t wait_ms;
    enum publish_outcome outcome;
    pthread_t thread;
};

static void *submit(void *argument)
{
    struct submitter *submitter = argument;

    submitter->outcome =
        handoff_submit(submitter->queue, submitter->message, clock_monotonic_ms() + submitter->wait_ms);
    message_release(submitter->message);
    return NULL;
}

static struct pending_message *message_of(const char *body)
{
    struct pending_message *message = message_new(strlen(body));

    assert_non_null(message);
    memcpy(message->body, body, strlen(body));
    message->body_len = strlen(body);
    return message;
}

static void start(struct submitter *submitter, struct handoff *queue, const char *body, int64_t wait_ms)
{
    submitter->queue = queue;
    submitter->message = message_of(body);
    submitter->wait_ms = wait_ms;
    assert_int_equal(pthread_create(&submitter->thread, NULL, submit, submitter), 0);
}

static enum publish_outcome finish(struct submitter *submitter)
{
    pthread_join(submitter->thread, NULL);
    return submitter->outcome;
}

static struct handoff *open_queue(size_t messages, size_t bytes)
{
    struct error error;
    struct handoff *queue = handoff_new(messages, bytes, &error);

    assert_non_null(queue);
    handoff_set_state(queue, BROKER_OPEN);
    return queue;
}

static struct pending_message *take_one(struct handoff *queue)
{
    struct pending_message *message;

    while (handoff_take(queue, &message, 1) == 0)
        clock_sleep_ms(1); /* clock: between two looks */
    return message;
}

static void the_waiter_hears_the_outcome(void **state)
{
    static const enum publish_outcome outcomes[] = {PUBLISH_CONFIRMED, PUBLISH_FAILED, PUBLISH_LOST};
    struct handoff *queue = open_queue(4, 100);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct submitter submitter;
        struct pending_message *message;

        start(&submitter, queue, "{}", HANG_GUARD_MS);
        message = take_one(queue);
        assert_true(bytes_equal(message_body_bytes(message), bytes_of_text("{}")));
        assert_true(message_settle(message, outcomes[i]));
        assert_int_equal(finish(&submitter), outcomes[i]);
    }
    handoff_free(queue);
}

static void a_shut_gate_refuses_at_once(void **state)
{
    static const enum broker_state availability[] = {BROKER_AWAY, BROKER_BLOCKED};
    struct handoff *queue = open_queue(4, 100);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pending_message *message = message_of("{}");

        handoff_set_state(queue, availability[i]);
        assert_int_equal(handoff_submit(queue, message, clock_monotonic_ms() + FOREVER_MS), PUBLISH_AWAY);
        message_release(message);
    }
    handoff_free(queue);
}

static void shutting_the_gate_fails_what_waits(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct submitter submitter;

    (void)state;
    assert_true(handoff_sleep(queue));
    start(&submitter, queue, "{}", HANG_GUARD_MS);
    WAIT_UNTIL(!handoff_sleep(queue));
    handoff_set_state(queue, BROKER_BLOCKED);
    assert_int_equal(finish(&submitter), PUBLISH_AWAY);
    handoff_free(queue);
}

static void a_ticket_past_its_deadline_is_not_sent(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct submitter submitter;
    struct pending_message *message;

    (void)state;
    start(&submitter, queue, "{}", 10);
    assert_int_equal(finish(&submitter), PUBLISH_TIMEOUT);
    assert_int_equal(handoff_take(queue, &message, 1), 0);
    handoff_free(queue);
}

static void a_late_confirm_finds_nobody(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct pending_message *message = message_of("{}");
    enum publish_outcome outcome;

    (void)state;
    assert_true(handoff_offer(queue, message, &outcome));
    struct pending_message *taken = take_one(queue);
    assert_int_equal(message_await(message, clock_monotonic_ms() + 10), PUBLISH_TIMEOUT);
    assert_false(message_settle(taken, PUBLISH_CONFIRMED));
    message_release(message);
    handoff_free(queue);
}

static void a_ticket_given_up_is_settled_by_nobody(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct submitter submitter;
    struct pending_message *message;

    (void)state;
    start(&submitter, queue, "{}", HANG_GUARD_MS);
    message = take_one(queue);
    message_give_up(message);
    assert_int_equal(finish(&submitter), PUBLISH_TIMEOUT);
    message_give_up(message);
    assert_false(message_settle(message, PUBLISH_CONFIRMED));
    handoff_free(queue);
}

static void looking_for_an_outcome_gives_nothing_up(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct pending_message *message = message_of("{}");
    enum publish_outcome outcome;

    (void)state;
    assert_true(handoff_offer(queue, message, &outcome));
    assert_false(message_wait(message, clock_monotonic_ms() + 5));
    assert_true(message_settle(take_one(queue), PUBLISH_CONFIRMED));
    assert_true(message_wait(message, clock_monotonic_ms()));
    assert_int_equal(message_await(message, clock_monotonic_ms()), PUBLISH_CONFIRMED);
    message_release(message);
    handoff_free(queue);
}

static void a_copy_is_the_same_message_and_a_ticket_of_its_own(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct pending_message *message = message_of("{}");
    const struct envelope envelope = {.message_id = "id-1", .received_at_ms = 7};
    enum publish_outcome outcome;

    (void)state;
    message_set_rejected(message, &envelope, "invalid_json", "a sentence");
    assert_true(handoff_offer(queue, message, &outcome));
    assert_int_equal(message_await(message, clock_monotonic_ms()), PUBLISH_TIMEOUT);
    struct pending_message *copy = message_copy(message);
    assert_non_null(copy);
    assert_true(bytes_equal(message_body_bytes(copy), message_body_bytes(message)));
    assert_int_equal(copy->target, MESSAGE_REJECTED);
    assert_string_equal(copy->reject_reason, "invalid_json");
    assert_string_equal(copy->reject_detail, "a sentence");
    assert_memory_equal(&copy->envelope, &message->envelope, sizeof envelope);
    assert_true(handoff_offer(queue, copy, &outcome));
    assert_true(message_settle(take_one(queue), PUBLISH_CONFIRMED));
    assert_int_equal(message_await(copy, clock_monotonic_ms()), PUBLISH_CONFIRMED);
    message_release(copy);
    message_release(message);
    handoff_free(queue);
}

/* Takes from one queue, as a publisher that loses its connection, and from the next, as one that has it. */
struct two_queues {
    struct handoff *lost, *good;
};

static void *lose_then_confirm(void *argument)
{
    struct two_queues *queues = argument;

    message_settle(take_one(queues->lost), PUBLISH_LOST);
    message_settle(take_one(queues->good), PUBLISH_CONFIRMED);
    return NULL;
}

static void a_ticket_refused_or_lost_may_be_submitted_again(void **state)
{
    struct two_queues queues = {open_queue(4, 100), open_queue(4, 100)};
    struct handoff *away = open_queue(4, 100);
    struct handoff *full = open_queue(0, 100);
    struct pending_message *message = message_of("{}");
    const int64_t deadline_ms = clock_monotonic_ms() + HANG_GUARD_MS;
    pthread_t thread;

    (void)state;
    handoff_set_state(away, BROKER_AWAY);
    assert_int_equal(pthread_create(&thread, NULL, lose_then_confirm, &queues), 0);
    assert_int_equal(handoff_submit(away, message, deadline_ms), PUBLISH_AWAY);
    assert_int_equal(handoff_submit(full, message, deadline_ms), PUBLISH_FULL);
    assert_int_equal(handoff_submit(queues.lost, message, deadline_ms), PUBLISH_LOST);
    assert_int_equal(handoff_submit(queues.good, message, deadline_ms), PUBLISH_CONFIRMED);
    pthread_join(thread, NULL);
    message_release(message);
    handoff_free(queues.lost);
    handoff_free(queues.good);
    handoff_free(away);
    handoff_free(full);
}

static void the_bounds_hold(void **state)
{
    static const struct {
        const char *name;
        size_t messages, bytes;
        const char *second;
        enum publish_outcome outcome;
    } cases[] = {
        {"a second message fits", 2, 10, "12345", PUBLISH_TIMEOUT},
        {"too many messages", 1, 100, "12345", PUBLISH_FULL},
        {"too many bytes", 9, 9, "12345", PUBLISH_FULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct handoff *queue = open_queue(cases[i].messages, cases[i].bytes);
        struct pending_message *first = message_of("12345");
        struct pending_message *second = message_of(cases[i].second);
        const int64_t now = clock_monotonic_ms();

        assert_int_equal(handoff_submit(queue, first, now), PUBLISH_TIMEOUT);
        if (handoff_submit(queue, second, now) != cases[i].outcome)
            fail_msg("%s", cases[i].name);
        message_release(first);
        message_release(second);
        handoff_free(queue);
    }
}

static bool is_readable(struct handoff *queue)
{
    struct pollfd fd = {.fd = handoff_fd(queue), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static void the_descriptor_wakes_a_sleeper_only(void **state)
{
    struct handoff *queue = open_queue(4, 100);
    struct pending_message *first = message_of("1");
    struct pending_message *second = message_of("2");
    struct pending_message *taken[2];
    const int64_t past = clock_monotonic_ms();

    (void)state;
    assert_int_equal(handoff_submit(queue, first, past), PUBLISH_TIMEOUT);
    assert_false(is_readable(queue));
    assert_false(handoff_sleep(queue));
    assert_int_equal(handoff_take(queue, taken, 2), 0);
    assert_true(handoff_sleep(queue));
    assert_int_equal(handoff_submit(queue, second, past), PUBLISH_TIMEOUT);
    assert_true(is_readable(queue));
    handoff_awake(queue);
    assert_false(is_readable(queue));
    handoff_wake(queue);
    assert_true(is_readable(queue));
    message_release(first);
    message_release(second);
    handoff_free(queue);
}

static void a_ticket_grows_with_its_body(void **state)
{
    struct pending_message *message = message_of("abc");
    struct envelope envelope = {.message_id = "id-1"};
    struct pending_message *grown = message_grow(message, 1000);

    (void)state;
    assert_non_null(grown);
    assert_true(bytes_equal(message_body_bytes(grown), bytes_of_text("abc")));
    message_set_rejected(grown, &envelope, "invalid_json", "a sentence");
    assert_int_equal(grown->target, MESSAGE_REJECTED);
    assert_string_equal(grown->envelope.message_id, "id-1");
    assert_string_equal(grown->reject_reason, "invalid_json");
    assert_string_equal(grown->reject_detail, "a sentence");
    message_release(grown);
    message_release(NULL);
}

/* Many threads against one publisher that confirms, with deadlines about as long as the work. */
static void nothing_is_lost_between_threads(void **state)
{
    enum { THREADS = 8, ROUNDS = 300 };
    struct handoff *queue = open_queue(64, 10000);
    struct submitter submitters[THREADS];
    int confirmed = 0;
    int heard = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct pending_message *taken[THREADS];
        int settled = 0;

        for (int i = 0; i < THREADS; i++)
            start(&submitters[i], queue, "{}", HANG_GUARD_MS);
        while (settled < THREADS) {
            const size_t count = handoff_take(queue, taken, THREADS);

            if (count == 0)
                sched_yield(); /* the others may wait for this processor */
            for (size_t i = 0; i < count; i++)
                confirmed += message_settle(taken[i], PUBLISH_CONFIRMED);
            settled += (int)count;
        }
        for (int i = 0; i < THREADS; i++)
            heard += finish(&submitters[i]) == PUBLISH_CONFIRMED;
    }
    assert_int_equal(confirmed, THREADS * ROUNDS);
    assert_int_equal(heard, confirmed);
    handoff_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_waiter_hears_the_outcome),
        cmocka_unit_test(a_shut_gate_refuses_at_once),
        cmocka_unit_test(shutting_the_gate_fails_what_waits),
        cmocka_unit_test(a_ticket_past_its_deadline_is_not_sent),
        cmocka_unit_test(a_late_confirm_finds_nobody),
        cmocka_unit_test(the_bounds_hold),
        cmocka_unit_test(the_descriptor_wakes_a_sleeper_only),
        cmocka_unit_test(a_ticket_grows_with_its_body),
        cmocka_unit_test(a_ticket_given_up_is_settled_by_nobody),
        cmocka_unit_test(looking_for_an_outcome_gives_nothing_up),
        cmocka_unit_test(a_copy_is_the_same_message_and_a_ticket_of_its_own),
        cmocka_unit_test(a_ticket_refused_or_lost_may_be_submitted_again),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
