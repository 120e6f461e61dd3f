/* What event names, statuses and texts of contacts mean: the tables of words.def and the patterns beside them
   (docs/classification.md, section 1). Pure. */
#ifndef DROPBRIDGE_EVENT_WORDS_H
#define DROPBRIDGE_EVENT_WORDS_H

#include "common/bytes.h"

#include <stdbool.h>

enum name_meaning {
    NAME_NONE, /* there is no name */
    NAME_DELIVERED,
    NAME_FAILED,
    NAME_STATUS,  /* contact.*.status */
    NAME_RECEIPT, /* contact.*.receipt */
    NAME_OPT_OUT,
    NAME_OPT_IN,
    NAME_SUBSCRIPTION,  /* an opt-out or an opt-in: its data says which */
    NAME_TEXT_RECEIVED, /* an opt-out if the text is a stop word */
    NAME_SCHEDULED,
    NAME_RUNNING,
    NAME_PAUSED,
    NAME_COMPLETED,
    NAME_OTHER,
};

/* Letter case and outer spaces aside; a name of spaces alone is none. */
enum name_meaning name_meaning(struct bytes name);
/* campaign.*, known or not: `data.id` is then the campaign's. */
bool name_is_of_campaign(struct bytes name);
/* Of a name that no rule knows: whether it sounds like an opt-out; whether it has at least to do with consent. */
bool name_sounds_like_opt_out(struct bytes name);
bool name_sounds_like_consent(struct bytes name);

enum status_meaning { STATUS_NONE, STATUS_UNKNOWN, STATUS_SUCCESS, STATUS_FAILURE, STATUS_INTERIM };

/* As text_fold folds it; STATUS_NONE for one of spaces alone. *word becomes the table's word (static), else "". */
enum status_meaning status_meaning(struct bytes status, const char **word);

/* Whether a text, as text_fold folds it, is one of the table and nothing more. */
bool is_stop_text(struct bytes text);
bool is_opt_in_text(struct bytes text);

#endif
