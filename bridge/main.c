/* dropbridge: takes Drop Cowboy's webhooks over HTTP, verifies them, puts the raw bytes into RabbitMQ, or into a local
   spool until RabbitMQ takes them. */
#include "bridge.h"
#include "capacity.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/service_notify.h"
#include "common/stop_signal.h"
#include "common/timers.h"

#include <sys/random.h>

enum {
    /* A stop ends within 10 s. Of these the slowest request that is waited for may take so many, ... */
    DRAIN_MAX_MS = 6000,
    /* ... half a second is for the answers of those who are cut off, 2 s are the HTTP library's, should a connection not
       end, and this is for confirms that nobody waits for. */
    FLUSH_MS = 300,
    /* Whatever still waits for a disk or a peer then is left. */
    STOP_MAX_MS = 9500,
    /* How long the drain's messages on their way are waited for; without a confirm they stay in the spool. */
    DRAIN_FLUSH_MS = 500,
    /* The bridge that is being replaced holds the spool until it has stopped: tried in steps, between which a stop
       signal is heard. */
    SPOOL_LOCK_MS = 12000,
    SPOOL_LOCK_STEP_MS = 100,
    /* How long listening waits for the broker and the spool, so that the first events find both. */
    PLACES_WAIT_MS = 300,
    STOP_LOOK_MS = 20,
    WATCH_MS = TIMER_MS(1000), /* how often refused requests are told of */
    MMAP_FROM = 64 * 1024, /* bytes */
};

static void refresh_metrics(void *context)
{
    struct bridge *bridge = context;
    struct http_server *http = atomic_load(&bridge->http);
    struct connections_status status;

    if (http)
        http_server_connections(http, &status); /* sets the gauges */
    metric_set(&bridge->metrics->rows[METRIC_LOG_LINES_DROPPED], (int64_t)log_lines_dropped());
}

/* ---- the two places of a message ---- */

static enum publish_outcome to_broker(void *context, struct pending_message *message, int64_t deadline_ms)
{
    struct bridge *bridge = context;

    return pool_submit(bridge->publishers, message, deadline_ms);
}

static enum publish_outcome to_spool(void *context, struct pending_message *message, int64_t deadline_ms)
{
    struct bridge *bridge = context;

    return spool_submit(bridge->spool, message, deadline_ms);
}

/* ---- start ---- */

static struct keyring_secrets secrets_of(const struct bridge_settings *config)
{
    return (struct keyring_secrets){config->webhook_secrets, config->callback_secrets, config->callback_campaign_secrets};
}

static bool start_core(struct bridge *bridge, struct error *error)
{
    const struct bridge_settings *config = bridge->config;
    struct ingest_settings ingest = {.secrets = secrets_of(config),
                                     .callback_auth_off = config->callback_auth == CALLBACK_AUTH_OFF,
                                     .timestamp_tolerance_s = config->timestamp_tolerance_s,
                                     .broker = {to_broker, bridge},
                                     .spool = {to_spool, bridge},
                                     .confirm_timeout_ms = config->confirm_timeout_ms,
                                     .metrics = bridge_metrics_new()};

    bridge->metrics = ingest.metrics;
    bridge->refusals = refusals_new();
    if (!bridge->metrics || !bridge->refusals)
        error_set(error, ERROR_NO_MEMORY, "no memory for the counts");
    else if (getrandom(&ingest.boot_id, sizeof ingest.boot_id, 0) != (ssize_t)sizeof ingest.boot_id)
        error_set(error, ERROR_INTERNAL, "no random number from the system");
    else
        bridge->ingest = ingest_new(&ingest, error);
    return bridge->ingest != NULL;
}

/* False with ERROR_NONE: told to stop. */
static bool start_spool(struct bridge *bridge, struct error *error)
{
    const struct spool_settings settings = {.path = bridge->config->spool_path,
                                            .max_bytes = bridge->config->spool_max_bytes};
    const int64_t deadline_ms = clock_monotonic_ms() + SPOOL_LOCK_MS;

    for (bool told = false;; told = true) {
        bridge->spool = spool_start(&settings, bridge->metrics, error);
        if (bridge->spool || error->code != ERROR_REFUSED || clock_monotonic_ms() >= deadline_ms)
            return bridge->spool != NULL;
        error->code = ERROR_NONE;
        if (!told)
            log_info("another process holds the spool %s: waiting up to %d s for it to stop", settings.path, SPOOL_LOCK_MS / 1000);
        if (stop_signal_wait(SPOOL_LOCK_STEP_MS))
            return false;
    }
}

/* Waits a moment for the broker and the spool, whatever becomes of them. False: told to stop. */
static bool await_places(struct bridge *bridge)
{
    const int64_t deadline_ms = clock_monotonic_ms() + PLACES_WAIT_MS;
    struct spool_status spool;

    for (;;) {
        spool_status(bridge->spool, &spool);
        if ((pool_has_tried(bridge->publishers) && spool.state != SPOOL_OPENING) || clock_monotonic_ms() >= deadline_ms)
            return true;
        if (stop_signal_wait(STOP_LOOK_MS))
            return false;
    }
}

/* In the thread of reread.h, as the next. */
static bool take_secrets(void *context, const void *config, struct config_report *report)
{
    struct bridge *bridge = context;
    const struct bridge_settings *settings = config;
    const struct keyring_secrets secrets = secrets_of(settings);
    struct error error;

    if (!bridge_settings_check_secrets(settings, report))
        return false;
    if (ingest_take_secrets(bridge->ingest, &secrets, &error))
        return true;
    config_problem(report, "%s", error.text);
    return false;
}

static void look_at_certificate(void *context, struct config_report *report)
{
    struct bridge *bridge = context;
    struct http_server *http = atomic_load(&bridge->http);

    if (http)
        http_server_look(http, report);
}

static bool start_listeners(struct bridge *bridge, struct error *error)
{
    const struct bridge_settings *config = bridge->config;
    const struct admin_config admin = {.listen = config->admin_listen,
                                       .metrics = bridge->metrics->rows,
                                       .metric_count = BRIDGE_METRIC_COUNT,
                                       .ready = bridge_ready,
                                       .refresh = refresh_metrics,
                                       .context = bridge,
                                       .reread = bridge->reread};

    /* First what needs a few threads: HTTP_THREADS takes nearly all that are left. */
    if (!reread_start(bridge->reread, &(struct reread_ops){take_secrets, look_at_certificate, bridge}, error))
        return false;
    bridge->admin = admin_server_start(&admin, error);
    if (bridge->admin)
        atomic_store(&bridge->http, http_server_start(config, capacity_threads(config->http_threads), bridge->ingest, bridge->refusals,
                                                      bridge->metrics, error));
    return atomic_load(&bridge->http) != NULL;
}

static bool start(struct bridge *bridge, struct error *error)
{
    const struct bridge_settings *config = bridge->config;

    if (!start_core(bridge, error) || !start_spool(bridge, error))
        return false;
    bridge->publishers = pool_start(&bridge->amqp, (size_t)config->amqp_publishers, config->confirm_timeout_ms, bridge->metrics, error);
    if (!bridge->publishers || !await_places(bridge))
        return false;
    bridge->drain = spool_drain_start(bridge->spool, bridge->publishers, 0, 0, error);
    return bridge->drain && start_listeners(bridge, error);
}

/* ---- stop ---- */

/* Answers what is in flight, and frees what was started. */
static void stop(struct bridge *bridge)
{
    const int64_t slowest_ms = bridge->config->body_timeout_ms + INGEST_ANSWER_MS;
    const int64_t deadline_ms = clock_monotonic_ms() + (slowest_ms < DRAIN_MAX_MS ? slowest_ms : DRAIN_MAX_MS);
    struct http_server *http = atomic_load(&bridge->http);

    if (http) {
        http_server_refuse(http, deadline_ms);
        pool_stop_connecting(bridge->publishers);
    }
    /* What neither the requests nor their two places need ends while the last are served, for it may take as long; and before
       the listener, which it asks on behalf of /readyz. */
    admin_server_stop(bridge->admin);
    reread_stop(bridge->reread);
    spool_drain_stop(bridge->drain, clock_monotonic_ms() + DRAIN_FLUSH_MS);
    if (http)
        http_server_drain(http, deadline_ms);
    http_server_stop(http);
    if (bridge->refusals)
        refusals_tell(bridge->refusals, INT64_MAX);
    pool_stop(bridge->publishers, clock_monotonic_ms() + FLUSH_MS);
    spool_stop(bridge->spool);
    ingest_free(bridge->ingest);
    refusals_free(bridge->refusals);
    bridge_metrics_free(bridge->metrics);
}

static int run(const void *loaded, struct reread *reread)
{
    const struct bridge_settings *config = loaded;
    struct bridge bridge = {.config = config, .reread = reread, .amqp = SETTINGS_AMQP(config, reread)};
    struct error error = {0};
    int status = 0;

    if (start(&bridge, &error)) {
        service_notify_ready();
        while (!stop_signal_wait(WATCH_MS))
            refusals_tell(bridge.refusals, clock_monotonic_ms());
    } else if (error.code != ERROR_NONE) {
        status = program_fail(&error);
    }
    /* From here on another signal, or too long a stop, ends the program with `status`. First of all: whatever is done after it
       may take as long as it likes. */
    (void)stop_signal_guard(STOP_MAX_MS, status);
    log_info("stopping");
    service_notify_stopping();
    stop(&bridge);
    if (status == 0)
        log_info("stopped");
    return status;
}

int main(int argc, char **argv)
{
    static const char help[] =
        "dropbridge " DROPBRIDGE_VERSION ": takes Drop Cowboy's webhooks over HTTP, verifies them, "
        "puts them into RabbitMQ, or into a local spool until it takes them.\n\n"
        "usage: dropbridge [--config FILE] [--check-config] [--health] [--help] [--version]\n\n"
        "--health asks the bridge that runs with the same settings for its /readyz: exit status 0 "
        "if it is ready, else 1.\n\n"
        "Settings, from the environment or as KEY=VALUE lines of FILE (the environment wins):\n";
    struct bridge_settings config;
    struct program program = {.name = "dropbridge", .help = help, .load = bridge_settings_load, .run = run, .mmap_from = MMAP_FROM};

    program.rows = bridge_settings_rows(&program.row_count);
    return program_main(&program, &config, sizeof config, argc, argv);
}
