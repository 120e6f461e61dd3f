/* Raw fields of a message → an event: kind, outcome, reason, campaign, identity (docs/classification.md). Pure; it
   knows no JSON: event_parse reads the fields, each from the body before `data`. */
#ifndef DROPBRIDGE_CLASSIFY_H
#define DROPBRIDGE_CLASSIFY_H

#include "event_parse.h"

#include <stdbool.h>
#include <stdint.h>

enum raw_kind { RAW_ABSENT, RAW_NUMBER, RAW_TEXT };

/* A number or a text; values of other types count as absent. */
struct raw_value {
    enum raw_kind kind;
    double number;     /* RAW_NUMBER; may be infinite */
    struct bytes text; /* RAW_TEXT */
};

enum raw_flag { RAW_FLAG_ABSENT, RAW_FLAG_FALSE, RAW_FLAG_TRUE };

enum raw_cost { RAW_PRODUCT_COST, RAW_COMPLIANCE_FEE, RAW_TTS_FEE, RAW_COSTS };

enum { RAW_TIMES = 8, RAW_PHONES = 10, RAW_CAMPAIGNS = 3, RAW_FOREIGN_IDS = 2 };

/* Texts with len 0 are absent, unless said otherwise. Candidates stand in the order in which they are tried. */
struct raw_event {
    struct bytes body;
    struct bytes name; /* `type`, else `event` */
    bool has_status;
    struct bytes status; /* may be empty */
    struct bytes drop_id;
    struct bytes event_id;
    struct raw_value times[RAW_TIMES];
    bool has_reason_code;
    int64_t reason_code;
    struct bytes reason;
    struct raw_value costs[RAW_COSTS];
    enum raw_flag dnc, spam;
    struct bytes phones[RAW_PHONES];
    struct bytes foreign_ids[RAW_FOREIGN_IDS];
    struct bytes campaigns[RAW_CAMPAIGNS];
    struct bytes data_id; /* `data.id`: names the campaign of campaign.* */
};

/* The contract of event_parse, from the raw fields. Never says PARSE_INVALID_JSON. */
enum parse_verdict classify(const struct raw_event *raw, const struct envelope *envelope,
                            const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL]);

#endif
