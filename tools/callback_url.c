#include "callback_url.h"

#include "common/callback_token.h"
#include "common/limits.h"
#include "common/uri.h"

#include <stdio.h>
#include <string.h>

enum { URL_LIMIT = 4096 };

static bool check_base(const char *base, struct error *error)
{
    struct uri uri;
    struct error inner;
    if (!uri_parse(base, &uri, &inner)) {
        error_set(error, ERROR_USAGE, "--base: %.450s", inner.text);
        return false;
    }
    if (strcmp(uri.scheme, "http") != 0 && strcmp(uri.scheme, "https") != 0) {
        error_set(error, ERROR_USAGE, "--base: the URL must begin with http:// or https://");
        return false;
    }
    if (uri.has_user) {
        error_set(error, ERROR_USAGE, "--base: the URL must not hold a user or a password");
        return false;
    }
    return true;
}

bool callback_url_build(const char *base, const char *campaign, bool path_token, const struct hmac_key *key,
                        struct buf *out, struct error *error)
{
    char token[SHA256_HEX_SIZE];
    size_t base_len = strlen(base);

    if (!check_base(base, error))
        return false;
    if (campaign && !campaign_name_valid(bytes_of_text(campaign))) {
        error_set(error, ERROR_USAGE, "--campaign: a name is 1 to %d of A-Z a-z 0-9 . _ - and not . or ..",
                  LIMIT_CAMPAIGN);
        return false;
    }
    if (path_token && !campaign) {
        error_set(error, ERROR_USAGE, "--path-token needs --campaign");
        return false;
    }
    if (!callback_token_mint(key, campaign, token)) {
        error_set(error, ERROR_INTERNAL, "libcrypto cannot compute the token");
        return false;
    }
    while (base_len > 0 && base[base_len - 1] == '/')
        base_len--;
    if (!buf_append(out, base, base_len) ||
        !buf_printf(out, "/callbacks/dropcowboy%s%s%s%s", campaign ? "/" : "", campaign ? campaign : "",
                    path_token ? "/t/" : "?token=", token)) {
        error_set(error, ERROR_USAGE, "--base: the URL is too long");
        return false;
    }
    return true;
}

struct arguments {
    const char *base;
    const char *campaign;
    bool path_token;
};

static bool read_arguments(int argc, char **argv, struct arguments *out, struct error *error)
{
    struct arguments arguments = {0};
    for (int i = 1; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--base") == 0 && has_value) {
            arguments.base = argv[++i];
        } else if (strcmp(argv[i], "--campaign") == 0 && has_value) {
            arguments.campaign = argv[++i];
        } else if (strcmp(argv[i], "--path-token") == 0) {
            arguments.path_token = true;
        } else {
            error_set(error, ERROR_USAGE, "callback-url: \"%.100s\" is unknown, or lacks its value", argv[i]);
            return false;
        }
    }
    if (!arguments.base) {
        error_set(error, ERROR_USAGE,
                  "callback-url: --base URL is needed: the bridge's address as the vendor reaches it");
        return false;
    }
    *out = arguments;
    return true;
}

/* The campaign's own first key, else the first of all. */
static struct hmac_key *key_of(const struct tool_config *config, const char *campaign, struct error *error)
{
    for (size_t i = 0; campaign && i < config->callback_campaign_secrets.count; i++) {
        const struct secret *entry = &config->callback_campaign_secrets.items[i];
        struct bytes name, key;

        if (callback_campaign_secret_split(bytes_of(entry->data, entry->len), &name, &key, error) &&
            bytes_equal(name, bytes_of_text(campaign)))
            return tool_key(key, error);
    }
    return tool_first_key(&config->callback_secrets, "CALLBACK_SECRET", error);
}

int callback_url_run(const struct tool_config *config, int argc, char **argv)
{
    struct error error = {.code = ERROR_NONE};
    struct arguments arguments;
    struct hmac_key *key = NULL;
    struct buf url;

    buf_init(&url, URL_LIMIT);
    if (!read_arguments(argc, argv, &arguments, &error))
        goto out;
    key = key_of(config, arguments.campaign, &error);
    if (!key || !callback_url_build(arguments.base, arguments.campaign, arguments.path_token, key, &url, &error))
        goto out;
    if (puts(url.data) < 0 || fflush(stdout) != 0)
        error_set(&error, ERROR_INTERNAL, "the output cannot be written");
out:
    if (error.code != ERROR_NONE)
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    buf_clear(&url);
    hmac_key_free(key);
    return error_exit_status(error.code);
}
