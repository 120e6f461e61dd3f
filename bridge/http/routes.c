#include "routes.h"

#include "common/callback_token.h"
#include "common/mask.h"
#include "common/uri.h"

#include <string.h>

static const char callbacks_path[] = "/callbacks/dropcowboy";

/* Cuts the next segment off *path, which stands at a slash. False if the segment is empty. */
static bool next_segment(const char **path, struct bytes *segment)
{
    const char *start = *path + 1;
    const size_t len = strcspn(start, "/");

    if (len == 0)
        return false;
    *segment = bytes_of(start, len);
    *path = start + len;
    return true;
}

/* `rest` is what follows /callbacks/dropcowboy. False if it is no form of the route. */
static bool split_callback_path(const char *rest, struct bytes *campaign, struct bytes *token)
{
    struct bytes marker;

    if (*rest == '\0')
        return true;
    if (*rest != '/' || !next_segment(&rest, campaign))
        return false;
    if (*rest == '\0')
        return true;
    if (!next_segment(&rest, &marker) || !bytes_equal(marker, bytes_of_text("t")) || *rest != '/')
        return false;
    return next_segment(&rest, token) && *rest == '\0';
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
        query += len;
        if (*query == '&')
            query++;
    }
}

static bool decode_campaign(struct bytes segment, char *out)
{
    char decoded[LIMIT_CAMPAIGN + 1];
    const long len = uri_percent_decode(segment, decoded, sizeof decoded);

    if (len < 0 || !campaign_name_valid(bytes_of(decoded, (size_t)len)))
        return false;
    memcpy(out, decoded, (size_t)len);
    out[len] = '\0';
    return true;
}

static enum route find_route(const char *path, struct bytes *campaign, struct bytes *token)
{
    const size_t prefix = sizeof callbacks_path - 1;

    if (strcmp(path, "/webhooks/dropcowboy") == 0 || strcmp(path, "/webhook") == 0)
        return ROUTE_WEBHOOK;
    if (strcmp(path, "/health") == 0)
        return ROUTE_HEALTH;
    if (strncmp(path, callbacks_path, prefix) == 0 && split_callback_path(path + prefix, campaign, token))
        return ROUTE_CALLBACK;
    return ROUTE_NONE;
}

static bool method_fits(enum route route, const char *method)
{
    if (route == ROUTE_HEALTH)
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    return strcmp(method, "POST") == 0;
}

enum response routes_match(const char *method, const char *path, const char *query, struct route_match *out)
{
    struct bytes campaign = {0};

    memset(out, 0, sizeof *out);
    out->route = find_route(path, &campaign, &out->token);
    if (out->route == ROUTE_NONE)
        return RESPONSE_NOT_FOUND;
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

void routes_campaign_for_log(const char *campaign, char out[LIMIT_CAMPAIGN + 1])
{
    const size_t len = strnlen(campaign, LIMIT_CAMPAIGN);

    memcpy(out, campaign, len);
    out[len] = '\0';
    mask_digits(out, len);
}
