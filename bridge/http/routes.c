#include "routes.h"

#include "common/callback_token.h"
#include "common/mask.h"
#include "common/uri.h"

#include <string.h>

/* The longest route: callbacks, dropcowboy, campaign, t, token. */
enum { MOST_SEGMENTS = 5 };

/* What stands between slashes, as received: an encoded slash is none. Several slashes count as one, those at the end as none.
   MOST_SEGMENTS + 1: there are more. */
static size_t split_path(const char *path, struct bytes segments[MOST_SEGMENTS])
{
    size_t count = 0;

    while (*(path += strspn(path, "/")) != '\0') {
        const size_t len = strcspn(path, "/");

        if (count == MOST_SEGMENTS)
            return count + 1;
        segments[count++] = bytes_of(path, len);
        path += len;
    }
    return count;
}

static bool is_word(struct bytes segment, const char *word)
{
    return bytes_equal(segment, bytes_of_text(word));
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
    struct bytes at[MOST_SEGMENTS];
    const size_t count = *path == '/' ? split_path(path, at) : 0;
    const bool named = count >= 2 && is_word(at[1], "dropcowboy");

    if ((count == 1 && is_word(at[0], "webhook")) || (count == 2 && named && is_word(at[0], "webhooks")))
        return ROUTE_WEBHOOK;
    if (count == 1 && (is_word(at[0], "health") || is_word(at[0], "healthz")))
        return ROUTE_HEALTH;
    if (!named || !is_word(at[0], "callbacks") || count == 4 || count > MOST_SEGMENTS || (count == 5 && !is_word(at[3], "t")))
        return ROUTE_NONE;
    if (count > 2)
        *campaign = at[2];
    if (count == 5)
        *token = at[4];
    return ROUTE_CALLBACK;
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
