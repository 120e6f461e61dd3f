/* What it means that civetweb did not start to listen. */
#ifndef DROPBRIDGE_LISTEN_ERROR_H
#define DROPBRIDGE_LISTEN_ERROR_H

#include "error.h"

/* For an address that is well formed. `message` is civetweb's complaint: civetweb.c, set_ports_option, puts strerror(3)
   into it. ERROR_CONFIG for a port that this user may not take; else, as for an address that no interface has yet, a
   port that another program still has or a name that cannot be resolved, ERROR_NOT_YET. Any thread. */
enum error_code listen_error_code(const char *message);

#endif
