/* Generations of remembered drops: their text in Redis, and when the next one begins. */
#include "common/drops/generations.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

#define HOUR INT64_C(3600000)
#define WEEK (7 * 24 * HOUR)
#define SINCE INT64_C(1774019040000) /* 2026-03-20 */

static const struct {
    const char *name, *text;
    struct generations generations;
} texts[] = {
    {"one", "1:1774019040000:604800000:604800000:32768", {1, {{1, SINCE, WEEK, WEEK, 32768}}}},
    {"two, the newest first",
     "9:1774019040001:3600000:7200000:1 3:1774019040000:604800000:604800000:1048576",
     {2, {{9, SINCE + 1, HOUR, 2 * HOUR, 1}, {3, SINCE, WEEK, WEEK, 1048576}}}},
    {"the greatest there can be",
     "4294967294:281474976710656:281474976710656:281474976710656:1048576",
     {1, {{UINT32_MAX - 1, INT64_C(1) << 48, INT64_C(1) << 48, INT64_C(1) << 48, 1048576}}}},
    {"the least there can be", "0:0:0:0:1", {1, {{0, 0, 0, 0, 1}}}},
};

static bool equal(const struct generations *a, const struct generations *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        const struct generation *x = &a->list[i], *y = &b->list[i];

        same = x->number == y->number && x->birth_ms == y->birth_ms && x->length_ms == y->length_ms &&
               x->keep_ms == y->keep_ms && x->buckets == y->buckets;
    }
    return same;
}

static void they_are_read_as_they_were_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[GENERATIONS_TEXT];
        struct generations read;

        generations_write(&texts[i].generations, text);
        CHECK_CASE(texts[i].name, strcmp(text, texts[i].text) == 0);
        CHECK_CASE(texts[i].name, generations_read(text, &read) && equal(&read, &texts[i].generations));
    }
}

/* As many as there can be, each as long as it can be. */
static struct generations full(void)
{
    struct generations generations = {.count = GENERATIONS_MAX};

    for (size_t i = 0; i < GENERATIONS_MAX; i++)
        generations.list[i] = (struct generation){UINT32_MAX - 1 - (uint32_t)i, INT64_C(1) << 48, INT64_C(1) << 48,
                                                  INT64_C(1) << 48, 1048576};
    return generations;
}

static void as_many_as_there_can_be_have_room(void **state)
{
    struct generations generations = full(), read;
    char text[GENERATIONS_TEXT], longer[2 * GENERATIONS_TEXT];

    (void)state;
    generations_write(&generations, text);
    assert_true(generations_read(text, &read) && equal(&read, &generations));
    snprintf(longer, sizeof longer, "%s 1:1:1:1:1", text);
    assert_false(generations_read(longer, &read));
}

static const struct {
    const char *name, *text;
} refused[] = {
    {"nothing", ""},
    {"a space", " "},
    {"a space before", " 1:2:3:4:5"},
    {"a space behind", "1:2:3:4:5 "},
    {"two spaces between", "2:2:3:4:5  1:2:3:4:5"},
    {"another sign between", "2:2:3:4:5,1:2:3:4:5"},
    {"a line's end", "1:2:3:4:5\n"},
    {"a part too few", "1:2:3:4"},
    {"a part too many", "1:2:3:4:5:6"},
    {"an empty part", "1:2::4:5"},
    {"an empty last part", "1:2:3:4:"},
    {"a second one that is cut", "2:2:3:4:5 1:2:3"},
    {"a letter", "1:2:x:4:5"},
    {"a letter behind a number", "1:2:3x:4:5"},
    {"a number below nothing", "1:-2:3:4:5"},
    {"a number with a plus", "1:+2:3:4:5"},
    {"a number with a nought before", "1:02:3:4:5"},
    {"a hexadecimal number", "1:0x2:3:4:5"},
    {"a fraction", "1:2.5:3:4:5"},
    {"no bucket", "1:2:3:4:0"},
    {"too many buckets", "1:2:3:4:1048577"},
    {"the number that has no next", "4294967295:2:3:4:5"},
    {"a birth past the greatest", "1:281474976710657:3:4:5"},
    {"a length past the greatest", "1:2:281474976710657:4:5"},
    {"a time to keep past the greatest", "1:2:3:281474976710657:5"},
    {"a number past all", "1:99999999999999999999:3:4:5"},
    {"one number twice", "1:2:3:4:5 1:2:3:4:5"},
    {"the oldest first", "1:2:3:4:5 2:2:3:4:5"},
};

static void what_no_worker_wrote_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct generations read, before;

        memset(&read, 0x55, sizeof read);
        before = read;
        CHECK_CASE(refused[i].name, !generations_read(refused[i].text, &read));
        CHECK_CASE(refused[i].name, memcmp(&read, &before, sizeof read) == 0);
    }
}

static const struct {
    const char *name;
    struct generations generations;
    int64_t now_ms, retention_ms;
    bool current;
} ages[] = {
    {"there is none", {0}, SINCE, WEEK, false},
    {"just born", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE, WEEK, true},
    {"in its last moment", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE + WEEK - 1, WEEK, true},
    {"its length is over", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE + WEEK, WEEK, false},
    {"a clock that was set back", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE - WEEK, WEEK, true},
    {"drops are to be kept longer than it does", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE, WEEK + 1, false},
    {"drops are to be kept for less", {1, {{1, SINCE, WEEK, WEEK, 1}}}, SINCE, HOUR, true},
    {"it keeps longer than it lasts", {1, {{1, SINCE, HOUR, WEEK, 1}}}, SINCE + HOUR - 1, WEEK, true},
    {"an older one is not asked",
     {2, {{2, SINCE, HOUR, WEEK, 1}, {1, SINCE, 9 * WEEK, WEEK, 1}}},
     SINCE + HOUR,
     WEEK,
     false},
};

static void the_newest_takes_drops_until_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ages); i++)
        CHECK_CASE(ages[i].name,
                   generations_current(&ages[i].generations, ages[i].now_ms, ages[i].retention_ms, 0) ==
                       ages[i].current);
}

static const struct {
    const char *name;
    size_t count;
    uint32_t buckets;
    uint64_t drops;
    bool current;
} sizes[] = {
    {"none yet", 1, 4096, 0, true},
    {"one drop before it is full", 1, 4096, 60 * 4096 - 1, true},
    {"as many as fill it", 1, 4096, 60 * 4096, false},
    {"more than fill it", 1, 4096, UINT64_MAX - 1, false},
    {"a larger one is filled by more", 2, 32768, 60 * 4096, true},
    {"one with the most buckets is never full", 1, 1048576, UINT64_MAX - 1, true},
    {"nor is one of so many that the oldest would go too early", 8, 4096, UINT64_MAX - 1, true},
};

static void the_newest_takes_drops_until_it_is_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct generations generations = {.count = sizes[i].count, .list = {{9, SINCE, WEEK, WEEK, sizes[i].buckets}}};

        CHECK_CASE(sizes[i].name, generations_current(&generations, SINCE, WEEK, sizes[i].drops) == sizes[i].current);
    }
}

static const struct {
    const char *name;
    struct generations before;
    int64_t now_ms, retention_ms;
    uint64_t drops;
    struct generations after;
} renewals[] = {
    {"the first", {0}, SINCE, WEEK, 0, {1, {{1, SINCE, WEEK, WEEK, 4096}}}},
    {"the next, beside the last one",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE + WEEK,
     WEEK,
     30 * 10000,
     {2, {{2, SINCE + WEEK, WEEK, WEEK, 10000}, {1, SINCE, WEEK, WEEK, 32768}}}},
    {"one in its last moment of being kept stays",
     {2, {{8, SINCE + WEEK, WEEK, WEEK, 9000}, {7, SINCE, WEEK, WEEK, 32768}}},
     SINCE + 2 * WEEK,
     WEEK,
     30 * 10000,
     {3,
      {{9, SINCE + 2 * WEEK, WEEK, WEEK, 10000}, {8, SINCE + WEEK, WEEK, WEEK, 9000}, {7, SINCE, WEEK, WEEK, 32768}}}},
    {"one that is forgotten goes, and its number is not used again",
     {2, {{8, SINCE + WEEK, WEEK, WEEK, 9000}, {7, SINCE, WEEK, WEEK, 32768}}},
     SINCE + 2 * WEEK + 1,
     WEEK,
     30 * 10000,
     {2, {{9, SINCE + 2 * WEEK + 1, WEEK, WEEK, 10000}, {8, SINCE + WEEK, WEEK, WEEK, 9000}}}},
    {"all are forgotten",
     {2, {{8, SINCE + WEEK, WEEK, WEEK, 9000}, {7, SINCE, WEEK, WEEK, 32768}}},
     SINCE + 9 * WEEK,
     HOUR,
     30 * 10000,
     {1, {{9, SINCE + 9 * WEEK, HOUR, HOUR, 10000}}}},
    {"half its length counts for half its drops",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE + WEEK / 2,
     2 * WEEK,
     30 * 10000,
     {2, {{2, SINCE + WEEK / 2, 2 * WEEK, 2 * WEEK, 20000}, {1, SINCE, WEEK, WEEK, 32768}}}},
    {"a moment counts for no less than a hundredth",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE + 1,
     2 * WEEK,
     30 * 100,
     {2, {{2, SINCE + 1, 2 * WEEK, 2 * WEEK, 10000}, {1, SINCE, WEEK, WEEK, 32768}}}},
    {"a clock that was set back counts as a moment",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE - HOUR,
     2 * WEEK,
     30 * 100,
     {2, {{2, SINCE - HOUR, 2 * WEEK, 2 * WEEK, 10000}, {1, SINCE, WEEK, WEEK, 32768}}}},
    {"one that had no length counts in full",
     {1, {{1, SINCE, 0, WEEK, 32768}}},
     SINCE,
     WEEK,
     30 * 10000,
     {2, {{2, SINCE, WEEK, WEEK, 10000}, {1, SINCE, 0, WEEK, 32768}}}},
    {"one that was full early is followed by one with sixteen times the buckets",
     {1, {{1, SINCE, WEEK, WEEK, 4096}}},
     SINCE + HOUR,
     WEEK,
     60 * 4096,
     {2, {{2, SINCE + HOUR, WEEK, WEEK, 65536}, {1, SINCE, WEEK, WEEK, 4096}}}},
    {"one that was full halfway is followed by one for as many as it would have taken",
     {1, {{1, SINCE, WEEK, WEEK, 4096}}},
     SINCE + WEEK / 2,
     WEEK,
     60 * 4096,
     {2, {{2, SINCE + WEEK / 2, WEEK, WEEK, 16384}, {1, SINCE, WEEK, WEEK, 4096}}}},
    {"as many as there can be at the most",
     {1, {{1, SINCE, WEEK, WEEK, 262144}}},
     SINCE + HOUR,
     WEEK,
     60 * 262144,
     {2, {{2, SINCE + HOUR, WEEK, WEEK, 1048576}, {1, SINCE, WEEK, WEEK, 262144}}}},
    {"one that was full at its end is no sample of a part",
     {1, {{1, SINCE, WEEK, WEEK, 4096}}},
     SINCE + WEEK,
     WEEK,
     60 * 4096,
     {2, {{2, SINCE + WEEK, WEEK, WEEK, 8192}, {1, SINCE, WEEK, WEEK, 4096}}}},
    {"few drops have the least buckets",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE + WEEK,
     WEEK,
     0,
     {2, {{2, SINCE + WEEK, WEEK, WEEK, 4096}, {1, SINCE, WEEK, WEEK, 32768}}}},
    {"many drops have the most buckets",
     {1, {{1, SINCE, WEEK, WEEK, 32768}}},
     SINCE + WEEK,
     WEEK,
     UINT64_MAX,
     {2, {{2, SINCE + WEEK, WEEK, WEEK, 1048576}, {1, SINCE, WEEK, WEEK, 32768}}}},
};

static void a_new_one_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(renewals); i++) {
        struct generations generations = renewals[i].before;

        generations_renew(&generations, 1, renewals[i].now_ms, renewals[i].retention_ms, renewals[i].drops);
        if (!equal(&generations, &renewals[i].after)) {
            char text[GENERATIONS_TEXT];

            generations_write(&generations, text);
            fail_msg("%s: %s", renewals[i].name, text);
        }
        CHECK_CASE(renewals[i].name,
                   generations_current(&generations, renewals[i].now_ms, renewals[i].retention_ms, 0));
    }
}

static void of_too_many_the_oldest_goes(void **state)
{
    struct generations generations = {0};
    char text[GENERATIONS_TEXT];
    struct generations read;

    (void)state;
    for (int64_t i = 1; i <= 3 * GENERATIONS_MAX; i++) {
        generations_renew(&generations, 1, SINCE + i, WEEK + i, 0);
        assert_int_equal(generations.list[0].number, i);
        generations_write(&generations, text);
        assert_true(generations_read(text, &read) && equal(&read, &generations));
    }
    assert_int_equal(generations.count, GENERATIONS_MAX);
    assert_int_equal(generations.list[GENERATIONS_MAX - 1].number, 2 * GENERATIONS_MAX + 1);
}

/* What is written in a generation's last moment is kept for as long as it should be. */
static void a_drop_is_kept_for_as_long_as_was_asked(void **state)
{
    struct generations generations = {0};
    int64_t now_ms = SINCE;

    (void)state;
    for (int i = 0; i < 100; i++, now_ms += HOUR) {
        int64_t retention_ms = HOUR * (1 + i % 7);

        if (!generations_current(&generations, now_ms, retention_ms, 0))
            generations_renew(&generations, 1, now_ms, retention_ms, 0);
        assert_true(generation_end_ms(&generations.list[0]) > now_ms + retention_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_read_as_they_were_written),
        cmocka_unit_test(as_many_as_there_can_be_have_room),
        cmocka_unit_test(what_no_worker_wrote_is_refused),
        cmocka_unit_test(the_newest_takes_drops_until_its_end),
        cmocka_unit_test(the_newest_takes_drops_until_it_is_full),
        cmocka_unit_test(a_new_one_begins),
        cmocka_unit_test(of_too_many_the_oldest_goes),
        cmocka_unit_test(a_drop_is_kept_for_as_long_as_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
