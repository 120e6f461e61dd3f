#include "shown.h"

#include "common/clock.h"
#include "common/drops/reasons.h"

#include <string.h>

static void begin(struct buf *out)
{
    buf_reset(out);
    buf_append_text(out, "{");
}

static void put(struct buf *out, const char *name, const char *text, size_t len)
{
    buf_append_text(out, out->len > 1 ? ",\"" : "\""); /* behind "{" or nothing it is the first */
    buf_append_text(out, name);
    buf_append_text(out, "\":");
    buf_append_json_string(out, text, len);
}

static void put_known(struct buf *out, const char *name, const char *text)
{
    if (text && text[0] != '\0')
        put(out, name, text, strlen(text));
}

/* The last member: apply.lua compares the times of two lookups by their place. */
static struct bytes end_with_time(struct buf *out, int64_t time_ms)
{
    char iso[CLOCK_ISO_SIZE];

    clock_iso8601_ms(time_ms, iso);
    put_known(out, "at", iso);
    buf_append_text(out, "}");
    return bytes_of(out->data, out->len);
}

struct bytes shown_mark(struct buf *out, const char *drop_id)
{
    buf_reset(out);
    put(out, "drop_id", drop_id, strlen(drop_id));
    return bytes_of(out->data, out->len);
}

static const char *outcome_name(const struct record *record)
{
    return record->outcome == OUTCOME_FAILURE ? "failure" : "success";
}

static const char *reason_name(const struct record *record)
{
    return record->outcome == OUTCOME_FAILURE ? reason_by_number(record->reason)->slug : "";
}

struct bytes shown_lookup(struct buf *out, const struct record *record, const char *drop_id, const char *campaign)
{
    char phone[LIMIT_PHONE + 1];

    phone_text(&record->phones[0], phone);
    begin(out);
    put(out, "outcome", outcome_name(record), 7);
    put(out, "reason", reason_name(record), strlen(reason_name(record)));
    put(out, "drop_id", drop_id, strlen(drop_id));
    put(out, "phone", phone, strlen(phone));
    put(out, "campaign", campaign, strlen(campaign));
    return end_with_time(out, record->time_ms);
}

/* What is known of it. */
static void put_drop(struct buf *out, const char *drop_id, struct bytes foreign_id, const char *phone, const char *campaign)
{
    begin(out);
    put_known(out, "drop_id", drop_id);
    if (foreign_id.len > 0)
        put(out, "foreign_id", (const char *)foreign_id.data, foreign_id.len);
    put_known(out, "phone", phone);
    put_known(out, "campaign", campaign);
}

struct bytes shown_drop(struct buf *out, const struct record *record, const char *drop_id, const char *campaign)
{
    char phone[LIMIT_PHONE + 1];

    phone_text(&record->phones[0], phone);
    put_drop(out, drop_id, bytes_of(record->foreign_id, record->foreign_id_len), phone, campaign);
    put_known(out, "outcome", outcome_name(record));
    put_known(out, "reason", reason_name(record));
    return end_with_time(out, record->time_ms);
}

struct bytes shown_opt_out(struct buf *out, const char *drop_id, struct bytes foreign_id, const char *phone,
                           const char *campaign, int64_t time_ms)
{
    put_drop(out, drop_id, foreign_id, phone, campaign);
    return end_with_time(out, time_ms);
}

struct bytes shown_campaign(struct buf *out, const char *campaign, const char *state, int64_t time_ms)
{
    begin(out);
    put_known(out, "campaign", campaign);
    put_known(out, "outcome", state);
    return end_with_time(out, time_ms);
}
