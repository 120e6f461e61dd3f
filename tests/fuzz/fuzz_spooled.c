/* A row of the spool: a byte for the checksum (odd: the right one), the columns with a byte of length each, the body. */
#include "bridge/spool/record.h"
#include "fuzz.h"

static struct bytes taken(struct bytes *rest, size_t len)
{
    const struct bytes part = bytes_of(rest->data, len < rest->len ? len : rest->len);
    *rest = bytes_of(rest->data + part.len, rest->len - part.len);
    return part;
}

/* What is read of a good row is that row, except for what the bridge never writes; and a row that is made of it is read so again. */
static void claim_same(const struct spool_record *row, const struct pending_message *message)
{
    struct spool_record written, again;
    uint8_t checksum[SHA256_SIZE];
    spool_record_of_message(message, row->id, &written);
    for (size_t i = SPOOL_MESSAGE_ID; i <= SPOOL_ATTEMPT; i++)
        CLAIM(written.columns[i].len == 0 || bytes_equal(written.columns[i], row->columns[i]));
    CLAIM(written.received_at_ms == row->received_at_ms && spool_record_size_of(message) == spool_record_size(&written));
    CLAIM(spool_record_checksum(&written, checksum));
    struct pending_message *copy = spool_record_to_message(&written, bytes_of(checksum, sizeof checksum));
    CLAIM(copy && copy->target == message->target);
    spool_record_of_message(copy, row->id, &again);
    for (size_t i = 0; i < SPOOL_COLUMNS; i++)
        CLAIM(bytes_equal(again.columns[i], written.columns[i]));
    message_release(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t checksum[SHA256_SIZE] = {0};
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size);
    CLAIM(copy);
    memcpy(copy, data, size);
    struct bytes rest = bytes_of(copy + 1, size - 1);
    struct spool_record row = {.id = copy[0] / 2, .received_at_ms = INT64_C(1780315200000) + copy[0]};
    const bool right = copy[0] % 2;
    for (size_t i = 0; i < SPOOL_BODY; i++) {
        const struct bytes len = taken(&rest, 1);
        row.columns[i] = taken(&rest, len.len > 0 ? len.data[0] : 0);
    }
    row.columns[SPOOL_BODY] = rest;
    if (right)
        CLAIM(spool_record_checksum(&row, checksum));
    struct pending_message *message = spool_record_to_message(&row, bytes_of(checksum, sizeof checksum));
    CLAIM(message && bytes_equal(message_body_bytes(message), rest));
    const bool damaged = strcmp(message->reject_reason, "spool_damaged") == 0;
    CLAIM(right || damaged);
    if (!damaged)
        claim_same(&row, message);
    message_release(message);
    free(copy);
    return 0;
}
