/* Properties as a broker may send them: a byte for the size of frames, two for the length of the properties, the body. What is
   read of them is published again, and read again out of the frames. */
#include "bridge/broker/publish_frames.h"
#include "common/callback_token.h"
#include "common/envelope.h"
#include "fuzz.h"

enum { FRAME_MIN = 1024, FRAME_UNIT = 64, LIMIT = 1 << 20, FRAME_HEAD = 7, FRAME_END = 0xce, HEADER_FIXED = 12 };

/* False if librabbitmq takes them for none. */
static bool read_properties(struct bytes text, amqp_pool_t *pool, struct envelope *out)
{
    void *decoded = NULL;
    uint8_t *copy = malloc(text.len > 0 ? text.len : 1);
    CLAIM(copy);
    memcpy(copy, text.data, text.len);
    const amqp_bytes_t encoded = {.len = text.len, .bytes = copy};
    const bool read = amqp_decode_properties(AMQP_BASIC_CLASS, pool, encoded, &decoded) >= 0;
    if (read) {
        envelope_from_properties(decoded, out);
        CLAIM(envelope_integer_header(decoded, "x-delivery-count") >= 0);
    }
    free(copy); /* nothing points into it */
    return read;
}

static void claim_of_envelope(const struct envelope *envelope)
{
    CLAIM(envelope->type <= ENVELOPE_CALLBACK && envelope->scheme <= ENVELOPE_OFF && envelope->received_at_ms >= 0);
    CLAIM(strnlen(envelope->message_id, sizeof envelope->message_id) < sizeof envelope->message_id);
    CLAIM(strnlen(envelope->event_id, sizeof envelope->event_id) < sizeof envelope->event_id);
    CLAIM(strnlen(envelope->attempt, sizeof envelope->attempt) < sizeof envelope->attempt);
    CLAIM(envelope->campaign[0] == '\0' || campaign_name_valid(bytes_of_text(envelope->campaign)));
}

/* The next frame's payload, and steps over it. */
static struct bytes next_frame(struct bytes *rest, unsigned type, size_t frame_max)
{
    CLAIM(rest->len > FRAME_HEAD && rest->data[0] == type && rest->data[1] == 0 && rest->data[2] == 7);
    const size_t size = (size_t)rest->data[3] << 24 | (size_t)rest->data[4] << 16 | (size_t)rest->data[5] << 8 | rest->data[6];
    CLAIM(size + FRAME_HEAD + 1 <= rest->len && rest->data[FRAME_HEAD + size] == FRAME_END);
    CLAIM(type != AMQP_FRAME_BODY || (size > 0 && size + FRAME_HEAD + 1 <= frame_max));
    const struct bytes payload = bytes_of(rest->data + FRAME_HEAD, size);
    *rest = bytes_of(payload.data + size + 1, rest->len - FRAME_HEAD - size - 1);
    return payload;
}

static void claim_of_frames(struct bytes frames, size_t frame_max, const struct envelope *envelope, struct bytes body, amqp_pool_t *pool)
{
    struct envelope again;
    (void)next_frame(&frames, AMQP_FRAME_METHOD, frame_max);
    const struct bytes header = next_frame(&frames, AMQP_FRAME_HEADER, frame_max);
    CLAIM(header.len > HEADER_FIXED);
    CLAIM(read_properties(bytes_of(header.data + HEADER_FIXED, header.len - HEADER_FIXED), pool, &again));
    CLAIM(again.type == envelope->type && again.scheme == envelope->scheme && again.received_at_ms == envelope->received_at_ms);
    CLAIM(strcmp(again.message_id, envelope->message_id) == 0 && strcmp(again.campaign, envelope->campaign) == 0);
    CLAIM(strcmp(again.event_id, envelope->event_id) == 0 && strcmp(again.attempt, envelope->attempt) == 0);
    for (size_t at = 0; at < body.len;) {
        const struct bytes piece = next_frame(&frames, AMQP_FRAME_BODY, frame_max);
        CLAIM(piece.len <= body.len - at && memcmp(piece.data, body.data + at, piece.len) == 0);
        at += piece.len;
    }
    CLAIM(frames.len == 0);
}

static void publish_again(const struct envelope *envelope, size_t frame_max, struct bytes body, amqp_pool_t *pool)
{
    struct envelope_properties properties;
    struct buf frames;
    char *detail = fuzz_text(body);
    envelope_to_properties(envelope, &properties);
    if (body.len % 2)
        envelope_add_rejection(&properties, "invalid_json", detail);
    const struct publish_frames publish = {.channel = 7, .frame_max = (int)frame_max, .exchange = "dropcowboy",
                                           .routing_key = "dropcowboy.events", .mandatory = true,
                                           .properties = &properties.basic, .body = body};
    buf_init(&frames, LIMIT);
    CLAIM(publish_frames_append(&publish, &frames));
    claim_of_frames(bytes_of(frames.data, frames.len), frame_max, envelope, body, pool);
    buf_clear(&frames);
    free(detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    amqp_pool_t pool;
    struct envelope envelope;
    if (size < 3)
        return 0;
    const size_t frame_max = FRAME_MIN + FRAME_UNIT * data[0], said = (size_t)data[1] << 8 | data[2];
    const size_t len = said < size - 3 ? said : size - 3;
    init_amqp_pool(&pool, 4096);
    if (read_properties(bytes_of(data + 3, len), &pool, &envelope)) {
        claim_of_envelope(&envelope);
        publish_again(&envelope, frame_max, bytes_of(data + 3 + len, size - 3 - len), &pool);
    }
    empty_amqp_pool(&pool);
    return 0;
}
