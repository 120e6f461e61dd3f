#include "common/log.h"

#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What one call writes to stderr. */
static void capture(char *out, size_t size, enum log_level level, const char *text)
{
    int ends[2];
    const int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    errno = EDOM;
    log_message(level, "%s", text);
    const int after = errno;
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    const ssize_t len = read(ends[0], out, size - 1);
    (void)close(ends[0]);
    assert_int_equal(after, EDOM);
    out[len > 0 ? len : 0] = '\0';
}

static void writes_one_clean_line(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *plain, *json;
    } cases[] = {
        {"plain", "hello", "hello", "hello"},
        {"a newline", "a\nb", "a\\x0ab", "a\\\\x0ab"},
        {"an escape sequence", "\x1b[31m", "\\x1b[31m", "\\\\x1b[31m"},
        {"quotes", "say \"x\"", "say \"x\"", "say \\\"x\\\""},
        {"UTF-8", "\xc3\xa9", "\xc3\xa9", "\xc3\xa9"},
        {"broken UTF-8", "\xc3(", "\\xc3(", "\\\\xc3("},
        {"a control of two bytes", "\xc2\x85", "\\xc2\\x85", "\\\\xc2\\\\x85"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char line[8192];
        char expected[256];
        log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        capture(line, sizeof line, LOG_LEVEL_WARN, cases[i].text);
        (void)snprintf(expected, sizeof expected, "Z warn prog: %s\n", cases[i].plain);
        CHECK_CASE(cases[i].name, strlen(line) > 23 && strcmp(line + 23, expected) == 0);

        log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        capture(line, sizeof line, LOG_LEVEL_INFO, cases[i].text);
        (void)snprintf(expected, sizeof expected, "\",\"level\":\"info\",\"program\":\"prog\",\"message\":\"%s\"}\n",
                       cases[i].json);
        CHECK_CASE(cases[i].name, strlen(line) > 33 && strcmp(line + 33, expected) == 0);
    }
}

static void cuts_a_long_message_between_characters(void **state)
{
    (void)state;
    char text[4096];
    char line[8192];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 1021, "\xe2\x82\xac", 3);
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_INFO, text);
    assert_int_equal(strlen(line), strlen("2026-03-20T15:04:05.000Z info p: ") + 1021 + 1);
    memset(text, '\x01', sizeof text - 1);
    capture(line, sizeof line, LOG_LEVEL_INFO, text);
    assert_int_equal(strlen(line), strlen("2026-03-20T15:04:05.000Z info p: ") + 4 * 1023 + 1);
}

static void keeps_to_its_level(void **state)
{
    (void)state;
    char line[1024];
    log_init("p", LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    capture(line, sizeof line, LOG_LEVEL_INFO, "hidden");
    assert_string_equal(line, "");
}

static void masks_phone_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *phone, *masked;
    } cases[] = {
        {"E.164", "+15552224444", "+1********44"},
        {"without a plus", "5552224444", "********44"},
        {"six digits", "123456", "****56"},
        {"five digits", "12345", "*****"},
        {"nothing", "", ""},
        {"longer than any", "1234567890123456789012345678", "*********************23"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[LOG_MASKED_PHONE];
        CHECK_CASE(cases[i].name, strcmp(log_mask_phone(cases[i].phone, out), cases[i].masked) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_clean_line),
        cmocka_unit_test(cuts_a_long_message_between_characters),
        cmocka_unit_test(keeps_to_its_level),
        cmocka_unit_test(masks_phone_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
