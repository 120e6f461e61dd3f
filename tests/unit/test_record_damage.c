/* Bytes in place of a record that no worker wrote, or only a newer one: never a crash, never a guess. */
#include "common/drops/record.h"

#include "cases.h"
#include "common/hex.h"
#include "records.h"
#include "common/drops/reasons.h"

#include <string.h>

enum { MUTATIONS = 200000 };

#define HEAD "c1" "00" T0_HEX "01" "b817"            /* a success of spring */
#define HEAD_PHONE "c1" "40" T0_HEX "01" "b817"      /* and a phone follows */
#define HEAD_MORE(bits) "c1" "80" bits T0_HEX "01" "b817"
#define HEAD_PHONE_MORE(bits) "c1" "c0" bits T0_HEX "01" "b817"
#define ONE_PHONE "06266633355550"
#define LATER_HEX "0153c60b9d01" /* a millisecond after T0_HEX */
#define SEVEN_PHONES "0120" "0130" "0140" "0150" "0160" "0170" "0180"

static const struct {
    const char *name, *hex;
    enum record_verdict verdict;
} read_cases[] = {
    {"a success of spring, for comparison", HEAD, RECORD_OK},
    {"nothing", "", RECORD_DAMAGED},
    {"no version", "c0" "00" T0_HEX "01" "b817", RECORD_DAMAGED},
    {"the next version", "c2" "00" T0_HEX "01" "b817", RECORD_NEWER},
    {"the last version, of another shape", "0f", RECORD_NEWER},
    {"a failure for a reason that only a newer worker knows", "d1" "00" "c8" T0_HEX "01" "b817", RECORD_NEWER},
    {"the same, cut", "d1" "00" "c8" T0_HEX "01" "b8", RECORD_DAMAGED},
    {"a failure without a reason", "d1" "00" "00" T0_HEX "01" "b817", RECORD_DAMAGED},
    {"a phone, for comparison", HEAD_PHONE ONE_PHONE, RECORD_OK},
    {"a phone without a digit", HEAD_PHONE "00", RECORD_DAMAGED},
    {"a phone of nine bytes", HEAD_PHONE "09" "222222222222222222", RECORD_DAMAGED},
    {"a phone of fifteen digits, for comparison", HEAD_PHONE "08" "2222222222222220", RECORD_OK},
    {"a phone of sixteen digits", HEAD_PHONE "08" "2222222222222222", RECORD_DAMAGED},
    {"a first digit past 9", HEAD_PHONE "02" "b222", RECORD_DAMAGED},
    {"a second digit past 9", HEAD_PHONE "02" "2b22", RECORD_DAMAGED},
    {"a hole in a phone", HEAD_PHONE "02" "2022", RECORD_DAMAGED},
    {"a pair without its first digit", HEAD_PHONE "02" "2202", RECORD_DAMAGED},
    {"eight phones, for comparison", HEAD_PHONE_MORE("08") "0110" "07" SEVEN_PHONES, RECORD_OK},
    {"nine phones", HEAD_PHONE_MORE("08") "0110" "08" SEVEN_PHONES "0190", RECORD_DAMAGED},
    {"256 phones", HEAD_PHONE_MORE("08") "0110" "ff" SEVEN_PHONES, RECORD_DAMAGED},
    {"further phones, of which there is none", HEAD_PHONE_MORE("08") "0110" "00", RECORD_DAMAGED},
    {"further phones without a first", HEAD_MORE("08") "01" "0120", RECORD_DAMAGED},
    {"no phone, told twice", HEAD_MORE("08") "00", RECORD_DAMAGED},
    {"eight campaigns, for comparison", HEAD_MORE("10") "07" "02030405060708", RECORD_OK},
    {"nine campaigns", HEAD_MORE("10") "08" "0203040506070809", RECORD_DAMAGED},
    {"further campaigns, of which there is none", HEAD_MORE("10") "00", RECORD_DAMAGED},
    {"the greatest campaign, for comparison", "c1" "00" T0_HEX "ffffffff0f" "b817", RECORD_OK},
    {"a campaign past the greatest", "c1" "00" T0_HEX "8080808010" "b817", RECORD_DAMAGED},
    {"a further campaign past the greatest", HEAD_MORE("10") "01" "8080808010", RECORD_DAMAGED},
    {"a foreign_id, for comparison", HEAD_MORE("06") "01" "61", RECORD_OK},
    {"a foreign_id of nothing", HEAD_MORE("06") "00", RECORD_DAMAGED},
    {"a foreign_id longer than the record", HEAD_MORE("06") "03" "6161", RECORD_DAMAGED},
    {"a foreign_id longer than memory", HEAD_MORE("06") "ffffffffffffffffff01" "6161", RECORD_DAMAGED},
    {"a foreign_id that is kept and is not there", HEAD_MORE("04") "01" "61", RECORD_DAMAGED},
    {"more, of which there is nothing", HEAD_MORE("00"), RECORD_DAMAGED},
    {"an opt-out that was told of, for comparison", HEAD_MORE("21") T0_HEX, RECORD_OK},
    {"told of, and no opt-out", HEAD_MORE("20"), RECORD_DAMAGED},
    {"told of later, and no opt-out", HEAD_MORE("40") T0_HEX, RECORD_DAMAGED},
    {"told of later, for comparison", HEAD_MORE("41") T0_HEX LATER_HEX, RECORD_OK},
    {"told of before the opt-out", HEAD_MORE("41") LATER_HEX T0_HEX, RECORD_DAMAGED},
    {"told of later, at the same moment", HEAD_MORE("41") T0_HEX T0_HEX, RECORD_DAMAGED},
    {"told of at once, and later", HEAD_MORE("61") T0_HEX LATER_HEX, RECORD_DAMAGED},
    {"no result, but an opt-out, for comparison", "01" "80" "81" "000000000000" "00" "00" T0_HEX, RECORD_OK},
    {"the greatest cost, for comparison", "c1" "01" T0_HEX "01" "b817" "ffffffffff1f" "00" "00", RECORD_OK},
    {"a cost past the greatest", "c1" "01" T0_HEX "01" "b817" "808080808020" "00" "00", RECORD_DAMAGED},
    {"a cost below nothing", "c1" "01" T0_HEX "01" "b817" "ffffffffffffffffff01" "00" "00", RECORD_DAMAGED},
    {"a number of eleven bytes", "c1" "01" T0_HEX "01" "b817" "8080808080808080808000" "00" "00", RECORD_DAMAGED},
    {"a number that is longer than it must be", "c1" "01" T0_HEX "01" "b817" "8000" "00" "00", RECORD_DAMAGED},
    {"the winner's costs twice", "c1" "03" T0_HEX "01" "b817" "010000" T0_HEX "010000", RECORD_DAMAGED},
    {"the winner's flags twice", "c1" "2c" T0_HEX "01" "b817" T0_HEX "02", RECORD_DAMAGED},
    {"flags that are up and not there", "c1" "10" T0_HEX "01" "b817", RECORD_DAMAGED},
    {"a flag that no version has", "c1" "08" T0_HEX "01" "b817" T0_HEX "04", RECORD_DAMAGED},
    {"received at the first moment, for comparison", "c1" "00" "010000000000" "01" "01", RECORD_OK},
    {"received before 1970", "c1" "00" "000000000000" "01" "01", RECORD_DAMAGED},
    {"received after the greatest time", "c1" "00" "ffffffffffff" "01" "02", RECORD_DAMAGED},
    {"received far after the greatest time", "c1" "00" "ffffffffffff" "01" "feffffffffffffffff01", RECORD_DAMAGED},
    {"received far before 1970", "c1" "00" "000000000000" "01" "ffffffffffffffffff01", RECORD_DAMAGED},
};

static void only_what_a_worker_writes_is_a_record(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(read_cases); i++) {
        struct record read, before;
        uint8_t bytes[RECORD_MAX];
        size_t len = strlen(read_cases[i].hex) / 2;

        memset(&read, 0x55, sizeof read);
        before = read;
        CHECK_CASE(read_cases[i].name, hex_decode(read_cases[i].hex, 2 * len, bytes, len));
        CHECK_CASE(read_cases[i].name, records_read(bytes, len, &read) == read_cases[i].verdict);
        CHECK_CASE(read_cases[i].name,
                   read_cases[i].verdict == RECORD_OK || memcmp(&read, &before, sizeof read) == 0);
    }
}

static void a_failure_may_have_any_reason_that_has_a_row(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason <= UINT8_MAX; reason++) {
        struct record record = {.outcome = OUTCOME_FAILURE, .reason = (uint8_t)reason, .campaign_count = 1}, read;
        uint8_t bytes[RECORD_MAX];
        enum record_verdict verdict = records_read(bytes, record_write(&record, bytes), &read);
        enum record_verdict expected = reason == REASON_NONE         ? RECORD_DAMAGED
                                       : reason_by_number(reason) ? RECORD_OK
                                                                     : RECORD_NEWER;

        if (verdict != expected)
            fail_msg("reason %u: %d", reason, verdict);
    }
}

/* --- Bytes that nobody wrote -------------------------------------------------------------------------------------- */

static size_t random_below(uint64_t *random, size_t limit)
{
    return copies_random(random) % limit;
}

/* One to four of: a byte changed, a bit turned, a byte left out or put in, the end cut, the end of another record. */
static size_t mutate(uint8_t *bytes, size_t len, uint64_t *random)
{
    uint8_t other[RECORD_MAX];

    for (size_t times = 1 + random_below(random, 4); times > 0 && len > 0; times--) {
        size_t at = random_below(random, len), other_len;
        struct record record;

        switch (copies_random(random) % 6) {
        case 0:
            bytes[at] = (uint8_t)copies_random(random);
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1U << random_below(random, 8));
            break;
        case 2:
            memmove(bytes + at, bytes + at + 1, --len - at);
            break;
        case 3:
            memmove(bytes + at + 1, bytes + at, len++ - at);
            bytes[at] = (uint8_t)copies_random(random);
            break;
        case 4:
            len = at;
            break;
        default:
            record = records_of(records_row(random_below(random, records_count())));
            other_len = record_write(&record, other);
            if (at < other_len) {
                memcpy(bytes + at, other + at, other_len - at);
                len = other_len;
            }
            break;
        }
    }
    return len;
}

static void whatever_is_read_would_be_written_so(void **state)
{
    size_t verdicts[RECORD_DAMAGED + 1] = {0};
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        struct record record = records_of(records_row(random_below(&random, records_count()))), read;
        uint8_t bytes[RECORD_MAX + 4], again[RECORD_MAX];
        size_t len = mutate(bytes, record_write(&record, bytes), &random);
        enum record_verdict verdict = records_read(bytes, len, &read);

        verdicts[verdict]++;
        if (verdict == RECORD_OK && !bytes_equal(bytes_of(again, record_write(&read, again)), bytes_of(bytes, len))) {
            char hex[2 * sizeof bytes + 1];

            hex_encode(bytes, len, hex);
            fail_msg("mutation %zu: %s", i, hex);
        }
    }
    /* Else the mutations would be too tame, or too wild, to tell anything. */
    assert_true(verdicts[RECORD_OK] > MUTATIONS / 20);
    assert_true(verdicts[RECORD_NEWER] > MUTATIONS / 100);
    assert_true(verdicts[RECORD_DAMAGED] > MUTATIONS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_worker_writes_is_a_record),
        cmocka_unit_test(a_failure_may_have_any_reason_that_has_a_row),
        cmocka_unit_test(whatever_is_read_would_be_written_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
