#include "envelope.h"

#include "callback_token.h"

#include <string.h>

static const char header_received_at[] = "x-received-at";
static const char header_scheme[] = "x-scheme";
static const char header_campaign[] = "x-campaign";
static const char header_event_id[] = "x-event-id";
static const char header_attempt[] = "x-attempt";
static const char header_reject_reason[] = "x-reject-reason";
static const char header_reject_detail[] = "x-reject-detail";

enum { HEADERS_MAX = sizeof((struct envelope_properties *)0)->headers / sizeof(amqp_table_entry_t), PERSISTENT = 2 };

static const enum envelope_type types[] = {ENVELOPE_WEBHOOK, ENVELOPE_CALLBACK};
static const enum envelope_scheme schemes[] = {ENVELOPE_GUIDE, ENVELOPE_V1, ENVELOPE_TOKEN, ENVELOPE_OFF};

const char *envelope_type_name(enum envelope_type type)
{
    switch (type) {
    case ENVELOPE_WEBHOOK:
        return "webhook";
    case ENVELOPE_CALLBACK:
        return "callback";
    }
    return "webhook";
}

const char *envelope_scheme_name(enum envelope_scheme scheme)
{
    switch (scheme) {
    case ENVELOPE_GUIDE:
        return "guide";
    case ENVELOPE_V1:
        return "v1";
    case ENVELOPE_TOKEN:
        return "token";
    case ENVELOPE_OFF:
        return "off";
    }
    return "off";
}

enum envelope_type envelope_type_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (bytes_equal(name, bytes_of_text(envelope_type_name(types[i]))))
            return types[i];
    }
    return ENVELOPE_WEBHOOK;
}

enum envelope_scheme envelope_scheme_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (bytes_equal(name, bytes_of_text(envelope_scheme_name(schemes[i]))))
            return schemes[i];
    }
    return ENVELOPE_OFF;
}

static amqp_table_entry_t *next_header(struct envelope_properties *properties, const char *name)
{
    amqp_table_t *table = &properties->basic.headers;
    if (table->num_entries >= HEADERS_MAX)
        return NULL;
    amqp_table_entry_t *entry = &properties->headers[table->num_entries++];
    entry->key = amqp_cstring_bytes(name);
    return entry;
}

static void add_text(struct envelope_properties *properties, const char *name, amqp_bytes_t text)
{
    amqp_table_entry_t *entry = text.len > 0 ? next_header(properties, name) : NULL;
    if (!entry)
        return;
    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes = text;
}

static void add_integer(struct envelope_properties *properties, const char *name, int64_t value)
{
    amqp_table_entry_t *entry = next_header(properties, name);
    if (!entry)
        return;
    entry->value.kind = AMQP_FIELD_KIND_I64;
    entry->value.value.i64 = value;
}

void envelope_to_properties(const struct envelope *envelope, struct envelope_properties *out)
{
    memset(out, 0, sizeof *out);
    amqp_basic_properties_t *basic = &out->basic;
    basic->_flags =
        AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
    basic->delivery_mode = PERSISTENT;
    basic->type = amqp_cstring_bytes(envelope_type_name(envelope->type));
    basic->app_id = amqp_cstring_bytes("dropbridge");
    basic->headers.entries = out->headers;
    if (envelope->message_id[0] != '\0') {
        basic->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        basic->message_id = amqp_cstring_bytes(envelope->message_id);
    }
    if (envelope->received_at_ms > 0) {
        basic->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        basic->timestamp = (uint64_t)(envelope->received_at_ms / 1000);
        add_integer(out, header_received_at, envelope->received_at_ms);
    }
    add_text(out, header_scheme, amqp_cstring_bytes(envelope_scheme_name(envelope->scheme)));
    add_text(out, header_campaign, amqp_cstring_bytes(envelope->campaign));
    add_text(out, header_event_id, amqp_cstring_bytes(envelope->event_id));
    add_text(out, header_attempt, amqp_cstring_bytes(envelope->attempt));
}

void envelope_add_rejection(struct envelope_properties *properties, const char *reason, const char *detail)
{
    amqp_bytes_t text = amqp_cstring_bytes(detail);
    text.len = bytes_utf8_prefix(bytes_of_text(detail), ENVELOPE_REJECT_DETAIL);
    add_text(properties, header_reject_reason, amqp_cstring_bytes(reason));
    add_text(properties, header_reject_detail, text);
}

static struct bytes view(amqp_bytes_t bytes)
{
    return bytes_of(bytes.bytes, bytes.len);
}

static const amqp_field_value_t *find_header(const amqp_basic_properties_t *properties, const char *name)
{
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) == 0)
        return NULL;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (bytes_equal(view(entry->key), bytes_of_text(name)))
            return &entry->value;
    }
    return NULL;
}

static struct bytes text_header(const amqp_basic_properties_t *properties, const char *name)
{
    const amqp_field_value_t *value = find_header(properties, name);
    if (!value || (value->kind != AMQP_FIELD_KIND_UTF8 && value->kind != AMQP_FIELD_KIND_BYTES))
        return bytes_of(NULL, 0);
    return view(value->value.bytes);
}

int64_t envelope_integer_header(const amqp_basic_properties_t *properties, const char *name)
{
    const amqp_field_value_t *field = find_header(properties, name);
    int64_t value = 0;
    if (!field)
        return 0;
    if (field->kind == AMQP_FIELD_KIND_I64)
        value = field->value.i64;
    else if (field->kind == AMQP_FIELD_KIND_U64)
        value = field->value.u64 > INT64_MAX ? 0 : (int64_t)field->value.u64;
    else if (field->kind == AMQP_FIELD_KIND_I32)
        value = field->value.i32;
    else if (field->kind == AMQP_FIELD_KIND_U32)
        value = field->value.u32;
    return value > 0 ? value : 0;
}

static int64_t received_at(const amqp_basic_properties_t *properties)
{
    const int64_t header = envelope_integer_header(properties, header_received_at);
    if (header > 0)
        return header;
    if ((properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG) == 0 || properties->timestamp > INT64_MAX / 1000)
        return 0;
    return (int64_t)properties->timestamp * 1000;
}

void envelope_from_properties(const amqp_basic_properties_t *properties, struct envelope *out)
{
    struct bytes type = (properties->_flags & AMQP_BASIC_TYPE_FLAG) != 0 ? view(properties->type) : bytes_of(NULL, 0);
    struct envelope envelope = {.type = envelope_type_of(type),
                                .scheme = envelope_scheme_of(text_header(properties, header_scheme))};
    const struct bytes campaign = text_header(properties, header_campaign);

    if ((properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
        bytes_copy_text(view(properties->message_id), envelope.message_id, sizeof envelope.message_id);
    envelope.received_at_ms = received_at(properties);
    /* The name becomes a part of Redis keys: what no URL could carry counts as absent. */
    if (campaign_name_valid(campaign))
        bytes_copy_text(campaign, envelope.campaign, sizeof envelope.campaign);
    bytes_copy_text(text_header(properties, header_event_id), envelope.event_id, sizeof envelope.event_id);
    bytes_copy_text(text_header(properties, header_attempt), envelope.attempt, sizeof envelope.attempt);
    *out = envelope;
}
