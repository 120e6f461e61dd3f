/* What is kept of a message that was read, and the order of those that wait. */
#include "cases.h"
#include "workers/queue/delivery.h"

#include <string.h>

static void a_body_that_was_read_is_kept_only_for_the_rejected_queue(void **state)
{
    static const struct {
        const char *name, *body;
        bool event, kept;
        const char *reason;
        bool remark;
    } cases[] = {
        {"an event", "{\"status\":\"success\"}", true, false, NULL, false},
        {"with a value that is ignored", "{\"status\":\"success\",\"tts_fee\":-1}", true, false, NULL, true},
        {"no event", "{}", false, true, "unrecognized_shape", false},
        {"no event that tells of an opt-out", "{\"status\":\"perhaps\",\"dnc\":true,\"phone\":\"+13125550146\"}", true,
         true, "unusable_status", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct held held = {0};
        const size_t len = strlen(cases[i].body);
        struct delivery *delivery = delivery_new(len, &held);
        char remark[PARSE_DETAIL];
        assert_non_null(delivery);
        memcpy(delivery->body, cases[i].body, len);
        delivery->envelope.received_at_ms = 1780315200000;
        assert_false(delivery_was_read(delivery));
        CHECK_CASE(cases[i].name, delivery_read(delivery, NULL, remark));
        CHECK_CASE(cases[i].name, delivery_was_read(delivery));
        CHECK_CASE(cases[i].name, (delivery->event != NULL) == cases[i].event);
        CHECK_CASE(cases[i].name, (delivery->body != NULL) == cases[i].kept);
        CHECK_CASE(cases[i].name, !delivery->reason == !cases[i].reason);
        CHECK_CASE(cases[i].name, !cases[i].reason || strcmp(delivery->reason, cases[i].reason) == 0);
        CHECK_CASE(cases[i].name, (delivery->detail[0] != '\0') == (cases[i].reason != NULL));
        CHECK_CASE(cases[i].name, (remark[0] != '\0') == cases[i].remark);
        CHECK_CASE(cases[i].name, held.bytes == sizeof *delivery + (cases[i].kept ? len : 0) +
                                                    (cases[i].event ? sizeof *delivery->event : 0));
        delivery_free(delivery);
        assert_int_equal(held.bytes, 0);
    }
}

static void deliveries_leave_in_the_order_of_their_arrival(void **state)
{
    static const struct {
        const char *name;
        const char *steps;  /* + pushes the next tag, - pops, 0 clears */
        const char *popped; /* the tags */
        size_t left;
    } cases[] = {
        {"one in, one out", "+-", "1", 0},
        {"three in, three out", "+++---", "123", 0},
        {"in and out by turns", "+-+-+-", "123", 0},
        {"more come while some are there", "++-+-+", "12", 2},
        {"emptied, then used again", "++--++-", "123", 1},
        {"cleared, then used again", "+++0++-", "4", 1},
        {"cleared when it is empty", "0+-0", "1", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct held held = {0};
        struct delivery_queue queue = {0};
        char popped[8] = "";
        size_t pops = 0;
        uint64_t tag = 0;
        for (const char *step = cases[i].steps; *step; step++) {
            if (*step == '+') {
                struct delivery *delivery = delivery_new(0, &held);
                assert_non_null(delivery);
                delivery->tag = ++tag;
                delivery_queue_push(&queue, delivery);
            } else if (*step == '-') {
                struct delivery *delivery = delivery_queue_pop(&queue);
                popped[pops++] = (char)('0' + delivery->tag);
                delivery_free(delivery);
            } else {
                delivery_queue_clear(&queue);
            }
        }
        CHECK_CASE(cases[i].name, strcmp(popped, cases[i].popped) == 0);
        CHECK_CASE(cases[i].name, queue.count == cases[i].left && !queue.first == !cases[i].left);
        delivery_queue_clear(&queue);
        CHECK_CASE(cases[i].name, queue.count == 0 && held.bytes == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_was_read_is_kept_only_for_the_rejected_queue),
        cmocka_unit_test(deliveries_leave_in_the_order_of_their_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
