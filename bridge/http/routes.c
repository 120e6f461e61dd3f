#include "routes.h"

#include "common/callback_token.h"
#include "common/uri.h"

#include <string.h>

#define CALLBACKS "/callbacks/dropcowboy"

static const struct {
    const char *path;
    enum route route;
} routes[] = {
    {"/webhooks/dropcowboy", ROUTE_WEBHOOK},
    {"/webhook", ROUTE_WEBHOOK},
    {CALLBACKS, ROUTE_CALLBACK},
    {CALLBACKS "/{campaign}", ROUTE_CALLBACK},
    {CALLBACKS "/{campaign}/t/{token}", ROUTE_CALLBACK},
    {"/health", ROUTE_HEALTH},
    {"/healthz", ROUTE_HEALTH},
};

/* What stands between slashes, as received: an encoded slash is none. Several slashes count as one, those at the end as none.
   Empty: there is no more. */
static struct bytes next_segment(const char **path)
{
    const char *begin = *path + strspn(*path, "/");
    const size_t len = strcspn(begin, "/");

    *path = begin + len;
    return bytes_of(begin, len);
}

static bool path_fits(const char *path, const char *pattern, struct bytes *campaign, struct bytes *token)
{
    struct bytes expected, given;

    *campaign = *token = bytes_of(NULL, 0);
    do {
        expected = next_segment(&pattern);
        given = next_segment(&path);
        if (given.len > 0 && bytes_equal(expected, bytes_of_text("{campaign}")))
            *campaign = given;
        else if (given.len > 0 && bytes_equal(expected, bytes_of_text("{token}")))
            *token = given;
        else if (!bytes_equal(expected, given))
            return false;
    } while (expected.len > 0);
    return true;
}

static void read_query_tokens(const char *query, struct route_match *out)
{
    static const char name[] = "token=";
    const size_t name_len = sizeof name - 1;

    while (query && *query) {
        const size_t len = strcspn(query, "&");

        if (len >= name_len && memcmp(query, name, name_len) == 0) {
            if (out->token.data)
                out->token_repeated = true;
            out->token = bytes_of(query + name_len, len - name_len);
        }
        query += len + (query[len] == '&');
    }
}

static bool decode_campaign(struct bytes segment, char out[LIMIT_CAMPAIGN + 1])
{
    const long len = uri_percent_decode(segment, out, LIMIT_CAMPAIGN + 1);

    if (len >= 0 && campaign_name_valid(bytes_of(out, (size_t)len)))
        return true;
    out[0] = '\0';
    return false;
}

static bool method_fits(enum route route, const char *method)
{
    if (route == ROUTE_HEALTH)
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    return strcmp(method, "POST") == 0;
}

enum response routes_match(const char *method, const char *path, const char *query, struct route_match *out)
{
    struct bytes campaign = {0}, token = {0};

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0] && *path == '/' && out->route == ROUTE_NONE; i++) {
        if (path_fits(path, routes[i].path, &campaign, &token))
            out->route = routes[i].route;
    }
    if (out->route == ROUTE_NONE)
        return RESPONSE_NOT_FOUND;
    out->token = token;
    if (!method_fits(out->route, method))
        return RESPONSE_METHOD_NOT_ALLOWED;
    if (campaign.len > 0 && !decode_campaign(campaign, out->campaign))
        return RESPONSE_INVALID_CAMPAIGN;
    if (out->route == ROUTE_CALLBACK)
        read_query_tokens(query, out);
    return RESPONSE_RECEIVED;
}

const char *routes_allow(enum route route)
{
    return route == ROUTE_HEALTH ? "GET, HEAD" : "POST";
}
