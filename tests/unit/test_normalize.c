/* Money and identities. */
#include "workers/event/normalize.h"

#include "cases.h"
#include "common/hex.h"

#include <math.h>
#include <string.h>

static void money_in_texts(void **state)
{
    static const struct {
        const char *text;
        int64_t micros; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"0.10000000000000000555111512312578270211815834045410156250000000000000000000", 100000},
        {"0.0029", 2900},
        {"0.099", 99000},
        {"1e-6", 1},
        {"1E+1", 10000000},
        {"-0", 0},
        {"10000", INT64_C(10000000000)},
        {"10000.000001", -1},
        {"1000000", -1},
        {"1e7", -1},
        {"1e999", -1},
        {"-0.01", -1},
        {"abc", -1},
        {"", -1},
        {" 1", -1},
        {"1 ", -1},
        {"$1", -1},
        {"+1", -1},
        {".5", -1},
        {"5.", -1},
        {"01", -1},
        {"1e", -1},
        {"0x10", -1},
        {"inf", -1},
        {"nan", -1},
        {"1,5", -1},
        {"0.0000004", 0},
        {"0.0000006", 1},
        {"1.2.3", -1},
        {"-", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t micros = -1;
        struct json_value text = {.kind = JSON_TEXT, .text = bytes_of_text(cases[i].text)};
        bool good = money_of(&text, &micros);
        if (micros != cases[i].micros || good != (cases[i].micros >= 0))
            fail_msg("\"%s\": got %lld", cases[i].text, (long long)micros);
    }
    int64_t micros = -1;
    assert_false(money_of(&(struct json_value){.kind = JSON_TEXT, .text = bytes_of("1\0", 2)}, &micros));
}

static void money_in_numbers(void **state)
{
    static const struct {
        const char *name;
        double number;
        int64_t micros; /* -1: refused */
    } cases[] = {{"below nothing", -0.000001, -1}, {"above the bound", 10000.01, -1}, {"infinite", HUGE_VAL, -1},
                 {"minus infinite", -HUGE_VAL, -1}, {"no whole micro", 0.0029, 2900},
                 {"the bound", 1e4, INT64_C(10000000000)}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t micros = -1;
        struct json_value number = {.kind = JSON_NUMBER, .number = cases[i].number};
        CHECK_CASE(cases[i].name, money_of(&number, &micros) == (cases[i].micros >= 0));
        CHECK_CASE(cases[i].name, micros == cases[i].micros);
    }
}

static void identities_are_packed(void **state)
{
    static const struct {
        const char *id;
        const char *packed; /* hex */
        const char *text;
    } cases[] = {
        {"5c8eb7940a057a4ab0823e1a", "5c8eb7940a057a4ab0823e1a", "5c8eb7940a057a4ab0823e1a"},
        {"5C8EB7940A057A4AB0823E1A", "5c8eb7940a057a4ab0823e1a", "5c8eb7940a057a4ab0823e1a"},
        {"B3E7A1C9-8D5F-4B2E-9A6C-1F4D7B3E8A52", "b3e7a1c98d5f4b2e9a6c1f4d7b3e8a52",
         "b3e7a1c9-8d5f-4b2e-9a6c-1f4d7b3e8a52"},
        {"a", "7461", "a"},
        {"12345678901",
         "543132333435363738393031"
         "2e",
         "12345678901"},
        {"123456789012345",
         "54313233343536373839303132333435"
         "2e",
         "123456789012345"},
        {"Mixed", "744d69786564", "Mixed"},
        {"5c8eb7940a057a4ab0823e1g", "74356338656237393430613035376134616230383233653167", "5c8eb7940a057a4ab0823e1g"},
        {"b3e7a1c9+8d5f-4b2e-9a6c-1f4d7b3e8a52", NULL, "b3e7a1c9+8d5f-4b2e-9a6c-1f4d7b3e8a52"},
        {"12345678901234567890123456789012", "743132333435363738393031323334353637383930313233343536373839303132",
         "12345678901234567890123456789012"},
        {"123456789012345678901234567890123", NULL, "123456789012345678901234567890123"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event_id id;
        char packed[2 * sizeof id.packed + 1];
        memset(&id, 0, sizeof id);
        assert_true(event_id_of_text(bytes_of_text(cases[i].id), &id));
        hex_encode(id.packed, id.packed_len, packed);
        assert_string_equal(id.text, cases[i].text);
        if (cases[i].packed) {
            assert_string_equal(packed, cases[i].packed);
        } else { /* a hash */
            assert_int_equal(id.packed_len, 33);
            assert_int_equal(id.packed[0], 'h');
        }
        assert_true(id.packed_len == 12 || id.packed_len == 16 || id.packed[0] == 't' || id.packed[0] == 'T' ||
                    id.packed[0] == 'h');
    }
}

static void a_body_without_id_is_its_hash_and_shows_nothing(void **state)
{
    struct event_id id;
    char packed[2 * sizeof id.packed + 1];
    (void)state;
    assert_true(event_id_of_body(bytes_of_text("{}"), &id));
    hex_encode(id.packed, id.packed_len, packed);
    assert_string_equal(packed, "6844136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_string_equal(id.text, "");
}

/* 12 and 16 are the lengths of a packed ObjectID and UUID: a text that would be packed into as many gets another byte. */
static void a_text_id_of_1_to_32_bytes_is_packed_into_one_byte_more_or_two_but_never_12_or_16(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 32; len++) {
        const bool ambiguous = len + 1 == 12 || len + 1 == 16;
        char text[33];
        struct event_id id;

        memset(text, 'x', sizeof text);
        assert_true(event_id_of_text(bytes_of(text, len), &id));
        assert_int_equal(id.packed_len, ambiguous ? len + 2 : len + 1);
        assert_int_equal(id.packed[0], ambiguous ? 'T' : 't');
        assert_memory_equal(id.packed + 1, text, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money_in_texts),
        cmocka_unit_test(money_in_numbers),
        cmocka_unit_test(identities_are_packed),
        cmocka_unit_test(a_body_without_id_is_its_hash_and_shows_nothing),
        cmocka_unit_test(a_text_id_of_1_to_32_bytes_is_packed_into_one_byte_more_or_two_but_never_12_or_16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
