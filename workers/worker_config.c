#include "worker_config.h"

#include "common/amqp_tls.h"
#include "common/development_secret.h"
#include "common/redis/tls.h"

#include <string.h>
#include <strings.h>

static const struct setting rows[] = {
#define SETTING(bridge, worker, ctl, ...) SETTING_ROW(worker, struct worker_config, __VA_ARGS__)
#include "common/settings.def"
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct setting *worker_config_rows(size_t *count)
{
    *count = ROWS;
    return rows;
}

bool worker_config_load(const char *config_file, char *const *environment, void *config, struct config_report *report)
{
    struct worker_config *out = config;
    memset(out, 0, sizeof *out);
    bool good = config_load(rows, ROWS, config_file, environment, out, report);
    good &= settings_check_amqp_names(out->amqp_exchange, out->amqp_queue, out->amqp_rejected_queue, report);
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
