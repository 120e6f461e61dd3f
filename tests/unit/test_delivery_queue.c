/* Deliveries keep their order of arrival until a batch takes them. */
#include "cases.h"
#include "workers/queue/delivery_queue.h"

#include <string.h>

static void deliveries_leave_in_the_order_of_their_arrival(void **state)
{
    static const struct {
        const char *name;
        const char *steps; /* + pushes the next tag, - pops, 0 clears */
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
        cmocka_unit_test(deliveries_leave_in_the_order_of_their_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
