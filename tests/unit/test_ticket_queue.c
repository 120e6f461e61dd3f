#include "bridge/ticket_queue.h"

#include "cases.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

/* A thread that submits one ticket, as an HTTP thread does. */
struct submitter {
    struct ticket_queue *queue;
    struct ticket *ticket;
    int64_t wait_ms;
    enum publish_outcome outcome;
    pthread_t thread;
};

static void *submit(void *argument)
{
    struct submitter *submitter = argument;

    submitter->outcome =
        ticket_queue_submit(submitter->queue, submitter->ticket, clock_monotonic_ms() + submitter->wait_ms);
    ticket_release(submitter->ticket);
    return NULL;
}

static struct ticket *ticket_of(const char *body)
{
    struct ticket *ticket = ticket_new(strlen(body));

    assert_non_null(ticket);
    memcpy(ticket_body(ticket), body, strlen(body));
    ticket_set_body_len(ticket, strlen(body));
    return ticket;
}

static void start(struct submitter *submitter, struct ticket_queue *queue, const char *body, int64_t wait_ms)
{
    submitter->queue = queue;
    submitter->ticket = ticket_of(body);
    submitter->wait_ms = wait_ms;
    assert_int_equal(pthread_create(&submitter->thread, NULL, submit, submitter), 0);
}

static enum publish_outcome finish(struct submitter *submitter)
{
    pthread_join(submitter->thread, NULL);
    return submitter->outcome;
}

static struct ticket_queue *open_queue(size_t tickets, size_t bytes)
{
    struct error error;
    struct ticket_queue *queue = ticket_queue_new(tickets, bytes, &error);

    assert_non_null(queue);
    ticket_queue_set_gate(queue, GATE_OPEN);
    return queue;
}

static struct ticket *take_one(struct ticket_queue *queue)
{
    struct ticket *ticket;

    while (ticket_queue_take(queue, &ticket, 1) == 0)
        clock_sleep_ms(1); /* clock: between two looks */
    return ticket;
}

static void the_waiter_hears_the_outcome(void **state)
{
    static const enum publish_outcome outcomes[] = {PUBLISH_CONFIRMED, PUBLISH_FAILED, PUBLISH_LOST};
    struct ticket_queue *queue = open_queue(4, 100);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct submitter submitter;
        struct ticket *ticket;

        start(&submitter, queue, "{}", HANG_GUARD_MS);
        ticket = take_one(queue);
        assert_true(bytes_equal(ticket_body_bytes(ticket), bytes_of_text("{}")));
        assert_true(ticket_settle(ticket, outcomes[i]));
        assert_int_equal(finish(&submitter), outcomes[i]);
    }
    ticket_queue_free(queue);
}

static void a_shut_gate_refuses_at_once(void **state)
{
    static const enum gate gates[] = {GATE_AWAY, GATE_BLOCKED};
    struct ticket_queue *queue = open_queue(4, 100);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ticket *ticket = ticket_of("{}");

        ticket_queue_set_gate(queue, gates[i]);
        assert_int_equal(ticket_queue_submit(queue, ticket, clock_monotonic_ms() + FOREVER_MS), PUBLISH_AWAY);
        ticket_release(ticket);
    }
    ticket_queue_free(queue);
}

static void shutting_the_gate_fails_what_waits(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct submitter submitter;

    (void)state;
    assert_true(ticket_queue_sleep(queue));
    start(&submitter, queue, "{}", HANG_GUARD_MS);
    WAIT_UNTIL(!ticket_queue_sleep(queue));
    ticket_queue_set_gate(queue, GATE_BLOCKED);
    assert_int_equal(finish(&submitter), PUBLISH_AWAY);
    ticket_queue_free(queue);
}

static void a_ticket_past_its_deadline_is_not_sent(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct submitter submitter;
    struct ticket *ticket;

    (void)state;
    start(&submitter, queue, "{}", 10);
    assert_int_equal(finish(&submitter), PUBLISH_TIMEOUT);
    assert_int_equal(ticket_queue_take(queue, &ticket, 1), 0);
    ticket_queue_free(queue);
}

static void a_late_confirm_finds_nobody(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct ticket *ticket = ticket_of("{}");
    enum publish_outcome outcome;

    (void)state;
    assert_true(ticket_queue_offer(queue, ticket, &outcome));
    struct ticket *taken = take_one(queue);
    assert_int_equal(ticket_await(ticket, clock_monotonic_ms() + 10), PUBLISH_TIMEOUT);
    assert_false(ticket_settle(taken, PUBLISH_CONFIRMED));
    ticket_release(ticket);
    ticket_queue_free(queue);
}

static void a_ticket_given_up_is_settled_by_nobody(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct submitter submitter;
    struct ticket *ticket;

    (void)state;
    start(&submitter, queue, "{}", HANG_GUARD_MS);
    ticket = take_one(queue);
    ticket_give_up(ticket);
    assert_int_equal(finish(&submitter), PUBLISH_TIMEOUT);
    ticket_give_up(ticket);
    assert_false(ticket_settle(ticket, PUBLISH_CONFIRMED));
    ticket_queue_free(queue);
}

static void looking_for_an_outcome_gives_nothing_up(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct ticket *ticket = ticket_of("{}");
    enum publish_outcome outcome;

    (void)state;
    assert_true(ticket_queue_offer(queue, ticket, &outcome));
    assert_false(ticket_wait(ticket, clock_monotonic_ms() + 5));
    assert_true(ticket_settle(take_one(queue), PUBLISH_CONFIRMED));
    assert_true(ticket_wait(ticket, clock_monotonic_ms()));
    assert_int_equal(ticket_await(ticket, clock_monotonic_ms()), PUBLISH_CONFIRMED);
    ticket_release(ticket);
    ticket_queue_free(queue);
}

static void a_copy_is_the_same_message_and_a_ticket_of_its_own(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct ticket *ticket = ticket_of("{}");
    const struct envelope envelope = {.message_id = "id-1", .received_at_ms = 7};
    enum publish_outcome outcome;

    (void)state;
    assert_true(ticket_set_rejected(ticket, &envelope, "invalid_json", "a sentence"));
    assert_true(ticket_queue_offer(queue, ticket, &outcome));
    assert_int_equal(ticket_await(ticket, clock_monotonic_ms()), PUBLISH_TIMEOUT);
    struct ticket *copy = ticket_copy(ticket);
    assert_non_null(copy);
    assert_true(bytes_equal(ticket_body_bytes(copy), ticket_body_bytes(ticket)));
    assert_int_equal(ticket_target(copy), TICKET_REJECTED);
    assert_string_equal(ticket_reject_reason(copy), "invalid_json");
    assert_string_equal(ticket_reject_detail(copy), "a sentence");
    assert_memory_equal(ticket_envelope(copy), ticket_envelope(ticket), sizeof envelope);
    assert_true(ticket_queue_offer(queue, copy, &outcome));
    assert_true(ticket_settle(take_one(queue), PUBLISH_CONFIRMED));
    assert_int_equal(ticket_await(copy, clock_monotonic_ms()), PUBLISH_CONFIRMED);
    ticket_release(copy);
    ticket_release(ticket);
    ticket_queue_free(queue);
}

/* Takes from one queue, as a publisher that loses its connection, and from the next, as one that has it. */
struct two_queues {
    struct ticket_queue *lost, *good;
};

static void *lose_then_confirm(void *argument)
{
    struct two_queues *queues = argument;

    ticket_settle(take_one(queues->lost), PUBLISH_LOST);
    ticket_settle(take_one(queues->good), PUBLISH_CONFIRMED);
    return NULL;
}

static void a_ticket_refused_or_lost_may_be_submitted_again(void **state)
{
    struct two_queues queues = {open_queue(4, 100), open_queue(4, 100)};
    struct ticket_queue *away = open_queue(4, 100);
    struct ticket_queue *full = open_queue(0, 100);
    struct ticket *ticket = ticket_of("{}");
    const int64_t deadline_ms = clock_monotonic_ms() + HANG_GUARD_MS;
    pthread_t thread;

    (void)state;
    ticket_queue_set_gate(away, GATE_AWAY);
    assert_int_equal(pthread_create(&thread, NULL, lose_then_confirm, &queues), 0);
    assert_int_equal(ticket_queue_submit(away, ticket, deadline_ms), PUBLISH_AWAY);
    assert_int_equal(ticket_queue_submit(full, ticket, deadline_ms), PUBLISH_FULL);
    assert_int_equal(ticket_queue_submit(queues.lost, ticket, deadline_ms), PUBLISH_LOST);
    assert_int_equal(ticket_queue_submit(queues.good, ticket, deadline_ms), PUBLISH_CONFIRMED);
    pthread_join(thread, NULL);
    ticket_release(ticket);
    ticket_queue_free(queues.lost);
    ticket_queue_free(queues.good);
    ticket_queue_free(away);
    ticket_queue_free(full);
}

static void the_bounds_hold(void **state)
{
    static const struct {
        const char *name;
        size_t tickets, bytes;
        const char *second;
        enum publish_outcome outcome;
    } cases[] = {
        {"a second ticket fits", 2, 10, "12345", PUBLISH_TIMEOUT},
        {"too many tickets", 1, 100, "12345", PUBLISH_FULL},
        {"too many bytes", 9, 9, "12345", PUBLISH_FULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ticket_queue *queue = open_queue(cases[i].tickets, cases[i].bytes);
        struct ticket *first = ticket_of("12345");
        struct ticket *second = ticket_of(cases[i].second);
        const int64_t now = clock_monotonic_ms();

        assert_int_equal(ticket_queue_submit(queue, first, now), PUBLISH_TIMEOUT);
        if (ticket_queue_submit(queue, second, now) != cases[i].outcome)
            fail_msg("%s", cases[i].name);
        ticket_release(first);
        ticket_release(second);
        ticket_queue_free(queue);
    }
}

static bool is_readable(struct ticket_queue *queue)
{
    struct pollfd fd = {.fd = ticket_queue_fd(queue), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static void the_descriptor_wakes_a_sleeper_only(void **state)
{
    struct ticket_queue *queue = open_queue(4, 100);
    struct ticket *first = ticket_of("1");
    struct ticket *second = ticket_of("2");
    struct ticket *taken[2];
    const int64_t past = clock_monotonic_ms();

    (void)state;
    assert_int_equal(ticket_queue_submit(queue, first, past), PUBLISH_TIMEOUT);
    assert_false(is_readable(queue));
    assert_false(ticket_queue_sleep(queue));
    assert_int_equal(ticket_queue_take(queue, taken, 2), 0);
    assert_true(ticket_queue_sleep(queue));
    assert_int_equal(ticket_queue_submit(queue, second, past), PUBLISH_TIMEOUT);
    assert_true(is_readable(queue));
    ticket_queue_awake(queue);
    assert_false(is_readable(queue));
    ticket_queue_wake(queue);
    assert_true(is_readable(queue));
    ticket_release(first);
    ticket_release(second);
    ticket_queue_free(queue);
}

static void a_ticket_grows_with_its_body(void **state)
{
    struct ticket *ticket = ticket_of("abc");
    struct envelope envelope = {.message_id = "id-1"};
    struct ticket *grown = ticket_grow(ticket, 1000);

    (void)state;
    assert_non_null(grown);
    assert_true(bytes_equal(ticket_body_bytes(grown), bytes_of_text("abc")));
    ticket_set_rejected(grown, &envelope, "invalid_json", "a sentence");
    assert_int_equal(ticket_target(grown), TICKET_REJECTED);
    assert_string_equal(ticket_envelope(grown)->message_id, "id-1");
    assert_string_equal(ticket_reject_reason(grown), "invalid_json");
    assert_string_equal(ticket_reject_detail(grown), "a sentence");
    ticket_release(grown);
    ticket_release(NULL);
}

/* Many threads against one publisher that confirms, with deadlines about as long as the work. */
static void nothing_is_lost_between_threads(void **state)
{
    enum { THREADS = 8, ROUNDS = 300 };
    struct ticket_queue *queue = open_queue(64, 10000);
    struct submitter submitters[THREADS];
    int confirmed = 0;
    int heard = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct ticket *taken[THREADS];
        int settled = 0;

        for (int i = 0; i < THREADS; i++)
            start(&submitters[i], queue, "{}", HANG_GUARD_MS);
        while (settled < THREADS) {
            const size_t count = ticket_queue_take(queue, taken, THREADS);

            if (count == 0)
                sched_yield(); /* the others may wait for this processor */
            for (size_t i = 0; i < count; i++)
                confirmed += ticket_settle(taken[i], PUBLISH_CONFIRMED);
            settled += (int)count;
        }
        for (int i = 0; i < THREADS; i++)
            heard += finish(&submitters[i]) == PUBLISH_CONFIRMED;
    }
    assert_int_equal(confirmed, THREADS * ROUNDS);
    assert_int_equal(heard, confirmed);
    ticket_queue_free(queue);
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
