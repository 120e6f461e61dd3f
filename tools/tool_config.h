/* Settings of dropctl: its rows of common/settings.def. */
#ifndef DROPBRIDGE_TOOL_CONFIG_H
#define DROPBRIDGE_TOOL_CONFIG_H

#include "common/env_config.h"
#include "common/error.h"
#include "common/settings.h"
#include "common/sha256.h"

#include <stdbool.h>
#include <stddef.h>

struct tool_config {
#define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(ctl, member, __VA_ARGS__)
#include "common/settings.def"
};

/* Rows for config_load. */
struct tool_settings {
    struct setting rows[32];
    size_t count;
};

/* Those of the log, and those whose name begins with `prefix`: what is wrong with a setting must not stop a command that
   has no use for it. */
void tool_settings_select(const char *prefix, struct tool_settings *out);

/* As config_load, from the process's environment. What is not `selected` stays as it is. */
bool tool_config_load(const struct tool_settings *selected, const char *config_file, struct tool_config *out,
                      struct config_report *report);
/* Of one that was all zeros before it was loaded. */
void tool_config_clear(struct tool_config *config);

/* A key, to be freed with hmac_key_free. NULL with *error. */
struct hmac_key *tool_key(struct bytes secret, struct error *error);
/* The first secret of a list as a key, to be freed with hmac_key_free. NULL with ERROR_CONFIG, naming `setting`, if the
   list is empty. */
struct hmac_key *tool_first_key(const struct secrets *secrets, const char *setting, struct error *error);

#endif
