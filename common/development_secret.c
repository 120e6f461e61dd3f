#include "development_secret.h"

#include "uri.h"

#include <string.h>

enum { URL_SIZE = 2048 };

static const char prefix[] = "development-";
static const size_t prefix_len = sizeof prefix - 1;

void development_secret_warn(const char *name, const struct secrets *secrets, struct config_report *report)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->items[i];
        if (secret->len < prefix_len || memcmp(secret->data, prefix, prefix_len) != 0)
            continue;
        config_warning(report,
                       "DEVELOPMENT SECRET: %s is the one of the examples, which everybody knows: anyone can send "
                       "events that pass for genuine. Set one of your own before anything real comes in",
                       name);
        return;
    }
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
