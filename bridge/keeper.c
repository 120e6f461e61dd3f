#include "keeper.h"

#include "../common/protection.h"

enum {
    /* A program that stops has other things to do after the last answer: the spool is tried this long before. */
    STOP_RESERVE_MS = 1000,
    /* For the control of the deadline. */
    WITHOUT_DEADLINE_MS = 60000,
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether somebody may still hold the ticket after this outcome. */
static bool is_shared(enum publish_outcome outcome)
{
    switch (outcome) {
    case PUBLISH_TIMEOUT:
        return true;
    case PUBLISH_CONFIRMED:
    case PUBLISH_FAILED:
    case PUBLISH_REFUSED:
    case PUBLISH_LOST:
    case PUBLISH_FULL:
    case PUBLISH_AWAY:
        break;
    }
    return false;
}

static bool keep_in_spool(const struct keeper *keeper, struct ticket *ticket, bool shared, int64_t deadline_ms)
{
    struct ticket *own = shared ? ticket_copy(ticket) : ticket;
    bool safe;

    if (!own || !protection("spool"))
        safe = false;
    else
        safe = keeper->spool(keeper->context, own, deadline_ms) == PUBLISH_CONFIRMED;
    if (shared)
        ticket_release(own);
    if (safe)
        bridge_count(keeper->metrics, METRIC_ACCEPTED_SPOOL, 1);
    return safe;
}

bool keeper_keep(const struct keeper *keeper, struct ticket *ticket, int64_t arrived_ms, int64_t last_ms)
{
    const int64_t more_ms = protection("deadline") ? 0 : WITHOUT_DEADLINE_MS;
    const int64_t broker_ms = earlier(arrived_ms + keeper->confirm_timeout_ms + more_ms, last_ms - STOP_RESERVE_MS);
    const int64_t answer_ms = earlier(arrived_ms + KEEPER_ANSWER_MS + more_ms, last_ms);
    enum publish_outcome outcome = PUBLISH_AWAY;

    /* Offered without time to wait it would be published as well as spooled. */
    if (broker_ms > arrived_ms)
        outcome = keeper->publish(keeper->context, ticket, broker_ms);
    if (outcome == PUBLISH_CONFIRMED) {
        bridge_count(keeper->metrics, METRIC_ACCEPTED_BROKER, 1);
        return true;
    }
    if (outcome == PUBLISH_TIMEOUT)
        bridge_count(keeper->metrics, METRIC_CONFIRM_TIMEOUTS, 1);
    return keep_in_spool(keeper, ticket, is_shared(outcome), answer_ms);
}
