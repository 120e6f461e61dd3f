#include "counters.h"

#include "common/clock.h"
#include "common/drops/reasons.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 400, FIELD_SIZE = 24, MINUTE_MS = 60000, MINUTE_TTL_S = 86400, DAY_TTL_S = 62 * 86400 };

/* tally_class.kind: what counts otherwise than others of the same campaign. */
enum class_kind { CLASS_FIRST, CLASS_FIRST_NOT_HERE, CLASS_LATER, CLASS_MOVED, CLASS_COPY /* + enum copy_counter */ };

static unsigned key(const struct counters *counters, int64_t ttl_s, const char *name)
{
    char text[KEY_SIZE];

    snprintf(text, sizeof text, "%s%s", counters->prefix, name);
    return tally_key(counters->tally, text, TALLY_PLAIN, ttl_s);
}

static unsigned campaign_key(const struct counters *counters, uint32_t campaign, const char *what)
{
    char name[LIMIT_CAMPAIGN + 32];

    snprintf(name, sizeof name, "campaign:%s:%s", counters->names.name_of(counters->names.context, campaign), what);
    return key(counters, 0, name);
}

static unsigned minute_key(const struct counters *counters, int64_t received_ms)
{
    char iso[CLOCK_ISO_SIZE], name[32];

    clock_iso8601_ms(received_ms, iso);
    snprintf(name, sizeof name, "minute:%.4s%.2s%.2s%.2s%.2s", iso, iso + 5, iso + 8, iso + 11, iso + 14);
    return key(counters, MINUTE_TTL_S, name);
}

static unsigned day_key(const struct counters *counters, uint32_t campaign, int64_t received_ms)
{
    char iso[CLOCK_ISO_SIZE], name[LIMIT_CAMPAIGN + 32];

    clock_iso8601_ms(received_ms, iso);
    snprintf(name, sizeof name, "campaign:%s:day:%.4s%.2s%.2s",
             counters->names.name_of(counters->names.context, campaign), iso, iso + 5, iso + 8);
    return key(counters, DAY_TTL_S, name);
}

static unsigned generation_cell(const struct counters *counters, uint32_t generation)
{
    char field[FIELD_SIZE];

    snprintf(field, sizeof field, "%" PRIu32, generation);
    return tally_field(counters->tally, key(counters, 0, "drops:sizes"), field);
}

/* A field of the campaign's counters, and the same of the totals'. */
static void add_both(const struct counters *counters, unsigned class, uint32_t campaign, const char *field)
{
    struct tally *tally = counters->tally;

    tally_class_add(tally, class, tally_field(tally, campaign_key(counters, campaign, "counters"), field));
    tally_class_add(tally, class, tally_field(tally, key(counters, 0, "totals"), field));
}

static unsigned cost_cells(struct tally *tally, unsigned key)
{
    static const char *const fields[] = {"product_cost_micros", "compliance_fee_micros", "tts_fee_micros"};
    unsigned first = tally_field(tally, key, fields[0]);

    tally_field(tally, key, fields[1]);
    tally_field(tally, key, fields[2]);
    return first;
}

static void add_counted(const struct counters *counters, unsigned class, const struct counted *counted)
{
    struct tally *tally = counters->tally;
    bool failed = counted->outcome == OUTCOME_FAILURE;

    add_both(counters, class, counted->campaign, "messages");
    add_both(counters, class, counted->campaign, failed ? "failure" : "success");
    if (counted->flags & 2)
        add_both(counters, class, counted->campaign, "dnc");
    if (counted->flags & 1)
        add_both(counters, class, counted->campaign, "spam");
    if (failed) {
        const char *slug = reason_by_number(counted->reason)->slug;

        tally_class_add(tally, class, tally_field(tally, campaign_key(counters, counted->campaign, "reasons"), slug));
        tally_class_add(tally, class, tally_field(tally, key(counters, 0, "totals:reasons"), slug));
    }
    tally_class_costs(tally, class, cost_cells(tally, campaign_key(counters, counted->campaign, "counters")),
                      cost_cells(tally, key(counters, 0, "totals")));
}

static struct tally_class class_of(enum class_kind kind, const struct counted *counted)
{
    struct tally_class class;

    memset(&class, 0, sizeof class);
    class.kind = (uint8_t)kind;
    class.campaign = counted->campaign;
    class.outcome = (uint8_t)counted->outcome;
    class.reason = counted->reason;
    class.flags = counted->flags;
    return class;
}

unsigned counters_first(const struct counters *counters, const struct counted *counted, int64_t received_ms,
                        uint32_t generation, bool new_here)
{
    struct tally_class what = class_of(new_here ? CLASS_FIRST : CLASS_FIRST_NOT_HERE, counted);
    const char *outcome = counted->outcome == OUTCOME_FAILURE ? "failure" : "success";
    struct tally *tally = counters->tally;
    unsigned class, day;
    bool made;

    what.minute = received_ms / MINUTE_MS;
    class = tally_class(counters->tally, &what, &made);
    if (!made)
        return class;
    add_counted(counters, class, counted);
    day = day_key(counters, counted->campaign, received_ms);
    tally_class_add(tally, class, tally_field(tally, minute_key(counters, received_ms), outcome));
    tally_class_add(tally, class, tally_field(tally, day, outcome));
    tally_class_cost(tally, class, tally_field(tally, day, "cost_micros"));
    if (new_here)
        tally_class_add(tally, class, generation_cell(counters, generation));
    return class;
}

unsigned counters_later(const struct counters *counters, const struct counted *counted)
{
    struct tally_class what = class_of(CLASS_LATER, counted);
    bool made;
    unsigned class = tally_class(counters->tally, &what, &made);

    if (made)
        add_counted(counters, class, counted);
    return class;
}

unsigned counters_copy(const struct counters *counters, uint32_t campaign, enum copy_counter counter)
{
    static const char *const fields[] = {
        [COPY_DUPLICATE] = "duplicate", [COPY_REVISED] = "revised", [COPY_UNRECOGNIZED] = "unrecognized"};
    struct tally_class what = class_of(CLASS_COPY, &(struct counted){.campaign = campaign});
    unsigned class;
    bool made;

    what.kind = (uint8_t)(CLASS_COPY + counter);
    class = tally_class(counters->tally, &what, &made);
    if (made)
        add_both(counters, class, campaign, fields[counter]);
    return class;
}

unsigned counters_moved(const struct counters *counters, uint32_t generation)
{
    struct tally_class what = class_of(CLASS_MOVED, &(struct counted){0});
    bool made;
    unsigned class = tally_class(counters->tally, &what, &made);

    if (made)
        tally_class_add(counters->tally, class, generation_cell(counters, generation));
    return class;
}

unsigned counters_named(const struct counters *counters, const char *name, const char *field)
{
    char text[KEY_SIZE];
    unsigned class = tally_class_alone(counters->tally);

    snprintf(text, sizeof text, "%s%s", counters->prefix, name);
    tally_class_add(counters->tally, class,
                    tally_field(counters->tally, tally_key(counters->tally, text, TALLY_NAMED, 0), field));
    return class;
}

void counters_campaign_opt_out(const struct counters *counters, uint32_t campaign, int64_t received_ms,
                               unsigned cells[2])
{
    cells[0] = tally_field(counters->tally, campaign_key(counters, campaign, "counters"), "opt_out");
    cells[1] = tally_field(counters->tally, day_key(counters, campaign, received_ms), "opt_out");
}

void counters_opt_out(const struct counters *counters, int64_t received_ms, unsigned cells[2])
{
    cells[0] = tally_field(counters->tally, key(counters, 0, "totals"), "opt_out");
    cells[1] = tally_field(counters->tally, minute_key(counters, received_ms), "opt_out");
}
