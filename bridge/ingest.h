/* The policy: what a request must prove, in the order that INTERFACE fixes, and where a verified message becomes safe: at the
   broker, else in the spool, in time for the answer. Pure: clocks are passed in, the two places are functions. Any number of
   threads may use one ingest. */
#ifndef DROPBRIDGE_INGEST_H
#define DROPBRIDGE_INGEST_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"
#include "http/response.h"
#include "metrics.h"
#include "http/routes.h"
#include "handoff.h"
#include "keyring.h"

#include <stdbool.h>
#include <stdint.h>

struct ingest;

struct ingest_settings {
    struct keyring_secrets secrets; /* none for a route: it is refused, callbacks unless callback_auth_off */
    bool callback_auth_off;
    int64_t timestamp_tolerance_s;
    uint64_t boot_id; /* random; begins every message_id of this process */
    struct ingest_sink {
        enum publish_outcome (*submit)(void *context, struct pending_message *message, int64_t deadline_ms); /* as spool_submit */
        void *context;
    } broker, spool;
    int64_t confirm_timeout_ms; /* at most INGEST_ANSWER_MS less what the spool needs (bridge_config) */
    struct bridge_metrics *metrics;
};

enum {
    /* The answer must have left within 4 s of the last byte of the body (INTERFACE, "Routes"). */
    INGEST_ANSWER_MS = 3800,
};

/* What the policy looks at. NULL: not given. The texts must live until ingest_accept has returned. */
struct ingest_request {
    const char *method;
    const char *path;  /* as received */
    const char *query; /* as received */
    const char *guide_signature;
    const char *v1_signature;
    const char *v1_timestamp;
    const char *v1_version;
    const char *event_id;
    const char *attempt;
};

/* What is known before the body. */
struct ingest_decision {
    struct route_match match;
    enum envelope_scheme scheme;
};

/* When the body was complete: by the wall, and by CLOCK_MONOTONIC; and until when an outcome is waited for at the latest:
   INT64_MAX unless the program is stopping. */
struct ingest_times {
    int64_t received_at_ms, arrived_ms, last_ms;
};

/* Copies the secrets into prepared keys. NULL with *error on failure. */
struct ingest *ingest_new(const struct ingest_settings *settings, struct error *error);
void ingest_free(struct ingest *ingest);

/* As keyring_replace, while requests are under way. */
bool ingest_take_secrets(struct ingest *ingest, const struct keyring_secrets *secrets, struct error *error);

bool ingest_takes_webhooks(const struct ingest *ingest);
/* As keyring_has_callback. */
bool ingest_takes_callbacks(const struct ingest *ingest, const char *campaign);

/* Route, configuration, token, timestamp: RESPONSE_RECEIVED means go on and read the body, RESPONSE_HEALTHY is final, all
   else is the refusal. *out is always written. */
enum response ingest_check(const struct ingest *ingest, const struct ingest_request *request, int64_t now_s,
                               struct ingest_decision *out);

/* Signature, JSON, then the broker, else the spool. RESPONSE_RECEIVED, or RESPONSE_INVALID_JSON of a scheme that vouches for it: the
   message is safe; RESPONSE_DUPLICATE: the very bytes were, before; RESPONSE_UNAVAILABLE: neither place has it in time. The caller keeps its share of the message, which has the body
   (NULL: there was none). Counts accepted by_broker and by_spool. */
enum response ingest_accept(struct ingest *ingest, const struct ingest_decision *decision, const struct ingest_request *request,
                          struct pending_message *message, const struct ingest_times *times);

#endif
