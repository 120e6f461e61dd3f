#include "delivery.h"

#include <stdlib.h>
#include <string.h>

struct delivery *delivery_new(size_t body_len)
{
    if (body_len > SIZE_MAX - sizeof(struct delivery))
        return NULL;
    struct delivery *delivery = malloc(sizeof *delivery + body_len);
    if (!delivery)
        return NULL;
    memset(delivery, 0, sizeof *delivery);
    delivery->body_len = body_len;
    return delivery;
}

void delivery_free(struct delivery *delivery)
{
    free(delivery);
}

/* The value, of whatever width; 0 for a negative one and for what is no integer. */
static uint64_t positive(const amqp_field_value_t *field)
{
    int64_t value = 0;
    switch (field->kind) {
    case AMQP_FIELD_KIND_U8:
        return field->value.u8;
    case AMQP_FIELD_KIND_U16:
        return field->value.u16;
    case AMQP_FIELD_KIND_U32:
        return field->value.u32;
    case AMQP_FIELD_KIND_U64:
        return field->value.u64;
    case AMQP_FIELD_KIND_I8:
        return field->value.i8 > 0 ? (uint8_t)field->value.i8 : 0;
    case AMQP_FIELD_KIND_I16:
        value = field->value.i16;
        break;
    case AMQP_FIELD_KIND_I32:
        value = field->value.i32;
        break;
    case AMQP_FIELD_KIND_I64:
        value = field->value.i64;
        break;
    default:
        break;
    }
    return value > 0 ? (uint64_t)value : 0;
}

uint64_t delivery_count_from_properties(const amqp_basic_properties_t *properties)
{
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) == 0)
        return 0;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (bytes_equal(bytes_of(entry->key.bytes, entry->key.len), bytes_of_text("x-delivery-count")))
            return positive(&entry->value);
    }
    return 0;
}
