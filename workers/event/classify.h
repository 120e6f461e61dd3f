/* Raw fields of a message → an event: kind, outcome, reason, campaign, identity (docs/classification.md). Pure; it
   knows no JSON: event_parse reads the fields, each from the body before `data`. */
#ifndef DROPBRIDGE_CLASSIFY_H
#define DROPBRIDGE_CLASSIFY_H

#include "parse.h"
#include "words.h"

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

enum { RAW_TIMES = 8, RAW_PHONES = 48, RAW_CAMPAIGNS = 6, RAW_FOREIGN_IDS = 2, RAW_CHOICES = 5 };

/* Texts with len 0 are absent. Candidates stand in the order in which they are tried. Which fields are read depends on
   what the message is, so `meaning` and `flat` are read first. */
struct raw_event {
    struct bytes body;
    struct bytes name;         /* `type`, else `event` */
    enum name_meaning meaning; /* of that name */
    bool flat;                 /* `drop_id` and `status` stand in the body, and there is no `data` */
    struct bytes status;
    struct bytes drop_id;
    struct bytes message_id; /* `data.message_id` */
    struct bytes data_id;    /* `data.id`: names the campaign of campaign.* */
    struct bytes event_id;
    struct raw_value times[RAW_TIMES];
    bool has_reason_code;
    int64_t reason_code;
    struct bytes reason;
    struct raw_value costs[RAW_COSTS];
    enum raw_flag dnc, spam;
    enum raw_flag session_dnc; /* of `campaign_session.dispo` */
    struct bytes phones[RAW_PHONES];
    struct bytes foreign_ids[RAW_FOREIGN_IDS];
    struct bytes campaigns[RAW_CAMPAIGNS];
    struct bytes text; /* `body`: what a contact wrote */
    /* what says whether a subscription ended or began */
    struct bytes choices[RAW_CHOICES];
    enum raw_flag opted_in, subscribed;
};

/* What a message is about; from meaning and flat alone. */
enum subject {
    SUBJECT_SEND,     /* how a send went */
    SUBJECT_CONTACT,  /* what a contact did, and whatever else there may be */
    SUBJECT_CAMPAIGN, /* that a campaign came into another state */
};

enum subject subject_of(const struct raw_event *raw);

/* The contract of event_parse, from the raw fields. Never says PARSE_INVALID_JSON. */
enum parse_verdict classify(const struct raw_event *raw, const struct envelope *envelope,
                            const struct parse_settings *settings, struct event *event, char detail[PARSE_DETAIL]);

#endif
