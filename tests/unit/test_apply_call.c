/* The layout of a call of apply.lua, as the head of that file says it. */
#include "workers/counting/apply_call.h"

#include "call_reader.h"
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 64 * 1024 * 1024, TEXT = 16 * 1024 };

static const struct call_settings settings = {.prefix = "dc:", .result_ttl_s = 60, .results_stream_max = 100};
static const struct call_place place = {
    .schema = 2,
    .epoch = "ab:7",
    .generations = {.count = 1, .list = {{.number = 3, .birth_ms = 123456789000000, .length_ms = 11345, .keep_ms = 1000, .buckets = 5000}}}};

static struct apply_call *new_call(const struct call_settings *with)
{
    struct apply_call *call = apply_call_new(with);

    assert_non_null(call);
    apply_call_begin(call);
    return call;
}

/* Whether it could be written; then `text` tells what. */
static bool write_text(struct apply_call *call, struct buf *text)
{
    struct arguments arguments;
    struct read_call read;
    bool written;

    arguments_init(&arguments, LIMIT);
    arguments_add_text(&arguments, "what stands before ARGV[1]");
    written = apply_call_write(call, &place, &arguments);
    if (written) {
        read_call(&arguments, 1, &read);
        read_call_text(&read, text);
        read_call_clear(&read);
    }
    arguments_clear(&arguments);
    return written;
}

static bool can_be_written(struct apply_call *call)
{
    struct buf text;
    bool written;

    buf_init(&text, LIMIT);
    written = write_text(call, &text);
    buf_clear(&text);
    return written;
}

static struct bytes text_of(const char *text)
{
    return bytes_of_text(text);
}

/* --- The parts of a call ------------------------------------------------------------------------------------------ */

static void end_drop(struct apply_call *call, const char *bucket, const char *field, const char *expected,
                     const char *written)
{
    struct call_drop drop = {.bucket_count = 1,
                             .field = text_of(field),
                             .expected = text_of(expected),
                             .written = text_of(written)};

    snprintf(drop.buckets[0], sizeof drop.buckets[0], "%s", bucket);
    apply_call_drop_end(call, &drop);
}

static void nothing(struct apply_call *call)
{
    (void)call;
}

static void a_counted_drop(struct apply_call *call)
{
    struct tally *tally = apply_call_tally(call);
    unsigned totals = tally_key(tally, "dc:totals", TALLY_PLAIN, 0), class = tally_class_alone(tally);
    unsigned cell = tally_field(tally, totals, "messages");

    tally_class_add(tally, class, cell);
    apply_call_drop(call);
    apply_call_count(call, class, false, &(struct costs){1, RECORD_COST_MAX, 0});
    apply_call_entry(call, "result", text_of("{}"));
    end_drop(call, "dc:drops:3:8", "field", "", "record");
}

static void a_drop_that_counts_otherwise_now(struct apply_call *call)
{
    struct tally *tally = apply_call_tally(call);
    unsigned class = tally_class_alone(tally), other = tally_class_alone(tally);

    apply_call_drop(call);
    apply_call_count(call, class, true, &(struct costs){30000, 2500, 7});
    apply_call_count(call, other, false, NULL);
    apply_call_entry(call, "revised", text_of("{a}"));
    apply_call_entry(call, "filled", text_of("{b}"));
    apply_call_show(call, text_of("8812"), text_of("{c}"));
    apply_call_unshow(call, text_of("8811"), text_of("mark"));
    end_drop(call, "dc:drops:3:0", "f", "old", "new");
}

static void drops_with_a_lookup_each(struct apply_call *call)
{
    apply_call_drop(call);
    apply_call_show(call, text_of("a\nb"), text_of("{}"));
    end_drop(call, "b", "f", "", "new");
    apply_call_drop(call);
    apply_call_unshow(call, text_of("c"), text_of("m"));
    end_drop(call, "b", "g", "old", "");
    apply_call_drop(call);
    end_drop(call, "b", "h", "", "");
}

static void campaigns_and_lists(struct apply_call *call)
{
    struct tally *tally = apply_call_tally(call);
    unsigned totals = tally_key(tally, "dc:totals", TALLY_PLAIN, 0);
    unsigned minute = tally_key(tally, "dc:minute:1", TALLY_PLAIN, 86400);
    const unsigned both[2] = {tally_field(tally, totals, "opt_out"), tally_field(tally, minute, "opt_out")};

    apply_call_campaign(call, &(struct call_campaign){.name = "spring",
                                                      .first = "F",
                                                      .last = "L",
                                                      .state = "paused",
                                                      .state_at = "S",
                                                      .last_result = "",
                                                      .score_ms = 5,
                                                      .json = text_of("{}")});
    apply_call_campaign(call, &(struct call_campaign){.name = "autumn",
                                                      .first = "F",
                                                      .last = "L",
                                                      .state = "",
                                                      .state_at = "",
                                                      .last_result = "R",
                                                      .score_ms = 1774019040000});
    apply_call_drop(call);
    apply_call_list(call, LIST_OF_CAMPAIGN, "spring", "+15552224444", 5, (const unsigned[2]){both[0], 0}, text_of("{s}"));
    apply_call_list(call, LIST_OF_ALL, NULL, "+15552224444", 1774019040000, both, text_of("{}"));
    end_drop(call, "b", "f", "", "n");
    apply_call_drop(call);
    apply_call_list(call, LIST_OF_OPT_INS, NULL, "+15552225555", 7, (const unsigned[2]){0, 0}, text_of("{i}"));
    apply_call_drop_end(call, &(struct call_drop){.fresh = true, .bucket_count = 3, .buckets = {"e", "f", "g"}});
}

static void a_class_with_costs(struct apply_call *call)
{
    struct tally *tally = apply_call_tally(call);
    unsigned totals = tally_key(tally, "dc:totals", TALLY_PLAIN, 0);
    unsigned first = tally_field(tally, totals, "p");
    unsigned class;

    (void)tally_field(tally, totals, "c");
    (void)tally_field(tally, totals, "t");
    tally_class_costs(tally, tally_class_alone(tally), first, first);
    class = tally_class_alone(tally);
    tally_class_costs(tally, class, first, first);
    tally_class_cost(tally, class, tally_field(tally, totals, "sum"));
}

#define HEAD_OF(stream, lookups)                                                                                       \
    "epoch dc:drops:epoch ab:7\nschema dc:schema 2\ncampaigns dc:campaigns\nstream " stream "\nlookups " lookups       \
    "\ntakes until 123456789011345\nend 123456789012345\nfull by dc:drops:sizes 3 at 300000\n"
#define HEAD HEAD_OF("dc:results 100", "60")

static const struct {
    const char *name;
    struct call_settings settings;
    void (*build)(struct apply_call *call);
    const char *text;
} calls[] = {
    {"nothing", {"dc:", 60, 100}, nothing, HEAD},
    {"nothing, without a stream and lookups", {"dc:", 0, 0}, nothing, HEAD_OF("- 0", "0")},
    {"a counted drop", {"dc:", 60, 100}, a_counted_drop,
     HEAD "hash dc:totals\ncell 1 messages\nclass 1\ndrop dc:drops:3:8 field - record\n  +1 costs 1 1099511627775 0\n"
          "  entry result {}\n"},
    {"a counted drop, without a stream", {"dc:", 60, 0}, a_counted_drop,
     HEAD_OF("- 0", "60") "hash dc:totals\ncell 1 messages\nclass 1\ndrop dc:drops:3:8 field - record\n"
                          "  +1 costs 1 1099511627775 0\n"},
    {"a drop that counts otherwise now", {"dc:", 60, 100}, a_drop_that_counts_otherwise_now,
     HEAD "class\nclass\ndrop dc:drops:3:0 f old new\n  -1 costs 30000 2500 7\n  +2 costs 0 0 0\n  entry revised {a}\n"
          "  entry filled {b}\n  lookup is dc:result:8812 {c}\n  lookup was dc:result:8811 mark\n"},
    {"drops with a lookup each", {"dc:", 60, 100}, drops_with_a_lookup_each,
     HEAD "drop b f - new\n  lookup is dc:result:a\nb {}\ndrop b g old -\n  lookup was dc:result:c m\n"
          "drop b h - -\n"},
    {"campaigns, opt-outs and an opt-in", {"dc:", 60, 100}, campaigns_and_lists,
     HEAD "hash dc:totals\nhash dc:minute:1 for 86400 s\ncell 1 opt_out\ncell 2 opt_out\n"
          "campaign dc:campaign:spring spring F L paused S - 5 {}\n"
          "campaign dc:campaign:autumn autumn F L - - R 1774019040000 -\n"
          "campaign's opt-out dc:campaign:spring:optouts +15552224444 5 {s} +dc:totals opt_out\n"
          "opt-out dc:optouts +15552224444 1774019040000 {} +dc:totals opt_out +dc:minute:1 opt_out\n"
          "opt-in dc:optins +15552225555 7 {i} by drop 2\n"
          "drop b f - n\ndrop e - - - in a new bucket not in f g\n"},
    {"a class with costs", {"dc:", 60, 100}, a_class_with_costs,
     HEAD "hash dc:totals\ncell 1 p\ncell 1 c\ncell 1 t\ncell 1 sum\nclass costs 1 1\nclass costs 1 1 cost 4\n"},
};

static void a_call_is_laid_out_as_the_script_reads_it(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT);
    for (size_t i = 0; i < COUNT(calls); i++) {
        struct apply_call *call = new_call(&calls[i].settings);

        for (int round = 0; round < 2; round++) { /* the next call has nothing of the last */
            apply_call_begin(call);
            calls[i].build(call);
            CHECK_CASE(calls[i].name, write_text(call, &text));
            if (strcmp(text.data, calls[i].text) != 0)
                fail_msg("%s:\n%s", calls[i].name, text.data);
        }
        apply_call_free(call);
    }
    buf_clear(&text);
}

/* --- Limits ------------------------------------------------------------------------------------------------------- */

static void add_drop(struct apply_call *call)
{
    apply_call_drop(call);
    end_drop(call, "b", "f", "o", "n");
}

static void a_drop_of_class(struct apply_call *call, unsigned class)
{
    apply_call_drop(call);
    apply_call_count(call, class, false, NULL);
    end_drop(call, "b", "f", "", "n");
}

static void classes(struct apply_call *call, size_t count)
{
    unsigned class = 0;

    for (size_t i = 0; i < count; i++)
        class = tally_class_alone(apply_call_tally(call));
    a_drop_of_class(call, class);
}

static void cells(struct apply_call *call, size_t count)
{
    struct tally *tally = apply_call_tally(call);
    unsigned key = tally_key(tally, "k", TALLY_PLAIN, 0);

    for (uint32_t i = 0; i < count; i++)
        (void)tally_cell(tally, key, &i, sizeof i);
}

static void cells_of_a_class(struct apply_call *call, size_t count)
{
    struct tally *tally = apply_call_tally(call);
    unsigned class = tally_class_alone(tally);

    for (uint32_t i = 0; i < count; i++)
        tally_class_add(tally, class, tally_cell(tally, tally_key(tally, "k", TALLY_PLAIN, 0), &i, sizeof i));
    a_drop_of_class(call, class);
}

static void entries_of_a_drop(struct apply_call *call, size_t count)
{
    apply_call_drop(call);
    for (size_t i = 0; i < count; i++)
        apply_call_entry(call, "revised", text_of("{}"));
    end_drop(call, "b", "f", "o", "n");
}

static void drops(struct apply_call *call, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_drop(call);
}

static void opt_outs(struct apply_call *call, size_t count)
{
    apply_call_drop(call);
    for (size_t i = 0; i < count; i++)
        apply_call_list(call, LIST_OF_ALL, NULL, "+1", 1, (const unsigned[2]){0, 0}, text_of(""));
    end_drop(call, "b", "f", "", "n");
}

static void bytes_of_a_drop(struct apply_call *call, size_t count)
{
    char *bytes = calloc(1, count);

    assert_non_null(bytes);
    apply_call_drop(call);
    apply_call_drop_end(call, &(struct call_drop){.bucket_count = 1, .buckets = {"b"}, .written = bytes_of(bytes, count)});
    free(bytes);
}

static void drops_of_no_class(struct apply_call *call, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a_drop_of_class(call, 0);
}

/* What the script's numbers, and memory, have room for. */
static const struct {
    const char *name;
    void (*build)(struct apply_call *call, size_t count);
    size_t most;
} limits[] = {
    {"classes", classes, 32767},
    {"cells", cells, 32767},
    {"cells of a class", cells_of_a_class, TALLY_CLASS_CELLS},
    {"entries of a drop", entries_of_a_drop, 65535},
    {"drops", drops, 65535},
    {"opt-outs", opt_outs, 65535},
    {"bytes of drops", bytes_of_a_drop, 16 * 1024 * 1024 - 44},
    {"drops of no class", drops_of_no_class, 0},
};

static void past_a_limit_nothing_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct apply_call *call = new_call(&settings);

        limits[i].build(call, limits[i].most);
        CHECK_CASE(limits[i].name, can_be_written(call));
        apply_call_begin(call);
        limits[i].build(call, limits[i].most + 1);
        CHECK_CASE(limits[i].name, !can_be_written(call));
        apply_call_begin(call); /* and the next one is whole again */
        add_drop(call);
        CHECK_CASE(limits[i].name, can_be_written(call));
        apply_call_free(call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_laid_out_as_the_script_reads_it),
        cmocka_unit_test(past_a_limit_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
