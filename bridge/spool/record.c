#include "record.h"

#include "common/buf.h"
#include "common/callback_token.h"

#include <stdio.h>
#include <string.h>

enum {
    COLUMNS_MAX = 32 * 1024, /* of all columns but the body; the longest that is written is a sentence of the rejection */
    NUMBER_SIZE = 8,
    RECORD_OVERHEAD = 96, /* the record's own header, its id, its time and its checksum */
};

static const char *const target_names[] = {[MESSAGE_EVENT] = "event", [MESSAGE_REJECTED] = "rejected"};

void spool_record_of_message(const struct pending_message *message, int64_t id, struct spool_record *out)
{
    const struct envelope *envelope = &message->envelope;

    *out = (struct spool_record){
        .id = id,
        .received_at_ms = envelope->received_at_ms,
        .columns =
            {
                [SPOOL_TARGET] = bytes_of_text(target_names[message->target]),
                [SPOOL_TYPE] = bytes_of_text(envelope_type_name(envelope->type)),
                [SPOOL_SCHEME] = bytes_of_text(envelope_scheme_name(envelope->scheme)),
                [SPOOL_MESSAGE_ID] = bytes_of_text(envelope->message_id),
                [SPOOL_CAMPAIGN] = bytes_of_text(envelope->campaign),
                [SPOOL_EVENT_ID] = bytes_of_text(envelope->event_id),
                [SPOOL_ATTEMPT] = bytes_of_text(envelope->attempt),
                [SPOOL_REJECT_REASON] = bytes_of_text(message->reject_reason),
                [SPOOL_REJECT_DETAIL] = bytes_of_text(message->reject_detail),
                [SPOOL_BODY] = message_body_bytes(message),
            },
    };
}

static bool append_number(struct buf *buf, uint64_t value)
{
    uint8_t bytes[NUMBER_SIZE];

    for (int i = 0; i < NUMBER_SIZE; i++)
        bytes[i] = (uint8_t)(value >> (8 * (NUMBER_SIZE - 1 - i)));
    return buf_append(buf, bytes, sizeof bytes);
}

bool spool_record_checksum(const struct spool_record *row, uint8_t digest[SHA256_SIZE])
{
    uint8_t of_body[SHA256_SIZE];
    struct buf digested;
    bool done;

    buf_init(&digested, 2 * COLUMNS_MAX);
    append_number(&digested, (uint64_t)row->id);
    append_number(&digested, (uint64_t)row->received_at_ms);
    /* Each with its length in front, so that no two rows give the same text. */
    for (size_t i = 0; i < SPOOL_BODY; i++) {
        append_number(&digested, row->columns[i].len);
        if (row->columns[i].len > 0)
            buf_append(&digested, row->columns[i].data, row->columns[i].len);
    }
    done = sha256(row->columns[SPOOL_BODY], of_body) && buf_append(&digested, of_body, sizeof of_body) &&
           !digested.overflow && sha256(bytes_of(digested.data, digested.len), digest);
    buf_clear(&digested);
    return done;
}

/* What cannot be read, in a damaged row, is left empty. */
static struct envelope read_envelope(const struct spool_record *row)
{
    struct envelope envelope = {.received_at_ms = row->received_at_ms,
                                .type = envelope_type_of(row->columns[SPOOL_TYPE]),
                                .scheme = envelope_scheme_of(row->columns[SPOOL_SCHEME])};

    bytes_copy_text(row->columns[SPOOL_MESSAGE_ID], envelope.message_id, sizeof envelope.message_id);
    bytes_copy_text(row->columns[SPOOL_EVENT_ID], envelope.event_id, sizeof envelope.event_id);
    bytes_copy_text(row->columns[SPOOL_ATTEMPT], envelope.attempt, sizeof envelope.attempt);
    if (campaign_name_valid(row->columns[SPOOL_CAMPAIGN])) /* it becomes a part of Redis keys */
        bytes_copy_text(row->columns[SPOOL_CAMPAIGN], envelope.campaign, sizeof envelope.campaign);
    return envelope;
}

static void set_rejected(struct pending_message *message, const struct envelope *envelope, const struct spool_record *row)
{
    message_set_rejected(message, envelope, "", "");
    bytes_copy_text(row->columns[SPOOL_REJECT_REASON], message->reject_reason, sizeof message->reject_reason);
    bytes_copy_text(row->columns[SPOOL_REJECT_DETAIL], message->reject_detail, sizeof message->reject_detail);
}

static void set_damaged(struct pending_message *message, const struct envelope *envelope, int64_t id)
{
    message_set_rejected(message, envelope, "spool_damaged", "");
    snprintf(message->reject_detail, sizeof message->reject_detail,
             "message %lld of the spool was damaged on the disk: its checksum does not hold; body and properties may "
             "not be what was received",
             (long long)id);
}

size_t spool_record_size(const struct spool_record *row)
{
    size_t size = RECORD_OVERHEAD;

    for (size_t i = 0; i < SPOOL_COLUMNS; i++)
        size += row->columns[i].len;
    return size;
}

size_t spool_record_size_of(const struct pending_message *message)
{
    struct spool_record row;

    spool_record_of_message(message, 0, &row);
    return spool_record_size(&row);
}

struct pending_message *spool_record_to_message(const struct spool_record *row, struct bytes checksum)
{
    struct bytes body = row->columns[SPOOL_BODY];
    struct envelope envelope = read_envelope(row);
    bool whole = spool_record_size(row) - body.len <= COLUMNS_MAX;
    struct pending_message *message;
    uint8_t digest[SHA256_SIZE];

    /* Without memory nothing can be said of the row: it is not damaged for that. */
    if (whole && !spool_record_checksum(row, digest))
        return NULL;
    whole = whole && bytes_equal(checksum, bytes_of(digest, sizeof digest));
    message = message_new(body.len);
    if (!message)
        return NULL;
    if (body.len > 0)
        memcpy(message->body, body.data, body.len);
    message->body_len = body.len;
    if (!whole)
        set_damaged(message, &envelope, row->id);
    else if (bytes_equal(row->columns[SPOOL_TARGET], bytes_of_text(target_names[MESSAGE_REJECTED])))
        set_rejected(message, &envelope, row);
    else
        message_set_event(message, &envelope);
    return message;
}
