/* A deadline for reading a body that a dripping client cannot stretch. The HTTP library loops inside its read as long
   as bytes come; one watcher thread shuts the reading side of overdue connections down, and the read returns. */
#ifndef DROPBRIDGE_HTTP_BODY_WATCH_H
#define DROPBRIDGE_HTTP_BODY_WATCH_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct body_watch;
struct body_slot;

/* Starts the watcher thread. NULL with *error on failure. */
struct body_watch *body_watch_start(struct error *error);
/* Every slot must be gone. NULL is fine. */
void body_watch_stop(struct body_watch *watch);

/* A slot for one HTTP thread. NULL without memory. */
struct body_slot *body_slot_new(struct body_watch *watch);
void body_slot_free(struct body_slot *slot);

/* From now until body_slot_disarm the connection from `remote_address` is cut for reading once deadline_ms
   (CLOCK_MONOTONIC) has passed, give or take 100 ms. The text must live as long. */
void body_slot_arm(struct body_slot *slot, const char *remote_address, int remote_port, int local_port,
                   int64_t deadline_ms);
/* True if the deadline struck. */
bool body_slot_disarm(struct body_slot *slot);

#endif
