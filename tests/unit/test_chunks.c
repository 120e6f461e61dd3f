#include "bridge/http/chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Reads `text` as the bridge does, at most `most` bytes at a time, into `body`. The length of the body, -1 if it is none, -2 if
   it has no end. *used: how much was read. */
static long read_all(const char *text, size_t len, size_t most, uint8_t *body, size_t *used)
{
    struct chunks chunks = {0};
    size_t body_len = 0, ahead;

    *used = 0;
    while ((ahead = chunks_ahead(&chunks)) > 0) {
        const size_t take = ahead < most ? ahead : most;

        if (take > len - *used)
            return -2;
        memcpy(body + body_len, text + *used, take);
        *used += take;
        const long decoded = chunks_decode(&chunks, body + body_len, take);
        if (decoded < 0)
            return -1;
        body_len += (size_t)decoded;
    }
    return (long)body_len;
}

static const char unfinished[] = "more must come";

static const struct {
    const char *name, *text;
    const char *body; /* NULL: refused; or unfinished */
} cases[] = {
    {"one chunk", "3\r\nabc\r\n0\r\n\r\n", "abc"},
    {"two chunks", "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd"},
    {"no chunk", "0\r\n\r\n", ""},
    {"a size in capitals with zeros in front", "0000000A\r\n0123456789\r\n00\r\n\r\n", "0123456789"},
    {"a chunk that looks like an end", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
    {"no last chunk", "3\r\nabc\r\n", unfinished},
    {"an end in the midst of a chunk", "3\r\nab", unfinished},
    {"an end behind a size", "3\r\n", unfinished},
    {"no empty line behind the last chunk", "3\r\nabc\r\n0\r\n", unfinished},
    {"nothing", "", unfinished},
    {"a trailer", "3\r\nabc\r\n0\r\nA: b\r\n\r\n", NULL},
    {"an extension", "3;a=b\r\nabc\r\n0\r\n\r\n", NULL},
    {"a space behind the size", "3 \r\nabc\r\n0\r\n\r\n", NULL},
    {"a space before the size", " 3\r\nabc\r\n0\r\n\r\n", NULL},
    {"a negative size", "-3\r\nabc\r\n0\r\n\r\n", NULL},
    {"a size with a plus", "+3\r\nabc\r\n0\r\n\r\n", NULL},
    {"a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n", NULL},
    {"no size", "\r\nabc\r\n0\r\n\r\n", NULL},
    {"a size of nine digits", "000000003\r\nabc\r\n0\r\n\r\n", NULL},
    {"a letter in the midst of the size's line end", "3\rA\r\nabc\r\n0\r\n\r\n", NULL},
    {"a bare line feed behind the size", "3\nabc\r\n0\r\n\r\n", NULL},
    {"a bare line feed behind the data", "3\r\nabc\n0\r\n\r\n", NULL},
    {"more data than the size", "3\r\nabcd\r\n0\r\n\r\n", NULL},
    {"less data than the size", "4\r\nabc\r\n0\r\n\r\n", NULL},
    {"a bare line feed at the end", "3\r\nabc\r\n0\r\n\n\r\n\r\n", NULL},
};

static void bodies_are_read_whatever_pieces_they_come_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = strlen(cases[i].text);

        for (size_t most = 1; most <= len + 1; most++) {
            uint8_t body[64];
            size_t used;
            const long body_len = read_all(cases[i].text, len, most, body, &used);

            /* In large pieces the end of the text may come before the fault is seen. */
            const bool right = !cases[i].body                ? body_len == -1 || (body_len == -2 && most > 1)
                               : cases[i].body == unfinished ? body_len == -2
                                                             : body_len == (long)strlen(cases[i].body) && used == len &&
                                                                   memcmp(body, cases[i].body, (size_t)body_len) == 0;
            if (!right)
                fail_msg("%s, %zu bytes at a time: %ld, %zu of %zu bytes read", cases[i].name, most, body_len, used, len);
        }
    }
}

static void nothing_behind_the_end_is_read(void **state)
{
    static const char text[] = "3\r\nabc\r\n0\r\n\r\nPOST /";
    uint8_t body[64];
    size_t used;

    (void)state;
    assert_int_equal(read_all(text, sizeof text - 1, SIZE_MAX, body, &used), 3);
    assert_string_equal(text + used, "POST /");
}

/* The size of a body in so many chunks of so many bytes; -1 if it is refused. */
static long read_many(size_t count, size_t size)
{
    static char text[1 << 20];
    static uint8_t body[1 << 20];
    size_t len = 0, used;

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%zx\r\n%.*s\r\n", size, (int)size, "0123456789abcdef");
    len += (size_t)snprintf(text + len, sizeof text - len, "0\r\n\r\n");
    return read_all(text, len, SIZE_MAX, body, &used);
}

static void chunks_of_a_byte_are_taken_up_to_a_bound(void **state)
{
    (void)state;
    assert_int_equal(read_many(CHUNKS_FREE - 1, 1), CHUNKS_FREE - 1);
    assert_int_equal(read_many(2 * CHUNKS_FREE, 1), -1);
    assert_int_equal(read_many(8 * CHUNKS_FREE, CHUNKS_MEAN), 8 * CHUNKS_FREE * CHUNKS_MEAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_read_whatever_pieces_they_come_in),
        cmocka_unit_test(nothing_behind_the_end_is_read),
        cmocka_unit_test(chunks_of_a_byte_are_taken_up_to_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
