/* The policy: what a request must prove, in the order that INTERFACE fixes, and what becomes of it. Pure: the clock is
   passed in, keeping goes through a port. Any number of threads may use one intake. */
#ifndef DROPBRIDGE_INTAKE_H
#define DROPBRIDGE_INTAKE_H

#include "../common/bytes.h"
#include "../common/env_config.h"
#include "../common/envelope.h"
#include "../common/error.h"
#include "answer.h"
#include "routes.h"

#include <stdbool.h>
#include <stdint.h>

struct intake;

struct intake_settings {
    const struct secrets *webhook_secrets;  /* none: webhooks are refused */
    const struct secrets *callback_secrets; /* none: callbacks are refused, unless callback_auth_off */
    bool callback_auth_off;
    int64_t timestamp_tolerance_s;
    uint64_t boot_id; /* random; begins every message_id of this process */
};

/* What the policy looks at. NULL: not given. The texts must live until intake_after_body has returned. */
struct intake_request {
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
struct intake_decision {
    struct route_match match;
    enum envelope_scheme scheme;
};

/* Puts one message where it is safe, and waits until it is: true; false when no place has it in time. `reject_reason`
   NULL: an event; else a slug, with a sentence in `reject_detail` (both literals). */
struct intake_port {
    bool (*keep)(void *context, const struct envelope *envelope, const char *reject_reason, const char *reject_detail);
    void *context;
};

/* Copies the secrets into prepared keys. NULL with *error on failure. */
struct intake *intake_new(const struct intake_settings *settings, struct error *error);
void intake_free(struct intake *intake);

bool intake_takes_webhooks(const struct intake *intake);
bool intake_takes_callbacks(const struct intake *intake);

/* Route, configuration, token, timestamp: ANSWER_RECEIVED means go on and read the body, ANSWER_HEALTHY is final, all
   else is the refusal. *out is always written. */
enum answer intake_before_body(const struct intake *intake, const struct intake_request *request, int64_t now_s,
                               struct intake_decision *out);

/* Signature, JSON, keeping. `received_at_ms`: wall clock when the body was complete. */
enum answer intake_after_body(struct intake *intake, const struct intake_decision *decision,
                              const struct intake_request *request, struct bytes body, int64_t received_at_ms,
                              const struct intake_port *port);

#endif
