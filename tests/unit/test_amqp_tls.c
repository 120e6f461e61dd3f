#include "common/amqp_tls.h"

#include "cases.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void explains_only_what_failed_of_tls(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        int reason; /* of OpenSSL; 0: none */
        const char *words;
    } cases[] = {
        {"it is open", AMQP_STATUS_OK, 0, NULL},
        {"nobody there", AMQP_STATUS_SOCKET_ERROR, 0, NULL},
        {"too slow", AMQP_STATUS_TIMEOUT, 0, NULL},
        {"no name", AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, 0, NULL},
        {"another protocol", AMQP_STATUS_SSL_CONNECTION_FAILED, SSL_R_WRONG_VERSION_NUMBER, "no TLS is spoken there"},
        {"an end", AMQP_STATUS_SSL_CONNECTION_FAILED, 0, "the broker ended the connection"},
        {"our certificate", AMQP_STATUS_SSL_CONNECTION_FAILED, SSL_R_TLSV1_ALERT_UNKNOWN_CA, "set AMQP_CERT_FILE"},
        {"something else", AMQP_STATUS_SSL_CONNECTION_FAILED, SSL_R_NO_SHARED_CIPHER, "no shared cipher"},
        {"the library's own look at the name", AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, 0, "is not for h"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        struct amqp_tls *tls = amqp_tls_new(NULL, NULL, "h", &error);
        assert_non_null(tls);
        ERR_clear_error();
        if (cases[i].reason)
            ERR_raise(ERR_LIB_SSL, cases[i].reason);
        CHECK_CASE(cases[i].name, amqp_tls_explain(tls, "h:5671", cases[i].status, &error) == (cases[i].words != NULL));
        CHECK_CASE(cases[i].name, !cases[i].words || (error.code == ERROR_UNAVAILABLE &&
                                                      strncmp(error.text, "connecting to h:5671: ", 22) == 0 &&
                                                      strstr(error.text, cases[i].words)));
        amqp_tls_free(tls);
    }
    ERR_clear_error();
    amqp_tls_free(NULL);
}

static void a_file_that_is_away_is_no_reason_to_give_up_for_good(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ca_file, *cert_file, *words;
    } cases[] = {
        {"the authorities", "/nowhere/ca.pem", NULL, "AMQP_CA_FILE names /nowhere/ca.pem"},
        {"the certificate", NULL, "/nowhere/own.pem", "AMQP_CERT_FILE names /nowhere/own.pem"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        amqp_connection_state_t connection = amqp_new_connection();
        struct amqp_tls *tls = amqp_tls_new(cases[i].ca_file, cases[i].cert_file, "h", &error);
        CHECK_CASE(cases[i].name, amqp_tls_socket(tls, connection, &error) == NULL);
        CHECK_CASE(cases[i].name, error.code == ERROR_UNAVAILABLE && strstr(error.text, cases[i].words));
        (void)amqp_destroy_connection(connection);
        amqp_tls_free(tls);
    }
}

static void makes_a_socket_for_names_and_addresses(void **state)
{
    (void)state;
    static const char *const hosts[] = {"rabbit.example", "127.0.0.1", "::1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct error error = {0};
        amqp_connection_state_t connection = amqp_new_connection();
        struct amqp_tls *tls = amqp_tls_new("", "", hosts[i], &error);
        CHECK_CASE(hosts[i], amqp_tls_socket(tls, connection, &error) != NULL);
        (void)amqp_destroy_connection(connection);
        amqp_tls_free(tls);
    }
}

static void warns_of_files_that_no_url_uses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *urls, *ca_file, *cert_file;
        size_t warnings;
    } cases[] = {
        {"nothing set", "amqp://h", "", "", 0},
        {"TLS with the system's certificates", "amqps://h", "", "", 0},
        {"TLS with an authority", "amqps://h", "/ca.pem", "", 0},
        {"one of two URLs", "amqp://h,amqps://i", "/ca.pem", "", 0},
        {"no TLS", "amqp://h", "/ca.pem", "", 1},
        {"no TLS, both files", "amqp://h", "/ca.pem", "/own.pem", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_report report;
        size_t lines = 0;
        config_report_init(&report);
        amqp_tls_check_settings(cases[i].urls, cases[i].ca_file, cases[i].cert_file, &report);
        for (const char *c = report.warnings.data; c && *c; c++)
            lines += *c == '\n';
        CHECK_CASE(cases[i].name, lines == cases[i].warnings);
        config_report_clear(&report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explains_only_what_failed_of_tls),
        cmocka_unit_test(a_file_that_is_away_is_no_reason_to_give_up_for_good),
        cmocka_unit_test(makes_a_socket_for_names_and_addresses),
        cmocka_unit_test(warns_of_files_that_no_url_uses),
    };
    /* No test needs the system's certificates, and each reading of them takes long. */
    assert_int_equal(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    assert_int_equal(setenv("SSL_CERT_DIR", "/dev/null", 1), 0);
    /* Its words. */
    assert_int_equal(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
