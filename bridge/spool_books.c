#include "spool_books.h"

#include "../common/log.h"

void spool_books_init(struct spool_books *books, const char *path, struct bridge_metrics *metrics)
{
    *books = (struct spool_books){.path = path, .metrics = metrics};
}

void spool_books_forget_unknown(struct spool_books *books)
{
    books->unknown = (struct spool_change){0};
}

void spool_books_add(struct spool_books *books, const struct spool_change *spooled)
{
    if (spooled->rows > 0)
        spool_books_forget_unknown(books);
    bridge_count(books->metrics, METRIC_SPOOL_SPOOLED, (int64_t)spooled->rows);
    books->in_file += (int64_t)spooled->rows;
}

void spool_books_subtract(struct spool_books *books, const struct spool_change *drained)
{
    if (drained->rows > 0)
        spool_books_forget_unknown(books);
    bridge_count(books->metrics, METRIC_SPOOL_DRAINED, (int64_t)drained->rows);
    books->in_file -= (int64_t)drained->rows;
}

void spool_books_note_unknown(struct spool_books *books, bool is_delete, const struct spool_change *change)
{
    books->unknown_is_delete = is_delete;
    books->unknown = *change;
}

void spool_books_bring_in(struct spool_books *books, int64_t messages)
{
    books->in_file += messages;
}

void spool_books_clear(struct spool_books *books)
{
    books->in_file = 0;
}

bool spool_books_settle(struct spool_books *books, struct spool_file *file, struct error *error)
{
    const struct spool_change change = books->unknown;
    bool there = false;

    if (change.rows == 0)
        return true;
    if (!spool_file_has(file, change.first_id, &there, error))
        return false;
    if (!books->unknown_is_delete && there)
        spool_books_add(books, &change);
    else if (books->unknown_is_delete && !there)
        spool_books_subtract(books, &change);
    spool_books_forget_unknown(books);
    return true;
}

void spool_books_take_stock(struct spool_books *books, int64_t there)
{
    const int64_t expected = books->in_file;

    if (!books->begun) {
        bridge_count(books->metrics, METRIC_SPOOL_FOUND, there);
        if (there > 0)
            log_info("messages found in the spool %s: %lld", books->path, (long long)there);
    } else if (there > expected) {
        bridge_count(books->metrics, METRIC_SPOOL_SPOOLED, there - expected);
        log_warn("the spool %s holds messages that this bridge did not put there: %lld; they are sent", books->path,
                 (long long)(there - expected));
    } else if (there < expected) {
        bridge_count(books->metrics, METRIC_SPOOL_SET_ASIDE, expected - there);
        log_error("messages that were in the spool %s and are not in it any more: %lld", books->path,
                  (long long)(expected - there));
    }
    books->begun = true;
    books->in_file = there;
}
