#include "call_server.h"

#include "call_reader.h"
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_LIMIT = 1024 * 1024, TABLE = 512 };

struct server *server_new(void)
{
    struct server *server = calloc(1, sizeof *server);

    assert_non_null(server);
    server->drops = calloc(TABLE, sizeof *server->drops);
    server->counts = calloc(TABLE, sizeof *server->counts);
    server->opt_outs = calloc(TABLE, sizeof *server->opt_outs);
    assert_true(server->drops && server->counts && server->opt_outs);
    buf_init(&server->stream, STREAM_LIMIT);
    buf_append_text(&server->stream, "");
    return server;
}

void server_free(struct server *server)
{
    free(server->drops);
    free(server->counts);
    free(server->opt_outs);
    buf_clear(&server->stream);
    free(server);
}

static const char *text_of(struct bytes bytes, char out[SERVER_NAME])
{
    assert_true(bytes.len < SERVER_NAME);
    snprintf(out, SERVER_NAME, "%.*s", (int)bytes.len, (const char *)bytes.data);
    return out;
}

/* --- Drops -------------------------------------------------------------------------------------------------------- */

static struct server_drop *find_drop(const struct server *server, const char *bucket, struct bytes field)
{
    for (size_t i = 0; i < server->drop_count; i++) {
        struct server_drop *drop = &server->drops[i];

        if (bytes_equal(bytes_of(drop->field, drop->field_len), field) && strcmp(drop->bucket, bucket) == 0)
            return drop;
    }
    return NULL;
}

struct bytes server_drop(const struct server *server, const char *bucket, struct bytes field)
{
    const struct server_drop *drop = find_drop(server, bucket, field);

    return drop ? bytes_of(drop->value, drop->value_len) : bytes_of(NULL, 0);
}

void server_set_drop(struct server *server, const char *bucket, struct bytes field, struct bytes value)
{
    struct server_drop *drop = find_drop(server, bucket, field);

    if (!drop) {
        assert_true(server->drop_count < TABLE && field.len <= sizeof drop->field);
        drop = &server->drops[server->drop_count++];
        snprintf(drop->bucket, sizeof drop->bucket, "%s", bucket);
        memcpy(drop->field, field.data, field.len);
        drop->field_len = field.len;
    }
    assert_true(value.len <= sizeof drop->value);
    memcpy(drop->value, value.data, value.len);
    drop->value_len = value.len;
}

void server_delete_drop(struct server *server, const char *bucket, struct bytes field)
{
    struct server_drop *drop = find_drop(server, bucket, field);

    assert_non_null(drop);
    *drop = server->drops[--server->drop_count];
}

/* --- Counts ------------------------------------------------------------------------------------------------------- */

static struct server_count *find_count(const struct server *server, const char *key, const char *field)
{
    for (size_t i = 0; i < server->count_count; i++)
        if (strcmp(server->counts[i].key, key) == 0 && strcmp(server->counts[i].field, field) == 0)
            return &server->counts[i];
    return NULL;
}

int64_t server_count(const struct server *server, const char *key, const char *field)
{
    const struct server_count *count = find_count(server, key, field);

    return count ? count->value : 0;
}

static void count_by(struct server *server, struct bytes key, struct bytes field, int64_t by)
{
    char key_text[SERVER_NAME], field_text[SERVER_NAME];
    struct server_count *count = find_count(server, text_of(key, key_text), text_of(field, field_text));

    if (by == 0)
        return;
    if (!count) {
        assert_true(server->count_count < TABLE);
        count = &server->counts[server->count_count++];
        *count = (struct server_count){.value = 0};
        memcpy(count->key, key_text, sizeof count->key);
        memcpy(count->field, field_text, sizeof count->field);
    }
    count->value += by;
    assert_true(count->value >= 0); /* apply.lua would call it damaged */
    if (count->value == 0)
        *count = server->counts[--server->count_count];
}

static int by_field(const void *a, const void *b)
{
    const struct server_count *const *x = a, *const *y = b;

    return strcmp((*x)->field, (*y)->field);
}

void server_hash_text(const struct server *server, const char *key, struct buf *out)
{
    const struct server_count *of_key[64];
    size_t count = 0;

    for (size_t i = 0; i < server->count_count; i++)
        if (strcmp(server->counts[i].key, key) == 0 && count < COUNT(of_key))
            of_key[count++] = &server->counts[i];
    qsort(of_key, count, sizeof of_key[0], by_field);
    buf_reset(out);
    buf_append_text(out, "");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s %lld", i > 0 ? " " : "", of_key[i]->field, (long long)of_key[i]->value);
}

int64_t server_listed(const struct server *server, const char *key, const char *phone)
{
    for (size_t i = 0; i < server->opt_out_count; i++)
        if (strcmp(server->opt_outs[i].key, key) == 0 && strcmp(server->opt_outs[i].phone, phone) == 0)
            return server->opt_outs[i].time_ms;
    return INT64_MAX;
}

/* --- A call ------------------------------------------------------------------------------------------------------- */

static void add_number(struct buf *out, size_t number)
{
    const uint8_t packed[2] = {(uint8_t)number, (uint8_t)(number >> 8)};

    buf_append(out, packed, sizeof packed);
}

static void count_cell(struct server *server, const struct read_call *call, size_t cell, int64_t by)
{
    const struct read_cell *one = &call->cells[cell - 1];

    count_by(server, call->hashes[one->hash - 1].key, one->field, by);
}

/* Opt-outs keep the earliest time, opt-ins the latest: whether the phone is new there, or of opt-ins its time. */
static bool list_phone(struct server *server, const struct read_call *call, const struct read_opt_out *opt_out)
{
    char key[SERVER_NAME], phone[SERVER_NAME], time[SERVER_NAME];
    int64_t time_ms = strtoll(text_of(opt_out->time, time), NULL, 10);
    bool opt_in = opt_out->list == READ_LIST_OF_OPT_INS;
    struct server_opt_out *listed;

    text_of(opt_out->key, key);
    text_of(opt_out->phone, phone);
    for (size_t i = 0; i < server->opt_out_count; i++) {
        listed = &server->opt_outs[i];
        if (strcmp(listed->key, key) != 0 || strcmp(listed->phone, phone) != 0)
            continue;
        if (opt_in ? time_ms <= listed->time_ms : time_ms >= listed->time_ms)
            return false;
        listed->time_ms = time_ms;
        return opt_in;
    }
    assert_true(server->opt_out_count < TABLE);
    listed = &server->opt_outs[server->opt_out_count++];
    snprintf(listed->key, sizeof listed->key, "%s", key);
    snprintf(listed->phone, sizeof listed->phone, "%s", phone);
    listed->time_ms = time_ms;
    for (size_t i = 0; i < COUNT(opt_out->cells); i++)
        if (opt_out->cells[i] > 0)
            count_cell(server, call, opt_out->cells[i], 1);
    return true;
}

static void list_phones(struct server *server, const struct read_call *call, const bool *applies)
{
    bool listed = false;

    for (size_t i = 0; i < call->opt_out_count; i++) {
        const struct read_opt_out *opt_out = &call->opt_outs[i];
        bool new;

        if (!applies[opt_out->drop - 1])
            continue;
        new = list_phone(server, call, opt_out);

        if (new && (opt_out->list != READ_LIST_OF_ALL || !listed))
            buf_append_text(&server->stream, opt_out->list == READ_LIST_OF_OPT_INS ? "opt_in " : "opt_out ");
        listed = opt_out->list == READ_LIST_OF_CAMPAIGN && (listed || new);
    }
}

static void count_class(struct server *server, const struct read_call *call, const struct read_term *term)
{
    int sign = term->class < 0 ? -1 : 1;
    const struct read_class *class = &call->classes[term->class * sign - 1];

    for (size_t i = 0; i < class->count; i++)
        count_cell(server, call, read_class_cell(class, i), sign);
    for (size_t i = 0; i < 3 && class->campaign_costs > 0; i++) {
        count_cell(server, call, class->campaign_costs + i, sign * term->costs[i]);
        count_cell(server, call, class->totals_costs + i, sign * term->costs[i]);
        if (class->cost > 0)
            count_cell(server, call, class->cost, sign * term->costs[i]);
    }
}

static bool has_bucket(const struct server *server, const char *bucket)
{
    bool has = false;

    for (size_t i = 0; i < server->drop_count; i++)
        has |= strcmp(server->drops[i].bucket, bucket) == 0;
    return has;
}

static void apply_drop(struct server *server, const struct read_call *call, const struct read_drop *drop)
{
    char bucket[SERVER_NAME], kind[SERVER_NAME];

    assert_true(drop->fresh || has_bucket(server, text_of(drop->bucket, bucket))); /* else it would have no end */
    if (drop->written.len > 0)
        server_set_drop(server, text_of(drop->bucket, bucket), drop->field, drop->written);
    for (size_t i = 0; i < drop->entries; i++)
        buf_printf(&server->stream, "%s ", text_of(read_argument(call, drop->rest + 2 * i), kind));
}

/* What applies is summed first: nothing falls below 0 on the way. */
static void count_terms(struct server *server, const struct read_call *call, const bool *applies, int sign)
{
    for (size_t i = 0; i < call->drop_count; i++)
        for (size_t n = 0; applies[i] && n < read_terms(&call->drops[i]); n++) {
            struct read_term term = read_term(&call->drops[i], n);

            if ((term.class < 0) == (sign < 0))
                count_class(server, call, &term);
        }
}

/* What there is of the drop: in which generation, the current one first (0), or nothing. */
static struct bytes drop_for(const struct server *server, const struct read_call *call, const struct read_drop *drop,
                             size_t *generation)
{
    char bucket[SERVER_NAME];
    struct bytes present = server_drop(server, text_of(drop->bucket, bucket), drop->field);

    *generation = 0;
    for (size_t i = 0; i < drop->olders && present.len == 0; i++) {
        present = server_drop(server, text_of(read_argument(call, drop->older + i), bucket), drop->field);
        *generation = present.len > 0 ? i + 1 : 0;
    }
    return present;
}

void server_call(struct server *server, const struct arguments *arguments, size_t first, struct buf *answer)
{
    struct read_call call;
    struct buf conflicts;
    size_t count = 0;
    bool *applies;

    read_call(arguments, first, &call);
    applies = calloc(call.drop_count + 1, sizeof *applies);
    assert_non_null(applies);
    buf_init(&conflicts, STREAM_LIMIT);
    for (size_t i = 0; i < call.drop_count; i++) {
        size_t generation;
        struct bytes present = drop_for(server, &call, &call.drops[i], &generation);

        applies[i] = generation == 0 && bytes_equal(present, call.drops[i].expected);
        if (applies[i])
            continue;
        count++;
        add_number(&conflicts, i + 1);
        add_number(&conflicts, present.len);
        buf_append(&conflicts, &(uint8_t){(uint8_t)generation}, 1);
        buf_append(&conflicts, present.data, present.len);
    }
    list_phones(server, &call, applies);
    for (size_t i = 0; i < call.drop_count; i++)
        if (applies[i])
            apply_drop(server, &call, &call.drops[i]);
    count_terms(server, &call, applies, 1);
    count_terms(server, &call, applies, -1);
    add_number(answer, count);
    buf_append(answer, conflicts.data, conflicts.len);
    buf_clear(&conflicts);
    free(applies);
    read_call_clear(&call);
}
