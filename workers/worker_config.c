#include "worker_config.h"

#include "common/amqp_session.h"
#include "common/amqp_tls.h"
#include "common/development_secret.h"
#include "common/tls_peer.h"
#include "common/redis/settings.h"
#include "common/redis/tls.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum {
    AMQP_NAME_MAX = 255, /* AMQP 0-9-1: a short string */
    SEPARATOR_MAX = 32,
    YEAR_S = 366 * 86400,
};

static bool check_amqp_url(const char *value, struct error *error)
{
    return amqp_urls_count(value, error) > 0;
}

static bool check_amqp_name(const char *value, struct error *error)
{
    if (strlen(value) > AMQP_NAME_MAX) {
        error_set(error, ERROR_CONFIG, "is longer than %d bytes", AMQP_NAME_MAX);
        return false;
    }
    if (strncmp(value, "amq.", strlen("amq.")) == 0) {
        error_set(error, ERROR_CONFIG, "begins with \"amq.\", which RabbitMQ keeps for itself");
        return false;
    }
    return true;
}

static bool check_admin_listen(const char *value, struct error *error)
{
    size_t len = strlen(value);
    if (len > 0 && value[len - 1] == 's') {
        error_set(error, ERROR_CONFIG, "asks for TLS, which the admin listener does not have");
        return false;
    }
    return true;
}

static bool check_separator(const char *value, struct error *error)
{
    if (strlen(value) > SEPARATOR_MAX) {
        error_set(error, ERROR_CONFIG, "is longer than %d bytes", SEPARATOR_MAX);
        return false;
    }
    return true;
}

static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define AT(member) offsetof(struct worker_config, member)

static const struct setting rows[] = {
    {.name = "ADMIN_LISTEN",
     .type = SETTING_LISTEN,
     .offset = AT(admin_listen),
     .default_text = "127.0.0.1:9091",
     .check = check_admin_listen,
     .meaning = "address of /healthz, /readyz and /metrics; port 0 picks a free one"},
    {.name = "AMQP_URL",
     .type = SETTING_TEXT,
     .offset = AT(amqp_url),
     .file_variant = true,
     .secret = true,
     .default_text = "amqp://guest:guest@127.0.0.1:5672/%2f",
     .check = check_amqp_url,
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
    {.name = "AMQP_EXCHANGE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_exchange),
     .default_text = "dropcowboy",
     .check = check_amqp_name,
     .meaning = "direct exchange that events are published to"},
    {.name = "AMQP_QUEUE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_queue),
     .default_text = "dropcowboy.events",
     .check = check_amqp_name,
     .meaning = "queue of events"},
    {.name = "AMQP_REJECTED_QUEUE",
     .type = SETTING_TEXT,
     .offset = AT(amqp_rejected_queue),
     .default_text = "dropcowboy.rejected",
     .check = check_amqp_name,
     .meaning = "queue, and its fanout exchange, for what cannot be counted"},
    {.name = "PREFETCH",
     .type = SETTING_INTEGER,
     .offset = AT(prefetch),
     .default_text = "1024",
     .min = 1,
     .max = 65535,
     .meaning = "messages that RabbitMQ sends ahead of acknowledgements"},
    {.name = "BATCH_MAX",
     .type = SETTING_INTEGER,
     .offset = AT(batch_max),
     .default_text = "256",
     .min = 1,
     .max = 4096,
     .meaning = "events in one Redis call"},
    {.name = "BATCH_WAIT_MS",
     .type = SETTING_INTEGER,
     .offset = AT(batch_wait_ms),
     .default_text = "20",
     .min = 0,
     .max = 10000,
     .meaning = "how long a first event waits for more"},
    {.name = "REDIS_URL",
     .type = SETTING_TEXT,
     .offset = AT(redis_url),
     .file_variant = true,
     .secret = true,
     .default_text = "redis://127.0.0.1:6379/0",
     .check = redis_check_url,
     .meaning =
         "Redis, with user, password and database; rediss:// with TLS; redis-sentinel:// with the primary's name"},
    {.name = "REDIS_CA_FILE",
     .type = SETTING_TEXT,
     .offset = AT(redis_ca_file),
     .check = tls_peer_check_ca,
     .meaning = "PEM with the authorities trusted for rediss://; empty: the system's"},
    {.name = "REDIS_CERT_FILE",
     .type = SETTING_TEXT,
     .offset = AT(redis_cert_file),
     .check = tls_peer_check_certificate,
     .meaning = "PEM with key and certificate to show to a rediss:// server that asks for one"},
    {.name = "REDIS_SENTINEL_PASSWORD",
     .type = SETTING_TEXT,
     .offset = AT(redis_sentinel_password),
     .file_variant = true,
     .secret = true,
     .meaning = "the sentinels' own password; that of REDIS_URL is for Redis only"},
    {.name = "REDIS_PREFIX",
     .type = SETTING_TEXT,
     .offset = AT(redis_prefix),
     .default_text = "dc:",
     .check = redis_check_prefix,
     .meaning = "what every key begins with"},
    {.name = "REDIS_WAIT_REPLICAS",
     .type = SETTING_INTEGER,
     .offset = AT(redis_wait_replicas),
     .default_text = "0",
     .min = 0,
     .max = 16,
     .meaning = "replicas that must hold a batch before it is acknowledged"},
    {.name = "REDIS_AWAY_S",
     .type = SETTING_INTEGER,
     .offset = AT(redis_away_s),
     .default_text = "60",
     .min = 1,
     .max = 86400,
     .meaning = "Redis away for longer: give the messages in hand back to the queue"},
    {.name = "RETENTION_S",
     .type = SETTING_INTEGER,
     .offset = AT(retention_s),
     .default_text = "604800",
     .min = 60,
     .max = YEAR_S,
     .meaning = "how long a drop is remembered, at the least"},
    {.name = "RESULT_TTL_S",
     .type = SETTING_INTEGER,
     .offset = AT(result_ttl_s),
     .default_text = "86400",
     .min = 0,
     .max = YEAR_S,
     .meaning = "how long results can be looked up by foreign_id; 0 turns it off"},
    {.name = "RESULTS_STREAM_MAX",
     .type = SETTING_INTEGER,
     .offset = AT(results_stream_max),
     .default_text = "100000",
     .min = 0,
     .max = 1000000000,
     .meaning = "approximate length of the results stream; 0 turns it off"},
    {.name = "CAMPAIGN_FROM_FOREIGN_ID",
     .type = SETTING_TEXT,
     .offset = AT(campaign_from_foreign_id),
     .check = check_separator,
     .meaning = "separator behind which a foreign_id no longer names the campaign"},
    {.name = "LOG_LEVEL",
     .type = SETTING_CHOICE,
     .offset = AT(log_level),
     .default_text = "info",
     .choices = log_levels,
     .meaning = "error, warn, info or debug"},
    {.name = "LOG_FORMAT",
     .type = SETTING_CHOICE,
     .offset = AT(log_format),
     .default_text = "text",
     .choices = log_formats,
     .meaning = "text or json, to standard error"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

bool worker_config_load(const char *config_file, char *const *environment, struct worker_config *out,
                        struct config_report *report)
{
    memset(out, 0, sizeof *out);
    bool good = config_load(rows, ROWS, config_file, environment, out, report);
    if (strcmp(out->amqp_queue, out->amqp_rejected_queue) == 0) {
        config_problem(report,
                       "AMQP_QUEUE and AMQP_REJECTED_QUEUE are the same: rejected messages would come back for ever");
        good = false;
    }
    if (strcmp(out->amqp_exchange, out->amqp_rejected_queue) == 0) {
        config_problem(report, "AMQP_EXCHANGE and AMQP_REJECTED_QUEUE are the same: the latter names an exchange too");
        good = false;
    }
    amqp_tls_check_settings(out->amqp_url, out->amqp_ca_file, out->amqp_cert_file, report);
    redis_tls_check_settings(strncasecmp(out->redis_url, "rediss:", 7) == 0 || config_row_failed(report, "REDIS_URL"),
                             &(struct redis_tls_files){out->redis_ca_file, out->redis_cert_file}, report);
    development_password_warn("AMQP_URL", out->amqp_url, report);
    development_password_warn("REDIS_URL", out->redis_url, report);
    if (out->redis_sentinel_password[0] != '\0' && strncasecmp(out->redis_url, "redis-sentinel:", 15) != 0)
        config_warning(report, "REDIS_SENTINEL_PASSWORD is not used: REDIS_URL is not redis-sentinel://");
    if (out->batch_max > out->prefetch)
        config_warning(report,
                       "BATCH_MAX is more than PREFETCH: no batch can become full, and each waits BATCH_WAIT_MS");
    return good;
}

void worker_config_clear(struct worker_config *config)
{
    config_clear(rows, ROWS, config);
}

void worker_config_print_help(struct buf *out)
{
    config_print_help(rows, ROWS, out);
}
