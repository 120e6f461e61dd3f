#include "record.h"

#include "common/little_endian.h"
#include "reasons.h"

#include <string.h>

/* Byte 0: the version, then how the drop stands. */
enum { VERSION_MASK = 0x0f, BIT_FAILURE = 0x10, BIT_RECEIPT = 0x20, RANK_SHIFT = 6 };

/* Byte 1: what follows. */
enum {
    BIT_OWN_COSTS = 0x01,
    BIT_LATEST_COSTS = 0x02, /* and not the winner's own */
    BIT_OWN_FLAGS = 0x04,
    BIT_LATEST_FLAGS = 0x08,
    FLAGS_SHIFT = 4, /* two bits: the winner's own flags */
    BIT_PHONE = 0x40,
    BIT_MORE = 0x80, /* byte 2 is there */
};

/* Byte 2: what most drops have nothing of. */
enum {
    BIT_OPT_OUT = 0x01,
    BIT_FOREIGN_ID = 0x02,
    BIT_FOREIGN_ID_KEPT = 0x04,
    BIT_PHONES = 0x08,
    BIT_CAMPAIGNS = 0x10,
    BIT_TOLD = 0x20,       /* at the time of the opt-out */
    BIT_TOLD_LATER = 0x40, /* or later: its time follows */
    BIT_UNCOUNTED = 0x80,
};

enum { TIME_WIDTH = 6, VARINT_MAX = 10 };

static const int64_t TIME_MAX = (INT64_C(1) << 8 * TIME_WIDTH) - 1;

/* --- Costs ------------------------------------------------------------------------------------------------------ */

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int costs_compare(const struct costs *a, const struct costs *b)
{
    int order = compare(a->product, b->product);

    if (order == 0)
        order = compare(a->compliance, b->compliance);
    return order != 0 ? order : compare(a->tts, b->tts);
}

/* --- Writing ---------------------------------------------------------------------------------------------------- */

static uint8_t *put_byte(uint8_t *at, unsigned value)
{
    *at = (uint8_t)value;
    return at + 1;
}

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        at = put_byte(at, (unsigned)(value & 0x7f) | 0x80);
    return put_byte(at, (unsigned)value);
}

/* Small negative numbers are short too. */
static uint8_t *put_signed(uint8_t *at, int64_t value)
{
    return put_varint(at, value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1);
}

static uint8_t *put_time(uint8_t *at, int64_t time_ms)
{
    return put_little_endian(at, (uint64_t)time_ms, TIME_WIDTH);
}

static uint8_t *put_costs(uint8_t *at, const struct costs *costs)
{
    at = put_varint(at, (uint64_t)costs->product);
    at = put_varint(at, (uint64_t)costs->compliance);
    return put_varint(at, (uint64_t)costs->tts);
}

static uint8_t *put_phone(uint8_t *at, const struct phone *phone)
{
    at = put_byte(at, phone->len);
    return put_bytes(at, phone->packed, phone->len);
}

static bool same_costs(const struct record *record)
{
    const struct record_costs *costs = &record->costs;

    return costs->own && costs->latest_ms == record->time_ms &&
           costs_compare(&costs->own_value, &costs->latest_value) == 0;
}

static bool same_flags(const struct record *record)
{
    const struct record_flags *flags = &record->flags;

    return flags->own && flags->latest_ms == record->time_ms && flags->own_value == flags->latest_value;
}

static unsigned more_bits(const struct record *record)
{
    unsigned bits = 0;

    bits |= record->opted_out ? BIT_OPT_OUT : 0;
    bits |= record->foreign_id_kept != FOREIGN_ID_NONE ? BIT_FOREIGN_ID : 0;
    bits |= record->foreign_id_kept == FOREIGN_ID_KEPT ? BIT_FOREIGN_ID_KEPT : 0;
    bits |= record->phone_count > 1 ? BIT_PHONES : 0;
    bits |= record->campaign_count > 1 ? BIT_CAMPAIGNS : 0;
    if (record->told)
        bits |= record->told_ms == record->opt_out_ms ? BIT_TOLD : BIT_TOLD_LATER;
    bits |= record->uncounted ? BIT_UNCOUNTED : 0;
    return bits;
}

/* What byte 2 tells of. */
static uint8_t *put_more(uint8_t *at, const struct record *record, unsigned bits)
{
    if (bits & BIT_OPT_OUT)
        at = put_time(at, record->opt_out_ms);
    if (bits & BIT_TOLD_LATER)
        at = put_time(at, record->told_ms);
    if (bits & BIT_FOREIGN_ID_KEPT) {
        at = put_varint(at, record->foreign_id_len);
        at = put_bytes(at, record->foreign_id, record->foreign_id_len);
    }
    if (bits & BIT_PHONES) {
        at = put_byte(at, (unsigned)record->phone_count - 1);
        for (size_t i = 1; i < record->phone_count; i++)
            at = put_phone(at, &record->phones[i]);
    }
    if (bits & BIT_CAMPAIGNS) {
        at = put_byte(at, (unsigned)record->campaign_count - 1);
        for (size_t i = 1; i < record->campaign_count; i++)
            at = put_varint(at, record->campaigns[i]);
    }
    return at;
}

size_t record_write(const struct record *record, uint8_t out[RECORD_MAX])
{
    unsigned more = more_bits(record), head = RECORD_VERSION, what = 0;
    uint8_t *at = out;

    head |= record->outcome == OUTCOME_FAILURE ? BIT_FAILURE : 0;
    head |= record->receipt ? BIT_RECEIPT : 0;
    head |= (unsigned)record->rank << RANK_SHIFT;
    what |= record->costs.own ? BIT_OWN_COSTS : 0;
    what |= record->costs.latest && !same_costs(record) ? BIT_LATEST_COSTS : 0;
    what |= record->flags.own ? BIT_OWN_FLAGS | (unsigned)record->flags.own_value << FLAGS_SHIFT : 0;
    what |= record->flags.latest && !same_flags(record) ? BIT_LATEST_FLAGS : 0;
    what |= record->phone_count > 0 ? BIT_PHONE : 0;
    what |= more != 0 ? BIT_MORE : 0;
    at = put_byte(put_byte(at, head), what);
    if (more != 0)
        at = put_byte(at, more);
    if (record->outcome == OUTCOME_FAILURE)
        at = put_byte(at, record->reason);
    at = put_time(at, record->time_ms);
    at = put_varint(at, record->campaigns[0]);
    at = put_signed(at, record->received_ms - record->time_ms);
    if (what & BIT_OWN_COSTS)
        at = put_costs(at, &record->costs.own_value);
    if (what & BIT_LATEST_COSTS)
        at = put_costs(put_time(at, record->costs.latest_ms), &record->costs.latest_value);
    if (what & BIT_LATEST_FLAGS)
        at = put_byte(put_time(at, record->flags.latest_ms), record->flags.latest_value);
    if (what & BIT_PHONE)
        at = put_phone(at, &record->phones[0]);
    return (size_t)(put_more(at, record, more) - out);
}

/* --- Reading ---------------------------------------------------------------------------------------------------- */

/* Past the end everything is 0 and `damaged`. Numbers that are too great are cut: what is cut was not written so. */
struct reader {
    struct bytes rest;
    bool damaged;
};

static unsigned take_byte(struct reader *reader)
{
    if (reader->rest.len == 0) {
        reader->damaged = true;
        return 0;
    }
    reader->rest.len--;
    return *reader->rest.data++;
}

static void take_bytes(struct reader *reader, void *out, size_t len)
{
    if (len > reader->rest.len) {
        reader->damaged = true;
        return;
    }
    memcpy(out, reader->rest.data, len);
    reader->rest.data += len;
    reader->rest.len -= len;
}

static uint64_t take_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_MAX; i++) {
        unsigned byte = take_byte(reader);

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    reader->damaged = true;
    return 0;
}

static int64_t take_signed(struct reader *reader)
{
    uint64_t value = take_varint(reader);

    return (int64_t)(value & 1 ? ~(value >> 1) : value >> 1);
}

static int64_t take_time(struct reader *reader)
{
    uint8_t bytes[TIME_WIDTH] = {0};

    take_bytes(reader, bytes, sizeof bytes);
    return (int64_t)get_little_endian(bytes, sizeof bytes);
}

/* A time, as what it is later than another one. */
static int64_t take_time_after(struct reader *reader, int64_t time_ms)
{
    int64_t later_ms = take_signed(reader);

    if (later_ms >= -time_ms && later_ms <= TIME_MAX - time_ms)
        return time_ms + later_ms;
    reader->damaged = true;
    return 0;
}

static int64_t take_micros(struct reader *reader)
{
    return (int64_t)(take_varint(reader) & RECORD_COST_MAX);
}

static struct costs take_costs(struct reader *reader)
{
    struct costs costs;

    costs.product = take_micros(reader);
    costs.compliance = take_micros(reader);
    costs.tts = take_micros(reader);
    return costs;
}

static struct phone take_phone(struct reader *reader)
{
    struct phone phone = {.len = (uint8_t)take_byte(reader)};

    if (phone.len == 0 || phone.len > PHONE_PACKED) {
        reader->damaged = true;
        return (struct phone){0};
    }
    take_bytes(reader, phone.packed, phone.len);
    for (size_t i = 0; i < phone.len; i++) {
        unsigned high = phone.packed[i] >> 4, low = phone.packed[i] & 0x0f;

        if (high < 1 || high > 10 || low > 10 || (low == 0 && i + 1 < phone.len))
            reader->damaged = true;
    }
    reader->damaged |= (phone.packed[PHONE_PACKED - 1] & 0x0f) != 0; /* a sixteenth digit */
    return phone;
}

static uint32_t take_campaign(struct reader *reader)
{
    return (uint32_t)take_varint(reader);
}

static void take_costs_and_flags(struct reader *reader, unsigned what, struct record *record)
{
    if (what & BIT_OWN_COSTS) {
        record->costs.own = record->costs.latest = true;
        record->costs.own_value = record->costs.latest_value = take_costs(reader);
        record->costs.latest_ms = record->time_ms;
    }
    if (what & BIT_LATEST_COSTS) {
        record->costs.latest = true;
        record->costs.latest_ms = take_time(reader);
        record->costs.latest_value = take_costs(reader);
    }
    if (what & BIT_OWN_FLAGS) {
        record->flags.own = record->flags.latest = true;
        record->flags.own_value = record->flags.latest_value = what >> FLAGS_SHIFT & 3;
        record->flags.latest_ms = record->time_ms;
    }
    if (what & BIT_LATEST_FLAGS) {
        record->flags.latest = true;
        record->flags.latest_ms = take_time(reader);
        record->flags.latest_value = take_byte(reader) & 3;
    }
}

/* How many further ones; at most `limit` with the first. */
static size_t take_count(struct reader *reader, size_t limit)
{
    size_t count = 1 + take_byte(reader);

    if (count <= limit)
        return count;
    reader->damaged = true;
    return 1;
}

static void take_more(struct reader *reader, unsigned more, struct record *record)
{
    if (more & BIT_OPT_OUT) {
        record->opted_out = true;
        record->opt_out_ms = take_time(reader);
    }
    record->uncounted = (more & BIT_UNCOUNTED) != 0;
    record->told = (more & (BIT_TOLD | BIT_TOLD_LATER)) != 0;
    if (record->told)
        record->told_ms = more & BIT_TOLD_LATER ? take_time(reader) : record->opt_out_ms;
    reader->damaged |= record->told && (!record->opted_out || record->told_ms < record->opt_out_ms);
    if (more & BIT_FOREIGN_ID)
        record->foreign_id_kept = FOREIGN_ID_NOT_KEPT;
    if (more & BIT_FOREIGN_ID_KEPT) {
        uint64_t len = take_varint(reader);

        record->foreign_id_kept = FOREIGN_ID_KEPT;
        reader->damaged |= len == 0 || len > LIMIT_FOREIGN_ID;
        record->foreign_id_len = reader->damaged ? 0 : (size_t)len;
        take_bytes(reader, record->foreign_id, record->foreign_id_len);
    }
    if (more & BIT_PHONES) {
        record->phone_count = take_count(reader, RECORD_PHONES);
        for (size_t i = 1; i < record->phone_count; i++)
            record->phones[i] = take_phone(reader);
    }
    if (more & BIT_CAMPAIGNS) {
        record->campaign_count = take_count(reader, RECORD_CAMPAIGNS);
        for (size_t i = 1; i < record->campaign_count; i++)
            record->campaigns[i] = take_campaign(reader);
    }
}

/* A record has one form only: what it would be written as. */
static bool is_written_so(const struct record *record, struct bytes data)
{
    uint8_t again[RECORD_MAX];

    return bytes_equal(bytes_of(again, record_write(record, again)), data);
}

enum record_verdict record_read(struct bytes data, struct record *record)
{
    struct reader reader = {.rest = data};
    struct record made = {.campaign_count = 1};
    unsigned head = take_byte(&reader), what, more;

    if ((head & VERSION_MASK) > RECORD_VERSION)
        return RECORD_NEWER;
    if ((head & VERSION_MASK) != RECORD_VERSION)
        return RECORD_DAMAGED;
    what = take_byte(&reader);
    more = what & BIT_MORE ? take_byte(&reader) : 0;
    made.outcome = head & BIT_FAILURE ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
    made.receipt = (head & BIT_RECEIPT) != 0;
    made.rank = (enum campaign_rank)(head >> RANK_SHIFT);
    if (made.outcome == OUTCOME_FAILURE)
        made.reason = (uint8_t)take_byte(&reader);
    made.time_ms = take_time(&reader);
    made.campaigns[0] = take_campaign(&reader);
    made.received_ms = take_time_after(&reader, made.time_ms);
    take_costs_and_flags(&reader, what, &made);
    if (what & BIT_PHONE) {
        made.phone_count = 1;
        made.phones[0] = take_phone(&reader);
    }
    take_more(&reader, more, &made);
    if (reader.damaged || !is_written_so(&made, data) ||
        (made.outcome == OUTCOME_FAILURE && made.reason == REASON_NONE))
        return RECORD_DAMAGED;
    if (made.outcome == OUTCOME_FAILURE && !reason_by_number(made.reason))
        return RECORD_NEWER;
    *record = made;
    return RECORD_OK;
}
