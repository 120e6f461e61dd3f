#include "bridge/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void clear(struct bridge_settings *config)
{
    size_t count = 0;
    const struct setting *rows = bridge_settings_rows(&count);
    config_clear(rows, count, config);
}

/* Environments, and a word that a problem (or warning) must hold; NULL: none of that kind. */
static const struct {
    const char *name;
    const char *environment[6];
    bool good;
    const char *problem, *warning;
} cases[] = {
    {"both secrets", {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b"}, true, NULL, NULL},
    {"several secrets", {"WEBHOOK_SECRET=a,b", "CALLBACK_SECRET=b,c"}, true, NULL, NULL},
    {"both secrets of the examples",
     {"WEBHOOK_SECRET=development-x", "CALLBACK_SECRET=development-y"},
     true,
     NULL,
     "DEVELOPMENT SECRET: CALLBACK_SECRET"},
    {"a secret of the examples, and callbacks off",
     {"WEBHOOK_SECRET=development-x", "CALLBACK_SECRET="},
     true,
     NULL,
     "DEVELOPMENT SECRET: WEBHOOK_SECRET"},
    {"the webhook secret of the examples beside one's own",
     {"WEBHOOK_SECRET=development-x", "CALLBACK_SECRET=b"},
     false,
     "leave it empty (WEBHOOK_SECRET=)",
     NULL},
    {"the callback secret of the examples beside one's own",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=development-x"},
     false,
     "leave it empty (CALLBACK_SECRET=)",
     NULL},
    {"a secret of the examples in a list with one's own",
     {"WEBHOOK_SECRET=a,development-x", "CALLBACK_SECRET=b"},
     false,
     "leave it empty (WEBHOOK_SECRET=)",
     NULL},
    {"a secret of the examples that verifies nothing",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=development-x", "CALLBACK_AUTH=off"},
     true,
     NULL,
     "CALLBACK_AUTH=off"},
    {"a secret that only holds the word",
     {"WEBHOOK_SECRET=a-development-", "CALLBACK_SECRET=developmen"},
     true,
     NULL,
     NULL},
    {"the password of the examples",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "AMQP_URL=amqp://u:own@h,amqp://u:development-x@h"},
     true,
     NULL,
     "password in AMQP_URL"},
    {"nothing to verify with", {NULL}, false, "WEBHOOK_SECRET", NULL},
    {"webhooks only", {"WEBHOOK_SECRET=a"}, true, NULL, "/callbacks/dropcowboy"},
    {"callbacks only", {"CALLBACK_SECRET=a"}, true, NULL, "/webhooks/dropcowboy"},
    {"keys of campaigns only",
     {"WEBHOOK_SECRET=a", "CALLBACK_CAMPAIGN_SECRETS=spring=k,spring=older"},
     true,
     NULL,
     "except for campaigns in CALLBACK_CAMPAIGN_SECRETS"},
    {"keys of campaigns without webhooks", {"CALLBACK_CAMPAIGN_SECRETS=spring=k"}, true, NULL, "/webhooks/dropcowboy"},
    {"a campaign without a key",
     {"WEBHOOK_SECRET=a", "CALLBACK_CAMPAIGN_SECRETS=spring=k,autumn="},
     false,
     "number 2",
     NULL},
    {"a campaign with the key of the examples",
     {"WEBHOOK_SECRET=a", "CALLBACK_CAMPAIGN_SECRETS=spring=development-x"},
     false,
     "one of the examples",
     NULL},
    {"unverified callbacks", {"CALLBACK_AUTH=off"}, true, NULL, "CALLBACK_AUTH"},
    {"an unknown choice", {"WEBHOOK_SECRET=a", "CALLBACK_AUTH=maybe"}, false, "CALLBACK_AUTH", NULL},
    {"TLS without a certificate", {"WEBHOOK_SECRET=a", "LISTEN=0.0.0.0:8443s"}, false, "set TLS_CERT_FILE", NULL},
    {"TLS on the private port", {"WEBHOOK_SECRET=a", "ADMIN_LISTEN=127.0.0.1:9443s"}, false, "ADMIN_LISTEN", NULL},
    {"a certificate that is not there",
     {"WEBHOOK_SECRET=a", "TLS_CERT_FILE=/x.pem"},
     false,
     "TLS_CERT_FILE names",
     NULL},
    {"a port out of range", {"WEBHOOK_SECRET=a", "LISTEN=0.0.0.0:70000"}, false, "LISTEN", NULL},
    {"AMQP over TLS", {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "AMQP_URL=amqps://h"}, true, NULL, NULL},
    {"an authority that is not there", {"WEBHOOK_SECRET=a", "AMQP_CA_FILE=/x.pem"}, false, "AMQP_CA_FILE names", NULL},
    {"a certificate for the broker that is not there",
     {"WEBHOOK_SECRET=a", "AMQP_CERT_FILE=/x.pem"},
     false,
     "AMQP_CERT_FILE names",
     NULL},
    {"a cluster", {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "AMQP_URL=amqp://a,amqp://b:1/v"}, true, NULL, NULL},
    {"one bad URL of a cluster", {"WEBHOOK_SECRET=a", "AMQP_URL=amqp://a,http://b"}, false, "AMQP_URL", NULL},
    {"a body limit too high", {"WEBHOOK_SECRET=a", "MAX_BODY_BYTES=99999999"}, false, "MAX_BODY_BYTES", NULL},
    {"no threads", {"WEBHOOK_SECRET=a", "HTTP_THREADS=0"}, false, "HTTP_THREADS", NULL},
    {"not a number", {"WEBHOOK_SECRET=a", "CONFIRM_TIMEOUT_MS=2s"}, false, "CONFIRM_TIMEOUT_MS", NULL},
    {"a confirm of a millisecond", {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "CONFIRM_TIMEOUT_MS=1"}, true, NULL, NULL},
    {"a confirm too late for the answer",
     {"WEBHOOK_SECRET=a", "CONFIRM_TIMEOUT_MS=3001"},
     false,
     "CONFIRM_TIMEOUT_MS",
     NULL},
    {"the public port on IPv6", {"WEBHOOK_SECRET=a", "LISTEN=[::1]:0"}, false, "LISTEN", NULL},
    {"the private port on IPv6", {"WEBHOOK_SECRET=a", "ADMIN_LISTEN=[::1]:0"}, false, "ADMIN_LISTEN", NULL},
    {"a reserved exchange", {"WEBHOOK_SECRET=a", "AMQP_EXCHANGE=amq.direct"}, false, "AMQP_EXCHANGE", NULL},
    {"one name for both queues",
     {"WEBHOOK_SECRET=a", "AMQP_QUEUE=q", "AMQP_REJECTED_QUEUE=q"},
     false,
     "AMQP_REJECTED_QUEUE",
     NULL},
    {"one name for both exchanges",
     {"WEBHOOK_SECRET=a", "AMQP_EXCHANGE=x", "AMQP_REJECTED_QUEUE=x"},
     false,
     "AMQP_EXCHANGE",
     NULL},
    {"a spool too small", {"WEBHOOK_SECRET=a", "SPOOL_MAX_BYTES=1048575"}, false, "SPOOL_MAX_BYTES", NULL},
    {"spool and Redis settings are taken",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "SPOOL_PATH=/tmp/s.db", "SPOOL_MAX_BYTES=2097152", "REDIS_PREFIX=x:"},
     true,
     NULL,
     NULL},
    {"a spool smaller than the largest body",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "SPOOL_MAX_BYTES=1048576"},
     true,
     NULL,
     "MAX_BODY_BYTES=1048576 does not fit"},
    {"a small spool for small bodies",
     {"WEBHOOK_SECRET=a", "CALLBACK_SECRET=b", "SPOOL_MAX_BYTES=1048576", "MAX_BODY_BYTES=500000"},
     true,
     NULL,
     NULL},
};

/* environ's strings are not const. */
struct environment {
    char texts[6][64];
    char *pointers[7];
};

static char *const *environment_of(struct environment *environment, const char *const *texts)
{
    memset(environment, 0, sizeof *environment);
    for (size_t i = 0; i < 6 && texts[i]; i++) {
        strncpy(environment->texts[i], texts[i], sizeof environment->texts[i] - 1);
        environment->pointers[i] = environment->texts[i];
    }
    return environment->pointers;
}

static bool says(const struct buf *text, const char *word)
{
    return word ? text->data && strstr(text->data, word) : text->len == 0;
}

static void settings_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct environment environment;
        struct bridge_settings config;
        struct config_report report;

        config_report_init(&report);
        const bool good =
            bridge_settings_load(NULL, environment_of(&environment, cases[i].environment), &config, &report);
        if (good != cases[i].good || !says(&report.problems, cases[i].problem) ||
            (cases[i].good && !says(&report.warnings, cases[i].warning)))
            fail_msg("%s: %s; problems: %s; warnings: %s", cases[i].name, good ? "good" : "not good",
                     report.problems.data ? report.problems.data : "",
                     report.warnings.data ? report.warnings.data : "");
        clear(&config);
        config_report_clear(&report);
    }
}

static void every_problem_is_named(void **state)
{
    static const char *const texts[] = {"LISTEN=nowhere", "HTTP_THREADS=x", "CALLBACK_AUTH=no", NULL};
    static const char *const words[] = {"LISTEN", "HTTP_THREADS", "CALLBACK_AUTH", "WEBHOOK_SECRET"};
    struct environment environment;
    struct bridge_settings config;
    struct config_report report;

    (void)state;
    config_report_init(&report);
    assert_false(bridge_settings_load(NULL, environment_of(&environment, texts), &config, &report));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_true(says(&report.problems, words[i]));
    clear(&config);
    config_report_clear(&report);
}

static void a_secret_that_cannot_be_read_is_one_problem(void **state)
{
    static const char *const texts[] = {"WEBHOOK_SECRET_FILE=/nowhere/secret", NULL};
    struct environment environment;
    struct bridge_settings config;
    struct config_report report;

    (void)state;
    config_report_init(&report);
    assert_false(bridge_settings_load(NULL, environment_of(&environment, texts), &config, &report));
    assert_true(says(&report.problems, "/nowhere/secret"));
    assert_false(says(&report.problems, "nothing to verify"));
    clear(&config);
    config_report_clear(&report);
}

static void defaults_are_those_of_the_readme(void **state)
{
    static const char *const texts[] = {"WEBHOOK_SECRET=a", NULL};
    struct environment environment;
    struct bridge_settings config;
    struct config_report report;

    (void)state;
    config_report_init(&report);
    assert_true(bridge_settings_load(NULL, environment_of(&environment, texts), &config, &report));
    assert_string_equal(config.listen, "0.0.0.0:8080");
    assert_string_equal(config.admin_listen, "127.0.0.1:9090");
    assert_int_equal(config.callback_auth, CALLBACK_AUTH_TOKEN);
    assert_int_equal(config.timestamp_tolerance_s, 300);
    assert_int_equal(config.max_body_bytes, 1048576);
    assert_int_equal(config.http_threads, 2048);
    assert_int_equal(config.body_timeout_ms, 4000);
    assert_int_equal(config.confirm_timeout_ms, 2500);
    assert_string_equal(config.amqp_url, "amqp://guest:guest@127.0.0.1:5672/%2f");
    assert_string_equal(config.amqp_exchange, "dropcowboy");
    assert_string_equal(config.amqp_queue, "dropcowboy.events");
    assert_string_equal(config.amqp_rejected_queue, "dropcowboy.rejected");
    assert_string_equal(config.spool_path, "./spool.db");
    assert_int_equal(config.spool_max_bytes, 1073741824);
    clear(&config);
    config_report_clear(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(every_problem_is_named),
        cmocka_unit_test(a_secret_that_cannot_be_read_is_one_problem),
        cmocka_unit_test(defaults_are_those_of_the_readme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
