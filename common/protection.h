/* Switches that take one protection away, so that the fault suite can show that it finds the damage (each claim has a
   control that must fail). They exist in a build of their own (-DDROPBRIDGE_CONTROLS=ON, never installed): there the
   environment variable DROPBRIDGE_WITHOUT lists what is off. In every other build protection() is constantly true. */
#ifndef DROPBRIDGE_PROTECTION_H
#define DROPBRIDGE_PROTECTION_H

#include <stdbool.h>

#ifdef DROPBRIDGE_CONTROLS
/* Whether the protection is on: not listed, comma-separated, in DROPBRIDGE_WITHOUT. Any thread. */
bool protection(const char *name);
#else
static inline bool protection(const char *name)
{
    (void)name;
    return true;
}
#endif

#endif
