/* The plain struct that everything behind the parser speaks. One event is one copy (docs/classification.md). */
#ifndef DROPBRIDGE_EVENT_H
#define DROPBRIDGE_EVENT_H

#include "common/bytes.h"
#include "common/drops/record.h"
#include "common/limits.h"
#include "common/sha256.h"

#include <stdbool.h>
#include <stdint.h>

/* Redis holds the numbers (dc:drops:{generation}:e{bucket}): never change one, only add at the end. */
enum event_kind { EVENT_RESULT, EVENT_OPT_OUT, EVENT_CAMPAIGN, EVENT_OTHER, EVENT_OPT_IN };

/* In the order in which equal times are decided: the greater wins. */
enum campaign_state { CAMPAIGN_SCHEDULED, CAMPAIGN_RUNNING, CAMPAIGN_PAUSED, CAMPAIGN_COMPLETED };

enum { EVENT_ID_PACKED = 33, EVENT_ID_TEXT = 37 };

/* Packed identities (the field names of the drop buckets): 24 hex digits are 12 bytes, a UUID 16 bytes, other texts
   of up to 32 bytes a 't' and the text (a 'T', the text and a '.' where that would be 12 or 16 long), longer texts,
   texts with a NUL and bodies without an id an 'h' and the SHA-256. No two ids share a packed form. */
struct event_id {
    uint8_t packed[EVENT_ID_PACKED + 3];
    uint8_t packed_len;
    char text[LIMIT_EVENT_ID + 1]; /* as shown: lower case for hex and UUIDs; empty for a SHA-256 of a body; else cut at
                                      LIMIT_EVENT_ID bytes */
};

struct event {
    enum event_kind kind;
    struct event_id id;
    int64_t time_ms;     /* by rule 7 */
    int64_t received_ms; /* x-received-at */

    char campaign[LIMIT_CAMPAIGN + 1]; /* never empty: "unassigned" with CAMPAIGN_UNASSIGNED */
    enum campaign_rank campaign_rank;

    /* results */
    enum outcome outcome;
    uint8_t reason; /* slug number of reasons.def; 0 on success */
    bool receipt;
    bool has_costs;
    int64_t product_cost_micros, compliance_fee_micros, tts_fee_micros;
    bool has_flags;
    bool dnc, spam;
    bool opts_out; /* by rule 4; also set for EVENT_OPT_OUT */
    bool told;     /* with opts_out: the contact opted out; false: a send was blocked for an opt-out known before */
    char unknown_reason[LIMIT_RAW_TEXT +
                        1];      /* what to list if this first counts under `other`; NUL bytes are shown as U+FFFD */
    char phone[LIMIT_PHONE + 1]; /* "+15552224444", or empty */
    uint8_t foreign_id[LIMIT_FOREIGN_ID]; /* any bytes */
    size_t foreign_id_len;                /* 0: none */

    struct event_id drop;    /* EVENT_OPT_OUT: the drop it names; packed_len 0: none */
    const char *rejected_as; /* EVENT_OPT_OUT: the message belongs in the rejected queue, too, under this slug; static;
                                NULL: it does not */

    enum campaign_state state;     /* EVENT_CAMPAIGN */
    char name[LIMIT_RAW_TEXT + 1]; /* what dc:events counts for EVENT_OTHER: type or event, cut, or "status:<word>" */
};

#endif
