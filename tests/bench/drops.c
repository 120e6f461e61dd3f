#include "drops.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { SHARE_OF = 100, FAILED = 8, MIX = 7919, PHONES = 10000000, FEE_MICROS = 2500, TTS_MICROS = 10000 };

/* One for each share that fails; a code where the vendor's has the same meaning as the text, else 0. */
static const struct {
    const char *text;
    int code;
    bool dnc, spam, opts_out;
} reasons[FAILED] = {
    {"Temporarily unreachable", 0, false, false, false},
    {"Internal DNC", 4016, true, false, true},
    {"Temporarily unreachable", 0, false, false, false},
    {"Spam detected", 4008, false, true, false},
    {"Opted out", 0, false, false, true},
    {"Temporarily unreachable", 0, false, false, false},
    {"Too Many", 4013, false, false, false},
    {"Invalid message", 0, false, false, false},
};

static const uint64_t product_micros[] = {40000, 52500, 70000};

/* MIX has no factor in common with SHARE_OF: each share comes once in SHARE_OF numbers, well mixed. */
static unsigned share_of(uint64_t drop)
{
    return (unsigned)(drop % SHARE_OF * MIX % SHARE_OF);
}

static bool fails(uint64_t drop)
{
    return share_of(drop) < FAILED;
}

static unsigned campaign_of(uint64_t drop)
{
    return (unsigned)(drop / 3 % DROP_CAMPAIGNS);
}

static uint64_t product_of(uint64_t drop)
{
    return fails(drop) ? 0 : product_micros[drop / 2 % (sizeof product_micros / sizeof *product_micros)];
}

static uint64_t tts_of(uint64_t drop)
{
    return fails(drop) ? 0 : TTS_MICROS;
}

static unsigned phone_of(uint64_t drop)
{
    return (unsigned)(drop * MIX % PHONES);
}

void drop_add(uint64_t drop, struct drop_sums *sums)
{
    bool failed = fails(drop);

    sums->drops++;
    sums->success += !failed;
    sums->failure += failed;
    sums->opted_out += failed && reasons[share_of(drop)].opts_out;
    sums->product_cost_micros += product_of(drop);
    sums->compliance_fee_micros += FEE_MICROS;
    sums->tts_fee_micros += tts_of(drop);
    sums->campaigns[campaign_of(drop)].success += !failed;
    sums->campaigns[campaign_of(drop)].failure += failed;
}

void drop_campaign(uint64_t drop, char out[LIMIT_CAMPAIGN + 1])
{
    (void)snprintf(out, LIMIT_CAMPAIGN + 1, "bench-campaign-%u", campaign_of(drop));
}

/* Amounts are below a dollar: their micros are the digits behind the point. */
static bool callback_body(uint64_t drop, int64_t at_ms, struct buf *body)
{
    char at[CLOCK_ISO_SIZE];
    bool failed = fails(drop);
    unsigned share = share_of(drop);

    (void)clock_iso8601_ms(at_ms, at);
    return buf_printf(body,
                      "{\"drop_id\":\"68a0c1d2%016" PRIx64 "\",\"phone_number\":\"+1206%07u\",\"attempt_date\":\"%s\","
                      "\"status\":\"%s\",\"reason\":\"%s\",\"dnc\":%s,\"spam\":%s,"
                      "\"product_cost\":0.%06" PRIu64 ",\"compliance_fee\":0.%06d,\"tts_fee\":0.%06" PRIu64
                      ",\"network\":{\"name\":\"Example Mobile\",\"type\":\"wireless\"},"
                      "\"foreign_id\":\"contact-%016" PRIu64 "\"}",
                      drop, phone_of(drop), at, failed ? "failure" : "success", failed ? reasons[share].text : "",
                      failed && reasons[share].dnc ? "true" : "false", failed && reasons[share].spam ? "true" : "false",
                      product_of(drop), FEE_MICROS, tts_of(drop), drop);
}

static bool status_body(uint64_t drop, int64_t at_ms, const char *event_id, struct buf *body)
{
    bool failed = fails(drop);
    int code = failed ? reasons[share_of(drop)].code : 0;

    return buf_printf(body,
                      "{\"event_id\":\"%s\",\"event\":\"contact.sms.status\",\"event_at\":%" PRId64
                      ",\"data\":{\"status\":\"%s\",\"reason\":\"%s\",",
                      event_id, at_ms, failed ? "failure" : "success", failed ? reasons[share_of(drop)].text : "") &&
           (code == 0 || buf_printf(body, "\"reason_code\":%d,", code)) &&
           buf_printf(body,
                      "\"to\":\"+1206%07u\",\"from\":\"+12125550100\",\"drop_id\":\"68a0c1d2%016" PRIx64
                      "\",\"contact_id\":\"%024x\",\"campaign_id\":null,\"campaign_type\":\"sms\"}}",
                      phone_of(drop), drop, phone_of(drop));
}

bool drop_message(struct drop_copy copy, struct envelope *envelope, struct buf *body)
{
    if (!copy.status) {
        envelope->type = ENVELOPE_CALLBACK;
        envelope->scheme = ENVELOPE_TOKEN;
        drop_campaign(copy.drop, envelope->campaign);
        return callback_body(copy.drop, envelope->received_at_ms, body);
    }
    envelope->type = ENVELOPE_WEBHOOK;
    envelope->scheme = ENVELOPE_V1;
    (void)snprintf(envelope->event_id, sizeof envelope->event_id, "00000000-0000-4000-8000-%012" PRIx64, copy.drop);
    (void)snprintf(envelope->attempt, sizeof envelope->attempt, "1");
    return status_body(copy.drop, envelope->received_at_ms, envelope->event_id, body);
}

/* Groups of `apart` callbacks, each with their status webhooks behind it. */
struct drop_copy drop_copy_at(uint64_t place, uint64_t drops, uint64_t apart)
{
    uint64_t first = place / (2 * apart) * apart;
    uint64_t within = place % (2 * apart);
    uint64_t size = drops - first < apart ? drops - first : apart;

    if (within < size)
        return (struct drop_copy){.drop = first + within};
    return (struct drop_copy){.drop = first + within - size, .status = true};
}
