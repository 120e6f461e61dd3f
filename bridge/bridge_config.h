/* The bridge's settings. */
#ifndef DROPBRIDGE_BRIDGE_CONFIG_H
#define DROPBRIDGE_BRIDGE_CONFIG_H

#include "../common/env_config.h"

#include <stdbool.h>
#include <stdint.h>

enum callback_auth { CALLBACK_AUTH_TOKEN, CALLBACK_AUTH_OFF };

struct bridge_config {
    char *listen;
    char *tls_cert_file;
    char *admin_listen;
    struct secrets webhook_secrets;
    struct secrets callback_secrets;
    int callback_auth;
    int64_t timestamp_tolerance_s;
    int64_t max_body_bytes;
    int64_t http_threads;
    int64_t body_timeout_ms;
    int64_t confirm_timeout_ms;
    char *amqp_urls;
    char *amqp_ca_file;
    char *amqp_cert_file;
    int64_t amqp_publishers;
    char *amqp_exchange;
    char *amqp_queue;
    char *amqp_rejected_queue;
    char *spool_path;
    int64_t spool_max_bytes;
    char *redis_url;
    char *redis_prefix;
    int log_level;
    int log_format;
};

/* Reads and cross-checks. True when the bridge can start; `report` has every problem and warning. *out is always
   filled, to be cleared with bridge_config_clear. */
bool bridge_config_load(const char *config_file, char *const *environment, struct bridge_config *out,
                        struct config_report *report);
void bridge_config_clear(struct bridge_config *config);
/* Appends the table for --help. */
void bridge_config_help(struct buf *out);

#endif
