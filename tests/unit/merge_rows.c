#include "merge_rows.h"

#include "cases.h"

#include <string.h>

enum { TEXT = 2048 };

struct merge_settings merge_rows_settings(bool keep_foreign_id)
{
    return (struct merge_settings){.keep_foreign_id = keep_foreign_id, .names = copies_names()};
}

static void add_what_became(struct buf *out, const struct merged *merged)
{
    buf_reset(out);
    buf_append_text(out, merged->applied == APPLIED_COUNTED   ? "counted"
                         : merged->applied == APPLIED_REVISED ? "revised"
                                                              : "duplicate");
    buf_append_text(out, merged->filled ? ", filled" : "");
    if (merged->linked)
        buf_printf(out, ", linked to %s", copies_names().name_of(NULL, merged->other));
    buf_append_text(out, merged->list_opt_out ? ", listed" : "");
}

static size_t count_of(const struct given *copies)
{
    size_t count = 0;

    while (count < COPIES_MAX && copies[count].at != 0)
        count++;
    return count;
}

struct merged merge_rows_result(struct record *record, bool *exists, const struct given *given,
                                const struct merge_settings *settings, const char *name)
{
    struct event event = copies_event(given);
    bool counted_before = *exists && !record->uncounted;
    struct counted before = counted_before ? counted_as(record) : (struct counted){0};
    struct merged merged = merge_copy(record, exists, &event, given->campaign, settings);
    struct counted after = counted_as(record);

    CHECK_CASE(name, *exists && !record->uncounted);
    CHECK_CASE(name, (merged.applied == APPLIED_COUNTED) == !counted_before);
    CHECK_CASE(name, !counted_before || counted_equal(&merged.before, &before));
    CHECK_CASE(name, counted_equal(&merged.after, &after));
    CHECK_CASE(name, !merged.filled || counted_before);
    return merged;
}

/* An event that opts the drop out changes nothing of what counts. */
static bool note(struct record *record, bool *exists, const struct given *given, const char *name)
{
    struct event event = copies_event(given);
    bool counts = *exists && !record->uncounted;
    struct counted before = counts ? counted_as(record) : (struct counted){0};
    bool listed = merge_opt_out(record, exists, &event, given->campaign);
    struct counted after = counts ? counted_as(record) : (struct counted){0};

    CHECK_CASE(name, *exists && record->uncounted == !counts);
    CHECK_CASE(name, counted_equal(&before, &after));
    return listed;
}

/* What became of the copy is said in `became`. */
static void merge_next(struct record *record, bool *exists, const struct given *given,
                       const struct merge_settings *settings, struct buf *became, const char *name)
{
    struct merged merged;

    if (given->kind == EVENT_OPT_OUT) {
        buf_reset(became);
        buf_append_text(became, note(record, exists, given, name) ? "noted, listed" : "noted");
        return;
    }
    merged = merge_rows_result(record, exists, given, settings, name);
    add_what_became(became, &merged);
}

void merge_rows_check(const struct merge_row *rows, size_t count, bool keep_foreign_id)
{
    const struct merge_settings settings = merge_rows_settings(keep_foreign_id);
    struct buf became, text;

    buf_init(&became, TEXT);
    buf_init(&text, TEXT);
    for (size_t i = 0; i < count; i++) {
        struct record record;
        bool exists = false;

        memset(&record, 0x55, sizeof record); /* the first copy makes it, of whatever was there */
        for (size_t k = 0; k < count_of(rows[i].copies); k++)
            merge_next(&record, &exists, &rows[i].copies[k], &settings, &became, rows[i].name);
        copies_describe(&text, &record, true);
        if (strcmp(became.data, rows[i].last) != 0 || strcmp(text.data, rows[i].text) != 0)
            fail_msg("%s: %s; %s", rows[i].name, became.data, text.data);
    }
    buf_clear(&became);
    buf_clear(&text);
}
