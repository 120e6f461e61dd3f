/* Copies of one drop in a table, with what becomes of them: for the tests of the merge. */
#ifndef DROPBRIDGE_TEST_MERGE_ROWS_H
#define DROPBRIDGE_TEST_MERGE_ROWS_H

#include "copies.h"
#include "workers/counting/merge.h"

#include <stdbool.h>
#include <stddef.h>

enum { COPIES_MAX = 10 };

/* The record of these copies; `last` and `text` say what became of the last one, and what is remembered. */
struct merge_row {
    const char *name;
    struct given copies[COPIES_MAX]; /* as far as their times are given */
    const char *last, *text;
};

struct merge_settings merge_rows_settings(bool keep_foreign_id);

/* Merges a copy that is a result, and checks that it changes what counted before it:
   so the changes add up to what counts. */
struct merged merge_rows_result(struct record *record, bool *exists, const struct given *given,
                                const struct merge_settings *settings, const char *name);

/* Results and opt-out events; fails the test at the first row that is not so. */
void merge_rows_check(const struct merge_row *rows, size_t count, bool keep_foreign_id);

#endif
