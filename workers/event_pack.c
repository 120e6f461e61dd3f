#include "event_pack.h"

#include "../common/clock.h"

#include <stdio.h>
#include <string.h>

/* Little-endian integers of a fixed width and texts behind a length, as the struct library of Redis's Lua reads them.
 */
struct packer {
    uint8_t *at;
};

static void put_integer(struct packer *packer, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        *packer->at++ = (uint8_t)(value >> (8 * i));
}

static void put_text(struct packer *packer, const void *data, size_t len, unsigned length_width)
{
    put_integer(packer, len, length_width);
    if (len > 0)
        memcpy(packer->at, data, len);
    packer->at += len;
}

static void put_string(struct packer *packer, const char *text)
{
    put_text(packer, text, strlen(text), 1);
}

/* Two digits a byte, each as digit + 1 so that a missing second one is 0: packed numbers sort as their texts do. */
static size_t pack_phone(const char *phone, uint8_t out[EVENT_PHONE_PACKED])
{
    size_t len = 0;
    const char *digit = phone[0] == '+' ? phone + 1 : phone;
    while (*digit && len < EVENT_PHONE_PACKED) {
        unsigned high = (unsigned)(*digit++ - '0') + 1;
        unsigned low = *digit ? (unsigned)(*digit++ - '0') + 1 : 0;
        out[len++] = (uint8_t)(high << 4 | low);
    }
    return len;
}

static unsigned flag_bits(const struct event *event)
{
    unsigned bits = 0;
    bits |= event->outcome == OUTCOME_FAILURE ? 1u : 0;
    bits |= event->receipt ? 0 : 2u;
    bits |= event->has_costs ? 4u : 0;
    bits |= event->has_flags ? 8u : 0;
    bits |= event->spam ? 16u : 0;
    bits |= event->dnc ? 32u : 0;
    bits |= event->opts_out ? 64u : 0;
    return bits;
}

/* The multiplier and the modulus keep every product below 2^53, so that Lua's numbers are exact. */
uint32_t event_id_hash(const uint8_t *packed, size_t len)
{
    uint64_t hash = 7;
    for (size_t i = 0; i < len; i++)
        hash = (hash * 257 + packed[i]) % 4294967291u;
    return (uint32_t)hash;
}

/* EVENT_FORMAT of script/10_arguments.lua: '<BBBBBI4I6I6I5I5I5' and then the texts of put_text below, in this order. */
size_t event_pack(const struct event *event, uint8_t out[EVENT_PACK_MAX])
{
    struct packer packer = {.at = out};
    char iso[CLOCK_ISO_SIZE];
    char received[CLOCK_ISO_SIZE];
    char minute[16];
    uint8_t phone[EVENT_PHONE_PACKED];

    put_integer(&packer, (uint64_t)event->kind, 1);
    put_integer(&packer, flag_bits(event), 1);
    put_integer(&packer, event->reason, 1);
    put_integer(&packer, (uint64_t)event->campaign_rank, 1);
    put_integer(&packer, (uint64_t)event->state, 1);
    put_integer(&packer, event_id_hash(event->id.packed, event->id.packed_len), 4);
    put_integer(&packer, (uint64_t)event->time_ms, 6);
    put_integer(&packer, (uint64_t)event->received_ms, 6);
    put_integer(&packer, (uint64_t)event->product_cost_micros, 5);
    put_integer(&packer, (uint64_t)event->compliance_fee_micros, 5);
    put_integer(&packer, (uint64_t)event->tts_fee_micros, 5);

    clock_iso8601_ms(event->time_ms, iso);
    clock_iso8601_ms(event->received_ms, received);
    snprintf(minute, sizeof minute, "%.4s%.2s%.2s%.2s%.2s", received, received + 5, received + 8, received + 11,
             received + 14);

    put_text(&packer, event->id.packed, event->id.packed_len, 1);
    put_string(&packer, event->id.text);
    put_string(&packer, event->campaign);
    put_text(&packer, phone, pack_phone(event->phone, phone), 1);
    put_string(&packer, iso);
    put_string(&packer, minute);
    put_text(&packer, event->foreign_id, event->foreign_id_len, 2);
    put_string(&packer, event->kind == EVENT_RESULT ? event->unknown_reason : event->name);
    return (size_t)(packer.at - out);
}
