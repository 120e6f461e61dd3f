/* settings.def as C: a program's struct of settings, its rows for env_config.h, and the checks that rows name.

   A program's struct has the members of its own settings only, so that it cannot read another's:

       struct worker_config {
       #define SETTING(bridge, worker, ctl, name, member, ...) SETTING_MEMBER(worker, member, __VA_ARGS__)
       #include "common/settings.def"
       };
       #define SETTING(bridge, worker, ctl, ...) SETTING_ROW(worker, struct worker_config, __VA_ARGS__)
       static const struct setting rows[] = {
       #include "common/settings.def"
       }; */
#ifndef DROPBRIDGE_SETTINGS_H
#define DROPBRIDGE_SETTINGS_H

#include "config_report.h"
#include "error.h"
#include "limits.h"
#include "setting.h"
#include "tls_peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTING_YEAR_S = 366 * 86400 };

#define SETTING_C_TEXT char *
#define SETTING_C_LISTEN char *
#define SETTING_C_INTEGER int64_t
#define SETTING_C_CHOICE int
#define SETTING_C_SECRETS struct secrets

#define SETTING_MEMBER(has, member, type, ...) SETTING_MEMBER_##has(member, type)
#define SETTING_MEMBER_yes(member, type) SETTING_C_##type member;
#define SETTING_MEMBER_no(member, type)

#define SETTING_ROW(has, config, name, member, type, ...) SETTING_ROW_##has(config, name, member, type, __VA_ARGS__)
#define SETTING_ROW_yes(config, name_, member, type_, ...)                                                             \
    {.name = #name_, .type = SETTING_##type_, .offset = offsetof(config, member), __VA_ARGS__},
#define SETTING_ROW_no(...)

/* Whether one of our programs reads this key: one --config file may serve all of them. */
bool setting_of_any_program(const char *name);

/* In the order of enum callback_auth, enum log_level and enum log_format. */
enum callback_auth { CALLBACK_AUTH_TOKEN, CALLBACK_AUTH_OFF };
extern const char *const setting_callback_auths[], *const setting_log_levels[], *const setting_log_formats[];

/* What every connection to RabbitMQ shares, of a program's struct of settings (a struct amqp_settings). */
#define SETTINGS_AMQP(config, of_reread)                                                                               \
    {                                                                                                                  \
        .urls = (config)->amqp_url, .reread = (of_reread), .exchange = (config)->amqp_exchange,                        \
        .queue = (config)->amqp_queue, .rejected_queue = (config)->amqp_rejected_queue,                                \
        .ca_file = (config)->amqp_ca_file, .cert_file = (config)->amqp_cert_file                                       \
    }

/* As setting.check. */
bool setting_check_own_certificate(const char *value, struct error *error);
bool setting_check_no_tls(const char *value, struct error *error);
bool setting_check_amqp_url(const char *value, struct error *error);
bool setting_check_amqp_name(const char *value, struct error *error);
bool setting_check_redis_url(const char *value, struct error *error);
bool setting_check_redis_prefix(const char *value, struct error *error);
bool setting_check_separator(const char *value, struct error *error);
/* As setting.check_secret. */
bool setting_check_campaign_secret(struct bytes secret, struct error *error);

/* Across settings: what is declared under these names must be three things. False with the problems in the report. */
bool settings_check_amqp_names(const char *exchange, const char *queue, const char *rejected_queue,
                               struct config_report *report);

#endif
