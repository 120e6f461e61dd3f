/* Failure reasons: the table reasons.def, and what it knows. Pure. */
#ifndef DROPBRIDGE_REASONS_H
#define DROPBRIDGE_REASONS_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum reason_category {
    REASON_CATEGORY_UNKNOWN,
    REASON_CATEGORY_CONTENT,
    REASON_CATEGORY_SENDER,
    REASON_CATEGORY_RECIPIENT,
    REASON_CATEGORY_CARRIER,
    REASON_CATEGORY_COMPLIANCE,
    REASON_CATEGORY_TRANSIENT,
};

/* Whether sending again can help. */
enum reason_resend { REASON_RESEND_UNKNOWN, REASON_RESEND_NEVER, REASON_RESEND_AFTER_FIX, REASON_RESEND_LATER };

/* What the reason says of an opt-out: nothing; that one known before blocked the send; that there is one now. */
enum reason_opt_out { REASON_STAYS, REASON_BLOCKED, REASON_TOLD };

struct reason {
    const char *slug;
    enum reason_category category;
    enum reason_resend resend;
    enum reason_opt_out opt_out;
};

enum { REASON_NONE = 0 }; /* slug number of a success */

/* Slug numbers are stored in Redis: never renumber, only add. 0 is success. NULL for a number that no row has. */
const struct reason *reason_by_number(unsigned number);
/* How many numbers there are, with 0: valid numbers are 0..count-1. */
unsigned reason_count(void);
unsigned reason_other(void);

/* The slug number of a documented reason_code, or -1 (also for 0, success). */
int reason_by_code(int64_t code);
/* The slug number of a reason text, or -1: a text of the table, folded; or up to eight words that tell of an opt-out
   and do not deny it. */
int reason_by_text(struct bytes text);
/* Whether a text has to do with opting out, whatever it says of it. */
bool reason_text_sounds_like_opt_out(struct bytes text);
/* REASON_STAYS for a number that no row has. */
enum reason_opt_out reason_opt_out(int number);

/* "content"; "after_fix". */
const char *reason_category_name(enum reason_category category);
const char *reason_resend_name(enum reason_resend resend);

#endif
