/* What is remembered of a drop: the struct, and the bytes of it that Redis holds (docs/redis-keys.md). Pure. */
#ifndef DROPBRIDGE_RECORD_H
#define DROPBRIDGE_RECORD_H

#include "common/bytes.h"
#include "common/limits.h"
#include "phone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outcome { OUTCOME_SUCCESS, OUTCOME_FAILURE };

/* CAMPAIGN_FROM_FOREIGN_ID is somebody's order, so it outranks what a body happens to hold. */
enum campaign_rank { CAMPAIGN_UNASSIGNED, CAMPAIGN_FROM_BODY, CAMPAIGN_FROM_FOREIGN, CAMPAIGN_FROM_URL };

enum {
    RECORD_VERSION = 1,
    RECORD_PHONES = 8,    /* different phones that copies of one drop carried; further ones are not kept */
    RECORD_CAMPAIGNS = 8, /* the same for campaigns */
    /* Fixed fields and varints, phones, campaigns, foreign_id. */
    RECORD_MAX = 128 + RECORD_PHONES * (1 + PHONE_PACKED) + RECORD_CAMPAIGNS * 5 + LIMIT_FOREIGN_ID,
};

/* What one cost can be at the most, as apply.lua reads it: a million dollars, and some more. */
#define RECORD_COST_MAX ((INT64_C(1) << 40) - 1)

struct costs {
    int64_t product, compliance, tts; /* micros, 0 to RECORD_COST_MAX */
};

/* Of costs and flags the winner's own are kept and those of the latest copy that has any: which of them counts can change
   with the winner (docs/classification.md, 3). */
struct record_costs {
    bool own, latest; /* which are there; the winner's are never later than the latest */
    struct costs own_value, latest_value;
    int64_t latest_ms;
};

struct record_flags {
    bool own, latest;
    uint8_t own_value, latest_value; /* dnc 2, spam 1 */
    int64_t latest_ms;
};

enum foreign_id_kept { FOREIGN_ID_NONE, FOREIGN_ID_NOT_KEPT, FOREIGN_ID_KEPT };

struct record {
    bool receipt; /* the winner is one */
    enum outcome outcome;
    uint8_t reason;  /* slug number; 0 on success */
    int64_t time_ms; /* the winner's */

    enum campaign_rank rank;
    int64_t received_ms; /* of the copy that gave the campaign */
    /* Numbers (campaigns.h), the one that counts first; 0 is `unassigned`. Always at least that one. */
    size_t campaign_count;
    uint32_t campaigns[RECORD_CAMPAIGNS];

    struct record_costs costs;
    struct record_flags flags;

    size_t phone_count; /* the drop's first: the smallest */
    struct phone phones[RECORD_PHONES];

    bool uncounted; /* no result has come: an opt-out that names the drop came first */
    bool opted_out;
    int64_t opt_out_ms; /* the earliest */
    bool told;          /* somebody opted out; else sends were blocked for it only */
    int64_t told_ms;    /* the earliest; not before opt_out_ms */

    enum foreign_id_kept foreign_id_kept; /* NOT_KEPT: a copy had one, but nothing shows it */
    size_t foreign_id_len;
    uint8_t foreign_id[LIMIT_FOREIGN_ID];
};

/* Writes the record and returns its length. */
size_t record_write(const struct record *record, uint8_t out[RECORD_MAX]);

enum record_verdict {
    RECORD_OK,
    RECORD_NEWER,   /* a version, or a reason, that only a newer worker knows */
    RECORD_DAMAGED, /* no worker wrote this */
};

/* On RECORD_OK *record is filled, else untouched. */
enum record_verdict record_read(struct bytes data, struct record *record);

int costs_compare(const struct costs *a, const struct costs *b);

#endif
