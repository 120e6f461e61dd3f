#include "tool_config.h"

#include <string.h>
#include <unistd.h>

static const struct setting settings[] = {
#define SETTING(bridge, worker, ctl, ...) SETTING_ROW(ctl, struct tool_config, __VA_ARGS__)
#include "common/settings.def"
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

_Static_assert(sizeof settings <= sizeof((struct tool_settings *)NULL)->rows, "struct tool_settings has room for all");

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void tool_settings_select(const char *prefix, struct tool_settings *out)
{
    out->count = 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (begins_with(settings[i].name, prefix) || begins_with(settings[i].name, "LOG_"))
            out->rows[out->count++] = settings[i];
    }
}

bool tool_config_load(const struct tool_settings *selected, const char *config_file, struct tool_config *out,
                      struct config_report *report)
{
    return config_load(selected->rows, selected->count, config_file, environ, out, report);
}

void tool_config_clear(struct tool_config *config)
{
    config_clear(settings, SETTINGS, config);
}

struct hmac_key *tool_key(struct bytes secret, struct error *error)
{
    struct hmac_key *key = hmac_key_new(secret);
    if (!key)
        error_set(error, ERROR_INTERNAL, "libcrypto cannot prepare an HMAC key");
    return key;
}

struct hmac_key *tool_first_key(const struct secrets *secrets, const char *setting, struct error *error)
{
    if (secrets->count == 0) {
        error_set(error, ERROR_CONFIG, "%s is not set: put the secret there, or name its file in %s_FILE", setting,
                  setting);
        return NULL;
    }
    return tool_key(bytes_of(secrets->items[0].data, secrets->items[0].len), error);
}
