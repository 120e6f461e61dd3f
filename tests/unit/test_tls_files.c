#include "common/tls_files.h"

#include "cases.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_S = 86400 };

/* What the cases put into a file, in this order. */
enum part { END, KEY, OTHER_KEY, LOCKED_KEY, CERTIFICATE, OTHER_CERTIFICATE, JUNK, PARTS };

static EVP_PKEY *key;
static EVP_PKEY *other_key;
static X509 *certificate;
static X509 *other_certificate;
static char folder[] = "/tmp/test_tls_files.XXXXXX";
static char path[64];

static X509 *make_certificate(EVP_PKEY *of, const char *name)
{
    X509 *made = X509_new();

    assert_non_null(made);
    assert_int_equal(X509_set_version(made, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made), 1), 1);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(made, X509_get_subject_name(made)), 1);
    /* 2026-01-01T00:00:00Z and 90 days */
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(made), 1767225600));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(made), 1767225600 + 90 * DAY_S));
    assert_int_equal(X509_set_pubkey(made, of), 1);
    assert_true(X509_sign(made, of, EVP_sha256()) > 0);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file.pem", folder);
    key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    certificate = make_certificate(key, "one");
    other_certificate = make_certificate(other_key, "two");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(folder);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    X509_free(certificate);
    X509_free(other_certificate);
    return 0;
}

static void write_file(const enum part *parts)
{
    unsigned char secret[] = "secret";
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (; *parts != END; parts++) {
        if (*parts == KEY || *parts == OTHER_KEY)
            assert_int_equal(PEM_write_PrivateKey(file, *parts == KEY ? key : other_key, NULL, NULL, 0, NULL, NULL), 1);
        else if (*parts == LOCKED_KEY)
            assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), secret, sizeof secret - 1, NULL, NULL),
                             1);
        else if (*parts == JUNK)
            assert_true(fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file) >= 0);
        else
            assert_int_equal(PEM_write_X509(file, *parts == CERTIFICATE ? certificate : other_certificate), 1);
    }
    assert_int_equal(fclose(file), 0);
}

static void names_what_is_wrong_with_an_identity(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum part parts[4];
        const char *words; /* NULL: nothing is wrong */
    } cases[] = {
        {"key and certificate", {KEY, CERTIFICATE}, NULL},
        {"certificate and key", {CERTIFICATE, KEY}, NULL},
        {"with a chain", {KEY, CERTIFICATE, OTHER_CERTIFICATE}, NULL},
        {"the key at the end of the chain", {CERTIFICATE, OTHER_CERTIFICATE, KEY}, NULL},
        {"nothing", {END}, "holds no certificate"},
        {"a key alone", {KEY}, "holds no certificate"},
        {"a certificate alone", {CERTIFICATE}, "holds no private key"},
        {"a key of another", {OTHER_KEY, CERTIFICATE}, "does not belong"},
        {"a chain in front", {KEY, OTHER_CERTIFICATE, CERTIFICATE}, "does not belong"},
        {"a key under a passphrase", {LOCKED_KEY, CERTIFICATE}, "under a passphrase"},
        {"a broken certificate", {KEY, JUNK}, "cannot be used"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        write_file(cases[i].parts);
        CHECK_CASE(cases[i].name, tls_files_check_identity(path, &error) == (cases[i].words == NULL));
        CHECK_CASE(cases[i].name, (error.code == ERROR_CONFIG) == (cases[i].words != NULL));
        CHECK_CASE(cases[i].name, !cases[i].words || (strncmp(error.text, "names ", 6) == 0 &&
                                                      strstr(error.text, path) && strstr(error.text, cases[i].words)));
    }
}

static void names_what_is_wrong_with_authorities(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum part parts[3];
        bool good;
    } cases[] = {
        {"one", {CERTIFICATE}, true},
        {"two", {CERTIFICATE, OTHER_CERTIFICATE}, true},
        {"beside a key", {KEY, CERTIFICATE}, true},
        {"none", {END}, false},
        {"a key alone", {KEY}, false},
        {"a broken one", {JUNK}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        write_file(cases[i].parts);
        CHECK_CASE(cases[i].name, tls_files_check_trust(path, &error) == cases[i].good);
        CHECK_CASE(cases[i].name, cases[i].good || strstr(error.text, "holds no certificate"));
    }
}

static void names_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct error error = {0};
    assert_false(tls_files_check_identity("/nowhere/x.pem", &error));
    assert_non_null(strstr(error.text, "names /nowhere/x.pem, which cannot be read: No such file"));
    assert_false(tls_files_check_trust("/nowhere/x.pem", &error));
    assert_non_null(strstr(error.text, "cannot be read"));
    assert_false(tls_files_check_identity(folder, &error));
    assert_non_null(strstr(error.text, "is no file"));
}

static void trusts_the_system_when_no_file_is_named(void **state)
{
    (void)state;
    struct error error = {0};
    assert_true(tls_files_check_trust("", &error));
}

static void knows_when_a_certificate_ends(void **state)
{
    (void)state;
    const enum part parts[] = {KEY, CERTIFICATE, END};
    struct tls_validity validity = {0};
    write_file(parts);
    assert_true(tls_files_validity_of(path, &validity));
    assert_int_equal(validity.from_s, 1767225600);
    assert_int_equal(validity.until_s, 1767225600 + 90 * DAY_S);
    validity.from_s = 7;
    assert_false(tls_files_validity_of("/nowhere/x.pem", &validity));
    assert_int_equal(validity.from_s, 7);
}

static void warns_in_time(void **state)
{
    (void)state;
    const struct tls_validity validity = {.from_s = 1767225600, .until_s = 1767225600 + 90 * DAY_S};
    static const struct {
        const char *name;
        int64_t age_s;
        const char *words; /* NULL: no word */
    } cases[] = {
        {"new", 0, NULL},
        {"15 days to go", 75 * DAY_S, NULL},
        {"14 days to go", 76 * DAY_S, NULL},
        {"less than 14 days to go", 76 * DAY_S + 1, "expires at 2026-04-01T00:00:00Z, in 13 days"},
        {"hours to go", 90 * DAY_S - 3600, "in 0 days"},
        {"over", 90 * DAY_S + 1, "has expired at 2026-04-01T00:00:00Z"},
        {"too early", -1, "is valid from 2026-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[ERROR_TEXT] = "";
        const bool doubt = tls_files_doubt(&validity, "/x.pem", validity.from_s + cases[i].age_s, text);
        CHECK_CASE(cases[i].name, doubt == (cases[i].words != NULL));
        CHECK_CASE(cases[i].name, !doubt || (strstr(text, cases[i].words) && strstr(text, "/x.pem")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_wrong_with_an_identity),
        cmocka_unit_test(names_what_is_wrong_with_authorities),
        cmocka_unit_test(names_files_that_cannot_be_read),
        cmocka_unit_test(trusts_the_system_when_no_file_is_named),
        cmocka_unit_test(knows_when_a_certificate_ends),
        cmocka_unit_test(warns_in_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
