#include "tool_config.h"

#include "common/amqp_session.h"
#include "common/redis/settings.h"
#include "common/tls_peer.h"

#include <unistd.h>

static bool check_amqp_url(const char *value, struct error *error)
{
    return amqp_urls_count(value, error) > 0;
}

static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define PLACE(member) .offset = offsetof(struct tool_config, member)

static const struct setting settings[] = {
    {.name = "WEBHOOK_SECRET",
     .type = SETTING_SECRETS,
     PLACE(webhook_secrets),
     .file_variant = true,
     .secret = true,
     .meaning = "signing secrets, comma-separated; the first signs"},
    {.name = "CALLBACK_SECRET",
     .type = SETTING_SECRETS,
     PLACE(callback_secrets),
     .file_variant = true,
     .secret = true,
     .meaning = "keys of the callback tokens, comma-separated; the first mints"},
    {.name = "AMQP_URL",
     .type = SETTING_TEXT,
     PLACE(amqp_url),
     .default_text = "amqp://guest:guest@127.0.0.1:5672/%2f",
     .file_variant = true,
     .secret = true,
     .meaning = "RabbitMQ, comma-separated for a cluster",
     .check = check_amqp_url},
    {.name = "AMQP_EXCHANGE",
     .type = SETTING_TEXT,
     PLACE(amqp_exchange),
     .default_text = "dropcowboy",
     .meaning = "the exchange of the events"},
    {.name = "AMQP_REJECTED_QUEUE",
     .type = SETTING_TEXT,
     PLACE(amqp_rejected_queue),
     .default_text = "dropcowboy.rejected",
     .meaning = "the queue of rejected messages"},
    {.name = "REDIS_URL",
     .type = SETTING_TEXT,
     PLACE(redis_url),
     .default_text = "redis://127.0.0.1:6379/0",
     .file_variant = true,
     .secret = true,
     .meaning = "Redis with the counters; rediss:// with TLS; redis-sentinel:// with the primary's name",
     .check = redis_check_url},
    {.name = "REDIS_CA_FILE",
     .type = SETTING_TEXT,
     PLACE(redis_ca_file),
     .meaning = "PEM with the authorities trusted for rediss://; empty: the system's",
     .check = tls_peer_check_ca},
    {.name = "REDIS_CERT_FILE",
     .type = SETTING_TEXT,
     PLACE(redis_cert_file),
     .meaning = "PEM with key and certificate to show to a rediss:// server that asks for one",
     .check = tls_peer_check_certificate},
    {.name = "REDIS_SENTINEL_PASSWORD",
     .type = SETTING_TEXT,
     PLACE(redis_sentinel_password),
     .file_variant = true,
     .secret = true,
     .meaning = "the sentinels' own password; that of REDIS_URL is for Redis only"},
    {.name = "REDIS_PREFIX",
     .type = SETTING_TEXT,
     PLACE(redis_prefix),
     .default_text = "dc:",
     .meaning = "what the keys begin with",
     .check = redis_check_prefix},
    {.name = "LOG_LEVEL",
     .type = SETTING_CHOICE,
     PLACE(log_level),
     .default_text = "info",
     .choices = log_levels,
     .meaning = "error, warn, info or debug"},
    {.name = "LOG_FORMAT",
     .type = SETTING_CHOICE,
     PLACE(log_format),
     .default_text = "text",
     .choices = log_formats,
     .meaning = "text or json, to stderr"},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

const struct setting *tool_settings(size_t *count)
{
    *count = SETTINGS;
    return settings;
}

bool tool_config_load(const char *config_file, struct tool_config *out, struct config_report *report)
{
    return config_load(settings, SETTINGS, config_file, environ, out, report);
}

void tool_config_clear(struct tool_config *config)
{
    config_clear(settings, SETTINGS, config);
}

struct hmac_key *tool_first_key(const struct secrets *secrets, const char *setting, struct error *error)
{
    if (secrets->count == 0) {
        error_set(error, ERROR_CONFIG, "%s is not set: put the secret there, or name its file in %s_FILE", setting,
                  setting);
        return NULL;
    }
    struct hmac_key *key = hmac_key_new(bytes_of(secrets->items[0].data, secrets->items[0].len));
    if (!key)
        error_set(error, ERROR_INTERNAL, "libcrypto cannot prepare an HMAC key");
    return key;
}
