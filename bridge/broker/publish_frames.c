#include "publish_frames.h"

#include <string.h>

enum {
    FRAME_END = 0xce,
    FRAME_OVERHEAD = 8, /* type, channel and size before the payload, the end behind it */
    PROPERTIES_MAX = 4096,
    HEADER_FIXED = 12, /* class, weight, size of the body */
    METHOD_FIXED = 9,  /* class, method, reserved, two lengths, flags */
    TEXT_MAX = 255,    /* of a short string */
    MANDATORY = 1,
};

static void put(struct buf *out, uint64_t value, unsigned bytes)
{
    uint8_t big_endian[8];

    for (unsigned i = 0; i < bytes; i++)
        big_endian[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    (void)buf_append(out, big_endian, bytes);
}

static void begin_frame(struct buf *out, unsigned type, amqp_channel_t channel, size_t size)
{
    put(out, type, 1);
    put(out, channel, 2);
    put(out, size, 4);
}

static void put_text(struct buf *out, const char *text, size_t len)
{
    put(out, len, 1);
    (void)buf_append(out, text, len);
}

static void put_method(const struct publish_frames *publish, struct buf *out)
{
    size_t exchange = strnlen(publish->exchange, TEXT_MAX), key = strnlen(publish->routing_key, TEXT_MAX);

    begin_frame(out, AMQP_FRAME_METHOD, publish->channel, METHOD_FIXED + exchange + key);
    put(out, AMQP_BASIC_PUBLISH_METHOD, 4);
    put(out, 0, 2);
    put_text(out, publish->exchange, exchange);
    put_text(out, publish->routing_key, key);
    put(out, publish->mandatory ? MANDATORY : 0, 1);
    put(out, FRAME_END, 1);
}

static bool put_header(const struct publish_frames *publish, struct buf *out)
{
    uint8_t text[PROPERTIES_MAX];
    const amqp_bytes_t encoded = {.len = sizeof text, .bytes = text};
    const int len =
        amqp_encode_properties(AMQP_BASIC_CLASS, (void *)(uintptr_t)publish->properties, encoded); /* which it only reads */

    if (len < 0)
        return false;
    begin_frame(out, AMQP_FRAME_HEADER, publish->channel, HEADER_FIXED + (size_t)len);
    put(out, AMQP_BASIC_CLASS, 2);
    put(out, 0, 2);
    put(out, publish->body.len, 8);
    (void)buf_append(out, text, (size_t)len);
    put(out, FRAME_END, 1);
    return true;
}

static void put_body(const struct publish_frames *publish, struct buf *out)
{
    const size_t most = (size_t)publish->frame_max - FRAME_OVERHEAD;

    for (size_t at = 0; at < publish->body.len; at += most) {
        const size_t left = publish->body.len - at, len = left < most ? left : most;

        begin_frame(out, AMQP_FRAME_BODY, publish->channel, len);
        (void)buf_append(out, publish->body.data + at, len);
        put(out, FRAME_END, 1);
    }
}

bool publish_frames_append(const struct publish_frames *publish, struct buf *out)
{
    put_method(publish, out);
    const bool good = put_header(publish, out);

    put_body(publish, out);
    return good && !out->overflow;
}
