/* A --config file, and a file of secrets. */
#include "common/env_config.h"
#include "common/setting_value.h"
#include "common/settings.h"
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct config {
    char *text, *url, *separator;
    int64_t number;
    int choice;
    struct secrets secrets, campaign_secrets;
};

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

/* One of each type and check. No name of a host is looked up, and no other file read. */
static const struct setting rows[] = {
    {.name = "AMQP_EXCHANGE", .offset = offsetof(struct config, text), .default_text = "dropcowboy", .type = SETTING_TEXT,
     .check = setting_check_amqp_name},
    {.name = "AMQP_URL", .offset = offsetof(struct config, url), .default_text = "amqp://localhost", .type = SETTING_TEXT,
     .check = setting_check_amqp_url},
    {.name = "CAMPAIGN_FROM_FOREIGN_ID", .offset = offsetof(struct config, separator), .type = SETTING_TEXT,
     .check = setting_check_separator},
    {.name = "PREFETCH", .offset = offsetof(struct config, number), .default_text = "1024", .min = 1, .max = 65535,
     .type = SETTING_INTEGER},
    {.name = "LOG_LEVEL", .offset = offsetof(struct config, choice), .default_text = "info", .choices = levels,
     .type = SETTING_CHOICE},
    {.name = "CALLBACK_CAMPAIGN_SECRETS", .offset = offsetof(struct config, campaign_secrets), .type = SETTING_SECRETS,
     .check_secret = setting_check_campaign_secret},
    {.name = "WEBHOOK_SECRET", .offset = offsetof(struct config, secrets), .type = SETTING_SECRETS},
};
enum { ROWS = sizeof rows / sizeof rows[0], SECRETS = ROWS - 1 };

static void claim_of_secrets(const struct secrets *secrets)
{
    CLAIM(secrets->count <= LIMIT_SECRETS);
    for (size_t i = 0; i < secrets->count; i++)
        CLAIM(secrets->items[i].len > 0 && !memchr(secrets->items[i].data, '\n', secrets->items[i].len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64], *nothing[] = {NULL};
    static int file = -1;
    struct config config = {0}, other = {0};
    struct config_report report;
    struct error error = {.code = ERROR_NONE};

    if (file < 0) {
        file = memfd_create("settings", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    CLAIM(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    config_report_init(&report);
    const bool good = config_load(rows, ROWS, path, nothing, &config, &report);
    CLAIM(good == (report.problems.len == 0));
    CLAIM(config.text && config.url && config.number >= 1 && config.number <= 65535);
    CLAIM(config.choice >= 0 && config.choice <= 3);
    claim_of_secrets(&config.secrets);
    claim_of_secrets(&config.campaign_secrets);
    if (setting_value_parse_file(&rows[SECRETS], path, &other, &error))
        claim_of_secrets(&other.secrets);
    else
        CLAIM(error.code == ERROR_CONFIG && other.secrets.count == 0);
    config_clear(rows, ROWS, &config);
    setting_value_clear(&rows[SECRETS], &other);
    config_report_clear(&report);
    return 0;
}
