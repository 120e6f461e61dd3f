/* The worker's settings. */
#include "workers/worker_config.h"

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void clear(struct worker_config *config)
{
    size_t count = 0;
    const struct setting *rows = worker_config_rows(&count);
    config_clear(rows, count, config);
}

static void defaults_are_those_of_the_interface(void **state)
{
    char *const nothing[] = {NULL};
    struct worker_config config;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_true(worker_config_load(NULL, nothing, &config, &report));
    assert_int_equal(report.problems.len + report.warnings.len, 0);
    assert_string_equal(config.admin_listen, "127.0.0.1:9091");
    assert_string_equal(config.amqp_url, "amqp://guest:guest@127.0.0.1:5672/%2f");
    assert_string_equal(config.amqp_exchange, "dropcowboy");
    assert_string_equal(config.amqp_queue, "dropcowboy.events");
    assert_string_equal(config.amqp_rejected_queue, "dropcowboy.rejected");
    assert_int_equal(config.prefetch, 1024);
    assert_int_equal(config.batch_max, 256);
    assert_int_equal(config.batch_wait_ms, 20);
    assert_string_equal(config.redis_url, "redis://127.0.0.1:6379/0");
    assert_string_equal(config.redis_prefix, "dc:");
    assert_string_equal(config.redis_sentinel_password, "");
    assert_int_equal(config.redis_wait_replicas, -1);
    assert_int_equal(config.redis_away_s, 60);
    assert_int_equal(config.retention_s, 604800);
    assert_int_equal(config.result_ttl_s, 86400);
    assert_int_equal(config.results_stream_max, 100000);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(config.log_format, LOG_FORMAT_TEXT);
    clear(&config);
    config_report_clear(&report);
}

static void each_wrong_value_is_a_problem_that_names_its_setting(void **state)
{
    static const struct {
        const char *given;
        const char *named; /* what the report says */
    } cases[] = {
        {"ADMIN_LISTEN=127.0.0.1:9443s", "ADMIN_LISTEN"},
        {"ADMIN_LISTEN=9091x", "ADMIN_LISTEN"},
        {"AMQP_URL=http://h/", "AMQP_URL"},
        {"AMQP_URL=https://h/", "amqps"},
        {"AMQP_CA_FILE=/x.pem", "AMQP_CA_FILE names"},
        {"AMQP_CERT_FILE=/x.pem", "AMQP_CERT_FILE names"},
        {"AMQP_EXCHANGE=amq.direct", "AMQP_EXCHANGE"},
        {"AMQP_QUEUE=dropcowboy.rejected", "AMQP_QUEUE and AMQP_REJECTED_QUEUE"},
        {"AMQP_EXCHANGE=dropcowboy.rejected", "AMQP_EXCHANGE and AMQP_REJECTED_QUEUE"},
        {"PREFETCH=0", "PREFETCH"},
        {"PREFETCH=65536", "PREFETCH"},
        {"BATCH_MAX=0", "BATCH_MAX"},
        {"BATCH_WAIT_MS=-1", "BATCH_WAIT_MS"},
        {"REDIS_AWAY_S=0", "REDIS_AWAY_S"},
        {"REDIS_URL=http://h", "REDIS_URL"},
        {"REDIS_URL=rediss-sentinel://h:1/main/0", "REDIS_URL cannot be used: there is no TLS with sentinels"},
        {"REDIS_CA_FILE=/x.pem", "REDIS_CA_FILE names"},
        {"REDIS_CERT_FILE=/x.pem", "REDIS_CERT_FILE names"},
        {"REDIS_URL=redis-sentinel://h:1,i:2", "REDIS_URL cannot be used: it does not say by which name"},
        {"REDIS_URL=redis-sentinel://h:1,i:2/main/x", "REDIS_URL cannot be used: the database"},
        {"REDIS_URL=redis-sentinel://h:1,i:y/main/0", "REDIS_URL cannot be used: the port"},
        {"REDIS_WAIT_REPLICAS=17", "REDIS_WAIT_REPLICAS"},
        {"REDIS_WAIT_REPLICAS=-1", "REDIS_WAIT_REPLICAS must be a whole number from 0 to 16"},
        {"REDIS_PREFIX=a b", "REDIS_PREFIX"},
        {"REDIS_PREFIX={a}", "REDIS_PREFIX"},
        {"RETENTION_S=week", "RETENTION_S"},
        {"RESULT_TTL_S=-1", "RESULT_TTL_S"},
        {"LOG_LEVEL=loud", "LOG_LEVEL"},
        {"LOG_FORMAT=xml", "LOG_FORMAT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char given[128];
        snprintf(given, sizeof given, "%s", cases[i].given);
        char *const environment[] = {given, NULL};
        struct worker_config config;
        struct config_report report;
        config_report_init(&report);
        if (worker_config_load(NULL, environment, &config, &report))
            fail_msg("%s is taken", given);
        if (!strstr(report.problems.data, cases[i].named))
            fail_msg("%s: %s", given, report.problems.data);
        clear(&config);
        config_report_clear(&report);
    }
}

static void all_problems_are_named_and_no_password_is(void **state)
{
    char amqp[] = "AMQP_URL=amqp://user:hunter2@h:99999/";
    char redis[] = "REDIS_URL=redis://:hunter2@h:1/x";
    char prefetch[] = "PREFETCH=many";
    char *const environment[] = {amqp, redis, prefetch, NULL};
    struct worker_config config;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_false(worker_config_load(NULL, environment, &config, &report));
    assert_non_null(strstr(report.problems.data, "AMQP_URL"));
    assert_non_null(strstr(report.problems.data, "REDIS_URL"));
    assert_non_null(strstr(report.problems.data, "PREFETCH"));
    assert_null(strstr(report.problems.data, "hunter2"));
    clear(&config);
    config_report_clear(&report);
}

static void sentinels_and_their_password_are_taken(void **state)
{
    char url[] = "REDIS_URL=redis-sentinel://user:word@h:1,i/main/2";
    char password[] = "REDIS_SENTINEL_PASSWORD=another word";
    char *const environment[] = {url, password, NULL};
    struct worker_config config;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_true(worker_config_load(NULL, environment, &config, &report));
    assert_string_equal(config.redis_url, "redis-sentinel://user:word@h:1,i/main/2");
    assert_string_equal(config.redis_sentinel_password, "another word");
    clear(&config);
    config_report_clear(&report);
}

static void a_password_of_sentinels_without_sentinels_is_a_warning(void **state)
{
    char password[] = "REDIS_SENTINEL_PASSWORD=a word";
    char *const environment[] = {password, NULL};
    struct worker_config config;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_true(worker_config_load(NULL, environment, &config, &report));
    assert_non_null(strstr(report.warnings.data, "REDIS_SENTINEL_PASSWORD is not used"));
    assert_null(strstr(report.warnings.data, "a word"));
    clear(&config);
    config_report_clear(&report);
}

static void a_batch_larger_than_the_prefetch_is_a_warning(void **state)
{
    char prefetch[] = "PREFETCH=10";
    char *const environment[] = {prefetch, NULL};
    struct worker_config config;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_true(worker_config_load(NULL, environment, &config, &report));
    assert_non_null(strstr(report.warnings.data, "PREFETCH"));
    clear(&config);
    config_report_clear(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_interface),
        cmocka_unit_test(each_wrong_value_is_a_problem_that_names_its_setting),
        cmocka_unit_test(all_problems_are_named_and_no_password_is),
        cmocka_unit_test(sentinels_and_their_password_are_taken),
        cmocka_unit_test(a_password_of_sentinels_without_sentinels_is_a_warning),
        cmocka_unit_test(a_batch_larger_than_the_prefetch_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
