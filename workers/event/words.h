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
enum name_sound { NAME_SOUNDS_LIKE_NOTHING, NAME_SOUNDS_LIKE_CONSENT, NAME_SOUNDS_LIKE_OPT_OUT };

/* What a name that no rule knows seems to have to do with. */
enum name_sound name_sound(struct bytes name);

enum status_meaning { STATUS_NONE, STATUS_UNKNOWN, STATUS_SUCCESS, STATUS_FAILURE, STATUS_INTERIM };

/* As text_fold folds it; STATUS_NONE for one of spaces alone. *word becomes the table's word (static), else "". */
enum status_meaning status_meaning(struct bytes status, const char **word);

/* What a contact wants who writes this and nothing more. */
enum text_meaning { TEXT_OTHER, TEXT_STOP, TEXT_OPT_IN };

/* As text_fold folds it. */
enum text_meaning text_meaning(struct bytes text);

#endif
