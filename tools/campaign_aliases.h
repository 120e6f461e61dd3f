/* dropctl campaigns alias: one campaign that comes under two names becomes one (docs/classification.md, 6). */
#ifndef DROPBRIDGE_CAMPAIGN_ALIASES_H
#define DROPBRIDGE_CAMPAIGN_ALIASES_H

#include "common/error.h"
#include "tool_config.h"

#include <stdbool.h>

enum alias_action { ALIAS_SET, ALIAS_REMOVE, ALIAS_LIST };

/* What the command line asks for; the texts point into argv. */
struct alias_request {
    enum alias_action action;
    const char *id;   /* NULL: ALIAS_LIST */
    const char *name; /* of ALIAS_SET */
};

/* argv[0] is "campaigns". False with ERROR_USAGE, with *out untouched. Pure. */
bool alias_request_read(int argc, char **argv, struct alias_request *out, struct error *error);

/* Runs the subcommand; returns the exit status. What cannot be (a cycle, an alias of another campaign) is 64, as what the
   command line says. */
int campaign_aliases_run(const struct tool_config *config, int argc, char **argv);

#endif
