#include "common/log_limiter.h"

#include "cases.h"

#include <stdio.h>

static void says_a_sentence_once_a_minute(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        int64_t at_ms;
        bool is_new;
    } cases[] = {
        {"the first time", "a is away", 1000, true},
        {"at once again", "a is away", 1000, false},
        {"another", "b is away", 2000, true},
        {"the first in turn", "a is away", 3000, false},
        {"the other in turn", "b is away", 60000, false},
        {"a minute later", "a is away", 61000, true},
        {"the minute counts from then", "a is away", 62000, false},
        {"the other a minute later", "b is away", 62000, true},
    };
    struct log_limiter limiter = {0};
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, log_limiter_is_news(&limiter, cases[i].text, cases[i].at_ms) == cases[i].is_new);
    log_limiter_forget(&limiter);
    assert_true(log_limiter_is_news(&limiter, "a is away", 62001));
}

static void forgets_the_one_said_longest_ago(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    char text[32];
    for (int i = 0; i <= LOG_LIMITER_KEPT; i++) {
        (void)snprintf(text, sizeof text, "host %d is away", i);
        assert_true(log_limiter_is_news(&limiter, text, i));
    }
    for (int i = 1; i <= LOG_LIMITER_KEPT; i++) {
        (void)snprintf(text, sizeof text, "host %d is away", i);
        assert_false(log_limiter_is_news(&limiter, text, 100));
    }
    assert_true(log_limiter_is_news(&limiter, "host 0 is away", 101));
    assert_true(log_limiter_is_news(&limiter, "host 1 is away", 102));
}

static void a_long_sentence_is_known_again(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    char text[ERROR_TEXT] = {0};
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = 'x';
    assert_true(log_limiter_is_news(&limiter, text, 1));
    assert_false(log_limiter_is_news(&limiter, text, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_a_sentence_once_a_minute),
        cmocka_unit_test(forgets_the_one_said_longest_ago),
        cmocka_unit_test(a_long_sentence_is_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
