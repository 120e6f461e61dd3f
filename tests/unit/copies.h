/* Copies of drops in few words, and what compares records: for the tests of the counting core. */
#ifndef DROPBRIDGE_TEST_COPIES_H
#define DROPBRIDGE_TEST_COPIES_H

#include "common/buf.h"
#include "workers/counting/merge.h"
#include "common/drops/record.h"
#include "workers/event/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2026-03-20T15:04:00.000Z; the times of a `given` are milliseconds after it. */
#define COPIES_BEGIN_MS INT64_C(1774019040000)

/* Campaigns by number, from 0. The order of the names is not the order of the numbers. */
enum {
    COPIES_UNASSIGNED,
    COPIES_SPRING,
    COPIES_AUTUMN,
    COPIES_WINTER,
    COPIES_CAMPAIGNS = 16,
    COPIES_ALIAS = 16, /* a number of spring, too, in records: those of a campaign that is an alias of spring now */
};

/* What is not said is absent; a copy is a callback that tells of a success. */
struct given {
    enum event_kind kind;
    const char *id; /* NULL: "d"; behind a = the packed form */
    int64_t at, received;
    bool receipt;
    uint8_t failure; /* the reason's number */
    struct {
        bool given;
        struct costs value;
    } costs;
    const char *flags; /* "" for neither, with a d for dnc, with an s for spam; NULL: not given */
    const char *phone, *foreign_id, *unknown_reason, *name;
    uint32_t campaign;
    enum campaign_rank rank; /* with a campaign, 0 is its greatest: the URL's */
    enum campaign_state state;
    bool opts_out;
    bool blocked; /* with opts_out: a send was blocked for it; else it was told */
    const char *drop; /* that an EVENT_OPT_OUT names; written as `id` is */
};

struct event copies_event(const struct given *given);
struct campaign_names copies_names(void);

/* In all that a record says; what stands in places that are not in use aside. */
bool copies_equal_records(const struct record *a, const struct record *b);

/* "failure 9 at 10 in spring, costs 1 2 3, flags ds, phone +1 +2, also in autumn, id a, opted out at 5"; "no result" where
   none has come; "blocked at 5" where nobody told of an opt-out, "blocked at 5, opted out at 7" where that came later.
   Without the sets the phones and campaigns past the first are left out: which of many are kept may depend on the order
   of copies. */
void copies_describe(struct buf *out, const struct record *record, bool with_sets);

/* The next order of the numbers in `order`, from the ascending one on; false after the last. */
bool copies_next_order(size_t *order, size_t count);

/* Random numbers that are the same in every run. */
uint32_t copies_random(uint64_t *state);

#endif
