#include "call_reader.h"

#include "cases.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD = 6, TERM = 17 };

struct reader {
    const struct read_call *call;
    size_t at;
};

struct bytes read_argument(const struct read_call *call, size_t number)
{
    assert_true(number < call->argument_count);
    return call->arguments[number];
}

static struct bytes take(struct reader *reader)
{
    return read_argument(reader->call, reader->at++);
}

/* "$3\r\nabc\r\n", one behind the other. */
static void split_arguments(const struct arguments *arguments, struct read_call *call)
{
    const char *at = arguments->bytes.data, *end = at + arguments->bytes.len;

    assert_false(arguments->bytes.overflow);
    call->argument_count = arguments->count;
    call->arguments = calloc(arguments->count + 1, sizeof *call->arguments);
    assert_non_null(call->arguments);
    for (size_t i = 0; i < arguments->count; i++) {
        char *rest;
        size_t len;

        assert_true(end - at >= 6 && *at == '$');
        len = strtoul(at + 1, &rest, 10);
        assert_true(strncmp(rest, "\r\n", 2) == 0 && len + 4 <= (size_t)(end - rest));
        call->arguments[i] = bytes_of(rest + 2, len);
        at = rest + 2 + len + 2;
        assert_memory_equal(at - 2, "\r\n", 2);
    }
    assert_ptr_equal(at, end);
}

/* '<I2', '<I4', '<I5', at a place of a packed argument. */
static uint64_t number_at(struct bytes packed, size_t at, size_t width)
{
    uint64_t value = 0;

    assert_true(at + width <= packed.len);
    for (size_t i = width; i > 0; i--)
        value = value << 8 | packed.data[at + i - 1];
    return value;
}

static struct bytes take_packed(struct reader *reader, size_t len)
{
    struct bytes packed = take(reader);

    assert_int_equal(packed.len, len);
    return packed;
}

static void *array(size_t count, size_t size)
{
    void *made = calloc(count + 1, size);

    assert_non_null(made);
    return made;
}

static void read_counts(struct read_call *call)
{
    struct bytes counts = call->fixed[READ_COUNTS];

    assert_int_equal(counts.len, 12);
    call->hash_count = number_at(counts, 0, 2);
    call->cell_count = number_at(counts, 2, 2);
    call->class_count = number_at(counts, 4, 2);
    call->campaign_count = number_at(counts, 6, 2);
    call->opt_out_count = number_at(counts, 8, 2);
    call->drop_count = number_at(counts, 10, 2);
    call->hashes = array(call->hash_count, sizeof *call->hashes);
    call->cells = array(call->cell_count, sizeof *call->cells);
    call->classes = array(call->class_count, sizeof *call->classes);
    call->campaigns = array(call->campaign_count, sizeof *call->campaigns);
    call->opt_outs = array(call->opt_out_count, sizeof *call->opt_outs);
    call->drops = array(call->drop_count, sizeof *call->drops);
}

/* As Lua's tonumber reads it. */
static size_t decimal(struct bytes text)
{
    size_t value = 0;

    assert_true(text.len > 0 && text.len < 10);
    for (size_t i = 0; i < text.len; i++) {
        assert_in_range(text.data[i], '0', '9');
        value = 10 * value + (text.data[i] - '0');
    }
    return value;
}

static void read_tally(struct reader *reader, struct read_call *call)
{
    for (size_t i = 0; i < call->hash_count; i++) {
        struct read_hash *hash = &call->hashes[i];
        struct bytes head;

        hash->key = take(reader);
        head = take_packed(reader, 5);
        assert_in_range(head.data[0], 0, 1);
        hash->named = head.data[0] == 1;
        hash->ttl_s = (int64_t)number_at(head, 1, 4);
    }
    for (size_t i = 0; i < call->cell_count; i++) {
        call->cells[i].hash = decimal(take(reader));
        call->cells[i].field = take(reader);
        assert_in_range(call->cells[i].hash, 1, call->hash_count);
    }
    for (size_t i = 0; i < call->class_count; i++) {
        struct read_class *class = &call->classes[i];
        struct bytes row = take(reader);

        class->campaign_costs = number_at(row, 0, 2);
        class->totals_costs = number_at(row, 2, 2);
        class->cost = number_at(row, 4, 2);
        class->count = (row.len - 6) / 2;
        class->cells = row.data + 6;
        assert_int_equal(row.len % 2, 0);
        assert_true((class->campaign_costs > 0) == (class->totals_costs > 0));
        assert_true(class->campaign_costs == 0 || class->campaign_costs + 2 <= call->cell_count);
        assert_true(class->totals_costs == 0 || class->totals_costs + 2 <= call->cell_count);
        assert_true(class->cost <= call->cell_count);
        for (size_t n = 0; n < class->count; n++)
            assert_in_range(read_class_cell(class, n), 1, call->cell_count);
    }
}

static void read_campaigns_and_opt_outs(struct reader *reader, struct read_call *call)
{
    for (size_t i = 0; i < call->campaign_count; i++) {
        struct read_campaign *campaign = &call->campaigns[i];

        campaign->key = take(reader);
        campaign->name = take(reader);
        campaign->first = take(reader);
        campaign->last = take(reader);
        campaign->state = take(reader);
        campaign->state_at = take(reader);
        campaign->last_result = take(reader);
        campaign->score = take(reader);
        campaign->json = take(reader);
    }
    for (size_t i = 0; i < call->opt_out_count; i++) {
        struct read_opt_out *opt_out = &call->opt_outs[i];
        struct bytes head;

        opt_out->key = take(reader);
        opt_out->phone = take(reader);
        opt_out->time = take(reader);
        head = take_packed(reader, 7);
        opt_out->drop = number_at(head, 5, 2);
        assert_in_range(opt_out->drop, 1, call->drop_count);
        opt_out->json = take(reader);
        assert_in_range(head.data[0], READ_LIST_OF_ALL, READ_LIST_OF_OPT_INS);
        opt_out->list = (enum read_list)head.data[0];
        for (size_t n = 0; n < 2; n++) {
            opt_out->cells[n] = number_at(head, 1 + 2 * n, 2);
            assert_in_range(opt_out->cells[n], 0, call->cell_count);
        }
    }
}

static void read_drops(struct reader *reader, struct read_call *call)
{
    for (size_t i = 0; i < call->drop_count; i++) {
        struct read_drop *drop = &call->drops[i];
        struct bytes head;

        drop->bucket = take(reader);
        drop->field = take(reader);
        drop->expected = take(reader);
        drop->written = take(reader);
        head = take(reader);
        assert_true(head.len >= HEAD);
        drop->terms = bytes_of(head.data + HEAD, head.len - HEAD);
        assert_int_equal(drop->terms.len % TERM, 0);
        for (size_t n = 0; n < read_terms(drop); n++)
            assert_in_range(abs(read_term(drop, n).class), 1, call->class_count);
        drop->fresh = number_at(head, 0, 1) > 0;
        drop->olders = number_at(head, 1, 1);
        drop->entries = number_at(head, 2, 2);
        drop->shows = number_at(head, 4, 1);
        drop->unshows = number_at(head, 5, 1);
        assert_in_range(drop->shows, 0, 1);
        assert_in_range(drop->unshows, 0, 1);
        drop->older = reader->at;
        reader->at += drop->olders;
        drop->rest = reader->at;
        reader->at += 2 * (drop->entries + drop->shows + drop->unshows);
    }
}

void read_call(const struct arguments *arguments, size_t first, struct read_call *out)
{
    struct reader reader = {.call = out, .at = first};

    *out = (struct read_call){0};
    split_arguments(arguments, out);
    for (size_t i = 0; i < READ_FIXED; i++)
        out->fixed[i] = take(&reader);
    read_counts(out);
    read_tally(&reader, out);
    read_campaigns_and_opt_outs(&reader, out);
    read_drops(&reader, out);
    assert_int_equal(reader.at, out->argument_count);
}

void read_call_clear(struct read_call *call)
{
    free(call->arguments);
    free(call->hashes);
    free(call->cells);
    free(call->classes);
    free(call->campaigns);
    free(call->opt_outs);
    free(call->drops);
    *call = (struct read_call){0};
}

size_t read_class_cell(const struct read_class *class, size_t number)
{
    return (size_t)number_at(bytes_of(class->cells, 2 * class->count), 2 * number, 2);
}

size_t read_terms(const struct read_drop *drop)
{
    return drop->terms.len / TERM;
}

struct read_term read_term(const struct read_drop *drop, size_t number)
{
    struct bytes packed = bytes_of(drop->terms.data + TERM * number, TERM);
    struct read_term term = {.class = (int16_t)number_at(packed, 0, 2)};

    for (size_t i = 0; i < 3; i++)
        term.costs[i] = (int64_t)number_at(packed, 2 + 5 * i, 5);
    return term;
}

/* --- In words ----------------------------------------------------------------------------------------------------- */

static void add(struct buf *out, const char *before, struct bytes bytes)
{
    buf_append_text(out, before);
    if (bytes.len == 0)
        buf_append_text(out, "-");
    buf_append(out, bytes.data, bytes.len);
}

/* Printable characters, or hexadecimal. */
static void add_binary(struct buf *out, struct bytes bytes)
{
    bool printable = true;

    for (size_t i = 0; i < bytes.len; i++)
        printable &= bytes.data[i] > ' ' && bytes.data[i] < 0x7f;
    if (printable) {
        add(out, " ", bytes);
        return;
    }
    buf_append_text(out, " 0x");
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%02x", bytes.data[i]);
}

static void add_fixed(struct buf *out, const struct read_call *call)
{
    add(out, "epoch ", call->fixed[READ_EPOCH_KEY]);
    add(out, " ", call->fixed[READ_EPOCH]);
    add(out, "\nschema ", call->fixed[READ_SCHEMA_KEY]);
    add(out, " ", call->fixed[READ_SCHEMA]);
    add(out, "\ncampaigns ", call->fixed[READ_CAMPAIGNS_KEY]);
    add(out, "\nstream ", call->fixed[READ_STREAM_KEY]);
    add(out, " ", call->fixed[READ_STREAM_MAX]);
    add(out, "\nlookups ", call->fixed[READ_RESULT_TTL]);
    add(out, "\ntakes until ", call->fixed[READ_TAKES_UNTIL]);
    add(out, "\nend ", call->fixed[READ_END]);
    add(out, "\nfull by ", call->fixed[READ_SIZES_KEY]);
    add(out, " ", call->fixed[READ_GENERATION]);
    add(out, " at ", call->fixed[READ_LIMIT]);
    buf_append_text(out, "\n");
}

static void add_tally(struct buf *out, const struct read_call *call)
{
    for (size_t i = 0; i < call->hash_count; i++) {
        add(out, "hash ", call->hashes[i].key);
        buf_append_text(out, call->hashes[i].named ? " named" : "");
        if (call->hashes[i].ttl_s > 0)
            buf_printf(out, " for %lld s", (long long)call->hashes[i].ttl_s);
        buf_append_text(out, "\n");
    }
    for (size_t i = 0; i < call->cell_count; i++) {
        buf_printf(out, "cell %zu ", call->cells[i].hash);
        add(out, "", call->cells[i].field);
        buf_append_text(out, "\n");
    }
    for (size_t i = 0; i < call->class_count; i++) {
        buf_printf(out, "class");
        for (size_t n = 0; n < call->classes[i].count; n++)
            buf_printf(out, " %zu", read_class_cell(&call->classes[i], n));
        if (call->classes[i].campaign_costs > 0)
            buf_printf(out, " costs %zu %zu", call->classes[i].campaign_costs, call->classes[i].totals_costs);
        if (call->classes[i].cost > 0)
            buf_printf(out, " cost %zu", call->classes[i].cost);
        buf_append_text(out, "\n");
    }
}

static void add_cell(struct buf *out, const struct read_call *call, size_t number)
{
    if (number == 0)
        return;
    add(out, " +", call->hashes[call->cells[number - 1].hash - 1].key);
    add(out, " ", call->cells[number - 1].field);
}

static void add_campaigns_and_opt_outs(struct buf *out, const struct read_call *call)
{
    static const char *const lists[] = {[READ_LIST_OF_ALL] = "opt-out ",
                                        [READ_LIST_OF_CAMPAIGN] = "campaign's opt-out ",
                                        [READ_LIST_OF_OPT_INS] = "opt-in "};

    for (size_t i = 0; i < call->campaign_count; i++) {
        const struct read_campaign *campaign = &call->campaigns[i];
        const struct bytes parts[] = {campaign->key,         campaign->name,  campaign->first,
                                      campaign->last,        campaign->state, campaign->state_at,
                                      campaign->last_result, campaign->score, campaign->json};

        buf_append_text(out, "campaign");
        for (size_t n = 0; n < COUNT(parts); n++)
            add(out, " ", parts[n]);
        buf_append_text(out, "\n");
    }
    for (size_t i = 0; i < call->opt_out_count; i++) {
        const struct read_opt_out *opt_out = &call->opt_outs[i];

        add(out, lists[opt_out->list], opt_out->key);
        add(out, " ", opt_out->phone);
        add(out, " ", opt_out->time);
        add(out, " ", opt_out->json);
        for (size_t n = 0; n < COUNT(opt_out->cells); n++)
            add_cell(out, call, opt_out->cells[n]);
        if (opt_out->drop > 1)
            buf_printf(out, " by drop %zu", opt_out->drop);
        buf_append_text(out, "\n");
    }
}

static void add_drop(struct buf *out, const struct read_call *call, const struct read_drop *drop)
{
    size_t at = drop->rest;

    add(out, "drop ", drop->bucket);
    add_binary(out, drop->field);
    add_binary(out, drop->expected);
    add_binary(out, drop->written);
    buf_append_text(out, drop->fresh ? " in a new bucket" : "");
    for (size_t n = 0; n < drop->olders; n++)
        add(out, n == 0 ? " not in " : " ", read_argument(call, drop->older + n));
    for (size_t n = 0; n < read_terms(drop); n++) {
        struct read_term term = read_term(drop, n);

        buf_printf(out, "\n  %+d costs %lld %lld %lld", term.class, (long long)term.costs[0], (long long)term.costs[1],
                   (long long)term.costs[2]);
    }
    for (size_t n = 0; n < drop->entries; n++, at += 2) {
        add(out, "\n  entry ", read_argument(call, at));
        add(out, " ", read_argument(call, at + 1));
    }
    if (drop->shows) {
        add(out, "\n  lookup is ", read_argument(call, at));
        add(out, " ", read_argument(call, at + 1));
        at += 2;
    }
    if (drop->unshows) {
        add(out, "\n  lookup was ", read_argument(call, at));
        add(out, " ", read_argument(call, at + 1));
    }
    buf_append_text(out, "\n");
}

void read_call_text(const struct read_call *call, struct buf *out)
{
    buf_reset(out);
    add_fixed(out, call);
    add_tally(out, call);
    add_campaigns_and_opt_outs(out, call);
    for (size_t i = 0; i < call->drop_count; i++)
        add_drop(out, call, &call->drops[i]);
    assert_false(out->overflow);
}
