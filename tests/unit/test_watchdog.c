#include "common/watchdog.h"

#include "cases.h"
#include "common/clock.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_TIME_MS = 30 };

static struct watchdog *start(void)
{
    struct error error = {0};
    struct watchdog *dog = watchdog_start(&error);

    assert_non_null(dog);
    return dog;
}

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* Returns when the peer reads, or when somebody shuts the socket. */
static void send_to_one_who_never_reads(int fd)
{
    static const char block[65536];

    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        continue;
}

static void receive_from_one_who_never_sends(int fd)
{
    char byte;

    (void)recv(fd, &byte, 1, 0);
}

static void breaks_a_call_that_takes_too_long(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*call)(int fd);
    } cases[] = {
        {"a send to a peer that never reads", send_to_one_who_never_reads},
        {"a read from a peer that never sends", receive_from_one_who_never_sends},
    };
    struct watchdog *dog = start();
    struct watch *watch = watch_new(dog);
    assert_non_null(watch);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t before = clock_monotonic_ms();
        int pair[2];
        make_pair(pair);
        watch_begin(watch, pair[0], 50);
        cases[i].call(pair[0]);
        CHECK_CASE(cases[i].name, watch_end(watch));
        CHECK_CASE(cases[i].name, clock_monotonic_ms() - before >= 50);
        close_pair(pair);
    }
    watch_free(watch);
    watchdog_stop(dog);
}

static void leaves_a_call_that_ends_in_time_alone(void **state)
{
    (void)state;
    struct watchdog *dog = start();
    struct watch *watch = watch_new(dog);
    struct watch *later = watch_new(dog);
    int pair[2];
    int other[2];
    char byte = 0;
    make_pair(pair);
    make_pair(other);
    for (int i = 0; i < 1000; i++) {
        const int64_t before = clock_monotonic_ms();
        watch_begin(watch, pair[0], IN_TIME_MS);
        if (!watch_end(watch))
            continue;
        /* A busy machine may stop this thread for so long. */
        assert_true(clock_monotonic_ms() - before >= IN_TIME_MS);
        close_pair(pair);
        make_pair(pair);
    }
    /* Once this one is late, each of those would have been. */
    watch_begin(later, other[0], IN_TIME_MS);
    receive_from_one_who_never_sends(other[0]);
    assert_true(watch_end(later));
    assert_int_equal(send(pair[1], "x", 1, 0), 1);
    assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
    watch_free(watch);
    watch_free(later);
    close_pair(pair);
    close_pair(other);
    watchdog_stop(dog);
}

static void cuts_the_late_one_of_two(void **state)
{
    (void)state;
    struct watchdog *dog = start();
    struct watch *patient = watch_new(dog);
    struct watch *hasty = watch_new(dog);
    int slow[2];
    int late[2];
    make_pair(slow);
    make_pair(late);
    watch_begin(patient, slow[0], FOREVER_MS);
    /* Sooner than what the thread sleeps for. */
    watch_begin(hasty, late[0], 30);
    receive_from_one_who_never_sends(late[0]);
    assert_true(watch_end(hasty));
    assert_int_equal(send(slow[0], "x", 1, MSG_NOSIGNAL), 1);
    assert_false(watch_end(patient));
    /* The next call of the same watch starts afresh. */
    watch_begin(hasty, slow[0], FOREVER_MS);
    assert_false(watch_end(hasty));
    watch_free(patient);
    watch_free(hasty);
    close_pair(slow);
    close_pair(late);
    watchdog_stop(dog);
}

struct abort {
    struct watch *watch;
    int64_t at_ms;
};

static void *abort_it(void *argument)
{
    const struct abort *abort = argument;

    watch_abort_at(abort->watch, abort->at_ms);
    return NULL;
}

static void an_abort_cuts_this_call_and_the_next(void **state)
{
    static const struct {
        const char *name;
        int64_t after_ms;
    } cases[] = {{"at once", 0}, {"in a while", 30}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct watchdog *dog = start();
        struct abort abort = {watch_new(dog), clock_monotonic_ms() + cases[i].after_ms};
        pthread_t thread;
        int first[2];
        int second[2];
        make_pair(first);
        make_pair(second);
        watch_begin(abort.watch, first[0], FOREVER_MS);
        assert_int_equal(pthread_create(&thread, NULL, abort_it, &abort), 0);
        receive_from_one_who_never_sends(first[0]);
        CHECK_CASE(cases[i].name, watch_end(abort.watch));
        CHECK_CASE(cases[i].name, clock_monotonic_ms() >= abort.at_ms);
        watch_begin(abort.watch, second[0], FOREVER_MS);
        receive_from_one_who_never_sends(second[0]);
        CHECK_CASE(cases[i].name, watch_end(abort.watch));
        pthread_join(thread, NULL);
        watch_free(abort.watch);
        close_pair(first);
        close_pair(second);
        watchdog_stop(dog);
    }
}

static void takes_no_watch_and_no_dog(void **state)
{
    (void)state;
    watch_begin(NULL, 0, 0);
    assert_false(watch_end(NULL));
    watch_free(NULL);
    watchdog_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaks_a_call_that_takes_too_long), cmocka_unit_test(leaves_a_call_that_ends_in_time_alone),
        cmocka_unit_test(cuts_the_late_one_of_two),          cmocka_unit_test(an_abort_cuts_this_call_and_the_next),
        cmocka_unit_test(takes_no_watch_and_no_dog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
