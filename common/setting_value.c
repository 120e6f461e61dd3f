#include "setting_value.h"

#include "buf.h"
#include "bytes.h"
#include "config_file.h"
#include "limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    VALUE_FILE_LIMIT = 64 * 1024, /* the largest NAME_FILE */
    HOST_LIMIT = 254,             /* RFC 1035: a host name and its NUL */
};

static bool bad(struct error *error, const char *text)
{
    error_set(error, ERROR_CONFIG, "%s", text);
    return false;
}

static bool parse_integer(const struct setting *row, const char *text, int64_t *out, struct error *error)
{
    char *end = NULL;
    const char *digits = text + (*text == '-' ? 1 : 0);
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (*digits < '0' || *digits > '9' || *end != '\0' || errno == ERANGE || value < row->min || value > row->max) {
        error_set(error, ERROR_CONFIG, "must be a whole number from %" PRId64 " to %" PRId64 ", not \"%.64s\"",
                  row->min, row->max, text);
        return false;
    }
    *out = value;
    return true;
}

static bool parse_choice(const struct setting *row, const char *text, int *out, struct error *error)
{
    char names[ERROR_TEXT / 2] = "";
    size_t len = 0;
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *out = i;
            return true;
        }
        const char *between = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
        const int written = snprintf(names + len, sizeof names - len, "%s%s", between, row->choices[i]);
        len = written < 0 || (size_t)written >= sizeof names - len ? sizeof names - 1 : len + (size_t)written;
    }
    error_set(error, ERROR_CONFIG, "must be %s, not \"%.64s\"", names, text);
    return false;
}

/* What the HTTP library can listen on: an IPv4 address, or a name of one that does not begin with a digit. */
static bool check_host(struct bytes text, struct error *error)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct in_addr address;
    char host[HOST_LIMIT] = "";

    if (text.len >= sizeof host)
        return bad(error, "must be host:port; the host is too long");
    memcpy(host, text.data, text.len);
    if (strspn(host, allowed) < text.len)
        return bad(error, "must be host:port; the host has characters that no host name has");
    if (inet_pton(AF_INET, host, &address) == 1)
        return true;
    if (host[0] >= '0' && host[0] <= '9') {
        error_set(error, ERROR_CONFIG, "must be host:port; \"%s\" is no IPv4 address", host);
        return false;
    }
    const int status = getaddrinfo(host, NULL, &hints, &found);
    if (status != 0) {
        /* Without a name server, as when the network is not up yet, it is the same for every name. */
        error_set(error, status == EAI_AGAIN || status == EAI_SYSTEM ? ERROR_NOT_YET : ERROR_CONFIG,
                  "needs an IPv4 address, and the name \"%s\" has none here: %s", host, gai_strerror(status));
        return false;
    }
    freeaddrinfo(found);
    return true;
}

static bool looks_like_ipv6(const char *text)
{
    const char *colon = strchr(text, ':');
    return *text == '[' ||
           (colon && strchr(colon + 1, ':') && strspn(text, "0123456789abcdefABCDEF:.") + 1 >= strlen(text));
}

/* host:port with an optional s behind the port. */
static bool check_listen(const char *text, struct error *error)
{
    const char *colon = strchr(text, ':');
    size_t digits = 0;
    long port = 0;

    if (looks_like_ipv6(text))
        return bad(error, "names an IPv6 address, and listening on IPv6 is not supported: give an IPv4 address, "
                          "such as 127.0.0.1:8080");
    if (!colon || colon == text || strchr(colon + 1, ':'))
        return bad(error, "must be host:port, such as 127.0.0.1:8080");
    for (digits = 0; colon[1 + digits] >= '0' && colon[1 + digits] <= '9' && digits < 6; digits++)
        port = port * 10 + (colon[1 + digits] - '0');
    const char *end = colon + 1 + digits;
    if (digits == 0 || port > UINT16_MAX || !(*end == '\0' || strcmp(end, "s") == 0))
        return bad(error, "must be host:port with a port from 0 to 65535 (and an s behind it for TLS)");
    return check_host(bytes_of(text, (size_t)(colon - text)), error);
}

static void secrets_clear(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        explicit_bzero(secrets->items[i].data, secrets->items[i].len);
        free(secrets->items[i].data);
    }
    free(secrets->items);
    *secrets = (struct secrets){0};
}

static bool secrets_add(struct secrets *secrets, struct bytes text, struct error *error)
{
    if (secrets->count == LIMIT_SECRETS) {
        error_set(error, ERROR_CONFIG, "names more than %d secrets", LIMIT_SECRETS);
        return false;
    }
    struct secret *grown = realloc(secrets->items, (secrets->count + 1) * sizeof *grown);
    if (!grown)
        return bad(error, "out of memory");
    secrets->items = grown;
    uint8_t *copy = malloc(text.len);
    if (!copy)
        return bad(error, "out of memory");
    memcpy(copy, text.data, text.len);
    grown[secrets->count++] = (struct secret){.data = copy, .len = text.len};
    return true;
}

/* Outside a file a control character is a slip of copying; a secret that is meant to have one can be put into a file.
 */
static bool check_no_control(const struct setting *row, const char *text, struct error *error)
{
    const size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= ' ' && text[i] != 0x7f)
            continue;
        const char *what = text[i] != '\n'       ? "a control character in it"
                           : text[i + 1] == '\0' ? "a newline at its end"
                                                 : "a newline in it";
        error_set(error, ERROR_CONFIG,
                  "has %s: take it away, or put the secrets into a file, one a line, and name that in %s%s", what,
                  row->name, SETTING_FILE_SUFFIX);
        return false;
    }
    return true;
}

/* The last of them. Its number is all that is said of it: it may be a secret that was put into the wrong setting. */
static bool check_secret(const struct setting *row, const struct secrets *secrets, struct error *error)
{
    const struct secret *last = &secrets->items[secrets->count - 1];
    struct error inner;

    if (!row->check_secret || row->check_secret(bytes_of(last->data, last->len), &inner))
        return true;
    error_set(error, ERROR_CONFIG, "has an entry, number %zu, that cannot be used: %.400s", secrets->count, inner.text);
    return false;
}

/* Cuts `text` at `separator`. Empty lines of a file are nothing; an empty part of a list is a mistake. */
static bool parse_secrets(const struct setting *row, struct bytes text, char separator, struct secrets *out,
                          struct error *error)
{
    struct secrets secrets = {0};
    size_t start = 0;
    bool ok = true;

    for (size_t i = 0; ok && i <= text.len; i++) {
        if (i < text.len && text.data[i] != (uint8_t)separator)
            continue;
        const struct bytes part = bytes_of(text.data + start, i - start);
        start = i + 1;
        if (part.len > 0)
            ok = secrets_add(&secrets, part, error) && check_secret(row, &secrets, error);
        else if (separator == ',')
            ok = bad(error, "has an empty secret between its commas");
    }
    if (ok && secrets.count == 0)
        ok = bad(error, "holds no secret");
    if (ok)
        *out = secrets;
    else
        secrets_clear(&secrets);
    return ok;
}

void *setting_value_slot(const struct setting *row, void *out)
{
    return (char *)out + row->offset;
}

static bool parse_text(const struct setting *row, const char *text, char **out, struct error *error)
{
    if (row->type == SETTING_LISTEN && *text != '\0' && !check_listen(text, error))
        return false;
    if (row->check && *text != '\0' && !row->check(text, error))
        return false;
    char *copy = strdup(text);
    if (!copy)
        return bad(error, "out of memory");
    *out = copy;
    return true;
}

bool setting_value_parse(const struct setting *row, const char *text, void *out, struct error *error)
{
    void *slot = setting_value_slot(row, out);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        return parse_text(row, text, slot, error);
    case SETTING_INTEGER:
        return parse_integer(row, text, slot, error);
    case SETTING_CHOICE:
        return parse_choice(row, text, slot, error);
    case SETTING_SECRETS:
        if (*text != '\0')
            return check_no_control(row, text, error) && parse_secrets(row, bytes_of_text(text), ',', slot, error);
        *(struct secrets *)slot = (struct secrets){0};
        return true;
    }
    return false;
}

void setting_value_set_default(const struct setting *row, void *out, struct config_report *report)
{
    struct error error;
    void *slot = setting_value_slot(row, out);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        *(char **)slot = NULL;
        break;
    case SETTING_INTEGER:
        *(int64_t *)slot = row->min - 1;
        break;
    case SETTING_CHOICE:
        *(int *)slot = 0;
        break;
    case SETTING_SECRETS:
        *(struct secrets *)slot = (struct secrets){0};
        break;
    }
    if ((row->type == SETTING_INTEGER || row->type == SETTING_CHOICE) && !row->default_text)
        return;
    if (!setting_value_parse(row, row->default_text ? row->default_text : "", out, &error))
        config_problem(report, "%s: the default %s", row->name, error.text);
}

bool setting_value_parse_file(const struct setting *row, const char *path, void *out, struct error *error)
{
    struct buf text;
    bool ok = false;
    buf_init(&text, VALUE_FILE_LIMIT);
    if (!config_read_whole(path, &text, error))
        goto out;
    if (row->type != SETTING_SECRETS && memchr(text.data, '\0', text.len)) {
        ok = bad(error, "is no text: it has a NUL byte");
    } else if (row->type == SETTING_SECRETS) {
        ok = parse_secrets(row, bytes_of(text.data, text.len), '\n', setting_value_slot(row, out), error);
    } else {
        text.data[strcspn(text.data, "\n")] = '\0';
        const size_t len = strlen(text.data);
        if (len > 0 && text.data[len - 1] == '\r')
            text.data[len - 1] = '\0';
        ok = *text.data == '\0' ? bad(error, "has an empty first line")
                                : setting_value_parse(row, text.data, out, error);
    }
    if (!ok) {
        const struct error inner = *error;
        error_set(error, ERROR_CONFIG, "%.128s: %.360s", path, inner.text);
    }
out:
    config_wipe(&text);
    return ok;
}

void setting_value_clear(const struct setting *row, void *out)
{
    void *slot = setting_value_slot(row, out);
    char **text = slot;

    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        if (*text && row->secret)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
        break;
    case SETTING_SECRETS:
        secrets_clear(slot);
        break;
    case SETTING_INTEGER:
    case SETTING_CHOICE:
        break;
    }
}
