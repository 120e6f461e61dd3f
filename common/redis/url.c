#include "url.h"

#include "common/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DB_MAX = 65535, URL_MAX = 4096 };

static const char tls_scheme[] = "rediss://";
static const char sentinel_scheme[] = "redis-sentinel://";
static const char sentinel_form[] = "write redis-sentinel://host:port,host:port/name/db";

bool redis_url_may_be_tls(void)
{
#ifdef DROPBRIDGE_REDIS_TLS
    return true;
#else
    return false;
#endif
}

/* Schemes are the same in capitals (RFC 3986, 3.1). */
static bool starts_with(const char *text, const char *scheme)
{
    return strncasecmp(text, scheme, strlen(scheme)) == 0;
}

static bool parse_db(const char *text, int *db, struct error *error)
{
    size_t digits = strspn(text, "0123456789");
    long value = strtol(text, NULL, 10);

    if (text[digits] != '\0' || digits > 5 || value > DB_MAX) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: the database, behind one slash and at the end, must be a number up to %d, not \"%.64s\"",
                  DB_MAX, text);
        return false;
    }
    *db = (int)value;
    return true;
}

static void copy(char *out, const char *text)
{
    snprintf(out, URI_PART, "%s", text);
}

static bool parse_uri(const char *text, struct uri *uri, struct error *error)
{
    struct error reason = {0};

    if (uri_parse(text, uri, &reason))
        return true;
    error_set(error, ERROR_CONFIG, "REDIS_URL: %s", reason.text);
    return false;
}

static bool read_plain(const char *text, struct redis_url *out, struct error *error)
{
    struct uri uri;

    if (starts_with(text, "rediss-sentinel://")) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: there is no TLS with sentinels: write redis-sentinel://, on a private network or in a "
                  "tunnel, or rediss:// and one Redis");
        return false;
    }
    /* Before the rest is looked at: unix:///run/redis.sock has no host. */
    if (!starts_with(text, "redis://") && !starts_with(text, tls_scheme)) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: it must begin with redis://, rediss:// or redis-sentinel://");
        return false;
    }
    out->tls = starts_with(text, tls_scheme);
    if (out->tls && !redis_url_may_be_tls()) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: rediss:// (TLS) is not in this program, as hiredis 0.14 (Debian 12) has none: use the "
                  "container image, a build on Debian 13, or redis:// through a TLS tunnel such as stunnel");
        return false;
    }
    if (!parse_uri(text, &uri, error))
        return false;
    copy(out->user, uri.user);
    copy(out->password, uri.password);
    copy(out->servers[0].host, uri.host);
    out->servers[0].port = uri.port ? uri.port : REDIS_PORT;
    out->count = 1;
    return parse_db(uri.path, &out->db, error);
}

/* name[/db], decoded. Sentinels allow letters, digits and ".-_" in names. */
static bool read_primary(const char *path, struct redis_url *out, struct error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t len = strcspn(path, "/");

    if (len == 0) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: it does not say by which name the sentinels know the primary; %s",
                  sentinel_form);
        return false;
    }
    if (strspn(path, letters) != len) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: the primary's name may have letters, digits, \".\", \"-\" and \"_\" only; %s",
                  sentinel_form);
        return false;
    }
    memcpy(out->primary, path, len);
    out->primary[len] = '\0';
    return parse_db(path[len] == '/' ? path + len + 1 : "", &out->db, error);
}

/* One of the hosts, as a URL of its own. The first brings the user, the password and the path. */
static bool read_sentinel(struct bytes before, struct bytes host, struct bytes behind, struct redis_url *out,
                          struct error *error)
{
    bool first = out->count == 0;
    struct uri uri;
    char url[URL_MAX];

    if (out->count == REDIS_SENTINELS_MAX) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: it names more than %d sentinels; name those nearest to the worker",
                  REDIS_SENTINELS_MAX);
        return false;
    }
    if (host.len == 0) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: the host of a sentinel is missing; %s", sentinel_form);
        return false;
    }
    snprintf(url, sizeof url, "%s%.*s%.*s%.*s", sentinel_scheme, first ? (int)before.len : 0, (const char *)before.data,
             (int)host.len, (const char *)host.data, first ? (int)behind.len : 0, (const char *)behind.data);
    if (!parse_uri(url, &uri, error))
        return false;
    copy(out->servers[out->count].host, uri.host);
    out->servers[out->count].port = uri.port ? uri.port : REDIS_SENTINEL_PORT;
    out->count++;
    if (!first)
        return true;
    copy(out->user, uri.user);
    copy(out->password, uri.password);
    return read_primary(uri.path, out, error);
}

/* URIs have one host; what stands between the @ and the slash is taken apart here. */
static bool read_sentinels(const char *text, struct redis_url *out, struct error *error)
{
    const char *begin = text + strlen(sentinel_scheme);
    const char *end = begin + strcspn(begin, "/?#");
    const char *hosts = end;
    struct bytes before, behind;

    if (strlen(text) >= URL_MAX) {
        error_set(error, ERROR_CONFIG, "REDIS_URL: it is longer than %d bytes", URL_MAX - 1);
        return false;
    }
    while (hosts > begin && hosts[-1] != '@')
        hosts--;
    before = bytes_of(begin, (size_t)(hosts - begin));
    behind = bytes_of(end, strlen(end));
    if (before.len > 0 && memchr(before.data, ',', before.len)) {
        error_set(error, ERROR_CONFIG,
                  "REDIS_URL: a comma before the @: user and password stand once, before the first "
                  "sentinel, and a comma in them is written as %%2C");
        return false;
    }
    while (hosts <= end) {
        size_t len = strcspn(hosts, ",/?#");

        if (!read_sentinel(before, bytes_of(hosts, len), behind, out, error))
            return false;
        hosts += len + 1;
    }
    return true;
}

bool redis_url_read(const char *text, struct redis_url *out, struct error *error)
{
    struct redis_url url = {0};
    bool sentinels = starts_with(text, sentinel_scheme);

    if (!(sentinels ? read_sentinels(text, &url, error) : read_plain(text, &url, error)))
        return false;
    *out = url;
    return true;
}
