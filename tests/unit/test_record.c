/* What Redis holds of a drop for weeks: every byte of it is a promise to later versions. */
#include "common/drops/record.h"

#include "cases.h"
#include "common/hex.h"
#include "records.h"

#include <string.h>

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < records_count(); i++) {
        struct record record = records_of(records_row(i)), read;
        uint8_t bytes[RECORD_MAX];
        size_t len = record_write(&record, bytes);

        CHECK_CASE(records_row(i)->name, len <= RECORD_MAX);
        CHECK_CASE(records_row(i)->name, records_read(bytes, len, &read) == RECORD_OK);
        CHECK_CASE(records_row(i)->name, copies_equal_records(&record, &read));
    }
}

static void cut_short_or_made_longer_it_is_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < records_count(); i++) {
        struct record record = records_of(records_row(i)), read;
        uint8_t bytes[RECORD_MAX + 1];
        size_t len = record_write(&record, bytes);

        for (size_t shorter = 0; shorter < len; shorter++)
            CHECK_CASE(records_row(i)->name, records_read(bytes, shorter, &read) == RECORD_DAMAGED);
        bytes[len] = 0;
        CHECK_CASE(records_row(i)->name, records_read(bytes, len + 1, &read) == RECORD_DAMAGED);
    }
}

/* The bytes of rows above; the others follow from what these show. */
static const struct {
    const char *name, *hex;
} written[] = {
    {"a success of nobody's campaign, with nothing else", "01" "00" T0_HEX "00" "b817"},
    {"a failure", "d1" "00" "17" T0_HEX "01" "b817"},
    {"costs of the winner", "c1" "01" T0_HEX "01" "b817" "b0ea01" "c413" "00"},
    {"two phones", "c1" "c0" "08" T0_HEX "01" "b817" "06266633355550" "01" "06266633366660"},
    {"flags of the winner that are up", "c1" "34" T0_HEX "01" "b817"},
    {"flags of another copy only", "c1" "08" T0_HEX "01" "b817" "f952c60b9d01" "02"},
    {"an opt-out", "c1" "c0" "01" T0_HEX "01" "b817" "06266633355550" "ff52c60b9d01"},
    {"an opt-out that was told of", "c1" "c0" "21" T0_HEX "01" "b817" "06266633355550" "ff52c60b9d01"},
    {"an opt-out that was told of after a send was blocked for it",
     "c1" "c0" "41" T0_HEX "01" "b817" "06266633355550" "ff52c60b9d01" T0_HEX},
    {"no result, but an opt-out", "01" "80" "a1" "000000000000" "00" "00" T0_HEX},
    {"no result, but a blocked send of two campaigns",
     "01" "80" "91" "000000000000" "00" "00" T0_HEX "02" "01" "02"},
    {"a foreign_id", "c1" "80" "06" T0_HEX "01" "b817" "04" "38383132"},
    {"a foreign_id that nothing shows", "c1" "80" "02" T0_HEX "01" "b817"},
    {"two campaigns", "c1" "80" "10" T0_HEX "01" "b817" "01" "02"},
    {"received before it happened, by clocks that differ", "c1" "00" T0_HEX "01" "dfc508"},
};

static void the_bytes_are_those_that_redis_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        struct record record = records_of(records_named(written[i].name));
        uint8_t bytes[RECORD_MAX];
        char hex[2 * RECORD_MAX + 1];

        hex_encode(bytes, record_write(&record, bytes), hex);
        if (strcmp(hex, written[i].hex) != 0)
            fail_msg("%s: %s", written[i].name, hex);
    }
}

static const struct {
    const char *name;
    size_t most;
} sizes[] = {
    {"a phone", 18},
    {"costs, flags and a phone", 30},
    {"a failure without costs that opts out", 26},
    {"costs, a phone and a foreign_id that nothing shows", 25},
};

static void usual_records_are_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct record record = records_of(records_named(sizes[i].name));
        uint8_t bytes[RECORD_MAX];

        CHECK_CASE(sizes[i].name, record_write(&record, bytes) <= sizes[i].most);
    }
}

static const struct {
    const char *name, *text, *again;
} phones[] = {
    {"none", "", ""},
    {"no digit", "+", ""},
    {"one digit", "+0", "+0"},
    {"an odd number of digits", "+15552224444", "+15552224444"},
    {"an even number of digits", "+4915112345678", "+4915112345678"},
    {"all digits", "+0123456789", "+0123456789"},
    {"the digits of another writing", "+1 (555) 222-4444", "+15552224444"},
    {"fifteen digits", "+123456789012345", "+123456789012345"},
    {"of more digits than fifteen the first", "+1234567890123456", "+123456789012345"},
};

static void a_phone_is_read_as_it_was_packed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(phones); i++) {
        struct phone phone = phone_pack(phones[i].text);
        char text[LIMIT_PHONE + 1];

        phone_text(&phone, text);
        CHECK_CASE(phones[i].name, strcmp(text, phones[i].again) == 0);
        CHECK_CASE(phones[i].name, phone.len == (strlen(text) > 0 ? strlen(text) / 2 : 0));
    }
}

static void phones_sort_as_their_texts_do(void **state)
{
    static const char *const sorted[] = {"",     "+0",   "+00",  "+01", "+1",  "+10",          "+100",
                                         "+101", "+109", "+119", "+2",  "+29", "+9", "+99"};
    (void)state;
    for (size_t i = 0; i < COUNT(sorted); i++)
        for (size_t k = 0; k < COUNT(sorted); k++) {
            struct phone a = phone_pack(sorted[i]), b = phone_pack(sorted[k]);
            int packed = phone_compare(&a, &b), text = strcmp(sorted[i], sorted[k]);

            if ((packed > 0) - (packed < 0) != (text > 0) - (text < 0))
                fail_msg("\"%s\" and \"%s\": %d", sorted[i], sorted[k], packed);
        }
}

static void costs_are_compared_in_their_order(void **state)
{
    static const struct costs sorted[] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 2, 9}, {1, 0, 0}, {1, 0, 1}, {7, 0, 0}};
    (void)state;
    for (int i = 0; i < (int)COUNT(sorted); i++)
        for (int k = 0; k < (int)COUNT(sorted); k++)
            assert_int_equal(costs_compare(&sorted[i], &sorted[k]), (i > k) - (i < k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(cut_short_or_made_longer_it_is_damaged),
        cmocka_unit_test(the_bytes_are_those_that_redis_holds),
        cmocka_unit_test(usual_records_are_small),
        cmocka_unit_test(a_phone_is_read_as_it_was_packed),
        cmocka_unit_test(phones_sort_as_their_texts_do),
        cmocka_unit_test(costs_are_compared_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
