/* Method, path and query → which route, for which campaign, with which token. Pure. */
#ifndef DROPBRIDGE_HTTP_ROUTES_H
#define DROPBRIDGE_HTTP_ROUTES_H

#include "common/bytes.h"
#include "common/limits.h"
#include "response.h"

#include <stdbool.h>

enum route { ROUTE_NONE, ROUTE_HEALTH, ROUTE_WEBHOOK, ROUTE_CALLBACK };

struct route_match {
    enum route route;
    char campaign[LIMIT_CAMPAIGN + 1]; /* decoded and valid; empty: the URL names none */
    struct bytes token;                /* as in the URL, pointing into path or query; len 0: none */
    bool token_repeated;               /* given twice: never valid */
};

/* `path` and `query` as received, not decoded; query may be NULL. RESPONSE_RECEIVED when the route takes the method, else
   NOT_FOUND, METHOD_NOT_ALLOWED or INVALID_CAMPAIGN. *out is always written; its route is ROUTE_NONE only for
   NOT_FOUND. */
enum response routes_match(const char *method, const char *path, const char *query, struct route_match *out);

/* The value of Allow. */
const char *routes_allow(enum route route);

#endif
