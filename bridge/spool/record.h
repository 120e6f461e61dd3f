/* A message as a row of the spool and back. Pure. */
#ifndef DROPBRIDGE_SPOOL_RECORD_H
#define DROPBRIDGE_SPOOL_RECORD_H

#include "common/sha256.h"
#include "bridge/pending_message.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order of the table's columns. */
enum spool_column {
    SPOOL_TARGET, /* "event", "rejected" */
    SPOOL_TYPE,   /* as the property */
    SPOOL_SCHEME, /* as the header */
    SPOOL_MESSAGE_ID,
    SPOOL_CAMPAIGN,
    SPOOL_EVENT_ID,
    SPOOL_ATTEMPT,
    SPOOL_REJECT_REASON,
    SPOOL_REJECT_DETAIL,
    SPOOL_BODY,
    SPOOL_COLUMNS
};

struct spool_record {
    int64_t id;
    int64_t received_at_ms;
    struct bytes columns[SPOOL_COLUMNS]; /* point into the message, or into the database's memory */
};

/* A message that was read back. */
struct spooled {
    int64_t id; /* rises with the time of arrival; that of no other message in any spool */
    struct pending_message *message;
};

void spool_record_of_message(const struct pending_message *message, int64_t id, struct spool_record *out);

/* SHA-256 over all of the row, so that what was damaged on the disk is not taken for what was received. False only
   without memory. */
bool spool_record_checksum(const struct spool_record *row, uint8_t digest[SHA256_SIZE]);

/* The message that the row was made of, owned by the caller. A row whose checksum is not `checksum` becomes a message for
   the rejected queue with the reason `spool_damaged`, with what can be read of it. NULL without memory. */
struct pending_message *spool_record_to_message(const struct spool_record *row, struct bytes checksum);

/* What the row takes of the file, give or take some bytes. */
size_t spool_record_size(const struct spool_record *row);
/* The same of a row that is not made yet. */
size_t spool_record_size_of(const struct pending_message *message);

#endif
