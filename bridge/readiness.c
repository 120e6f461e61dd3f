#include "readiness.h"

#include "common/error.h"

#include <stdio.h>
#include <string.h>

static void report_problem(struct buf *members, const char *name, const char *problem)
{
    if (*problem == '\0')
        return;
    buf_printf(members, ",\"%s\":", name);
    buf_append_json_string(members, problem, strlen(problem));
}

static void report_spool(struct buf *members, const struct spool_status *spool)
{
    const char *word = "empty";
    char waiting[40];

    if (spool->waiting > 0) {
        snprintf(waiting, sizeof waiting, "%lld waiting", (long long)spool->waiting);
        word = waiting;
    }
    switch (spool->state) {
    case SPOOL_OPENING:
        word = "opening";
        break;
    case SPOOL_OPEN:
        break;
    case SPOOL_IS_FULL:
        word = "full";
        break;
    case SPOOL_HAS_FAILED:
        word = "failed";
        break;
    }
    buf_printf(members, ",\"spool\":\"%s\",\"spool_waiting\":%lld,\"spool_bytes\":%lld", word,
               (long long)spool->waiting, (long long)spool->bytes);
    report_problem(members, "spool_problem", spool->problem);
}

static void report_routes(struct buf *members, const struct readiness *parts)
{
    const char *callback = "ready";

    if (parts->callback_auth_off)
        callback = "unverified";
    else if (!ingest_takes_callbacks(parts->ingest, NULL))
        callback = "not configured: POST /callbacks/dropcowboy answers 503";
    else if (!ingest_takes_callbacks(parts->ingest, ""))
        callback = "ready for the campaigns of CALLBACK_CAMPAIGN_SECRETS; others are answered 503";
    buf_printf(members, ",\"webhook\":\"%s\",\"callback\":\"%s\"",
               ingest_takes_webhooks(parts->ingest) ? "ready"
                                                     : "not configured: POST /webhooks/dropcowboy answers 503",
               callback);
}

static void report_broker(struct buf *members, const struct broker_status *broker)
{
    static const char *const words[] = {[BROKER_AWAY] = "away", [BROKER_BLOCKED] = "blocked", [BROKER_OPEN] = "connected"};

    buf_printf(members, "\"broker\":\"%s\"", broker->refusing ? "refusing" : words[broker->state]);
    if (broker->state != BROKER_BLOCKED)
        report_problem(members, "broker_problem", broker->problem);
}

static void report_connections(struct buf *members, const struct readiness *parts)
{
    struct connections_status status;

    http_server_connections(parts->http, &status);
    buf_printf(members, ",\"connections\":{\"held\":%zu,\"threads\":%zu,\"short\":%s", status.held, status.threads,
               status.threads_short ? "true" : "false");
    for (int i = 0; i < CONNECTION_STATES; i++)
        buf_printf(members, ",\"%s\":%zu", connection_state_name((enum connection_state)i), status.states[i]);
    buf_printf(members, "}");
}

bool readiness_report(const struct readiness *parts, struct buf *members)
{
    struct broker_status broker;
    struct spool_status spool;

    pool_status(parts->publishers, &broker);
    report_broker(members, &broker);
    spool_status(parts->spool, &spool);
    if (spool.problem[0] == '\0')
        spool_drain_problem(parts->drain, spool.problem);
    report_spool(members, &spool);
    report_routes(members, parts);
    refusals_report(parts->refusals, members);
    if (!parts->http) {
        buf_printf(members, ",\"listener\":\"not open yet, or no longer\"");
        return false;
    }
    report_connections(members, parts);
    return (broker.state == BROKER_OPEN && !broker.refusing) || spool.state == SPOOL_OPEN;
}
