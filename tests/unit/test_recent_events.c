/* duplicate: true, which events are remembered and for how long. */
#include "bridge/recent_events.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

enum { START_MS = 1000 };

static struct bytes event(int number)
{
    static char text[64];

    return bytes_of(text, (size_t)snprintf(text, sizeof text, "{\"n\":%d}", number));
}

static bool has(struct recent_events *recent, int number, int64_t now_ms)
{
    uint8_t digest[RECENT_DIGEST];

    return recent_events_has(recent, event(number), now_ms, digest);
}

static void add(struct recent_events *recent, int number, int64_t now_ms)
{
    uint8_t digest[RECENT_DIGEST];

    (void)recent_events_has(recent, event(number), now_ms, digest);
    recent_events_add(recent, digest, now_ms);
}

static void the_same_bytes_are_known_for_15_minutes_from_the_last_time(void **state)
{
    struct recent_events *recent = recent_events_new();

    (void)state;
    assert_false(has(recent, 1, START_MS));
    assert_false(has(recent, 1, START_MS)); /* asking adds nothing */
    add(recent, 1, START_MS);
    assert_true(has(recent, 1, START_MS));
    assert_false(has(recent, 2, START_MS));
    assert_true(has(recent, 1, START_MS + RECENT_MS - 1));
    assert_false(has(recent, 1, START_MS + RECENT_MS));
    add(recent, 1, START_MS + RECENT_MS);
    assert_true(has(recent, 1, START_MS + 2 * RECENT_MS - 1));
    recent_events_free(recent);
}

static void the_last_65536_are_known_and_no_more(void **state)
{
    struct recent_events *recent = recent_events_new();

    (void)state;
    for (int i = 0; i < 2 * RECENT_EVENTS + 10; i++)
        add(recent, i, START_MS);
    for (int i = 0; i < 2 * RECENT_EVENTS + 10; i++)
        assert_int_equal(has(recent, i, START_MS), i >= RECENT_EVENTS + 10);
    recent_events_free(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_are_known_for_15_minutes_from_the_last_time),
        cmocka_unit_test(the_last_65536_are_known_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
