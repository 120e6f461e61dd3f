/* The secrets that the examples carry so that everything starts without a step by hand. They begin with "development-",
   and whoever runs with them is told so. Pure. */
#ifndef DROPBRIDGE_DEVELOPMENT_SECRET_H
#define DROPBRIDGE_DEVELOPMENT_SECRET_H

#include "env_config.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether it is one of the examples'. */
bool development_secret_is(struct bytes secret);

struct named_secrets {
    const char *name; /* the setting's */
    const struct secrets *secrets;
};

/* Looks at all settings of secrets that a program verifies by. Each that holds one of the examples' is a warning, or a
   problem (and false) if any of them holds another secret: who has set one of their own means to let nobody else in. */
bool development_secrets_check(const struct named_secrets *settings, size_t count, struct config_report *report);
/* Adds a warning if a password in a comma-separated list of service URLs is one of the examples'. NULL and URLs that
   cannot be read: nothing. */
void development_password_warn(const char *name, const char *urls, struct config_report *report);

#endif
