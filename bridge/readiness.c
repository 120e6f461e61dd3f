#include "bridge.h"

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
    static const char *const words[] = {
        [SPOOL_OPENING] = "opening", [SPOOL_OPEN] = "empty", [SPOOL_IS_FULL] = "full", [SPOOL_HAS_FAILED] = "failed"};
    char word[40];

    snprintf(word, sizeof word, "%s", words[spool->state]);
    if (spool->state == SPOOL_OPEN && spool->waiting > 0)
        snprintf(word, sizeof word, "%lld waiting", (long long)spool->waiting);
    buf_printf(members, ",\"spool\":\"%s\",\"spool_waiting\":%lld,\"spool_bytes\":%lld", word,
               (long long)spool->waiting, (long long)spool->bytes);
    report_problem(members, "spool_problem", spool->problem);
}

static void report_routes(struct buf *members, const struct bridge *bridge)
{
    const char *callback = "ready";

    if (bridge->config->callback_auth == CALLBACK_AUTH_OFF)
        callback = "unverified";
    else if (!ingest_takes_callbacks(bridge->ingest, NULL))
        callback = "not configured: POST /callbacks/dropcowboy answers 503";
    else if (!ingest_takes_callbacks(bridge->ingest, ""))
        callback = "ready for the campaigns of CALLBACK_CAMPAIGN_SECRETS; others are answered 503";
    buf_printf(members, ",\"webhook\":\"%s\",\"callback\":\"%s\"",
               ingest_takes_webhooks(bridge->ingest) ? "ready"
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

static void report_connections(struct buf *members, struct http_server *http)
{
    struct connections_status status;

    http_server_connections(http, &status);
    buf_printf(members, ",\"connections\":{\"held\":%zu,\"threads\":%zu,\"short\":%s", status.held, status.threads,
               status.threads_short ? "true" : "false");
    for (int i = 0; i < CONNECTION_STATES; i++)
        buf_printf(members, ",\"%s\":%zu", connection_state_name((enum connection_state)i), status.states[i]);
    buf_printf(members, "}");
}

bool bridge_ready(void *context, struct buf *members)
{
    const struct bridge *bridge = context;
    struct http_server *http = atomic_load(&bridge->http);
    struct broker_status broker;
    struct spool_status spool;

    pool_status(bridge->publishers, &broker);
    report_broker(members, &broker);
    spool_status(bridge->spool, &spool);
    if (spool.problem[0] == '\0')
        spool_drain_problem(bridge->drain, spool.problem);
    report_spool(members, &spool);
    report_routes(members, bridge);
    refusals_report(bridge->refusals, members);
    if (!http) {
        buf_printf(members, ",\"listener\":\"not open yet, or no longer\"");
        return false;
    }
    report_connections(members, http);
    return (broker.state == BROKER_OPEN && !broker.refusing) || spool.state == SPOOL_OPEN;
}
