#include "campaign.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stddef.h>

enum { SHARE_OF = 1000, DELIVERED = 860, FAILED = 120, MIX = 7919, PHONES = 10000000 };

/* What campaigns mostly fail by; all in the vendor's list. */
static const char *const reasons[] = {
    "Temporarily unreachable",
    "Temporarily unreachable",
    "Prohibited by carrier",
    "Invalid message",
    "Temporarily unreachable",
    "Spam detected",
    "Too many",
    "Internal DNC",
};

bool campaign_event(uint64_t number, int64_t at_ms, struct buf *out)
{
    char at[CLOCK_ISO_SIZE];
    /* MIX has no factor in common with SHARE_OF: each share comes once in SHARE_OF numbers, well mixed. */
    unsigned share = (unsigned)(number % SHARE_OF * MIX % SHARE_OF);
    unsigned campaign = (unsigned)(number / 3 % CAMPAIGNS);
    unsigned phone = (unsigned)(number * MIX % PHONES);

    (void)clock_iso8601_ms(at_ms, at);
    if (share >= DELIVERED + FAILED)
        return buf_printf(out,
                          "{\"type\":\"contact.opted_out\",\"event_id\":\"%024" PRIx64 "\",\"data\":"
                          "{\"campaign_id\":\"bench-campaign-%02u\",\"phone\":\"+1206%07u\",\"timestamp\":\"%s\"}}",
                          number, campaign, phone, at);
    if (!buf_printf(out,
                    "{\"type\":\"message.%s\",\"data\":{\"message_id\":\"%024" PRIx64 "\","
                    "\"campaign_id\":\"bench-campaign-%02u\",\"foreign_id\":\"contact-%" PRIu64 "\","
                    "\"phone\":\"+1206%07u\",\"product_cost\":0.012,\"compliance_fee\":0.004,\"timestamp\":\"%s\"",
                    share < DELIVERED ? "delivered" : "failed", number, campaign, number, phone, at))
        return false;
    if (share >= DELIVERED &&
        !buf_printf(out, ",\"reason\":\"%s\"", reasons[share % (sizeof reasons / sizeof *reasons)]))
        return false;
    return buf_append_text(out, "}}");
}
