#include "amqp_tls.h"

#include "amqp_session.h"
#include "clock.h"
#include "tls_files.h"
#include "uri.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct amqp_tls {
    const char *ca_file;
    const char *cert_file;
    char host[URI_PART];
    int verdict; /* the first X509_V_ERR_… of the handshake; X509_V_OK: none */
};

struct amqp_tls *amqp_tls_new(const char *ca_file, const char *cert_file, const char *host, struct error *error)
{
    struct amqp_tls *tls = calloc(1, sizeof *tls);

    if (!tls) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    tls->ca_file = ca_file ? ca_file : "";
    tls->cert_file = cert_file ? cert_file : "";
    (void)snprintf(tls->host, sizeof tls->host, "%s", host);
    tls->verdict = X509_V_OK;
    return tls;
}

void amqp_tls_free(struct amqp_tls *tls)
{
    free(tls);
}

/* Called for each certificate of the chain. Keeps what is wrong for amqp_tls_explain: the library tells only that
   something is. */
static int note_verdict(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct amqp_tls *tls = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;

    if (!good && tls && tls->verdict == X509_V_OK)
        tls->verdict = X509_STORE_CTX_get_error(store);
    return good;
}

static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* OpenSSL's own verification, within the handshake: the library's comes after it, and knows no addresses. */
static bool demand_verification(SSL_CTX *context, struct amqp_tls *tls)
{
    X509_VERIFY_PARAM *demands = SSL_CTX_get0_param(context);

    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verdict);
    X509_VERIFY_PARAM_set_hostflags(demands, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(tls->host))
        return X509_VERIFY_PARAM_set1_ip_asc(demands, tls->host) == 1;
    return X509_VERIFY_PARAM_set1_host(demands, tls->host, 0) == 1;
}

static bool load_files(SSL_CTX *context, const struct amqp_tls *tls, struct error *error)
{
    struct error inner;

    if (!tls_files_trust(context, tls->ca_file, &inner)) {
        error_set(error, ERROR_UNAVAILABLE, "AMQP_CA_FILE %.490s", inner.text);
        return false;
    }
    if (*tls->cert_file != '\0' && !tls_files_identify(context, tls->cert_file, &inner)) {
        error_set(error, ERROR_UNAVAILABLE, "AMQP_CERT_FILE %.490s", inner.text);
        return false;
    }
    return true;
}

amqp_socket_t *amqp_tls_socket(struct amqp_tls *tls, amqp_connection_state_t connection, struct error *error)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    SSL_CTX *context = socket ? amqp_ssl_socket_get_context(socket) : NULL;

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || !demand_verification(context, tls)) {
        ERR_clear_error();
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    /* A second look at the same; for an address there is none. */
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, !is_address(tls->host));
    return load_files(context, tls, error) ? socket : NULL;
}

/* ---- words ---- */

static void explain_verdict(const struct amqp_tls *tls, const char *peer, struct error *error)
{
    const char *reason = X509_verify_cert_error_string(tls->verdict);

    switch (tls->verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        error_set(
            error, ERROR_UNAVAILABLE,
            "connecting to %s: its certificate is not for %.200s: put the name that it is for into AMQP_URL, or give "
            "the broker a certificate for this one",
            peer, tls->host);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        error_set(error, ERROR_UNAVAILABLE,
                  "connecting to %s: its certificate, or one of its chain, has expired: renew it at the broker", peer);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        error_set(error, ERROR_UNAVAILABLE,
                  "connecting to %s: its certificate, or one of its chain, is not valid yet: is a clock wrong?", peer);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        error_set(error, ERROR_UNAVAILABLE,
                  "connecting to %s: its certificate is signed by nobody trusted (%s): set AMQP_CA_FILE to a PEM file "
                  "with the certificate of the authority that signed it",
                  peer, reason);
        return;
    default:
        error_set(error, ERROR_UNAVAILABLE, "connecting to %s: its certificate cannot be used: %s", peer, reason);
        return;
    }
}

static bool is_no_tls(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                                                ERR_GET_REASON(code) == SSL_R_PACKET_LENGTH_TOO_LONG ||
                                                ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    return reason ? reason : "the broker ended the connection";
}

/* What TLS 1.3 tells after its handshake. */
static bool is_about_our_certificate(unsigned long code)
{
    const int reason = ERR_GET_REASON(code);

    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
            reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
            reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED || reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
}

void amqp_tls_explain_end(struct error *error, const char *doing, const char *peer)
{
    error_set(error, ERROR_UNAVAILABLE, "%s %s: the TLS connection broke: %s%s", doing, peer, last_reason(),
              is_about_our_certificate(ERR_peek_error())
                  ? ": set AMQP_CERT_FILE to a key and a certificate that the broker takes"
                  : "");
    ERR_clear_error();
}

bool amqp_tls_explain(const struct amqp_tls *tls, const char *peer, int status, struct error *error)
{
    const bool by_tls = status == AMQP_STATUS_SSL_CONNECTION_FAILED || status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED ||
                        status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED || status == AMQP_STATUS_SSL_ERROR;

    if (!by_tls)
        return false;
    if (tls->verdict != X509_V_OK)
        explain_verdict(tls, peer, error);
    else if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED)
        error_set(error, ERROR_UNAVAILABLE, "connecting to %s: its certificate is not for %.200s", peer, tls->host);
    else if (is_no_tls(ERR_peek_error()))
        error_set(
            error, ERROR_UNAVAILABLE,
            "connecting to %s: no TLS is spoken there: amqps:// goes to the broker's TLS port, usually 5671; a plain "
            "one, usually 5672, is amqp://",
            peer);
    else
        amqp_tls_explain_end(error, "connecting to", peer);
    ERR_clear_error();
    return true;
}

/* ---- settings ---- */

bool amqp_tls_check_ca(const char *path, struct error *error)
{
    return *path == '\0' || tls_files_check_trust(path, error);
}

bool amqp_tls_check_certificate(const char *path, struct error *error)
{
    return *path == '\0' || tls_files_check_identity(path, error);
}

void amqp_tls_check_settings(const char *urls, const char *ca_file, const char *cert_file, struct config_report *report)
{
    static const char unused[] = "%s is not used: no URL in AMQP_URL is amqps://";
    struct tls_validity validity;
    char doubt[ERROR_TEXT];

    if (!amqp_urls_ask_for_tls(urls)) {
        if (*ca_file != '\0')
            config_warning(report, unused, "AMQP_CA_FILE");
        if (*cert_file != '\0')
            config_warning(report, unused, "AMQP_CERT_FILE");
    } else if (*cert_file != '\0' && tls_files_validity_of(cert_file, &validity) &&
               tls_files_doubt(&validity, cert_file, clock_wall_ms() / 1000, doubt)) {
        config_warning(report, "%s", doubt);
    }
}
