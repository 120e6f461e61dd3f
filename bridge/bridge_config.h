/* The bridge's settings: its rows of common/settings.def. */
#ifndef DROPBRIDGE_BRIDGE_CONFIG_H
#define DROPBRIDGE_BRIDGE_CONFIG_H

#include "../common/env_config.h"
#include "../common/settings.h"

#include <stdbool.h>

struct bridge_config {
#define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(bridge, member, __VA_ARGS__)
#include "../common/settings.def"
};

/* Reads and cross-checks. True when the bridge can start; `report` has every problem and warning. *out is always
   filled, to be cleared with bridge_config_clear. */
bool bridge_config_load(const char *config_file, char *const *environment, struct bridge_config *out,
                        struct config_report *report);
void bridge_config_clear(struct bridge_config *config);
/* Appends the table for --help. */
void bridge_config_help(struct buf *out);

#endif
