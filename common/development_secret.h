/* The secrets that the examples carry so that everything starts without a step by hand. They begin with "development-",
   and whoever runs with them is told so. Pure. */
#ifndef DROPBRIDGE_DEVELOPMENT_SECRET_H
#define DROPBRIDGE_DEVELOPMENT_SECRET_H

#include "env_config.h"

/* Adds a warning to the report if one of the secrets of the setting `name` is such a one. */
void development_secret_warn(const char *name, const struct secrets *secrets, struct config_report *report);
/* The same for the passwords of a comma-separated list of service URLs. NULL and URLs that cannot be read: nothing. */
void development_password_warn(const char *name, const char *urls, struct config_report *report);

#endif
