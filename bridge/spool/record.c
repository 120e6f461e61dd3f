#include "record.h"

#include "common/buf.h"
#include "common/callback_token.h"

#include <stdio.h>
#include <string.h>

enum {
    /* All columns but the body, whose digest stands for it: the longest is a sentence of the rejection. */
    DIGESTED_MAX = 64 * 1024,
    NUMBER_SIZE = 8,
    /* The record's own header, its id, its time and its checksum. */
    RECORD_OVERHEAD = 96,
};

static const char reason_damaged[] = "spool_damaged";

static const enum envelope_type types[] = {ENVELOPE_WEBHOOK, ENVELOPE_CALLBACK};
static const enum envelope_scheme schemes[] = {ENVELOPE_GUIDE, ENVELOPE_V1, ENVELOPE_TOKEN, ENVELOPE_OFF};

static const char *target_name(enum message_target target)
{
    switch (target) {
    case MESSAGE_EVENT:
        return "event";
    case MESSAGE_REJECTED:
        return "rejected";
    }
    return "event";
}

void spool_record_of_message(const struct pending_message *message, int64_t id, struct spool_record *out)
{
    const struct envelope *envelope = message_envelope(message);

    *out = (struct spool_record){
        .id = id,
        .received_at_ms = envelope->received_at_ms,
        .columns =
            {
                [SPOOL_TARGET] = bytes_of_text(target_name(message_target(message))),
                [SPOOL_TYPE] = bytes_of_text(envelope_type_name(envelope->type)),
                [SPOOL_SCHEME] = bytes_of_text(envelope_scheme_name(envelope->scheme)),
                [SPOOL_MESSAGE_ID] = bytes_of_text(envelope->message_id),
                [SPOOL_CAMPAIGN] = bytes_of_text(envelope->campaign),
                [SPOOL_EVENT_ID] = bytes_of_text(envelope->event_id),
                [SPOOL_ATTEMPT] = bytes_of_text(envelope->attempt),
                [SPOOL_REJECT_REASON] = bytes_of_text(message_reject_reason(message)),
                [SPOOL_REJECT_DETAIL] = bytes_of_text(message_reject_detail(message)),
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

static bool append_bytes(struct buf *buf, struct bytes bytes)
{
    return bytes.len == 0 || buf_append(buf, bytes.data, bytes.len);
}

bool spool_record_checksum(const struct spool_record *row, uint8_t digest[SHA256_SIZE])
{
    uint8_t of_body[SHA256_SIZE];
    struct buf digested;
    bool done;

    buf_init(&digested, DIGESTED_MAX);
    append_number(&digested, (uint64_t)row->id);
    append_number(&digested, (uint64_t)row->received_at_ms);
    /* Each with its length in front, so that no two rows give the same text. */
    for (size_t i = 0; i < SPOOL_BODY; i++) {
        append_number(&digested, row->columns[i].len);
        append_bytes(&digested, row->columns[i]);
    }
    done = sha256(row->columns[SPOOL_BODY], of_body) && buf_append(&digested, of_body, sizeof of_body) &&
           !digested.overflow && sha256(bytes_of(digested.data, digested.len), digest);
    buf_clear(&digested);
    return done;
}

/* True if the text fits with a NUL and has none. */
static bool copy_text(struct bytes text, char *out, size_t size)
{
    if (text.len >= size || (text.len > 0 && memchr(text.data, '\0', text.len)))
        return false;
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

/* True if every part could be read; what could not is left empty. */
static bool read_envelope(const struct spool_record *row, struct envelope *envelope)
{
    const struct bytes campaign = row->columns[SPOOL_CAMPAIGN];
    bool type_known = false;
    bool scheme_known = false;
    bool whole = true;

    *envelope = (struct envelope){.type = ENVELOPE_WEBHOOK, .scheme = ENVELOPE_OFF};
    envelope->received_at_ms = row->received_at_ms;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (bytes_equal(row->columns[SPOOL_TYPE], bytes_of_text(envelope_type_name(types[i])))) {
            envelope->type = types[i];
            type_known = true;
        }
    }
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (bytes_equal(row->columns[SPOOL_SCHEME], bytes_of_text(envelope_scheme_name(schemes[i])))) {
            envelope->scheme = schemes[i];
            scheme_known = true;
        }
    }
    whole &= copy_text(row->columns[SPOOL_MESSAGE_ID], envelope->message_id, sizeof envelope->message_id);
    whole &= copy_text(row->columns[SPOOL_EVENT_ID], envelope->event_id, sizeof envelope->event_id);
    whole &= copy_text(row->columns[SPOOL_ATTEMPT], envelope->attempt, sizeof envelope->attempt);
    /* The name becomes a part of Redis keys. */
    whole &= campaign.len == 0 ||
             (campaign_name_valid(campaign) && copy_text(campaign, envelope->campaign, sizeof envelope->campaign));
    return whole && type_known && scheme_known;
}

/* The texts of a rejection have no bound but the checksum's: they are copied behind a NUL of their own. */
static bool set_rejected(struct pending_message *message, const struct envelope *envelope, const struct spool_record *row)
{
    const struct bytes reason = row->columns[SPOOL_REJECT_REASON];
    const struct bytes detail = row->columns[SPOOL_REJECT_DETAIL];
    struct buf texts;
    bool done;

    buf_init(&texts, DIGESTED_MAX);
    append_bytes(&texts, reason);
    buf_append(&texts, "", 1);
    append_bytes(&texts, detail);
    done = !texts.overflow && message_set_rejected(message, envelope, texts.data, texts.data + reason.len + 1);
    buf_clear(&texts);
    return done;
}

static bool set_damaged(struct pending_message *message, const struct envelope *envelope, int64_t id)
{
    char detail[ENVELOPE_REJECT_DETAIL];

    snprintf(detail, sizeof detail,
             "message %lld of the spool was damaged on the disk: its checksum does not hold; body and properties may "
             "not be what was received",
             (long long)id);
    return message_set_rejected(message, envelope, reason_damaged, detail);
}

size_t spool_record_size(const struct spool_record *row)
{
    size_t size = RECORD_OVERHEAD;

    for (size_t i = 0; i < SPOOL_COLUMNS; i++)
        size += row->columns[i].len;
    return size;
}

/* No row that was written has longer ones. */
static bool columns_too_long(const struct spool_record *row)
{
    return spool_record_size(row) - row->columns[SPOOL_BODY].len > DIGESTED_MAX / 2;
}

struct pending_message *spool_record_to_message(const struct spool_record *row, struct bytes checksum)
{
    const struct bytes body = row->columns[SPOOL_BODY];
    const struct bytes target = row->columns[SPOOL_TARGET];
    const bool too_long = columns_too_long(row);
    uint8_t digest[SHA256_SIZE];
    struct envelope envelope;
    struct pending_message *message;
    bool whole;
    bool done = true;

    /* Without memory nothing can be said of the row: it is not damaged for that. */
    if (!too_long && !spool_record_checksum(row, digest))
        return NULL;
    message = message_new(body.len);
    if (!message)
        return NULL;
    if (body.len > 0)
        memcpy(message_body(message), body.data, body.len);
    message_set_body_len(message, body.len);
    whole = read_envelope(row, &envelope) && !too_long && bytes_equal(checksum, bytes_of(digest, sizeof digest));
    if (whole && bytes_equal(target, bytes_of_text(target_name(MESSAGE_EVENT))))
        message_set_event(message, &envelope);
    else if (whole && bytes_equal(target, bytes_of_text(target_name(MESSAGE_REJECTED))))
        done = set_rejected(message, &envelope, row);
    else
        done = set_damaged(message, &envelope, row->id);
    if (!done) {
        message_release(message);
        return NULL;
    }
    return message;
}

size_t spool_record_size_of(const struct pending_message *message)
{
    struct spool_record row;

    spool_record_of_message(message, 0, &row);
    return spool_record_size(&row);
}
