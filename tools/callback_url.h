/* dropctl callback-url: the URL to give as callback_url, with its token. */
#ifndef DROPBRIDGE_CALLBACK_URL_H
#define DROPBRIDGE_CALLBACK_URL_H

#include "common/buf.h"
#include "common/error.h"
#include "common/sha256.h"
#include "tool_config.h"

#include <stdbool.h>

/* Appends the URL. `base` is what senders reach the bridge by: http or https, a host and perhaps a path; slashes at its
   end are dropped. `campaign` may be NULL. path_token puts the token into the path, for senders that drop the query; it
   needs a campaign. False with ERROR_USAGE on what cannot be used. */
bool callback_url_build(const char *base, const char *campaign, bool path_token, const struct hmac_key *key,
                        struct buf *out, struct error *error);

/* Runs the subcommand (argv[0] is its name); returns the exit status. */
int callback_url_run(const struct tool_config *config, int argc, char **argv);

#endif
