/* Members, texts and numbers of JSON that has passed the check. */
#include "common/json_members.h"

#include "cases.h"
#include "common/strict_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The members of an object as "name=kind:value;", escapes as they are. */
static void listing_of(const char *object, char out[512])
{
    struct bytes rest = bytes_of_text(object);
    struct bytes name = {0};
    struct json_value value = {0};
    size_t len = 0;
    out[0] = '\0';
    while (json_next_member(&rest, &name, &value))
        len += (size_t)snprintf(out + len, 512 - len, "%.*s=%d:%.*s;", (int)name.len, (const char *)name.data,
                                (int)value.kind, (int)value.text.len, (const char *)value.text.data);
}

static void members_come_in_order_with_their_kinds(void **state)
{
    static const struct {
        const char *object, *listing;
    } rows[] = {
        {"{}", ""},
        {" { } ", ""},
        {"{\"a\":null,\"b\":true,\"c\":false}", "a=1:null;b=2:true;c=2:false;"},
        {"{ \"a\" : -1.5e3 , \"b\" : \"t\" }", "a=3:-1.5e3;b=4:t;"},
        {"{\"a\":{\"b\":[1,{}]},\"c\":[{\"d\":\"]}\"}],\"e\":0}", "a=5:{\"b\":[1,{}]};c=6:[{\"d\":\"]}\"}];e=3:0;"},
        {"{\"a\":\"\",\"\":\"x\"}", "a=4:;=4:x;"},
        {"{\"a\":1,\"a\":2}", "a=3:1;a=3:2;"},
        {"{\"a\\\"b\":\"c\\\\\",\"d\":\"\\\"}\"}", "a\\\"b=4:c\\\\;d=4:\\\"};"},
        {"{\"a\":1\n,\t\"b\":2\r\n}", "a=3:1;b=3:2;"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char listing[512];
        assert_int_equal(strict_json_check(bytes_of_text(rows[i].object)), JSON_OK);
        listing_of(rows[i].object, listing);
        CHECK_CASE(rows[i].object, strcmp(listing, rows[i].listing) == 0);
    }
}

static void escapes_say_what_they_stand_for(void **state)
{
    static const struct {
        const char *text, *says;
        size_t len;
    } rows[] = {
        {"plain", "plain", 5},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\\u007f\\u0080\\u07ff\\u0800\\uffff", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
        {"\\ud83d\\uDE00x", "\xf0\x9f\x98\x80x", 5},
        {"\\ud800\\udc00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
        {"a\\u0000b", "a\0b", 3},
        /* half a pair */
        {"\\ud83d", "\xef\xbf\xbd", 3},
        {"\\ude00", "\xef\xbf\xbd", 3},
        {"\\ud83dx", "\xef\xbf\xbdx", 4},
        {"\\ud83d\\n", "\xef\xbf\xbd\n", 4},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
        {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"\\ud83d\\u0041", "\xef\xbf\xbd" "A", 4},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t room = strlen(rows[i].text);
        uint8_t *out = test_malloc(room);
        const size_t len = json_unescape(bytes_of_text(rows[i].text), out);
        CHECK_CASE(rows[i].text, len == rows[i].len && memcmp(out, rows[i].says, len) == 0);
        test_free(out);
    }
}

static void numbers_have_the_value_they_are_written_with(void **state)
{
    static const struct {
        const char *object;
        double number;
        bool integer;
    } rows[] = {
        {"{\"a\":0}", 0, true},          {"{\"a\":-17}", -17, true},     {"{\"a\":1.5}", 1.5, false},
        {"{\"a\":4002.0}", 4002, false}, {"{\"a\":1e3}", 1000, false},   {"{\"a\":1E-2 }", 0.01, false},
        {"{\"a\":1e999}", HUGE_VAL, false}, {"{\"a\":-1e999,\"b\":1}", -HUGE_VAL, false},
        {"{\"a\":9007199254740993}", 9007199254740992.0, true},
        {"{\"a\":123456789012345678901234567890}", 123456789012345678901234567890.0, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes rest = bytes_of_text(rows[i].object);
        struct bytes name = {0};
        struct json_value value = {0};
        assert_true(json_next_member(&rest, &name, &value));
        CHECK_CASE(rows[i].object, value.kind == JSON_NUMBER && json_number(&value) == rows[i].number);
        CHECK_CASE(rows[i].object, json_is_integer(&value) == rows[i].integer);
    }
}

/* A sample cut everywhere, and with each byte changed: a sanitizer sees a read past the end. */
static void nothing_is_read_past_the_end_of_any_bytes(void **state)
{
    static const char sample[] = "{\"a\":[-1.5,{\"x\":\"\\u00e9\\n\"}],\"b\\\"\":\"\\ud83d\\ude00\",\"c\":null}";
    static const char bytes[] = "\"\\{}[]:, u0";
    (void)state;
    for (size_t len = 1; len < sizeof sample; len++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            uint8_t *text = test_malloc(len);
            uint8_t *out = test_malloc(len);
            struct bytes rest = bytes_of(text, len);
            struct bytes name = {0};
            struct json_value value = {0};
            memcpy(text, sample, len);
            text[len - 1] = (uint8_t)bytes[i];
            while (json_next_member(&rest, &name, &value)) {
                assert_true(json_unescape(name, out) <= name.len);
                assert_true(json_unescape(value.text, out) <= value.text.len);
            }
            test_free(text);
            test_free(out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_order_with_their_kinds),
        cmocka_unit_test(escapes_say_what_they_stand_for),
        cmocka_unit_test(numbers_have_the_value_they_are_written_with),
        cmocka_unit_test(nothing_is_read_past_the_end_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
