#include "tool_config.h"

#include <unistd.h>

static const struct setting settings[] = {
#define SETTING(bridge, worker, ctl, ...) SETTING_ROW(ctl, struct tool_config, __VA_ARGS__)
#include "common/settings.def"
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

const struct setting *tool_settings(size_t *count)
{
    *count = SETTINGS;
    return settings;
}

bool tool_config_load(const char *config_file, struct tool_config *out, struct config_report *report)
{
    return config_load(settings, SETTINGS, config_file, environ, out, report);
}

void tool_config_clear(struct tool_config *config)
{
    config_clear(settings, SETTINGS, config);
}

struct hmac_key *tool_first_key(const struct secrets *secrets, const char *setting, struct error *error)
{
    if (secrets->count == 0) {
        error_set(error, ERROR_CONFIG, "%s is not set: put the secret there, or name its file in %s_FILE", setting,
                  setting);
        return NULL;
    }
    struct hmac_key *key = hmac_key_new(bytes_of(secrets->items[0].data, secrets->items[0].len));
    if (!key)
        error_set(error, ERROR_INTERNAL, "libcrypto cannot prepare an HMAC key");
    return key;
}
