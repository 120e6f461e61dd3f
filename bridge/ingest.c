#include "ingest.h"

#include "recent_events.h"

#include "common/signature.h"
#include "common/strict_json.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STOP_RESERVE_MS = 1000, /* a program that stops has other things to do after the last answer: so long before, the spool */
};

struct ingest {
    struct keyring *keys;
    bool callback_auth_off;
    int64_t timestamp_tolerance_s;
    uint64_t boot_id;
    struct ingest_sink broker, spool;
    int64_t confirm_timeout_ms;
    struct bridge_metrics *metrics;
    struct recent_events *recent;
    _Atomic uint64_t counter;
};

struct ingest *ingest_new(const struct ingest_settings *settings, struct error *error)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);

    if (!ingest || !(ingest->recent = recent_events_new()))
        error_set(error, ERROR_NO_MEMORY, "no memory for the policy");
    else
        ingest->keys = keyring_new(&settings->secrets, error);
    if (!ingest || !ingest->keys) {
        ingest_free(ingest);
        return NULL;
    }
    ingest->callback_auth_off = settings->callback_auth_off;
    ingest->timestamp_tolerance_s = settings->timestamp_tolerance_s;
    ingest->boot_id = settings->boot_id;
    ingest->broker = settings->broker;
    ingest->spool = settings->spool;
    ingest->confirm_timeout_ms = settings->confirm_timeout_ms;
    ingest->metrics = settings->metrics;
    return ingest;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    keyring_free(ingest->keys);
    recent_events_free(ingest->recent);
    free(ingest);
}

bool ingest_take_secrets(struct ingest *ingest, const struct keyring_secrets *secrets, struct error *error)
{
    return keyring_replace(ingest->keys, secrets, error);
}

bool ingest_takes_webhooks(const struct ingest *ingest)
{
    return keyring_has_webhook(ingest->keys);
}

bool ingest_takes_callbacks(const struct ingest *ingest, const char *campaign)
{
    return ingest->callback_auth_off || keyring_has_callback(ingest->keys, campaign);
}

static enum response answer_of_verdict(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_OK:
        return RESPONSE_RECEIVED;
    case SIGNATURE_MISSING:
        return RESPONSE_MISSING_SIGNATURE;
    case SIGNATURE_STALE:
        return RESPONSE_STALE_TIMESTAMP;
    case SIGNATURE_INVALID:
        break;
    }
    return RESPONSE_INVALID_SIGNATURE;
}

static enum response check_webhook_headers(const struct ingest *ingest, const struct ingest_request *request,
                                         int64_t now_s, struct ingest_decision *out)
{
    if (!ingest_takes_webhooks(ingest))
        return RESPONSE_WEBHOOK_NOT_CONFIGURED;
    if (request->v1_signature || request->v1_timestamp) {
        out->scheme = ENVELOPE_V1;
        return answer_of_verdict(
            signature_v1_precheck(request->v1_timestamp, request->v1_signature, now_s, ingest->timestamp_tolerance_s));
    }
    out->scheme = ENVELOPE_GUIDE;
    return request->guide_signature ? RESPONSE_RECEIVED : RESPONSE_MISSING_SIGNATURE;
}

static enum response check_callback_token(const struct ingest *ingest, struct ingest_decision *out)
{
    const struct route_match *match = &out->match;

    if (!ingest_takes_callbacks(ingest, match->campaign))
        return RESPONSE_CALLBACK_NOT_CONFIGURED;
    if (ingest->callback_auth_off) {
        out->scheme = ENVELOPE_OFF;
        return RESPONSE_RECEIVED;
    }
    out->scheme = ENVELOPE_TOKEN;
    if (match->token_repeated)
        return RESPONSE_INVALID_TOKEN;
    if (match->token.len == 0)
        return RESPONSE_MISSING_TOKEN;
    if (!keyring_check_token(ingest->keys, match->campaign, match->token))
        return RESPONSE_INVALID_TOKEN;
    return RESPONSE_RECEIVED;
}

enum response ingest_check(const struct ingest *ingest, const struct ingest_request *request, int64_t now_s,
                               struct ingest_decision *out)
{
    enum response answer;

    out->scheme = ENVELOPE_OFF;
    answer = routes_match(request->method, request->path, request->query, &out->match);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    switch (out->match.route) {
    case ROUTE_HEALTH:
        return RESPONSE_HEALTHY;
    case ROUTE_WEBHOOK:
        return check_webhook_headers(ingest, request, now_s, out);
    case ROUTE_CALLBACK:
        return check_callback_token(ingest, out);
    case ROUTE_NONE:
        break;
    }
    return RESPONSE_NOT_FOUND;
}

static enum response check_signature(const struct ingest *ingest, enum envelope_scheme scheme,
                                   const struct ingest_request *request, struct bytes body)
{
    switch (scheme) {
    case ENVELOPE_GUIDE:
        return answer_of_verdict(keyring_verify_guide(ingest->keys, request->guide_signature, body));
    case ENVELOPE_V1:
        return answer_of_verdict(keyring_verify_v1(ingest->keys, request->v1_timestamp, request->v1_signature,
                                                   request->v1_version, body));
    case ENVELOPE_TOKEN:
    case ENVELOPE_OFF:
        break;
    }
    return RESPONSE_RECEIVED;
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

static void fill_envelope(struct ingest *ingest, const struct ingest_decision *decision,
                          const struct ingest_request *request, int64_t received_at_ms, struct envelope *out)
{
    const uint64_t number = atomic_fetch_add_explicit(&ingest->counter, 1, memory_order_relaxed);

    memset(out, 0, sizeof *out);
    out->type = decision->match.route == ROUTE_CALLBACK ? ENVELOPE_CALLBACK : ENVELOPE_WEBHOOK;
    out->scheme = decision->scheme;
    out->received_at_ms = received_at_ms;
    snprintf(out->message_id, sizeof out->message_id, "%016" PRIx64 "-%" PRIx64, ingest->boot_id, number);
    memcpy(out->campaign, decision->match.campaign, sizeof out->campaign);
    carry(request->event_id, out->event_id, sizeof out->event_id);
    carry(request->attempt, out->attempt, sizeof out->attempt);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What may still be on its way to the broker is spooled as a copy. */
static bool keep_in_spool(const struct ingest *ingest, struct pending_message *message, bool on_its_way, int64_t deadline_ms)
{
    struct pending_message *own = on_its_way ? message_copy(message) : message;
    bool safe = own && ingest->spool.submit(ingest->spool.context, own, deadline_ms) == PUBLISH_CONFIRMED;

    if (on_its_way)
        message_release(own);
    if (safe)
        bridge_count(ingest->metrics, METRIC_ACCEPTED_SPOOL, 1);
    return safe;
}

/* The broker, else the spool. */
static bool keep(const struct ingest *ingest, struct pending_message *message, const struct ingest_times *times)
{
    const int64_t broker_ms = earlier(times->arrived_ms + ingest->confirm_timeout_ms, times->last_ms - STOP_RESERVE_MS);
    const int64_t answer_ms = earlier(times->arrived_ms + INGEST_ANSWER_MS, times->last_ms);
    enum publish_outcome outcome = PUBLISH_AWAY;

    /* Offered without time to wait it would be published as well as spooled. */
    if (broker_ms > times->arrived_ms)
        outcome = ingest->broker.submit(ingest->broker.context, message, broker_ms);
    switch (outcome) {
    case PUBLISH_CONFIRMED:
        bridge_count(ingest->metrics, METRIC_ACCEPTED_BROKER, 1);
        return true;
    case PUBLISH_TIMEOUT:
        bridge_count(ingest->metrics, METRIC_CONFIRM_TIMEOUTS, 1);
        return keep_in_spool(ingest, message, true, answer_ms);
    case PUBLISH_FAILED:
    case PUBLISH_REFUSED:
    case PUBLISH_LOST:
    case PUBLISH_FULL:
    case PUBLISH_AWAY:
        break;
    }
    return keep_in_spool(ingest, message, false, answer_ms);
}

enum response ingest_accept(struct ingest *ingest, const struct ingest_decision *decision, const struct ingest_request *request,
                          struct pending_message *message, const struct ingest_times *times)
{
    const struct bytes body = message ? message_body_bytes(message) : bytes_of(NULL, 0);
    const bool may_repeat = decision->scheme == ENVELOPE_V1;
    uint8_t digest[RECENT_DIGEST];
    struct envelope envelope;
    enum json_verdict verdict;
    enum response answer;

    if (body.len == 0)
        return RESPONSE_EMPTY_BODY;
    answer = check_signature(ingest, decision->scheme, request, body);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    if (may_repeat && recent_events_has(ingest->recent, body, times->arrived_ms, digest))
        return RESPONSE_DUPLICATE;
    verdict = strict_json_check(body);
    /* Nobody vouched for it: keeping it would let anyone fill the rejected queue. */
    if (verdict != JSON_OK && decision->scheme == ENVELOPE_OFF)
        return RESPONSE_INVALID_JSON;
    fill_envelope(ingest, decision, request, times->received_at_ms, &envelope);
    if (verdict == JSON_OK)
        message_set_event(message, &envelope);
    else
        message_set_rejected(message, &envelope, "invalid_json", strict_json_explain(verdict));
    if (!keep(ingest, message, times))
        return RESPONSE_UNAVAILABLE;
    if (verdict != JSON_OK)
        return RESPONSE_INVALID_JSON;
    if (may_repeat)
        recent_events_add(ingest->recent, digest, times->arrived_ms);
    return RESPONSE_RECEIVED;
}
