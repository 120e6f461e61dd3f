/* How often a message came back, from what the broker says of it. */
#include "cases.h"
#include "workers/queue/delivery.h"

static amqp_table_entry_t count_of(uint8_t kind)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes("x-delivery-count"), .value = {.kind = kind}};
}

static uint64_t read_entry(amqp_table_entry_t entry)
{
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("x-received-at"), .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 9}}, entry};
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG,
                                                .headers = {.num_entries = 2, .entries = entries}};
    return delivery_count_from_properties(&properties);
}

static void integers_of_every_width_are_read(void **state)
{
    static const uint8_t kinds[] = {AMQP_FIELD_KIND_I8,  AMQP_FIELD_KIND_U8,  AMQP_FIELD_KIND_I16, AMQP_FIELD_KIND_U16,
                                    AMQP_FIELD_KIND_I32, AMQP_FIELD_KIND_U32, AMQP_FIELD_KIND_I64, AMQP_FIELD_KIND_U64};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        amqp_table_entry_t entry = count_of(kinds[i]);
        /* The field that the kind names, and no more of the union. */
        if (i / 2 == 0)
            entry.value.value.u8 = 3;
        else if (i / 2 == 1)
            entry.value.value.u16 = 3;
        else if (i / 2 == 2)
            entry.value.value.u32 = 3;
        else
            entry.value.value.u64 = 3;
        assert_int_equal(read_entry(entry), 3);
    }
}

static void what_is_no_positive_integer_is_none(void **state)
{
    amqp_table_entry_t text = count_of(AMQP_FIELD_KIND_UTF8);
    amqp_table_entry_t negative = count_of(AMQP_FIELD_KIND_I64);
    amqp_table_entry_t other = count_of(AMQP_FIELD_KIND_I64);
    const amqp_basic_properties_t nothing = {0};
    (void)state;
    text.value.value.bytes = amqp_cstring_bytes("3");
    negative.value.value.i64 = -1;
    other.key = amqp_cstring_bytes("x-delivery-counter");
    other.value.value.i64 = 3;
    assert_int_equal(read_entry(text), 0);
    assert_int_equal(read_entry(negative), 0);
    assert_int_equal(read_entry(other), 0);
    assert_int_equal(delivery_count_from_properties(&nothing), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width_are_read),
        cmocka_unit_test(what_is_no_positive_integer_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
