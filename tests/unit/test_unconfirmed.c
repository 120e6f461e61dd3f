#include "bridge/broker/unconfirmed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Items are pointers to digits of this text; what is settled is written down in order. */
static char items[] = "0123456789";

static void note(void *context, void *item)
{
    strncat(context, item, 1);
}

struct step {
    uint64_t tag;
    bool multiple;
    long taken;
    const char *settled;
    size_t span, count;
};

static const struct {
    const char *name;
    int pushes;
    struct step steps[5];
    int step_count;
} cases[] = {
    {"one by one, in order", 3, {{1, false, 1, "0", 2, 2}, {2, false, 1, "1", 1, 1}, {3, false, 1, "2", 0, 0}}, 3},
    {"out of order the span stays",
     3,
     {{3, false, 1, "2", 3, 2}, {2, false, 1, "1", 3, 1}, {1, false, 1, "0", 0, 0}},
     3},
    {"multiple takes all before it", 4, {{3, true, 3, "012", 1, 1}}, 1},
    {"multiple passes over what is settled", 4, {{2, false, 1, "1", 4, 3}, {4, true, 3, "023", 0, 0}}, 2},
    {"tag 0 with multiple takes all", 3, {{0, true, 3, "012", 0, 0}}, 1},
    {"tag 0 alone was never given", 3, {{0, false, -1, "", 3, 3}}, 1},
    {"a tag never given takes nothing", 2, {{3, true, -1, "", 2, 2}, {3, false, -1, "", 2, 2}}, 2},
    {"a tag settled before takes nothing",
     2,
     {{1, false, 1, "0", 1, 1}, {1, false, 0, "", 1, 1}, {1, true, 0, "", 1, 1}},
     3},
    {"an empty window takes nothing", 0, {{0, true, 0, "", 0, 0}, {1, false, -1, "", 0, 0}}, 2},
};

static void tags_are_settled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unconfirmed *window = unconfirmed_new(4);

        assert_non_null(window);
        for (int k = 0; k < cases[i].pushes; k++)
            assert_int_equal(unconfirmed_push(window, &items[k], 0), k + 1);
        for (int k = 0; k < cases[i].step_count; k++) {
            const struct step *step = &cases[i].steps[k];
            char settled[16] = "";
            const long taken = unconfirmed_settle(window, step->tag, step->multiple, note, settled);

            if (taken != step->taken || strcmp(settled, step->settled) != 0 ||
                4 - unconfirmed_room(window) != step->span || window->count != step->count)
                fail_msg("%s, step %d: took %ld (%s), span %zu, count %zu", cases[i].name, k + 1, taken, settled,
                         4 - unconfirmed_room(window), window->count);
        }
        unconfirmed_free(window);
    }
}

static void a_full_window_takes_no_more(void **state)
{
    struct unconfirmed *window = unconfirmed_new(4);
    char settled[16] = "";

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(unconfirmed_push(window, &items[i], 0), i + 1);
    assert_int_equal(unconfirmed_push(window, &items[4], 0), 0);
    assert_int_equal(unconfirmed_settle(window, 2, false, note, settled), 1);
    /* Tag 1 still waits: the span is what is full. */
    assert_int_equal(unconfirmed_push(window, &items[4], 0), 0);
    assert_int_equal(unconfirmed_settle(window, 1, false, note, settled), 1);
    assert_int_equal(unconfirmed_push(window, &items[4], 0), 5);
    assert_int_equal(unconfirmed_push(window, &items[5], 0), 6);
    assert_int_equal(unconfirmed_push(window, &items[6], 0), 0);
    unconfirmed_free(window);
}

static void the_oldest_that_waits_is_known(void **state)
{
    struct unconfirmed *window = unconfirmed_new(4);
    char seen[16] = "";
    char settled[16] = "";

    (void)state;
    assert_int_equal(unconfirmed_oldest_ms(window), INT64_MAX);
    for (int i = 0; i < 4; i++)
        unconfirmed_push(window, &items[i], 100 + i);
    unconfirmed_settle(window, 2, false, note, settled);
    assert_int_equal(unconfirmed_oldest_ms(window), 100);
    unconfirmed_each(window, note, seen);
    assert_string_equal(seen, "023");
    unconfirmed_settle(window, 1, false, note, settled);
    assert_int_equal(unconfirmed_oldest_ms(window), 102);
    unconfirmed_reset(window, note, settled);
    assert_int_equal(unconfirmed_oldest_ms(window), INT64_MAX);
    unconfirmed_free(window);
}

static void reset_takes_all_and_starts_again(void **state)
{
    struct unconfirmed *window = unconfirmed_new(4);
    char settled[16] = "";

    (void)state;
    for (int i = 0; i < 3; i++)
        unconfirmed_push(window, &items[i], 0);
    unconfirmed_reset(window, note, settled);
    assert_string_equal(settled, "012");
    assert_int_equal(window->count, 0);
    assert_int_equal(unconfirmed_push(window, &items[0], 0), 1);
    unconfirmed_free(window);
}

/* A long random run against a plain list. */
static void it_agrees_with_a_plain_list(void **state)
{
    struct unconfirmed *window = unconfirmed_new(64);
    bool waiting[20001] = {false};
    uint64_t next = 1;
    unsigned seed = 1;

    (void)state;
    while (next <= 20000) {
        char settled[8192] = "";
        if (rand_r(&seed) % 3) {
            const uint64_t tag = unconfirmed_push(window, &items[0], 0);

            if (tag) {
                assert_int_equal(tag, next);
                waiting[next++] = true;
            }
        } else if (next > 1) {
            const uint64_t back = (uint64_t)(rand_r(&seed) % 70);
            const uint64_t tag = back < next - 1 ? next - 1 - back : 1;
            const bool multiple = rand_r(&seed) % 4 == 0;
            long expected = 0;

            for (uint64_t t = multiple ? 1 : tag; t <= tag; t++) {
                expected += waiting[t];
                waiting[t] = false;
            }
            assert_int_equal(unconfirmed_settle(window, tag, multiple, note, settled), expected);
        }
    }
    unconfirmed_free(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_settled),
        cmocka_unit_test(a_full_window_takes_no_more),
        cmocka_unit_test(the_oldest_that_waits_is_known),
        cmocka_unit_test(reset_takes_all_and_starts_again),
        cmocka_unit_test(it_agrees_with_a_plain_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
