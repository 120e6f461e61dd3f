#include "uri.h"

#include "hex.h"

#include <string.h>

long uri_percent_decode(struct bytes text, char *out, size_t size)
{
    size_t written = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = text.data[i];
        if (value == '%') {
            if (text.len - i < 3)
                return -1;
            const int high = hex_digit_value((char)text.data[i + 1]);
            const int low = hex_digit_value((char)text.data[i + 2]);
            if (high < 0 || low < 0)
                return -1;
            value = high * 16 + low;
            i += 2;
        }
        if (value == 0 || size < 1 || written >= size - 1)
            return -1;
        out[written++] = (char)value;
    }
    if (size == 0)
        return -1;
    out[written] = '\0';
    return (long)written;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool fail(struct error *error, const char *text)
{
    error_set(error, ERROR_CONFIG, "%s", text);
    return false;
}

/* The part of *rest before the first byte of `stops` (all of it if there is none); *rest becomes what follows, with the
   stop. */
static struct bytes take_until(struct bytes *rest, const char *stops)
{
    size_t len = 0;
    while (len < rest->len && strchr(stops, rest->data[len]) == NULL)
        len++;
    const struct bytes part = bytes_of(rest->data, len);
    *rest = bytes_of(rest->data + len, rest->len - len);
    return part;
}

static struct bytes skip(struct bytes text, size_t len)
{
    return bytes_of(text.data + len, text.len - len);
}

static bool parse_scheme(struct bytes *rest, struct uri *uri, struct error *error)
{
    const struct bytes scheme = take_until(rest, ":");
    if (rest->len < 3 || memcmp(rest->data, "://", 3) != 0 || scheme.len == 0 || scheme.len >= sizeof uri->scheme ||
        !is_letter(scheme.data[0]))
        return fail(error, "the URL must begin with a scheme and \"://\"");
    for (size_t i = 0; i < scheme.len; i++) {
        const uint8_t c = scheme.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return fail(error, "the URL must begin with a scheme and \"://\"");
        uri->scheme[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    uri->scheme[scheme.len] = '\0';
    *rest = skip(*rest, 3);
    return true;
}

static bool parse_user(struct bytes userinfo, struct uri *uri, struct error *error)
{
    struct bytes rest = userinfo;
    const struct bytes user = take_until(&rest, ":");
    if (uri_percent_decode(user, uri->user, sizeof uri->user) < 0)
        return fail(error, "the user in the URL is too long or has a malformed percent escape");
    uri->has_user = true;
    if (rest.len == 0)
        return true;
    uri->has_password = true;
    if (uri_percent_decode(skip(rest, 1), uri->password, sizeof uri->password) < 0)
        return fail(error, "the password in the URL is too long or has a malformed percent escape");
    return true;
}

static bool parse_host(struct bytes *rest, struct uri *uri, struct error *error)
{
    const bool bracket = rest->len > 0 && rest->data[0] == '[';
    if (bracket)
        *rest = skip(*rest, 1);
    const struct bytes host = take_until(rest, bracket ? "]" : ":");
    if (bracket && rest->len == 0)
        return fail(error, "the URL has a [ without its ]");
    if (bracket)
        *rest = skip(*rest, 1);
    if (host.len == 0)
        return fail(error, "the URL names no host");
    if (host.len >= sizeof uri->host)
        return fail(error, "the host in the URL is too long");
    for (size_t i = 0; i < host.len; i++) {
        const uint8_t c = host.data[i];
        const bool allowed = bracket ? hex_digit_value((char)c) >= 0 || c == ':' || c == '.'
                                     : is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
        if (!allowed)
            return fail(error, "the host in the URL has characters that no host name has");
    }
    memcpy(uri->host, host.data, host.len);
    uri->host[host.len] = '\0';
    return true;
}

static bool parse_port(struct bytes rest, struct uri *uri, struct error *error)
{
    /* The text is not repeated: with a misplaced slash it would be a piece of the password. */
    static const char sentence[] = "the port in the URL must be a number from 1 to 65535 (in a password, @ : / ? # % "
                                   "are written as percent escapes)";
    uint32_t port = 0;
    if (rest.len == 0)
        return true;
    if (rest.data[0] != ':' || rest.len < 2 || rest.len > 6)
        return fail(error, sentence);
    for (size_t i = 1; i < rest.len; i++) {
        if (!is_digit(rest.data[i]))
            return fail(error, sentence);
        port = port * 10 + (uint32_t)(rest.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return fail(error, sentence);
    uri->port = (uint16_t)port;
    return true;
}

static bool parse_authority(struct bytes authority, struct uri *uri, struct error *error)
{
    struct bytes rest = authority;
    const struct bytes userinfo = take_until(&rest, "@");
    if (rest.len == 0) {
        rest = authority;
    } else {
        rest = skip(rest, 1);
        if (rest.len > 0 && memchr(rest.data, '@', rest.len) != NULL)
            return fail(error, "the URL has more than one @; in a user or password it is written as %40");
        if (!parse_user(userinfo, uri, error))
            return false;
    }
    return parse_host(&rest, uri, error) && parse_port(rest, uri, error);
}

static bool parse_path(struct bytes rest, struct uri *uri, struct error *error)
{
    if (rest.len == 0)
        return true;
    if (rest.data[0] == '?' || memchr(rest.data, '?', rest.len) != NULL)
        return fail(error, "the URL must not have a query (?)");
    if (rest.data[0] == '#' || memchr(rest.data, '#', rest.len) != NULL)
        return fail(error, "the URL must not have a fragment (#)");
    if (memchr(rest.data, '@', rest.len) != NULL)
        return fail(error, "the URL has an @ behind a slash; in a password a slash is written as %2F");
    uri->has_path = true;
    if (uri_percent_decode(skip(rest, 1), uri->path, sizeof uri->path) < 0)
        return fail(error, "the path in the URL is too long or has a malformed percent escape");
    return true;
}

bool uri_parse(const char *text, struct uri *out, struct error *error)
{
    struct uri uri = {0};
    struct bytes rest = bytes_of_text(text);

    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] <= ' ' || rest.data[i] == 0x7f)
            return fail(error, "the URL has white space or a control character in it");
    }
    if (!parse_scheme(&rest, &uri, error))
        return false;
    const struct bytes authority = take_until(&rest, "/?#");
    if (!parse_authority(authority, &uri, error) || !parse_path(rest, &uri, error))
        return false;
    *out = uri;
    return true;
}
