/* How a campaign is called in keys. Pure. */
#ifndef DROPBRIDGE_CAMPAIGN_NAME_H
#define DROPBRIDGE_CAMPAIGN_NAME_H

#include "common/bytes.h"
#include "common/limits.h"

#include <stdbool.h>

/* An id from a body as a campaign's name: bytes other than A-Z a-z 0-9 . _ - become %XX, "." and ".." as a whole too;
   longer than LIMIT_CAMPAIGN: half of its SHA-256 in hex. `id` is not empty. False only when libcrypto fails. */
bool campaign_of_id(struct bytes id, char out[LIMIT_CAMPAIGN + 1]);

#endif
