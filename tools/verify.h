/* dropctl verify: whether the counts in Redis add up, and what mends them (docs/redis-keys.md, "Damage"). */
#ifndef DROPBRIDGE_VERIFY_H
#define DROPBRIDGE_VERIFY_H

#include "tool_config.h"

/* Runs the subcommand (argv[0] is its name); returns the exit status: 0 if all adds up, 1 if not. */
int verify_run(const struct tool_config *config, int argc, char **argv);

#endif
