/* Answers of apply.lua: conflicts that cannot be read, what it cannot have said, damaged keys. */
#include "workers/counting/plan.h"

#include "cases.h"
#include "plan_worker.h"

#include <string.h>

enum { TEXT = 64 * 1024, CURRENT = 2 };

static const struct {
    const char *name;
    struct bytes there;
    enum record_verdict verdict;
} conflicts[] = {
    {"a record of a newer version", {(const uint8_t *)"\x02", 1}, RECORD_NEWER},
    {"bytes that are no record", {(const uint8_t *)"\x01", 1}, RECORD_DAMAGED},
};

static void a_conflict_that_cannot_be_read_ends_the_batch(void **state)
{
    static const struct given batch[] = {{.id = "a", .at = 10}, {.id = "b", .at = 10}};

    (void)state;
    for (size_t i = 0; i < COUNT(conflicts); i++) {
        struct server *server = server_new();
        struct worker worker;
        char bucket[KEY_TEXT];
        struct buf text;

        buf_init(&text, TEXT);
        worker_init(&worker, server);
        worker_take(&worker, batch, COUNT(batch), CURRENT);
        worker_bucket(&worker, CURRENT, bucket);
        server_set_drop(server, bucket, plan_field(worker.plan, 0), conflicts[i].there);
        CHECK_CASE(conflicts[i].name, worker_call(&worker) == conflicts[i].verdict);
        worker_results(&worker, &text);
        CHECK_CASE(conflicts[i].name, strcmp(text.data, "untold counted") == 0);
        /* Once it is mended the rest applies, and what had applied is not sent again. */
        server_delete_drop(server, bucket, plan_field(worker.plan, 0));
        CHECK_CASE(conflicts[i].name, worker_finish(&worker) == 1);
        worker_results(&worker, &text);
        CHECK_CASE(conflicts[i].name, strcmp(text.data, "counted counted") == 0);
        worker_check_sums(server, conflicts[i].name);
        worker_clear(&worker);
        server_free(server);
        buf_clear(&text);
    }
}

static void an_answer_that_cannot_be_is_told_and_nothing_else(void **state)
{
    static const struct {
        const char *name;
        struct bytes answer;
    } answers[] = {
        {"nothing", {NULL, 0}},
        {"more conflicts than drops", {(const uint8_t *)"\x03\0\x01\0\0\0\0\x02\0\0\0\0\x03\0\0\0\0", 17}},
        {"a conflict of a drop that there is not", {(const uint8_t *)"\x01\0\x03\0\0\0\0", 7}},
        {"a conflict in a generation that there is not", {(const uint8_t *)"\x01\0\x01\0\x01\0\x02" "a", 8}},
        {"a conflict that is cut", {(const uint8_t *)"\x01\0\x01\0\x05\0\0abc", 10}},
    };
    static const struct given batch[] = {{.id = "a", .at = 10}, {.id = "b", .at = 10}};
    struct server *server = server_new();
    struct worker worker;

    (void)state;
    worker_init(&worker, server);
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct arguments arguments;
        struct plan_told told = {0};

        worker_take(&worker, batch, COUNT(batch), CURRENT);
        arguments_init(&arguments, TEXT);
        assert_true(plan_write(worker.plan, &arguments));
        CHECK_CASE(answers[i].name,
                   !plan_answer(worker.plan, answers[i].answer, worker.results, &told));
        CHECK_CASE(answers[i].name, (size_t)worker.results[0] == WORKER_UNTOLD && told.damaged.len == 0);
        arguments_clear(&arguments);
    }
    worker_clear(&worker);
    server_free(server);
}

static void damaged_keys_are_handed_on(void **state)
{
    static const struct given batch[] = {{.at = 10}};
    static const uint8_t answer[] = "\0\0dc:totals\ndc:minute:1";
    struct server *server = server_new();
    struct worker worker;
    struct arguments arguments;
    struct plan_told told = {0};

    (void)state;
    worker_init(&worker, server);
    worker_take(&worker, batch, 1, CURRENT);
    arguments_init(&arguments, TEXT);
    assert_true(plan_write(worker.plan, &arguments));
    assert_true(plan_answer(worker.plan, bytes_of(answer, sizeof answer - 1), worker.results, &told));
    assert_true(bytes_equal(told.damaged, bytes_of_text("dc:totals\ndc:minute:1")));
    assert_int_equal(worker.results[0], APPLIED_COUNTED);
    arguments_clear(&arguments);
    worker_clear(&worker);
    server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conflict_that_cannot_be_read_ends_the_batch),
        cmocka_unit_test(an_answer_that_cannot_be_is_told_and_nothing_else),
        cmocka_unit_test(damaged_keys_are_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
