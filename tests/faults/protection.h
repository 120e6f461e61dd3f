/* Switches that take one protection away, so that the fault suite can show that it finds the damage: each claim has a
   control that must fail. The product knows nothing of them: protections.py puts them into a copy of the tree. */
#ifndef DROPBRIDGE_PROTECTION_H
#define DROPBRIDGE_PROTECTION_H

#include <stdbool.h>
#include <unistd.h> /* for what a control does instead */

enum {
    WITHOUT_DEADLINE_MS = 60000,
    BEFORE_COMMIT_MS = 50, /* what a busy disk may take, so that a kill strikes between the answer and the commit */
};

/* Whether the protection is on: not listed, comma-separated, in DROPBRIDGE_WITHOUT. Any thread. */
bool protection(const char *name);

#endif
