/* What a server says when it refuses a command, as a sentence for people with what to do about it. The texts are the
   server's own (Redis 6.2 to 8). Pure. */
#ifndef DROPBRIDGE_REDIS_REFUSAL_H
#define DROPBRIDGE_REDIS_REFUSAL_H

#include "common/error.h"

#include <stdbool.h>

/* Sets *error to "{name}: {doing}: {text}{what to do}". `prefix` is REDIS_PREFIX, by which the keys in the text are
   known; `sentinels`: they name the primary, REDIS_URL does not. What may be a phone number in a key is masked.
   ERROR_REFUSED where trying again will not change the answer, ERROR_NEWER where a newer worker wrote what is there, else
   ERROR_UNAVAILABLE. */
void redis_refusal_tell(const char *text, const char *name, const char *doing, const char *prefix, bool sentinels,
                        struct error *error);

/* Masks, in place, what may be a phone number in a key's name: a campaign may have been given one for its name. */
void redis_refusal_mask_key(const char *prefix, char *key);

/* Whether the text says that the server is a replica now: what is to be written goes elsewhere. */
bool redis_refusal_by_replica(const char *text);
/* Whether it says that too few replicas are in step for it to take writes (min-replicas-to-write). */
bool redis_refusal_for_replicas(const char *text);

#endif
