/* Settings of dropctl. */
#ifndef DROPBRIDGE_TOOL_CONFIG_H
#define DROPBRIDGE_TOOL_CONFIG_H

#include "common/env_config.h"
#include "common/error.h"
#include "common/sha256.h"

#include <stdbool.h>
#include <stddef.h>

struct tool_config {
    struct secrets webhook_secrets;
    struct secrets callback_secrets;
    char *amqp_url;
    char *amqp_exchange;
    char *amqp_rejected_queue;
    char *redis_url;
    char *redis_sentinel_password;
    char *redis_ca_file;
    char *redis_cert_file;
    char *redis_prefix;
    int log_level;
    int log_format;
};

const struct setting *tool_settings(size_t *count);

/* As config_load, from the process's environment. */
bool tool_config_load(const char *config_file, struct tool_config *out, struct config_report *report);
void tool_config_clear(struct tool_config *config);

/* The first secret of a list as a key, to be freed with hmac_key_free. NULL with ERROR_CONFIG, naming `setting`, if the
   list is empty. */
struct hmac_key *tool_first_key(const struct secrets *secrets, const char *setting, struct error *error);

#endif
