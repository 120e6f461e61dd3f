/* The bridge's settings: its rows of common/settings.def. */
#ifndef DROPBRIDGE_BRIDGE_SETTINGS_H
#define DROPBRIDGE_BRIDGE_SETTINGS_H

#include "common/env_config.h"
#include "common/settings.h"

#include <stdbool.h>

struct bridge_settings {
#define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(bridge, member, __VA_ARGS__)
#include "common/settings.def"
};

/* For config_clear and --help. */
const struct setting *bridge_settings_rows(size_t *count);

/* Reads and cross-checks. True when the bridge can start; `report` has every problem and warning. `config`, a struct bridge_settings,
   is always filled, to be released with config_clear. */
bool bridge_settings_load(const char *config_file, char *const *environment, void *config, struct config_report *report);

/* The part of it that is about secrets: for those that are read again. */
bool bridge_settings_check_secrets(const struct bridge_settings *config, struct config_report *report);

#endif
