#include "bridge_config.h"

#include "../common/amqp_session.h"
#include "../common/amqp_tls.h"
#include "../common/clock.h"
#include "../common/development_secret.h"
#include "../common/limits.h"
#include "../common/tls_files.h"
#include "../common/tls_peer.h"
#include "spool.h"
#include "tls_listener.h"

#include <stddef.h>
#include <string.h>

static const char *const auth_choices[] = {"token", "off", NULL};
static const char *const level_choices[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_choices[] = {"text", "json", NULL};

/* AMQP short strings end at 255 bytes; "amq." belongs to the broker. */
static bool check_amqp_name(const char *value, struct error *error)
{
    const size_t len = strlen(value);

    if (len >= 1 && len <= 255 && strncmp(value, "amq.", 4) != 0)
        return true;
    error_set(error, ERROR_CONFIG, "must be a name of 1 to 255 bytes that does not begin with amq.");
    return false;
}

static bool check_amqp_urls(const char *value, struct error *error)
{
    return amqp_urls_count(value, error) > 0;
}

static bool asks_for_tls(const char *listen)
{
    const size_t len = strlen(listen);

    return len > 0 && listen[len - 1] == 's';
}

static bool check_no_tls(const char *value, struct error *error)
{
    if (!asks_for_tls(value))
        return true;
    error_set(error, ERROR_CONFIG,
              "asks for TLS, which the admin listener does not have: leave out the s behind the port");
    return false;
}

static bool check_certificate(const char *value, struct error *error)
{
    return *value == '\0' || tls_files_check_identity(value, error);
}

#define AT(field) offsetof(struct bridge_config, field)

static const struct setting settings[] = {
    {.name = "LISTEN",
     .type = SETTING_LISTEN,
     .offset = AT(listen),
     .default_text = "0.0.0.0:8080",
     .meaning = "public HTTP; port 0 picks a free one and logs it; an s behind the port: TLS"},
    {.name = "TLS_CERT_FILE",
     .type = SETTING_TEXT,
     .offset = AT(tls_cert_file),
     .check = check_certificate,
     .meaning = "PEM with the key, the certificate and its chain, for LISTEN with TLS"},
    {.name = "ADMIN_LISTEN",
     .type = SETTING_LISTEN,
     .offset = AT(admin_listen),
     .default_text = "127.0.0.1:9090",
     .check = check_no_tls,
     .meaning = "/healthz /readyz /metrics; port 0 picks a free one and logs it"},
    {.name = "WEBHOOK_SECRET",
     .type = SETTING_SECRETS,
     .offset = AT(webhook_secrets),
     .file_variant = true,
     .secret = true,
     .meaning = "signing secrets, comma-separated, each tried"},
    {.name = "CALLBACK_SECRET",
     .type = SETTING_SECRETS,
     .offset = AT(callback_secrets),
     .file_variant = true,
     .secret = true,
     .meaning = "keys of the callback tokens, comma-separated; the first mints"},
    {.name = "CALLBACK_AUTH",
     .type = SETTING_CHOICE,
     .offset = AT(callback_auth),
     .default_text = "token",
     .choices = auth_choices,
     .meaning = "token, or off to take callbacks unverified"},
    {.name = "TIMESTAMP_TOLERANCE_S",
     .type = SETTING_INTEGER,
     .offset = AT(timestamp_tolerance_s),
     .default_text = "300",
     .min = 1,
     .max = 86400,
     .meaning = "how far X-Timestamp may be from now"},
    {.name = "MAX_BODY_BYTES",
     .type = SETTING_INTEGER,
     .offset = AT(max_body_bytes),
     .default_text = "1048576",
     .min = 1,
     .max = LIMIT_BODY_MAX,
     .meaning = "413 past it"},
    {.name = "HTTP_THREADS",
     .type = SETTING_INTEGER,
     .offset = AT(http_threads),
     .default_text = "2048",
     .min = 1,
     .max = 16384,
     .meaning = "connections served at once"},
    /* At the most less than the HTTP library's own time for a read, which would end it in silence. */
    {.name = "BODY_TIMEOUT_MS",
     .type = SETTING_INTEGER,
     .offset = AT(body_timeout_ms),
     .default_text = "4000",
     .min = 100,
     .max = 9000,
     .meaning = "whole body, first to last byte"},
    {.name = "CONFIRM_TIMEOUT_MS",
     .type = SETTING_INTEGER,
     .offset = AT(confirm_timeout_ms),
     .default_text = "2500",
     .min = 1,
     .max = 3000, /* the answer must come within 4 s of the last byte, and the spool needs its share of them */
     .meaning = "how long to wait for the broker's confirm before the spool is used"},
    {.name = "AMQP_URL",
     .type = SETTING_TEXT,
     .offset = AT(amqp_urls),
     .default_text = "amqp://guest:guest@127.0.0.1:5672/%2f",
     .file_variant = true,
     .secret = true,
     .check = check_amqp_urls,
     .meaning = "RabbitMQ, amqps:// with TLS; comma-separated for a cluster, tried in turn"},
    {.name = "AMQP_CA_FILE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_ca_file),
     .check = tls_peer_check_ca,
     .meaning = "PEM with the authorities trusted for amqps://; empty: the system's"},
    {.name = "AMQP_CERT_FILE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_cert_file),
     .check = tls_peer_check_certificate,
     .meaning = "PEM with key and certificate to show to an amqps:// broker that asks for one"},
    {.name = "AMQP_PUBLISHERS",
     .type = SETTING_INTEGER,
     .offset = AT(amqp_publishers),
     .default_text = "1",
     .min = 1,
     .max = 64,
     .meaning = "publishing connections"},
    {.name = "AMQP_EXCHANGE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_exchange),
     .default_text = "dropcowboy",
     .check = check_amqp_name,
     .meaning = "exchange for events"},
    {.name = "AMQP_QUEUE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_queue),
     .default_text = "dropcowboy.events",
     .check = check_amqp_name,
     .meaning = "queue and routing key of events"},
    {.name = "AMQP_REJECTED_QUEUE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_rejected_queue),
     .default_text = "dropcowboy.rejected",
     .check = check_amqp_name,
     .meaning = "fanout exchange and queue of rejected messages"},
    {.name = "SPOOL_PATH",
     .type = SETTING_TEXT,
     .offset = AT(spool_path),
     .default_text = "./spool.db",
     .meaning = "file for what the broker has not confirmed; on a local disk"},
    {.name = "SPOOL_MAX_BYTES",
     .type = SETTING_INTEGER,
     .offset = AT(spool_max_bytes),
     .default_text = "1073741824",
     .min = 1024 * 1024,
     .max = INT64_MAX,
     .meaning = "size of the spool; past it events are refused with 503"},
    {.name = "REDIS_URL",
     .type = SETTING_TEXT,
     .offset = AT(redis_url),
     .default_text = "redis://127.0.0.1:6379/0",
     .file_variant = true,
     .secret = true,
     .meaning = "taken so that both programs can share a file; not used here"},
    {.name = "REDIS_PREFIX",
     .type = SETTING_TEXT,
     .offset = AT(redis_prefix),
     .default_text = "dc:",
     .meaning = "as REDIS_URL"},
    {.name = "LOG_LEVEL",
     .type = SETTING_CHOICE,
     .offset = AT(log_level),
     .default_text = "info",
     .choices = level_choices,
     .meaning = "error, warn, info or debug"},
    {.name = "LOG_FORMAT",
     .type = SETTING_CHOICE,
     .offset = AT(log_format),
     .default_text = "text",
     .choices = format_choices,
     .meaning = "text or json, to stderr"},
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

static bool check_secrets(const struct bridge_config *config, struct config_report *report)
{
    const bool webhooks = config->webhook_secrets.count > 0;
    const bool callbacks = config->callback_secrets.count > 0 || config->callback_auth == CALLBACK_AUTH_OFF;

    /* What was given but cannot be used has its own sentence already. */
    if (config_row_failed(report, "WEBHOOK_SECRET") || config_row_failed(report, "CALLBACK_SECRET"))
        return false;
    if (!webhooks && !callbacks) {
        config_problem(report, "nothing to verify requests with: set WEBHOOK_SECRET, CALLBACK_SECRET or both "
                               "(or CALLBACK_AUTH=off to take callbacks unverified)");
        return false;
    }
    if (!webhooks)
        config_warning(report, "WEBHOOK_SECRET is not set: POST /webhooks/dropcowboy answers 503");
    if (!callbacks)
        config_warning(report, "CALLBACK_SECRET is not set: POST /callbacks/dropcowboy answers 503");
    if (config->callback_auth == CALLBACK_AUTH_OFF)
        config_warning(report, "CALLBACK_AUTH=off: anyone who knows the URL can send callbacks");
    return true;
}

static bool check_counts(const struct bridge_config *config, struct config_report *report)
{
    const size_t counts[] = {config->webhook_secrets.count, config->callback_secrets.count};
    static const char *const names[] = {"WEBHOOK_SECRET", "CALLBACK_SECRET"};
    bool ok = true;

    for (size_t i = 0; i < 2; i++) {
        if (counts[i] <= LIMIT_SECRETS)
            continue;
        config_problem(report, "%s names %zu secrets; %d at the most", names[i], counts[i], LIMIT_SECRETS);
        ok = false;
    }
    if (strcmp(config->amqp_queue, config->amqp_rejected_queue) == 0) {
        config_problem(report, "AMQP_QUEUE and AMQP_REJECTED_QUEUE must differ");
        ok = false;
    }
    if (strcmp(config->amqp_exchange, config->amqp_rejected_queue) == 0) {
        config_problem(report, "AMQP_EXCHANGE and AMQP_REJECTED_QUEUE must differ: both name an exchange");
        ok = false;
    }
    return ok;
}

/* It works all the same, as long as RabbitMQ takes the large ones. */
static void check_spool_size(const struct bridge_config *config, struct config_report *report)
{
    const int64_t needed = spool_bytes_for(config->max_body_bytes);

    if (!config_row_failed(report, "MAX_BODY_BYTES") && !config_row_failed(report, "SPOOL_MAX_BYTES") &&
        config->spool_max_bytes < needed)
        config_warning(report,
                       "a body of MAX_BODY_BYTES=%lld does not fit into a spool of SPOOL_MAX_BYTES=%lld: such a one is "
                       "refused while RabbitMQ does not take it; allow at least %lld",
                       (long long)config->max_body_bytes, (long long)config->spool_max_bytes, (long long)needed);
}

static bool check_tls(const struct bridge_config *config, struct config_report *report)
{
    struct tls_validity validity;
    struct error error;
    char doubt[ERROR_TEXT];
    const bool has_file = *config->tls_cert_file != '\0';

    if (config_row_failed(report, "LISTEN") || config_row_failed(report, "TLS_CERT_FILE"))
        return false;
    if (!asks_for_tls(config->listen)) {
        if (has_file)
            config_warning(report,
                           "TLS_CERT_FILE is not used: LISTEN=%s asks for no TLS, which is an s behind the port",
                           config->listen);
        return true;
    }
    if (!has_file) {
        config_problem(report,
                       "LISTEN=%s asks for TLS: set TLS_CERT_FILE to a PEM file with the key, the certificate and "
                       "its chain",
                       config->listen);
        return false;
    }
    if (!tls_listener_load_names(&error)) {
        config_problem(report, "%s", error.text);
        return false;
    }
    if (tls_files_validity_of(config->tls_cert_file, &validity) &&
        tls_files_doubt(&validity, config->tls_cert_file, clock_wall_ms() / 1000, doubt))
        config_warning(report, "%s", doubt);
    return true;
}

bool bridge_config_load(const char *config_file, char *const *environment, struct bridge_config *out,
                        struct config_report *report)
{
    bool ok;

    memset(out, 0, sizeof *out);
    ok = config_load(settings, SETTING_COUNT, config_file, environment, out, report);
    /* All of them, so that every problem is named at once. */
    ok &= check_secrets(out, report);
    ok &= check_counts(out, report);
    ok &= check_tls(out, report);
    amqp_tls_check_settings(out->amqp_urls, out->amqp_ca_file, out->amqp_cert_file, report);
    check_spool_size(out, report);
    development_secret_warn("WEBHOOK_SECRET", &out->webhook_secrets, report);
    development_secret_warn("CALLBACK_SECRET", &out->callback_secrets, report);
    development_password_warn("AMQP_URL", out->amqp_urls, report);
    return ok;
}

void bridge_config_clear(struct bridge_config *config)
{
    config_clear(settings, SETTING_COUNT, config);
}

void bridge_config_help(struct buf *out)
{
    config_print_help(settings, SETTING_COUNT, out);
}
