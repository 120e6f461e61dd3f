/* The worker's settings: its rows of common/settings.def. */
#ifndef DROPBRIDGE_WORKER_CONFIG_H
#define DROPBRIDGE_WORKER_CONFIG_H

#include "common/env_config.h"
#include "common/settings.h"

#include <stdbool.h>

struct worker_config {
#define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(worker, member, __VA_ARGS__)
#include "common/settings.def"
};

/* For config_clear and --help. */
const struct setting *worker_config_rows(size_t *count);

/* As config_load, with the checks across settings. `config` is a struct worker_config, to be released with config_clear whatever
   is returned. */
bool worker_config_load(const char *config_file, char *const *environment, void *config, struct config_report *report);

#endif
