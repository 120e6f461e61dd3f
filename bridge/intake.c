#include "intake.h"

#include "../common/callback_token.h"
#include "../common/sha256.h"
#include "../common/signature.h"
#include "../common/strict_json.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key_ring {
    struct hmac_key **keys;
    size_t count;
};

struct intake {
    struct key_ring webhook;
    struct key_ring callback;
    bool callback_auth_off;
    int64_t timestamp_tolerance_s;
    uint64_t boot_id;
    _Atomic uint64_t counter;
};

static void key_ring_clear(struct key_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        hmac_key_free(ring->keys[i]);
    free(ring->keys);
}

static bool key_ring_init(struct key_ring *ring, const struct secrets *secrets)
{
    if (!secrets || secrets->count == 0)
        return true;
    ring->keys = calloc(secrets->count, sizeof *ring->keys);
    if (!ring->keys)
        return false;
    for (size_t i = 0; i < secrets->count; i++) {
        ring->keys[i] = hmac_key_new(bytes_of(secrets->items[i].data, secrets->items[i].len));
        if (!ring->keys[i])
            return false;
        ring->count = i + 1;
    }
    return true;
}

struct intake *intake_new(const struct intake_settings *settings, struct error *error)
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (!intake || !key_ring_init(&intake->webhook, settings->webhook_secrets) ||
        !key_ring_init(&intake->callback, settings->callback_secrets)) {
        error_set(error, ERROR_NO_MEMORY, "cannot prepare the keys: no memory, or libcrypto failed");
        intake_free(intake);
        return NULL;
    }
    intake->callback_auth_off = settings->callback_auth_off;
    intake->timestamp_tolerance_s = settings->timestamp_tolerance_s;
    intake->boot_id = settings->boot_id;
    return intake;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    key_ring_clear(&intake->webhook);
    key_ring_clear(&intake->callback);
    free(intake);
}

bool intake_takes_webhooks(const struct intake *intake)
{
    return intake->webhook.count > 0;
}

bool intake_takes_callbacks(const struct intake *intake)
{
    return intake->callback.count > 0 || intake->callback_auth_off;
}

static enum answer answer_of_verdict(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_OK:
        return ANSWER_RECEIVED;
    case SIGNATURE_MISSING:
        return ANSWER_MISSING_SIGNATURE;
    case SIGNATURE_STALE:
        return ANSWER_STALE_TIMESTAMP;
    case SIGNATURE_INVALID:
        break;
    }
    return ANSWER_INVALID_SIGNATURE;
}

static enum answer check_webhook_headers(const struct intake *intake, const struct intake_request *request,
                                         int64_t now_s, struct intake_decision *out)
{
    if (!intake_takes_webhooks(intake))
        return ANSWER_WEBHOOK_NOT_CONFIGURED;
    if (request->v1_signature || request->v1_timestamp) {
        out->scheme = ENVELOPE_V1;
        return answer_of_verdict(
            signature_v1_precheck(request->v1_timestamp, request->v1_signature, now_s, intake->timestamp_tolerance_s));
    }
    out->scheme = ENVELOPE_GUIDE;
    return request->guide_signature ? ANSWER_RECEIVED : ANSWER_MISSING_SIGNATURE;
}

static enum answer check_callback_token(const struct intake *intake, struct intake_decision *out)
{
    const struct route_match *match = &out->match;

    if (!intake_takes_callbacks(intake))
        return ANSWER_CALLBACK_NOT_CONFIGURED;
    if (intake->callback_auth_off) {
        out->scheme = ENVELOPE_OFF;
        return ANSWER_RECEIVED;
    }
    out->scheme = ENVELOPE_TOKEN;
    if (match->token_repeated)
        return ANSWER_INVALID_TOKEN;
    if (match->token.len == 0)
        return ANSWER_MISSING_TOKEN;
    if (!callback_token_check(intake->callback.keys, intake->callback.count, match->campaign, match->token))
        return ANSWER_INVALID_TOKEN;
    return ANSWER_RECEIVED;
}

enum answer intake_before_body(const struct intake *intake, const struct intake_request *request, int64_t now_s,
                               struct intake_decision *out)
{
    enum answer answer;

    out->scheme = ENVELOPE_OFF;
    answer = routes_match(request->method, request->path, request->query, &out->match);
    if (answer != ANSWER_RECEIVED)
        return answer;
    switch (out->match.route) {
    case ROUTE_HEALTH:
        return ANSWER_HEALTHY;
    case ROUTE_WEBHOOK:
        return check_webhook_headers(intake, request, now_s, out);
    case ROUTE_CALLBACK:
        return check_callback_token(intake, out);
    case ROUTE_NONE:
        break;
    }
    return ANSWER_NOT_FOUND;
}

static enum answer check_signature(const struct intake *intake, enum envelope_scheme scheme,
                                   const struct intake_request *request, struct bytes body)
{
    const struct key_ring *ring = &intake->webhook;

    switch (scheme) {
    case ENVELOPE_GUIDE:
        return answer_of_verdict(signature_guide_verify(ring->keys, ring->count, request->guide_signature, body));
    case ENVELOPE_V1:
        return answer_of_verdict(signature_v1_verify(ring->keys, ring->count, request->v1_timestamp,
                                                     request->v1_signature, request->v1_version, body));
    case ENVELOPE_TOKEN:
    case ENVELOPE_OFF:
        break;
    }
    return ANSWER_RECEIVED;
}

/* Copies a header that only travels on; one that is no short printable text is left out. */
static void carry(const char *value, char *out, size_t size)
{
    const size_t len = value ? strlen(value) : 0;

    out[0] = '\0';
    if (len == 0 || len >= size)
        return;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < ' ' || value[i] > '~')
            return;
    }
    memcpy(out, value, len + 1);
}

static void fill_envelope(struct intake *intake, const struct intake_decision *decision,
                          const struct intake_request *request, int64_t received_at_ms, struct envelope *out)
{
    const uint64_t number = atomic_fetch_add_explicit(&intake->counter, 1, memory_order_relaxed);

    memset(out, 0, sizeof *out);
    out->type = decision->match.route == ROUTE_CALLBACK ? ENVELOPE_CALLBACK : ENVELOPE_WEBHOOK;
    out->scheme = decision->scheme;
    out->received_at_ms = received_at_ms;
    snprintf(out->message_id, sizeof out->message_id, "%016" PRIx64 "-%" PRIx64, intake->boot_id, number);
    memcpy(out->campaign, decision->match.campaign, sizeof out->campaign);
    carry(request->event_id, out->event_id, sizeof out->event_id);
    carry(request->attempt, out->attempt, sizeof out->attempt);
}

enum answer intake_after_body(struct intake *intake, const struct intake_decision *decision,
                              const struct intake_request *request, struct bytes body, int64_t received_at_ms,
                              const struct intake_port *port)
{
    struct envelope envelope;
    enum json_verdict verdict;
    enum answer answer;

    if (body.len == 0)
        return ANSWER_EMPTY_BODY;
    answer = check_signature(intake, decision->scheme, request, body);
    if (answer != ANSWER_RECEIVED)
        return answer;
    verdict = strict_json_check(body);
    /* Nobody vouched for it: keeping it would let anyone fill the rejected queue. */
    if (verdict != JSON_OK && decision->scheme == ENVELOPE_OFF)
        return ANSWER_INVALID_JSON;
    fill_envelope(intake, decision, request, received_at_ms, &envelope);
    if (!port->keep(port->context, &envelope, verdict == JSON_OK ? NULL : "invalid_json",
                    verdict == JSON_OK ? NULL : strict_json_explain(verdict)))
        return ANSWER_UNAVAILABLE;
    return verdict == JSON_OK ? ANSWER_RECEIVED : ANSWER_INVALID_JSON;
}
