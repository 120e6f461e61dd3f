/* Which counts are wrong, and what they should be: the sums that hold in Redis (docs/redis-keys.md, "Always true"), laid
   out as a table with a row for the totals and one for each campaign. Each count of outcomes stands in two sums at least,
   so that one wrong count, or one lost key, is found and what it held can be computed. Pure. */
#ifndef DROPBRIDGE_SUMS_H
#define DROPBRIDGE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The columns; behind them one for each reason. */
enum {
    SUM_MESSAGES,
    SUM_SUCCESS,
    SUM_FAILURE,
    SUM_OPT_OUT,
    SUM_DNC,
    SUM_SPAM,
    SUM_DUPLICATE,
    SUM_REVISED,
    SUM_UNRECOGNIZED,
    SUM_PRODUCT_COST,
    SUM_COMPLIANCE_FEE,
    SUM_TTS_FEE,
    SUM_FIELDS,
};
/* Their names in Redis. */
extern const char *const sum_fields[SUM_FIELDS];

/* By what a count is known to be wrong. */
enum sum_witness {
    WITNESS_NONE,
    WITNESS_CAMPAIGNS, /* the sum over the campaigns */
    WITNESS_TOTALS,    /* the totals, less the other campaigns */
    WITNESS_REASONS,   /* the sum of the reasons */
    WITNESS_OUTCOMES,  /* messages = success + failure */
    WITNESS_LIST,      /* the length of the list of opt-outs */
    WITNESS_NO_REASON, /* failures whose reason is lost */
};

struct sum {
    int64_t held;     /* 0 if it is unreadable */
    int64_t known;    /* what it is known to be; `held` if that is right, or not to be known */
    int64_t accepted; /* what it becomes where it is accepted that counts are lost: then all sums hold */
    bool unreadable;  /* no number that a worker writes */
    uint8_t known_by, accepted_by; /* enum sum_witness, where they differ from what is before them */
};

struct sum_row {
    struct sum *sums; /* `columns` of them */
    int64_t listed;   /* the length of the list of opt-outs */
    bool used;        /* the campaign has counts or times */
    bool had_results; /* results of it were counted, under its name as far as one can tell */
    bool lost;        /* it is known that counts of it are lost, and of no other campaign */
    bool suspect;     /* set by sums_solve: counts of it may be lost */
};

struct sums {
    size_t rows;      /* row 0: the totals */
    size_t columns;
    size_t other;     /* the column of the reason `other` */
    struct sum_row *list;
    bool ambiguous;   /* set by sums_solve: outcomes are lost, of which campaign cannot be known */
    int64_t *missing; /* for each column, what the totals have more than all campaigns; for sums_solve */
};

/* All 0. False when out of memory; sums_clear takes it all the same. */
bool sums_init(struct sums *sums, size_t rows, size_t columns, size_t other);
void sums_clear(struct sums *sums);
/* Writes `known` and `accepted` from all else. */
void sums_solve(struct sums *sums);

#endif
