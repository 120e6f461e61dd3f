/* How large a body the broker takes, as it said when it closed a channel over one (its max_message_size). One for all
   connections: what one has learned costs the others no channel. Any thread. */
#ifndef DROPBRIDGE_BROKER_BODY_LIMIT_H
#define DROPBRIDGE_BROKER_BODY_LIMIT_H

#include <stdatomic.h>
#include <stdint.h>

/* The limit may be raised: then the broker is asked again, by a message that is larger. */
enum { BODY_LIMIT_TRUSTED_MS = 120000 };

/* All zero: none is known. */
struct body_limit {
    _Atomic uint64_t bytes;
    _Atomic int64_t until_ms;
};

void body_limit_set(struct body_limit *limit, uint64_t bytes, int64_t now_ms);
void body_limit_forget(struct body_limit *limit);
/* Bytes; 0: none is known. */
uint64_t body_limit_get(struct body_limit *limit, int64_t now_ms);

#endif
