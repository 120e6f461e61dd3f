#include "sums.h"

#include <stdlib.h>

const char *const sum_fields[SUM_FIELDS] = {
    [SUM_MESSAGES] = "messages",
    [SUM_SUCCESS] = "success",
    [SUM_FAILURE] = "failure",
    [SUM_OPT_OUT] = "opt_out",
    [SUM_DNC] = "dnc",
    [SUM_SPAM] = "spam",
    [SUM_DUPLICATE] = "duplicate",
    [SUM_REVISED] = "revised",
    [SUM_UNRECOGNIZED] = "unrecognized",
    [SUM_PRODUCT_COST] = "product_cost_micros",
    [SUM_COMPLIANCE_FEE] = "compliance_fee_micros",
    [SUM_TTS_FEE] = "tts_fee_micros",
};

bool sums_init(struct sums *sums, size_t rows, size_t columns, size_t other)
{
    *sums = (struct sums){.columns = columns, .other = other};
    sums->list = calloc(rows, sizeof *sums->list);
    sums->missing = calloc(columns, sizeof *sums->missing);
    for (; sums->list && sums->rows < rows; sums->rows++) {
        sums->list[sums->rows].sums = calloc(columns, sizeof(struct sum));
        if (!sums->list[sums->rows].sums)
            break;
    }
    return sums->rows == rows && sums->missing;
}

void sums_clear(struct sums *sums)
{
    for (size_t i = 0; i < sums->rows; i++)
        free(sums->list[i].sums);
    free(sums->list);
    free(sums->missing);
    *sums = (struct sums){0};
}

/* Whether the column counts outcomes, and so stands in a sum over its row too. */
static bool of_outcomes(size_t column)
{
    return column <= SUM_FAILURE || column >= SUM_FIELDS;
}

/* --- One count ------------------------------------------------------------------------------------------------------ */

static int64_t known(const struct sums *sums, size_t row, size_t column)
{
    return sums->list[row].sums[column].known;
}

static void change(struct sums *sums, size_t row, size_t column, int64_t by, enum sum_witness witness)
{
    struct sum *sum = &sums->list[row].sums[column];

    if (by == 0)
        return;
    sum->known += by;
    sum->known_by = (uint8_t)witness;
    sums->missing[column] += row == 0 ? by : -by;
}

/* What its column lacks, if all else in that is right. */
static int64_t by_column(const struct sums *sums, size_t row, size_t column)
{
    return row == 0 ? -sums->missing[column] : sums->missing[column];
}

static void change_by_column(struct sums *sums, size_t row, size_t column)
{
    change(sums, row, column, by_column(sums, row, column), row == 0 ? WITNESS_CAMPAIGNS : WITNESS_TOTALS);
}

static int64_t outcomes_over(const struct sums *sums, size_t row)
{
    return known(sums, row, SUM_SUCCESS) + known(sums, row, SUM_FAILURE) - known(sums, row, SUM_MESSAGES);
}

static int64_t reasons_over(const struct sums *sums, size_t row)
{
    int64_t sum = 0;

    for (size_t column = SUM_FIELDS; column < sums->columns; column++)
        sum += known(sums, row, column);
    return sum - known(sums, row, SUM_FAILURE);
}

static bool adds_up(const struct sums *sums, size_t row)
{
    return outcomes_over(sums, row) == 0 && reasons_over(sums, row) == 0;
}

/* --- What is certain ------------------------------------------------------------------------------------------------ */

static bool is_no_count(const struct sum *sum)
{
    return sum->unreadable || sum->held < 0;
}

/* What is no count is wrong for sure: alone in its column it is known by the others. */
static void replace_no_counts(struct sums *sums, size_t column)
{
    size_t count = 0, last = 0;

    for (size_t row = 0; row < sums->rows; row++) {
        if (!is_no_count(&sums->list[row].sums[column]))
            continue;
        change(sums, row, column, -known(sums, row, column), WITNESS_NONE);
        last = row;
        count++;
    }
    if (count == 1 && by_column(sums, last, column) > 0)
        change_by_column(sums, last, column);
}

/* Whether this one count is wrong: to change it by what its column lacks makes every other sum right that it stands in. */
static bool explains(const struct sums *sums, size_t row, size_t column)
{
    const int64_t by = by_column(sums, row, column);
    const int64_t outcomes = outcomes_over(sums, row), reasons = reasons_over(sums, row);

    if (by == 0 || known(sums, row, column) + by < 0)
        return false;
    if (column == SUM_MESSAGES)
        return outcomes == by;
    if (column == SUM_SUCCESS)
        return outcomes == -by;
    if (column == SUM_FAILURE)
        return outcomes == -by && reasons == by;
    return reasons == -by;
}

/* Reasons of more than one row are lost: that a sum of them fits one row is chance. */
static bool several_lack_reasons(const struct sums *sums)
{
    size_t count = 0;

    for (size_t row = 0; row < sums->rows; row++)
        count += reasons_over(sums, row) < 0;
    return count > 1;
}

static void change_single_counts(struct sums *sums)
{
    const size_t columns = several_lack_reasons(sums) ? SUM_FIELDS : sums->columns;

    for (size_t row = 0; row < sums->rows; row++)
        for (size_t column = 0; column < columns && !adds_up(sums, row); column++)
            if (of_outcomes(column) && explains(sums, row, column))
                change_by_column(sums, row, column);
}

static size_t rows_that_do_not_add_up(const struct sums *sums, size_t *last)
{
    size_t count = 0;

    for (size_t row = 0; row < sums->rows; row++) {
        if (adds_up(sums, row))
            continue;
        *last = row;
        count++;
    }
    return count;
}

/* If one row alone does not add up, what all columns lack is wrong there: with that its own sums are right as well. */
static void change_row(struct sums *sums, size_t row)
{
    for (size_t column = 0; column < sums->columns; column++)
        if (of_outcomes(column) && known(sums, row, column) + by_column(sums, row, column) < 0)
            return;
    for (size_t column = 0; column < sums->columns; column++)
        if (of_outcomes(column) || (column != SUM_OPT_OUT && by_column(sums, row, column) > 0))
            change_by_column(sums, row, column);
}

/* --- Who lost what the totals have more ----------------------------------------------------------------------------- */

/* Rows that do not add up, or list more than they count, have lost something; with lost messages also those that had results
   and have no message now. */
static size_t find_suspects(struct sums *sums, size_t *last)
{
    size_t count = 0;
    bool told = false;

    for (size_t row = 1; row < sums->rows; row++)
        told |= sums->list[row].lost;
    for (size_t row = 1; row < sums->rows; row++) {
        struct sum_row *one = &sums->list[row];

        one->suspect = told ? one->lost :
                       !adds_up(sums, row) || one->sums[SUM_OPT_OUT].held < one->listed ||
                       (sums->missing[SUM_MESSAGES] > 0 && one->had_results && known(sums, row, SUM_MESSAGES) == 0);
        if (!one->suspect)
            continue;
        *last = row;
        count++;
    }
    return count;
}

static size_t find_used(const struct sums *sums, size_t *last)
{
    size_t count = 0;

    for (size_t row = 1; row < sums->rows; row++) {
        if (!sums->list[row].used)
            continue;
        *last = row;
        count++;
    }
    return count;
}

/* --- What is only short --------------------------------------------------------------------------------------------- */

/* Two numbers that should be one: the greater, for what is lost is commoner than what is too much. */
static void raise_in_row(struct sums *sums, size_t row)
{
    if (reasons_over(sums, row) > 0)
        change(sums, row, SUM_FAILURE, reasons_over(sums, row), WITNESS_REASONS);
    if (outcomes_over(sums, row) > 0)
        change(sums, row, SUM_MESSAGES, outcomes_over(sums, row), WITNESS_OUTCOMES);
    if (outcomes_over(sums, row) < 0)
        change(sums, row, SUM_SUCCESS, -outcomes_over(sums, row), WITNESS_OUTCOMES);
}

static void raise_totals(struct sums *sums)
{
    for (size_t column = 0; column < sums->columns; column++)
        if (column != SUM_OPT_OUT && sums->missing[column] < 0)
            change_by_column(sums, 0, column);
}

static void mend_opt_outs(struct sums *sums)
{
    for (size_t row = 0; row < sums->rows; row++)
        change(sums, row, SUM_OPT_OUT, sums->list[row].listed - known(sums, row, SUM_OPT_OUT), WITNESS_LIST);
}

/* --- All ------------------------------------------------------------------------------------------------------------ */

static void begin(struct sums *sums)
{
    for (size_t column = 0; column < sums->columns; column++) {
        sums->missing[column] = 0;
        for (size_t row = 0; row < sums->rows; row++) {
            struct sum *sum = &sums->list[row].sums[column];

            sum->known = sum->held;
            sums->missing[column] += row == 0 ? sum->held : -sum->held;
        }
    }
}

static void find_certain(struct sums *sums)
{
    size_t row = 0, suspect = 0;

    for (size_t column = 0; column < sums->columns; column++)
        if (column != SUM_OPT_OUT)
            replace_no_counts(sums, column);
    change_single_counts(sums);
    if (rows_that_do_not_add_up(sums, &row) == 1 && (row == 0 || find_suspects(sums, &suspect) == 1))
        change_row(sums, row);
}

/* The rest by raising. False if outcomes are missing that more than one campaign can have lost. */
static bool find_probable(struct sums *sums)
{
    size_t row = 0, count = find_suspects(sums, &row); /* what is raised is no longer suspect */

    if (count == 0)
        count = find_used(sums, &row);
    for (size_t i = 1; i < sums->rows; i++)
        raise_in_row(sums, i);
    raise_totals(sums);
    raise_in_row(sums, 0);
    for (size_t column = 0; count == 1 && column < sums->columns; column++)
        if (column != SUM_OPT_OUT && sums->missing[column] > 0)
            change_by_column(sums, row, column);
    mend_opt_outs(sums);
    for (size_t column = 0; column < sums->columns; column++)
        if (of_outcomes(column) && sums->missing[column] > 0)
            return false;
    return true;
}

/* Makes what is left right by what is there. */
static void accept_losses(struct sums *sums)
{
    for (size_t row = 1; row < sums->rows; row++) {
        raise_in_row(sums, row);
        change(sums, row, sums->other, -reasons_over(sums, row), WITNESS_NO_REASON);
    }
    for (size_t column = 0; column < sums->columns; column++)
        if (column != SUM_OPT_OUT)
            change_by_column(sums, 0, column);
}

static void keep(struct sums *sums)
{
    for (size_t row = 0; row < sums->rows; row++)
        for (size_t column = 0; column < sums->columns; column++) {
            struct sum *sum = &sums->list[row].sums[column];

            sum->accepted = sum->known;
            sum->accepted_by = sum->known_by;
        }
}

static void exchange(struct sums *sums)
{
    for (size_t row = 0; row < sums->rows; row++)
        for (size_t column = 0; column < sums->columns; column++) {
            struct sum *sum = &sums->list[row].sums[column];
            const struct sum was = *sum;

            sum->known = was.accepted;
            sum->known_by = was.accepted_by;
            sum->accepted = was.known;
            sum->accepted_by = was.known_by;
        }
}

/* Everything is worked out in `known`. */
void sums_solve(struct sums *sums)
{
    begin(sums);
    find_certain(sums);
    keep(sums);
    sums->ambiguous = !find_probable(sums);
    if (!sums->ambiguous)
        keep(sums);
    accept_losses(sums);
    exchange(sums);
}
