#include "settings.h"

#include "amqp_session.h"
#include "callback_token.h"
#include "development_secret.h"
#include "redis/url.h"
#include "setting_names.h"
#include "tls_files.h"

#include <string.h>

enum {
    AMQP_NAME_MAX = 255, /* AMQP 0-9-1: a short string */
    PREFIX_MAX = 128,
    SEPARATOR_MAX = 32,
};

const char *const setting_callback_auths[] = {"token", "off", NULL};
const char *const setting_log_levels[] = {"error", "warn", "info", "debug", NULL};
const char *const setting_log_formats[] = {"text", "json", NULL};

static const struct setting all[] = {
#define SETTING(bridge, worker, ctl, name_, member, type_, ...) {.name = #name_, .type = SETTING_##type_, __VA_ARGS__},
#include "settings.def"
};

bool setting_of_any_program(const char *name)
{
    return setting_name_known(all, sizeof all / sizeof all[0], name);
}

static bool bad(struct error *error, const char *text)
{
    error_set(error, ERROR_CONFIG, "%s", text);
    return false;
}

/* A value that is short enough. */
static bool check_length(const char *value, int max, struct error *error)
{
    if (strlen(value) <= (size_t)max)
        return true;
    error_set(error, ERROR_CONFIG, "is longer than %d bytes", max);
    return false;
}

bool setting_check_own_certificate(const char *value, struct error *error)
{
    return *value == '\0' || tls_files_check_identity(value, error);
}

bool setting_check_no_tls(const char *value, struct error *error)
{
    size_t len = strlen(value);

    if (len == 0 || value[len - 1] != 's')
        return true;
    return bad(error, "asks for TLS, which the admin listener does not have: leave out the s behind the port");
}

bool setting_check_amqp_url(const char *value, struct error *error)
{
    return amqp_urls_count(value, error) > 0;
}

bool setting_check_amqp_name(const char *value, struct error *error)
{
    if (strncmp(value, "amq.", strlen("amq.")) == 0)
        return bad(error, "begins with \"amq.\", which RabbitMQ keeps for itself");
    return check_length(value, AMQP_NAME_MAX, error);
}

/* redis_url_read names the setting; so does the report. */
bool setting_check_redis_url(const char *value, struct error *error)
{
    static const char name[] = "REDIS_URL: ";
    struct redis_url ignored;
    struct error inner = {0};

    if (redis_url_read(value, &ignored, &inner))
        return true;
    error_set(error, ERROR_CONFIG, "cannot be used: %.450s",
              inner.text + (strncmp(inner.text, name, strlen(name)) == 0 ? strlen(name) : 0));
    return false;
}

bool setting_check_redis_prefix(const char *value, struct error *error)
{
    if (strpbrk(value, "{} \t\r\n"))
        return bad(error, "has braces or white space");
    return check_length(value, PREFIX_MAX, error);
}

bool setting_check_separator(const char *value, struct error *error)
{
    return check_length(value, SEPARATOR_MAX, error);
}

bool setting_check_campaign_secret(struct bytes secret, struct error *error)
{
    struct bytes campaign, key;

    if (!callback_campaign_secret_split(secret, &campaign, &key, error))
        return false;
    return !development_secret_is(key) || bad(error, "its key is one of the examples, which everybody knows");
}

bool settings_check_amqp_names(const char *exchange, const char *queue, const char *rejected_queue,
                               struct config_report *report)
{
    bool queues_differ = strcmp(queue, rejected_queue) != 0;
    bool exchanges_differ = strcmp(exchange, rejected_queue) != 0;

    if (!queues_differ)
        config_problem(report,
                       "AMQP_QUEUE and AMQP_REJECTED_QUEUE are the same: rejected messages would come back for ever");
    if (!exchanges_differ)
        config_problem(report, "AMQP_EXCHANGE and AMQP_REJECTED_QUEUE are the same: the latter names an exchange too");
    return queues_differ && exchanges_differ;
}
