/* The worker's settings (INTERFACE, "Settings"), as one table. */
#ifndef DROPBRIDGE_WORKER_CONFIG_H
#define DROPBRIDGE_WORKER_CONFIG_H

#include "common/buf.h"
#include "common/env_config.h"

#include <stdbool.h>
#include <stdint.h>

struct worker_config {
    char *admin_listen;
    char *amqp_url;
    char *amqp_ca_file;
    char *amqp_cert_file;
    char *amqp_exchange;
    char *amqp_queue;
    char *amqp_rejected_queue;
    int64_t prefetch;
    int64_t batch_max;
    int64_t batch_wait_ms;
    char *redis_url;
    char *redis_ca_file;
    char *redis_cert_file;
    char *redis_sentinel_password; /* empty: none */
    char *redis_prefix;
    int64_t redis_wait_replicas;
    int64_t redis_away_s;
    int64_t retention_s;
    int64_t result_ttl_s;
    int64_t results_stream_max;
    char *campaign_from_foreign_id; /* empty: off */
    int log_level;                  /* enum log_level */
    int log_format;                 /* enum log_format */
};

/* As config_load, with the checks across settings. `out` is to be released with worker_config_clear, whatever is
 * returned. */
bool worker_config_load(const char *config_file, char *const *environment, struct worker_config *out,
                        struct config_report *report);
void worker_config_clear(struct worker_config *config);

/* The settings for --help. */
void worker_config_print_help(struct buf *out);

#endif
