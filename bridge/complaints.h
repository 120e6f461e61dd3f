/* Which sentence need not be logged again: trouble that lasts for hours is told once a minute. Pure; one thread. */
#ifndef DROPBRIDGE_COMPLAINTS_H
#define DROPBRIDGE_COMPLAINTS_H

#include "../common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Several hosts tried in turn complain in turn. */
    COMPLAINTS_KEPT = 8,
    COMPLAINT_AGAIN_MS = 60000,
};

/* All zero: nothing was said yet. */
struct complaints {
    struct complaint {
        char text[ERROR_TEXT]; /* empty: unused */
        int64_t said_ms;
    } kept[COMPLAINTS_KEPT];
};

/* True, and noted, if the sentence was not said within the last minute. Of more than COMPLAINTS_KEPT the one said
   longest ago is forgotten. */
bool complaints_are_new(struct complaints *complaints, const char *text, int64_t now_ms);
/* It is over: whatever comes next is news. */
void complaints_forget(struct complaints *complaints);

#endif
