#include "suspect_rows.h"

/* Where the row is; `count` if it is not there. */
static size_t find(const struct suspect_rows *suspects, int64_t id)
{
    size_t i = 0;

    while (i < suspects->count && suspects->rows[i].id != id)
        i++;
    return i;
}

/* The one whose hold ends, or ended, first. */
static size_t soonest(const struct suspect_rows *suspects)
{
    size_t best = 0;

    for (size_t i = 1; i < suspects->count; i++) {
        if (suspects->rows[i].held_until_ms < suspects->rows[best].held_until_ms)
            best = i;
    }
    return best;
}

enum suspect_verdict suspect_rows_strike(struct suspect_rows *suspects, int64_t id, int64_t now_ms)
{
    size_t at = find(suspects, id);

    if (at == suspects->count) {
        if (suspects->count < SUSPECT_ROWS)
            suspects->count++;
        else
            at = soonest(suspects);
        suspects->rows[at] = (struct suspect_row){.id = id};
    }
    struct suspect_row *row = &suspects->rows[at];

    if (row->strikes < SUSPECT_STRIKES)
        row->strikes++;
    if (row->strikes < SUSPECT_STRIKES)
        return SUSPECT_NOTED;
    const bool first = row->held_until_ms == 0;

    row->held_until_ms = now_ms + SUSPECT_HOLD_MS;
    return first ? SUSPECT_HELD_FIRST : SUSPECT_HELD_AGAIN;
}

bool suspect_rows_held(const struct suspect_rows *suspects, int64_t id, int64_t now_ms)
{
    const size_t at = find(suspects, id);

    return at < suspects->count && now_ms < suspects->rows[at].held_until_ms;
}

void suspect_rows_forget(struct suspect_rows *suspects, int64_t id)
{
    const size_t at = find(suspects, id);

    if (at < suspects->count)
        suspects->rows[at] = suspects->rows[--suspects->count];
}

size_t suspect_rows_count(const struct suspect_rows *suspects)
{
    return suspects->count;
}
