/* One text as the path and query of a request, and as the URL of RabbitMQ or Redis. */
#include "bridge/http/routes.h"
#include "common/amqp_session.h"
#include "common/callback_token.h"
#include "common/redis/url.h"
#include "fuzz.h"

#include <stdio.h>

enum { TEXT = 2048 };

static void claim_of_route(const char *text)
{
    static char path[TEXT], doubled[2 * TEXT];
    struct route_match match, same;
    const char *query = strchr(text, '?');
    size_t at = 0;
    snprintf(path, sizeof path, "%.*s", (int)(query ? query - text : (long)strlen(text)), text);
    const enum response answer = routes_match("POST", path, query ? query + 1 : NULL, &match);
    CLAIM((answer == RESPONSE_NOT_FOUND) == (match.route == ROUTE_NONE));
    CLAIM(match.campaign[0] == '\0' || (match.route == ROUTE_CALLBACK && campaign_name_valid(bytes_of_text(match.campaign))));
    CLAIM(match.token.len <= strlen(text) && (answer != RESPONSE_RECEIVED || match.route == ROUTE_WEBHOOK || match.route == ROUTE_CALLBACK));
    for (const char *p = path; *p; p++) {
        doubled[at++] = *p;
        if (*p == '/')
            doubled[at++] = *p;
    }
    doubled[at] = '\0';
    CLAIM(routes_match("POST", doubled, query ? query + 1 : NULL, &same) == answer); /* slashes too many change nothing */
    CLAIM(same.route == match.route && strcmp(same.campaign, match.campaign) == 0 && bytes_equal(same.token, match.token));
    CLAIM(same.token_repeated == match.token_repeated);
}

static void claim_of_service(const char *text)
{
    static const char secret[] = "S3cr3tPassw0rd";
    static char url[TEXT + 64];
    struct uri uri;
    struct redis_url redis;
    struct error error = {.code = ERROR_NONE};
    const bool tells = strstr(text, secret) != NULL; /* outside of the password */

    (void)uri_parse(text, &uri, &error);
    snprintf(url, sizeof url, "amqps://user:%s@%s", secret, text);
    if (uri_parse(url, &uri, &error))
        CLAIM(strnlen(uri.host, URI_PART) < URI_PART && strnlen(uri.path, URI_PART) < URI_PART && strcmp(uri.user, "user") == 0);
    else
        CLAIM(error.code == ERROR_CONFIG && (tells || !strstr(error.text, secret)));
    error = (struct error){.code = ERROR_NONE};
    if (amqp_urls_count(url, &error) == 0)
        CLAIM(error.code == ERROR_CONFIG && (tells || !strstr(error.text, secret)));
    snprintf(url, sizeof url, "redis-sentinel://user:%s@%s", secret, text);
    for (const char *one = text; one; one = one == text ? url : NULL) {
        error = (struct error){.code = ERROR_NONE};
        if (redis_url_read(one, &redis, &error))
            CLAIM(redis.count >= 1 && redis.count <= REDIS_SENTINELS_MAX && redis.db >= 0 && redis.servers[0].port > 0);
        else
            CLAIM(error.code == ERROR_CONFIG && (tells || !strstr(error.text, secret)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(bytes_of(data, size < TEXT ? size : TEXT - 1));
    char decoded[64];
    const long len = uri_percent_decode(bytes_of(data, size), decoded, sizeof decoded);
    CLAIM(len < (long)sizeof decoded && (len < 0 || strlen(decoded) == (size_t)len));
    claim_of_route(text);
    claim_of_service(text);
    free(text);
    return 0;
}
