/* The worker's settings: its rows of common/settings.def. */
#ifndef DROPBRIDGE_WORKER_CONFIG_H
#define DROPBRIDGE_WORKER_CONFIG_H

#include "common/buf.h"
#include "common/env_config.h"
#include "common/settings.h"

#include <stdbool.h>

struct worker_config {
#define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(worker, member, __VA_ARGS__)
#include "common/settings.def"
};

/* As config_load, with the checks across settings. `out` is to be released with worker_config_clear, whatever is
 * returned. */
bool worker_config_load(const char *config_file, char *const *environment, struct worker_config *out,
                        struct config_report *report);
void worker_config_clear(struct worker_config *config);

/* The settings for --help. */
void worker_config_print_help(struct buf *out);

#endif
