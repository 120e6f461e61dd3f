#include "development_secret.h"

#include "uri.h"

#include <string.h>

enum { URL_SIZE = 2048 };

static const char prefix[] = "development-";
static const size_t prefix_len = sizeof prefix - 1;

bool development_secret_is(struct bytes secret)
{
    return secret.len >= prefix_len && memcmp(secret.data, prefix, prefix_len) == 0;
}

/* How many of them are the examples'. */
static size_t development_count(const struct secrets *secrets)
{
    size_t found = 0;

    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->items[i];
        found += development_secret_is(bytes_of(secret->data, secret->len));
    }
    return found;
}

bool development_secrets_check(const struct named_secrets *settings, size_t count, struct config_report *report)
{
    bool own = false;
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        own |= development_count(settings[i].secrets) < settings[i].secrets->count;
    for (size_t i = 0; i < count; i++) {
        const char *name = settings[i].name;

        if (development_count(settings[i].secrets) == 0)
            continue;
        if (own)
            config_problem(report,
                           "DEVELOPMENT SECRET: %s is the one of the examples, which everybody knows, beside a secret "
                           "of your own: anyone can send events that pass for genuine. Set %s to one of your own, or "
                           "leave it empty (%s=) to refuse what it verifies",
                           name, name, name);
        else
            config_warning(report,
                           "DEVELOPMENT SECRET: %s is the one of the examples, which everybody knows: anyone can send "
                           "events that pass for genuine. Set one of your own before anything real comes in",
                           name);
        ok &= !own;
    }
    return ok;
}

void development_password_warn(const char *name, const char *urls, struct config_report *report)
{
    while (urls && *urls != '\0') {
        const size_t len = strcspn(urls, ",");
        char one[URL_SIZE] = "";
        struct error error;
        struct uri uri;

        if (len < sizeof one) {
            memcpy(one, urls, len);
            if (uri_parse(one, &uri, &error) && strncmp(uri.password, prefix, prefix_len) == 0) {
                config_warning(report,
                               "DEVELOPMENT SECRET: the password in %s is the one of the examples, which everybody "
                               "knows. Set one of your own before that server can be reached from elsewhere",
                               name);
                return;
            }
        }
        urls += len + (urls[len] == ',');
    }
}
