/* The contract between bridge and worker: what a message carries beside the vendor's bytes (INTERFACE, "RabbitMQ").
   Pure: converts between a plain struct and librabbitmq's property structures; no I/O, no clock. */
#ifndef DROPBRIDGE_ENVELOPE_H
#define DROPBRIDGE_ENVELOPE_H

#include "amqp_lib.h"
#include "bytes.h"
#include "limits.h"

#include <stdbool.h>
#include <stdint.h>

enum envelope_type { ENVELOPE_WEBHOOK, ENVELOPE_CALLBACK };
enum envelope_scheme { ENVELOPE_GUIDE, ENVELOPE_V1, ENVELOPE_TOKEN, ENVELOPE_OFF };

enum { ENVELOPE_MESSAGE_ID = 40, ENVELOPE_REJECT_DETAIL = 512 };

struct envelope {
    enum envelope_type type;
    enum envelope_scheme scheme;
    char message_id[ENVELOPE_MESSAGE_ID];
    int64_t received_at_ms;            /* x-received-at; 0: not given */
    char campaign[LIMIT_CAMPAIGN + 1]; /* x-campaign, from the URL; empty: none */
    char event_id[LIMIT_EVENT_ID + 1]; /* x-event-id; empty: none */
    char attempt[16];                  /* x-attempt, as sent; empty: none */
};

/* Where properties and header entries live while they are published. They point into the envelope and the texts given,
   which must outlive their use. */
struct envelope_properties {
    amqp_basic_properties_t basic;
    amqp_table_entry_t headers[16];
};

void envelope_to_properties(const struct envelope *envelope, struct envelope_properties *out);

/* Adds x-reject-reason (a slug) and x-reject-detail (a sentence) to properties made by envelope_to_properties. */
void envelope_add_rejection(struct envelope_properties *properties, const char *reason, const char *detail);

/* Reads what another program put there: never fails. Absent, oversized or wrongly typed parts count as absent; an
   unknown type is webhook, an unknown scheme off; without x-received-at the `timestamp` property (s) serves. */
void envelope_from_properties(const amqp_basic_properties_t *properties, struct envelope *out);

/* A header as a positive integer, of whatever width its publisher chose; 0 if it is none. */
int64_t envelope_integer_header(const amqp_basic_properties_t *properties, const char *name);

const char *envelope_type_name(enum envelope_type type);
const char *envelope_scheme_name(enum envelope_scheme scheme);
/* The other way; of an unknown name WEBHOOK and OFF. */
enum envelope_type envelope_type_of(struct bytes name);
enum envelope_scheme envelope_scheme_of(struct bytes name);

#endif
