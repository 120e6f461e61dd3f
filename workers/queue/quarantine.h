/* Messages that may be what crashes workers: a child process reads them before the worker does. What the child gets
   through is read as any other message; the one that it dies of twice goes to the rejected queue. So a deadly message
   ends there, and its neighbours, which came back as often, do not. */
#ifndef DROPBRIDGE_QUARANTINE_H
#define DROPBRIDGE_QUARANTINE_H

#include "common/error.h"
#include "delivery.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUARANTINE_COUNT = 2,  /* a delivery_count that makes a message a suspect: its third delivery */
    QUARANTINE_DEATHS = 2, /* of children, that prove it: one may die of something else */
    QUARANTINE_S = 5,      /* a child that reads one message for longer dies of it */
};

struct quarantine {
    /* What the child does with each: all that depends on the message alone. It must not log, for another thread may
       have held a lock at the fork. What it changes, only the child sees. */
    void (*read)(const void *context, struct delivery *delivery);
    const void *context;
    unsigned limit_s; /* QUARANTINE_S */
};

/* One child reads the suspects of the list, in their order; waits until it has ended. Those that it got through are
   suspects no more. The one that it died of is next time's first; at its second death it gets a reason instead. False
   with *error if the system has no process for us: then none is a suspect any more, for counting must go on. */
bool quarantine_read(const struct quarantine *quarantine, struct delivery *first, struct error *error);

#endif
