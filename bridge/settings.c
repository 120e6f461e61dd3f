#include "settings.h"

#include "common/amqp_tls.h"
#include "common/clock.h"
#include "common/development_secret.h"
#include "common/tls_files.h"
#include "spool/spool.h"
#include "http/tls_listener.h"

#include <string.h>

static const struct setting settings[] = {
#define SETTING(bridge, worker, ctl, ...) SETTING_ROW(bridge, struct bridge_settings, __VA_ARGS__)
#include "common/settings.def"
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

static bool asks_for_tls(const char *listen)
{
    const size_t len = strlen(listen);

    return len > 0 && listen[len - 1] == 's';
}

static bool has_something_to_verify_with(const struct bridge_settings *config, struct config_report *report)
{
    const bool off = config->callback_auth == CALLBACK_AUTH_OFF;
    const bool webhooks = config->webhook_secrets.count > 0;
    const bool campaigns = config->callback_campaign_secrets.count > 0;

    /* What was given but cannot be used has its own sentence already. */
    if (config_row_failed(report, "WEBHOOK_SECRET") || config_row_failed(report, "CALLBACK_SECRET") ||
        config_row_failed(report, "CALLBACK_CAMPAIGN_SECRETS"))
        return true;
    if (!webhooks && config->callback_secrets.count == 0 && !campaigns && !off) {
        config_problem(report, "nothing to verify requests with: set WEBHOOK_SECRET, CALLBACK_SECRET or both "
                               "(or CALLBACK_AUTH=off to take callbacks unverified)");
        return false;
    }
    if (!webhooks)
        config_warning(report, "WEBHOOK_SECRET is not set: POST /webhooks/dropcowboy answers 503");
    if (config->callback_secrets.count == 0 && !off)
        config_warning(report, "CALLBACK_SECRET is not set: POST /callbacks/dropcowboy answers 503%s",
                       campaigns ? ", except for campaigns in CALLBACK_CAMPAIGN_SECRETS" : "");
    if (off)
        config_warning(report, "CALLBACK_AUTH=off: anyone who knows the URL can send callbacks");
    return true;
}

bool bridge_settings_check_secrets(const struct bridge_settings *config, struct config_report *report)
{
    const struct named_secrets verified_by[] = {{"WEBHOOK_SECRET", &config->webhook_secrets},
                                                {"CALLBACK_SECRET", &config->callback_secrets},
                                                {"CALLBACK_CAMPAIGN_SECRETS", &config->callback_campaign_secrets}};
    bool ok = has_something_to_verify_with(config, report);

    ok &= development_secrets_check(verified_by, config->callback_auth == CALLBACK_AUTH_OFF ? 1 : 3, report);
    return ok;
}

/* It works all the same, as long as RabbitMQ takes the large ones. */
static void check_spool_size(const struct bridge_settings *config, struct config_report *report)
{
    const int64_t needed = spool_bytes_for(config->max_body_bytes);

    if (!config_row_failed(report, "MAX_BODY_BYTES") && !config_row_failed(report, "SPOOL_MAX_BYTES") &&
        config->spool_max_bytes < needed)
        config_warning(report,
                       "a body of MAX_BODY_BYTES=%lld does not fit into a spool of SPOOL_MAX_BYTES=%lld: it is "
                       "refused while RabbitMQ does not take it; allow at least %lld",
                       (long long)config->max_body_bytes, (long long)config->spool_max_bytes, (long long)needed);
}

static bool check_tls(const struct bridge_settings *config, struct config_report *report)
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
    } else if (!tls_listener_load_names(&error)) {
        config_problem(report, "%s", error.text);
    } else {
        if (tls_files_validity_of(config->tls_cert_file, &validity) &&
            tls_files_doubt(&validity, config->tls_cert_file, clock_wall_ms() / 1000, doubt))
            config_warning(report, "%s", doubt);
        return true;
    }
    return false;
}

const struct setting *bridge_settings_rows(size_t *count)
{
    *count = SETTING_COUNT;
    return settings;
}

bool bridge_settings_load(const char *config_file, char *const *environment, void *config, struct config_report *report)
{
    struct bridge_settings *out = config;
    bool ok;

    memset(out, 0, sizeof *out);
    ok = config_load(settings, SETTING_COUNT, config_file, environment, out, report);
    /* All of them, so that every problem is named at once. */
    ok &= bridge_settings_check_secrets(out, report);
    ok &= settings_check_amqp_names(out->amqp_exchange, out->amqp_queue, out->amqp_rejected_queue, report);
    ok &= check_tls(out, report);
    amqp_tls_check_settings(out->amqp_url, out->amqp_ca_file, out->amqp_cert_file, report);
    check_spool_size(out, report);
    development_password_warn("AMQP_URL", out->amqp_url, report);
    return ok;
}
