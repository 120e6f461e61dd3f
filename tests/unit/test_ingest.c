#include "bridge/ingest.h"

#include "common/callback_token.h"
#include "common/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1774000000 };
static const int64_t received_ms = 1774000000123;

/* What a request brings. SIGNED stands for the right value, made in the test. */
static const char SIGNED[] = "signed";

struct request_case {
    const char *name;
    const char *path, *query; /* a query of SIGNED: token=<the right one> */
    const char *guide, *v1, *timestamp, *version;
    const char *body;
    size_t secret; /* which of the two secrets signs */
    bool safe;     /* what the broker says */
    enum response answer;
    const char *rejected; /* the reason it is rejected with; NULL: an event */
    bool kept;
    enum envelope_scheme scheme;
};

#define WEBHOOK "/webhooks/dropcowboy"
#define CALLBACK "/callbacks/dropcowboy"
#define BODY "{\"type\":\"message.delivered\",\"data\":{}}"
#define OK true

static const struct request_case with_secrets[] = {
    {"the guide's signature", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_RECEIVED, NULL, true,
     ENVELOPE_GUIDE},
    {"the second secret", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, BODY, 1, OK, RESPONSE_RECEIVED, NULL, true,
     ENVELOPE_GUIDE},
    {"v1", "/webhook", NULL, NULL, SIGNED, "1774000000", NULL, BODY, 0, OK, RESPONSE_RECEIVED, NULL, true, ENVELOPE_V1},
    {"v1 with its version", WEBHOOK, NULL, NULL, SIGNED, "1774000300", "v1", "{\"n\":1}", 1, OK, RESPONSE_RECEIVED, NULL, true,
     ENVELOPE_V1},
    {"the very bytes of a v1 event again, signed anew", WEBHOOK, NULL, NULL, SIGNED, "1774000200", NULL, BODY, 1, OK,
     RESPONSE_DUPLICATE, NULL, false, ENVELOPE_V1},
    {"the very bytes again, with a wrong signature", WEBHOOK, NULL, NULL, "00", "1774000000", NULL, BODY, 0, OK,
     RESPONSE_INVALID_SIGNATURE, NULL, false, ENVELOPE_V1},
    {"the very bytes again, too late", WEBHOOK, NULL, NULL, SIGNED, "1773999699", NULL, BODY, 0, OK, RESPONSE_STALE_TIMESTAMP,
     NULL, false, ENVELOPE_V1},
    {"the very bytes again, by the guide's signature", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_RECEIVED,
     NULL, true, ENVELOPE_GUIDE},
    {"one byte more is another event", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, BODY " ", 0, OK, RESPONSE_RECEIVED, NULL,
     true, ENVELOPE_V1},
    {"a v1 event that is not kept", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, "{\"n\":2}", 0, false, RESPONSE_UNAVAILABLE,
     NULL, true, ENVELOPE_V1},
    {"comes again, and is no duplicate", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, "{\"n\":2}", 0, OK, RESPONSE_RECEIVED,
     NULL, true, ENVELOPE_V1},
    {"and is one then", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, "{\"n\":2}", 0, OK, RESPONSE_DUPLICATE, NULL, false,
     ENVELOPE_V1},
    {"v1 goes before the guide's", WEBHOOK, NULL, SIGNED, NULL, "1774000000", NULL, BODY, 0, OK,
     RESPONSE_MISSING_SIGNATURE, NULL, false, ENVELOPE_V1},
    {"v1 without a timestamp", WEBHOOK, NULL, NULL, SIGNED, NULL, NULL, BODY, 0, OK, RESPONSE_MISSING_SIGNATURE, NULL,
     false, ENVELOPE_V1},
    {"no signature at all", WEBHOOK, NULL, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_MISSING_SIGNATURE, NULL, false,
     ENVELOPE_GUIDE},
    {"a timestamp too old", WEBHOOK, NULL, NULL, SIGNED, "1773999699", NULL, BODY, 0, OK, RESPONSE_STALE_TIMESTAMP, NULL,
     false, ENVELOPE_V1},
    {"a timestamp too new", WEBHOOK, NULL, NULL, SIGNED, "1774000301", NULL, BODY, 0, OK, RESPONSE_STALE_TIMESTAMP, NULL,
     false, ENVELOPE_V1},
    {"a malformed timestamp", WEBHOOK, NULL, NULL, SIGNED, "soon", NULL, BODY, 0, OK, RESPONSE_STALE_TIMESTAMP, NULL,
     false, ENVELOPE_V1},
    {"an empty body, before its signature", WEBHOOK, NULL, "00", NULL, NULL, NULL, "", 0, OK, RESPONSE_EMPTY_BODY, NULL,
     false, ENVELOPE_GUIDE},
    {"a wrong signature", WEBHOOK, NULL, "00", NULL, NULL, NULL, BODY, 0, OK, RESPONSE_INVALID_SIGNATURE, NULL, false,
     ENVELOPE_GUIDE},
    {"an unknown version", WEBHOOK, NULL, NULL, SIGNED, "1774000000", "v2", BODY, 0, OK, RESPONSE_INVALID_SIGNATURE, NULL,
     false, ENVELOPE_V1},
    {"a wrong signature, before its JSON", WEBHOOK, NULL, "00", NULL, NULL, NULL, "[", 0, OK, RESPONSE_INVALID_SIGNATURE,
     NULL, false, ENVELOPE_GUIDE},
    {"verified, but no JSON: kept", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, "{", 0, OK, RESPONSE_INVALID_JSON,
     "invalid_json", true, ENVELOPE_GUIDE},
    {"verified, but an array: kept", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, "[]", 0, OK, RESPONSE_INVALID_JSON,
     "invalid_json", true, ENVELOPE_V1},
    {"verified, but an array, again", WEBHOOK, NULL, NULL, SIGNED, "1774000000", NULL, "[]", 0, OK, RESPONSE_INVALID_JSON,
     "invalid_json", true, ENVELOPE_V1},
    {"no JSON, and nowhere to keep it", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, "{", 0, false, RESPONSE_UNAVAILABLE,
     "invalid_json", true, ENVELOPE_GUIDE},
    {"an event, and nowhere to keep it", WEBHOOK, NULL, SIGNED, NULL, NULL, NULL, BODY, 0, false, RESPONSE_UNAVAILABLE,
     NULL, true, ENVELOPE_GUIDE},
    {"a callback, and nowhere to keep it", CALLBACK, SIGNED, NULL, NULL, NULL, NULL, BODY, 0, false, RESPONSE_UNAVAILABLE,
     NULL, true, ENVELOPE_TOKEN},
    {"a callback", CALLBACK, SIGNED, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_RECEIVED, NULL, true, ENVELOPE_TOKEN},
    {"a callback of a campaign, second key", CALLBACK "/spring", SIGNED, NULL, NULL, NULL, NULL, BODY, 1, OK,
     RESPONSE_RECEIVED, NULL, true, ENVELOPE_TOKEN},
    {"a callback without a token", CALLBACK, NULL, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_MISSING_TOKEN, NULL,
     false, ENVELOPE_TOKEN},
    {"a callback with a wrong token", CALLBACK, "token=00", NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_INVALID_TOKEN,
     NULL, false, ENVELOPE_TOKEN},
    {"a callback with two tokens", CALLBACK, "token=00&token=00", NULL, NULL, NULL, NULL, BODY, 0, OK,
     RESPONSE_INVALID_TOKEN, NULL, false, ENVELOPE_TOKEN},
    {"a callback that is no JSON: kept", CALLBACK, SIGNED, NULL, NULL, NULL, NULL, "{}x", 0, OK, RESPONSE_INVALID_JSON,
     "invalid_json", true, ENVELOPE_TOKEN},
    {"an unknown path", "/x", NULL, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_NOT_FOUND, NULL, false, ENVELOPE_OFF},
    {"a bad campaign, before its token", CALLBACK "/a%2Fb", NULL, NULL, NULL, NULL, NULL, BODY, 0, OK,
     RESPONSE_INVALID_CAMPAIGN, NULL, false, ENVELOPE_OFF},
};

static const struct request_case without_secrets[] = {
    {"a webhook with no secret set", WEBHOOK, NULL, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_WEBHOOK_NOT_CONFIGURED,
     NULL, false, ENVELOPE_OFF},
    {"a callback with no secret set", CALLBACK, NULL, NULL, NULL, NULL, NULL, BODY, 0, OK,
     RESPONSE_CALLBACK_NOT_CONFIGURED, NULL, false, ENVELOPE_OFF},
};

static const struct request_case with_auth_off[] = {
    {"a callback, unverified", CALLBACK "/spring", NULL, NULL, NULL, NULL, NULL, BODY, 0, OK, RESPONSE_RECEIVED, NULL,
     true, ENVELOPE_OFF},
    {"a token is not looked at", CALLBACK "/spring", "token=0&token=1", NULL, NULL, NULL, NULL, BODY, 0, OK,
     RESPONSE_RECEIVED, NULL, true, ENVELOPE_OFF},
    {"an unverified body that is no JSON is not kept", CALLBACK, NULL, NULL, NULL, NULL, NULL, "{", 0, OK,
     RESPONSE_INVALID_JSON, NULL, false, ENVELOPE_OFF},
};

/* The broker; there is no spool. */
struct fake_broker {
    bool safe;
    int calls;
    struct envelope envelope;
    char reason[64], detail[256]; /* empty: an event */
};

static enum publish_outcome fake_broker(void *context, struct pending_message *message, int64_t deadline_ms)
{
    struct fake_broker *broker = context;

    (void)deadline_ms;
    broker->calls++;
    broker->envelope = message->envelope;
    if (message->target == MESSAGE_REJECTED) {
        snprintf(broker->reason, sizeof broker->reason, "%s", message->reject_reason);
        snprintf(broker->detail, sizeof broker->detail, "%s", message->reject_detail);
    }
    return broker->safe ? PUBLISH_CONFIRMED : PUBLISH_FAILED;
}

static enum publish_outcome no_spool(void *context, struct pending_message *message, int64_t deadline_ms)
{
    (void)context;
    (void)message;
    (void)deadline_ms;
    return PUBLISH_AWAY;
}

static struct fake_broker broker;

static struct ingest *ingest_of(struct ingest_settings settings)
{
    static struct bridge_metrics *metrics;
    struct error error = {0};
    struct ingest *ingest;

    if (!metrics)
        metrics = bridge_metrics_new();
    settings.broker = (struct ingest_sink){fake_broker, &broker};
    settings.spool = (struct ingest_sink){no_spool, NULL};
    settings.confirm_timeout_ms = 2500;
    settings.metrics = metrics;
    ingest = ingest_new(&settings, &error);
    assert_non_null(ingest);
    return ingest;
}

static enum response accept_body(struct ingest *ingest, const struct ingest_decision *decision,
                               const struct ingest_request *request, const char *body)
{
    const struct ingest_times times = {.received_at_ms = received_ms, .arrived_ms = 1000, .last_ms = INT64_MAX};
    struct pending_message *message = message_new(strlen(body) + 1);
    enum response answer;

    assert_non_null(message);
    memcpy(message->body, body, strlen(body));
    message->body_len = strlen(body);
    answer = ingest_accept(ingest, decision, request, message, &times);
    message_release(message);
    return answer;
}

static uint8_t first_secret[] = "first";
static uint8_t second_secret[] = "second";
static struct secret both[] = {{first_secret, 5}, {second_secret, 6}};
static const struct secrets secrets = {.count = 2, .items = both};

/* The right signature or token for a case. */
struct signed_parts {
    char guide[SHA256_HEX_SIZE];
    char v1[SIGNATURE_V1_SIZE];
    char query[16 + SHA256_HEX_SIZE];
};

static void sign(const struct request_case *c, struct signed_parts *out)
{
    struct hmac_key *key = hmac_key_new(bytes_of(both[c->secret].data, both[c->secret].len));
    const char *campaign = strstr(c->path, "/spring") ? "spring" : "";
    char token[SHA256_HEX_SIZE];

    assert_true(signature_guide_sign(key, bytes_of_text(c->body), out->guide));
    assert_true(signature_v1_sign(key, c->timestamp ? c->timestamp : "0", bytes_of_text(c->body), out->v1));
    assert_true(callback_token_mint(key, campaign, token));
    snprintf(out->query, sizeof out->query, "token=%s", token);
    hmac_key_free(key);
}

static void run_case(struct ingest *ingest, const struct request_case *c)
{
    struct signed_parts parts;
    struct ingest_decision decision;

    broker = (struct fake_broker){.safe = c->safe};
    sign(c, &parts);
    const struct ingest_request request = {
        .method = "POST",
        .path = c->path,
        .query = c->query == SIGNED ? parts.query : c->query,
        .guide_signature = c->guide == SIGNED ? parts.guide : c->guide,
        .v1_signature = c->v1 == SIGNED ? parts.v1 : c->v1,
        .v1_timestamp = c->timestamp,
        .v1_version = c->version,
    };
    enum response answer = ingest_check(ingest, &request, NOW_S, &decision);
    if (answer == RESPONSE_RECEIVED)
        answer = accept_body(ingest, &decision, &request, c->body);
    if (answer != c->answer || decision.scheme != c->scheme || broker.calls != (c->kept ? 1 : 0))
        fail_msg("%s: %s, scheme %d, %d kept", c->name, response_row(answer)->code, (int)decision.scheme, broker.calls);
    if (!c->kept)
        return;
    if (strcmp(broker.reason, c->rejected ? c->rejected : "") != 0)
        fail_msg("%s: kept as %s", c->name, broker.reason[0] ? broker.reason : "an event");
    assert_int_equal(broker.reason[0] != '\0', broker.detail[0] != '\0');
    assert_int_equal(broker.envelope.scheme, c->scheme);
    assert_int_equal(broker.envelope.received_at_ms, received_ms);
    assert_int_equal(broker.envelope.type, strncmp(c->path, CALLBACK, 10) == 0 ? ENVELOPE_CALLBACK : ENVELOPE_WEBHOOK);
    assert_string_equal(broker.envelope.campaign, strstr(c->path, "/spring") ? "spring" : "");
}

static void run_cases(const struct ingest_settings *settings, const struct request_case *cases, size_t count)
{
    struct ingest *ingest = ingest_of(*settings);

    for (size_t i = 0; i < count; i++)
        run_case(ingest, &cases[i]);
    ingest_free(ingest);
}

#define COUNT(cases) (sizeof cases / sizeof cases[0])

static void requests_are_judged_in_order(void **state)
{
    const struct ingest_settings settings = {
        .secrets = {.webhook = secrets, .callback = secrets}, .timestamp_tolerance_s = 300};

    (void)state;
    run_cases(&settings, with_secrets, COUNT(with_secrets));
}

static void routes_without_a_secret_refuse(void **state)
{
    const struct ingest_settings settings = {.timestamp_tolerance_s = 300};

    (void)state;
    run_cases(&settings, without_secrets, COUNT(without_secrets));
}

static void callbacks_can_be_taken_unverified(void **state)
{
    const struct ingest_settings settings = {
        .secrets = {.callback = secrets}, .callback_auth_off = true, .timestamp_tolerance_s = 300};

    (void)state;
    run_cases(&settings, with_auth_off, COUNT(with_auth_off));
}

static void health_is_answered_before_all_else(void **state)
{
    const struct ingest_settings settings = {0};
    const struct ingest_request request = {.method = "GET", .path = "/health"};
    struct ingest_decision decision;
    struct ingest *ingest = ingest_of(settings);

    (void)state;
    assert_int_equal(ingest_check(ingest, &request, NOW_S, &decision), RESPONSE_HEALTHY);
    ingest_free(ingest);
}

/* X-Event-Id and X-Attempt as sent, and as carried on. */
static void headers_are_carried_if_they_are_plain(void **state)
{
    static const struct {
        const char *event_id, *attempt, *carried_id, *carried_attempt;
    } cases[] = {
        {NULL, NULL, "", ""},
        {"", "", "", ""},
        {"0b8e-1", "2", "0b8e-1", "2"},
        {"with\ttab", "\x01", "", ""},
        {"caf\xc3\xa9", "1234567890123456", "", ""},
    };
    const struct ingest_settings settings = {.callback_auth_off = true, .boot_id = 0xabc};
    struct ingest *ingest = ingest_of(settings);

    (void)state;
    broker = (struct fake_broker){.safe = true};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ingest_request request = {
            .method = "POST", .path = CALLBACK, .event_id = cases[i].event_id, .attempt = cases[i].attempt};
        struct ingest_decision decision;
        char id[40];

        assert_int_equal(ingest_check(ingest, &request, NOW_S, &decision), RESPONSE_RECEIVED);
        assert_int_equal(accept_body(ingest, &decision, &request, "{}"), RESPONSE_RECEIVED);
        assert_string_equal(broker.envelope.event_id, cases[i].carried_id);
        assert_string_equal(broker.envelope.attempt, cases[i].carried_attempt);
        snprintf(id, sizeof id, "0000000000000abc-%zx", i);
        assert_string_equal(broker.envelope.message_id, id);
    }
    ingest_free(ingest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged_in_order),          cmocka_unit_test(routes_without_a_secret_refuse),
        cmocka_unit_test(callbacks_can_be_taken_unverified),     cmocka_unit_test(health_is_answered_before_all_else),
        cmocka_unit_test(headers_are_carried_if_they_are_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
