/* Checks of the settings REDIS_URL and REDIS_PREFIX, as rows of setting.h have them: false with *error, what follows the
   setting's name. Pure. */
#ifndef DROPBRIDGE_REDIS_SETTINGS_H
#define DROPBRIDGE_REDIS_SETTINGS_H

#include "common/error.h"

#include <stdbool.h>

bool redis_check_url(const char *value, struct error *error);
bool redis_check_prefix(const char *value, struct error *error);

#endif
