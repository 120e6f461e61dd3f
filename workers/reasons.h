/* Failure reasons: the table reasons.def, and what it knows. Pure. */
#ifndef DROPBRIDGE_REASONS_H
#define DROPBRIDGE_REASONS_H

#include "../common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum reason_category {
    REASON_CONTENT,
    REASON_SENDER,
    REASON_RECIPIENT,
    REASON_CARRIER,
    REASON_COMPLIANCE,
    REASON_TRANSIENT,
};

struct reason {
    const char *slug;
    enum reason_category category;
    bool resend_can_help;
};

enum { REASON_NONE = 0 }; /* slug number of a success */

/* Slug numbers are stored in Redis: never renumber, only add. 0 is success. NULL for a number that no row has. */
const struct reason *reason_by_number(unsigned number);
/* How many numbers there are, with 0: valid numbers are 0..count-1. */
unsigned reason_count(void);
unsigned reason_other(void);

/* The slug number of a documented reason_code, or -1 (also for 0, success). */
int reason_by_code(int64_t code);
/* The slug number of a reason text, letter case and spaces folded, or -1. */
int reason_by_text(struct bytes text);
/* Whether this slug takes the phone off the list for good (rule 4). */
bool reason_opts_out(int number);

const char *reason_category_name(enum reason_category category);

#endif
