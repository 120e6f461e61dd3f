/* The answer of apply.lua, as the head of that file says it. */
#include "workers/counting/apply_call.h"

#include "cases.h"
#include "common/hex.h"
#include "copies.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT = 16 * 1024, MUTATIONS = 200000, RESPONSE_MAX = 64 };

static struct bytes text_of(const char *text)
{
    return bytes_of_text(text);
}

#define NONE "0000"
#define ONE "0100" "0200" "0300" "00" "616263" /* the second drop conflicts: abc is there */
#define TWO "0200" "0100" "0000" "00" "0200" "0100" "03" "7a"

static const struct {
    const char *name, *hex;
    size_t drops;
    const char *text; /* NULL: apply.lua cannot have said this */
} answers[] = {
    {"all applied", NONE, 1, ""},
    {"a call without drops", NONE, 0, ""},
    {"one conflicts", ONE, 2, "1 in 0 abc "},
    {"two conflict, one with nothing", TWO, 2, "0 in 0  1 in 3 z "},
    {"a conflict with bytes that look like an answer", "0100" "0100" "0400" "00" "01610161", 1, "0 in 0 \1a\1a "},
    {"a damaged key", NONE "64633a746f74616c73", 1, "damaged dc:totals"},
    {"conflicts, then damaged keys", ONE "610a62", 2, "1 in 0 abc damaged a\nb"},
    {"nothing", "", 1, NULL},
    {"half a number", "00", 1, NULL},
    {"more conflicts than drops", ONE, 0, NULL},
    {"more conflicts than there are", "0200" "0100" "0000" "00", 2, NULL},
    {"a conflict of no drop", "0100" "0000" "0000" "00", 1, NULL},
    {"a conflict of a drop past the last", "0100" "0200" "0000" "00", 1, NULL},
    {"a conflict of a drop past the last, in the middle", "0200" "0300" "0000" "00" "0100" "0000" "00", 2, NULL},
    {"a drop that conflicts twice", "0200" "0100" "0000" "00" "0100" "0000" "00", 2, NULL},
    {"drops that conflict out of their order", "0200" "0200" "0000" "00" "0100" "0000" "00", 2, NULL},
    {"a length past the end", "0100" "0100" "0400" "00" "616263", 1, NULL},
    {"the greatest length", "0100" "0100" "ffff" "00" "616263", 1, NULL},
};

/* In memory of just that size. False if it cannot be an answer. */
static bool read_answer(const uint8_t *data, size_t len, size_t drops, struct buf *text)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct call_answer answer;
    struct call_conflict conflict;
    bool good;

    assert_non_null(copy);
    memcpy(copy, data, len);
    buf_reset(text);
    good = call_answer_begin(bytes_of(copy, len), drops, &answer);
    while (good && answer.conflicts > 0) {
        good = call_answer_next(&answer, &conflict);
        if (!good)
            break;
        assert_true(conflict.drop < drops);
        buf_printf(text, "%zu in %zu ", conflict.drop, conflict.generation);
        buf_append(text, conflict.present.data, conflict.present.len);
        buf_append_text(text, " ");
    }
    if (good && call_answer_damaged(&answer).len > 0) {
        buf_append_text(text, "damaged ");
        buf_append(text, call_answer_damaged(&answer).data, call_answer_damaged(&answer).len);
    }
    free(copy);
    return good;
}

static size_t decode(const char *hex, uint8_t out[RESPONSE_MAX])
{
    size_t len = strlen(hex) / 2;

    assert_true(len <= RESPONSE_MAX && hex_decode(hex, 2 * len, out, len));
    return len;
}

static void an_answer_is_read(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(answers); i++) {
        uint8_t bytes[RESPONSE_MAX];
        bool good = read_answer(bytes, decode(answers[i].hex, bytes), answers[i].drops, &text);

        CHECK_CASE(answers[i].name, good == (answers[i].text != NULL));
        CHECK_CASE(answers[i].name, !good || bytes_equal(bytes_of(text.data, text.len), text_of(answers[i].text)));
    }
    buf_clear(&text);
}

static void an_answer_that_is_cut_is_none(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(answers); i++) {
        uint8_t bytes[RESPONSE_MAX];
        size_t len = decode(answers[i].hex, bytes);

        for (size_t shorter = 0; answers[i].text && !strstr(answers[i].text, "damaged") && shorter < len; shorter++)
            CHECK_CASE(answers[i].name, !read_answer(bytes, shorter, answers[i].drops, &text));
    }
    buf_clear(&text);
}

static void no_bytes_of_an_answer_lead_astray(void **state)
{
    size_t good = 0;
    uint64_t random = 1;
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < MUTATIONS; i++) {
        uint8_t bytes[RESPONSE_MAX];
        size_t len = decode(answers[copies_random(&random) % COUNT(answers)].hex, bytes);

        for (size_t changes = copies_random(&random) % 4; changes > 0 && len > 0; changes--)
            bytes[copies_random(&random) % len] = (uint8_t)(copies_random(&random) % 5);
        good += read_answer(bytes, copies_random(&random) % (len + 1), copies_random(&random) % 4, &text);
    }
    assert_in_range(good, MUTATIONS / 20, MUTATIONS - MUTATIONS / 20); /* else they would tell nothing */
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(an_answer_that_is_cut_is_none),
        cmocka_unit_test(no_bytes_of_an_answer_lead_astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
