#include "tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SOON_DAYS = 14,
    DAY_S = 86400,
};

/* OpenSSL would ask at the terminal. `context`: a bool that becomes true. */
static int refuse_passphrase(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static bool is_readable(const char *path, struct error *error)
{
    struct stat status;
    /* Not held up by a pipe. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        error_set(error, ERROR_CONFIG, "names %.300s, which cannot be read: %s", path, strerror(errno));
        return false;
    }
    const bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    close(fd);
    if (!good)
        error_set(error, ERROR_CONFIG, "names %.300s, which is no file", path);
    return good;
}

/* The first that OpenSSL has said of its last call. */
static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    return reason ? reason : "for a reason that OpenSSL does not tell";
}

static bool is_without_pem(void)
{
    const unsigned long code = ERR_peek_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool use_certificates(SSL_CTX *context, const char *path, struct error *error)
{
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1)
        return true;
    if (is_without_pem())
        error_set(
            error, ERROR_CONFIG,
            "names %.300s, which holds no certificate: put the certificate, its chain and the key into it, as PEM",
            path);
    else
        error_set(error, ERROR_CONFIG, "names %.300s, whose certificates cannot be used: %s", path, openssl_reason());
    return false;
}

static bool is_of_another_certificate(void)
{
    const unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_X509 &&
           (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
}

/* With the certificate there already, so that the two are compared. */
static bool use_key(SSL_CTX *context, const char *path, struct error *error)
{
    bool locked = false;

    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &locked);
    const bool loaded = SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
    const bool other = loaded ? SSL_CTX_check_private_key(context) != 1 : is_of_another_certificate();
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    SSL_CTX_set_default_passwd_cb(context, NULL);
    if (other)
        error_set(error, ERROR_CONFIG,
                  "names %.300s, whose key does not belong to its first certificate: the certificate of the key comes "
                  "before its chain",
                  path);
    else if (locked)
        error_set(error, ERROR_CONFIG, "names %.300s, whose key is under a passphrase: store it without one", path);
    else if (!loaded)
        error_set(error, ERROR_CONFIG,
                  "names %.300s, which holds no private key: put it beside the certificate, as PEM", path);
    return loaded && !other;
}

bool tls_files_identify(struct ssl_ctx_st *context, const char *path, struct error *error)
{
    ERR_clear_error();
    const bool good =
        is_readable(path, error) && use_certificates(context, path, error) && use_key(context, path, error);
    ERR_clear_error();
    return good;
}

bool tls_files_trust(struct ssl_ctx_st *context, const char *path, struct error *error)
{
    bool good;

    ERR_clear_error();
    if (*path == '\0') {
        good = SSL_CTX_set_default_verify_paths(context) == 1;
        if (!good)
            error_set(error, ERROR_CONFIG, "is not set, and the system's certificates cannot be used: %s",
                      openssl_reason());
    } else if (!is_readable(path, error)) {
        good = false;
    } else {
        good = SSL_CTX_load_verify_file(context, path) == 1;
        if (!good)
            error_set(error, ERROR_CONFIG, "names %.300s, which holds no certificate that can be used: PEM is needed",
                      path);
    }
    ERR_clear_error();
    return good;
}

static bool check(bool (*use)(struct ssl_ctx_st *context, const char *path, struct error *error), const char *path,
                  struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    if (!context) {
        ERR_clear_error();
        error_set(error, ERROR_NO_MEMORY, "cannot be checked: no memory for TLS");
        return false;
    }
    const bool good = use(context, path, error);
    SSL_CTX_free(context);
    return good;
}

bool tls_files_check_identity(const char *path, struct error *error)
{
    return check(tls_files_identify, path, error);
}

bool tls_files_check_trust(const char *path, struct error *error)
{
    return check(tls_files_trust, path, error);
}

/* ---- validity ---- */

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm parts;

    if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    *out = (int64_t)timegm(&parts);
    return true;
}

bool tls_files_validity(const struct ssl_ctx_st *context, struct tls_validity *out)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    struct tls_validity validity;

    if (!certificate || !seconds_of(X509_get0_notBefore(certificate), &validity.from_s) ||
        !seconds_of(X509_get0_notAfter(certificate), &validity.until_s))
        return false;
    *out = validity;
    return true;
}

bool tls_files_validity_of(const char *path, struct tls_validity *out)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    const bool good = context && tls_files_identify(context, path, NULL) && tls_files_validity(context, out);

    SSL_CTX_free(context);
    return good;
}

void tls_files_time_text(int64_t time_s, char out[TLS_TIME_TEXT])
{
    const time_t time = (time_t)time_s;
    struct tm parts;

    if (!gmtime_r(&time, &parts) || strftime(out, TLS_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(out, TLS_TIME_TEXT, "%lld s", (long long)time_s);
}

bool tls_files_doubt(const struct tls_validity *validity, const char *path, int64_t now_s, char out[ERROR_TEXT])
{
    const int64_t left_s = validity->until_s - now_s;
    char from[TLS_TIME_TEXT];
    char until[TLS_TIME_TEXT];

    tls_files_time_text(validity->from_s, from);
    tls_files_time_text(validity->until_s, until);
    if (left_s < 0)
        (void)snprintf(out, ERROR_TEXT, "the certificate in %.300s has expired at %s: renew it, clients refuse it",
                       path, until);
    else if (now_s < validity->from_s)
        (void)snprintf(out, ERROR_TEXT,
                       "the certificate in %.300s is valid from %s on only: clients refuse it until then (is this "
                       "machine's clock right?)",
                       path, from);
    else if (left_s < SOON_DAYS * DAY_S)
        (void)snprintf(out, ERROR_TEXT, "the certificate in %.300s expires at %s, in %lld days: renew it", path, until,
                       (long long)(left_s / DAY_S));
    else
        return false;
    return true;
}
