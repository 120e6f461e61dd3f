#include "tls_peer.h"

#include "clock.h"
#include "tls_files.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

void tls_peer_init(struct tls_peer *peer, const struct tls_peer_words *words, const char *ca_file,
                   const char *cert_file, const char *host)
{
    *peer = (struct tls_peer){.words = words,
                              .ca_file = ca_file ? ca_file : "",
                              .cert_file = cert_file ? cert_file : "",
                              .verdict = X509_V_OK};
    (void)snprintf(peer->host, sizeof peer->host, "%s", host);
}

bool tls_peer_is_address(const struct tls_peer *peer)
{
    struct in6_addr address;

    return inet_pton(AF_INET, peer->host, &address) == 1 || inet_pton(AF_INET6, peer->host, &address) == 1;
}

/* ---- demands ---- */

/* Called for each certificate of the chain. Keeps what is wrong for tls_peer_explain: who shakes hands for us tells
   only that something is. */
static int note_verdict(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *peer = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;

    if (!good && peer && peer->verdict == X509_V_OK)
        peer->verdict = X509_STORE_CTX_get_error(store);
    return good;
}

/* Within the handshake, so that nothing is said to who is not trusted. */
static bool demand_verification(SSL_CTX *context, struct tls_peer *peer)
{
    X509_VERIFY_PARAM *demands = SSL_CTX_get0_param(context);

    SSL_CTX_set_app_data(context, peer);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verdict);
    X509_VERIFY_PARAM_set_hostflags(demands, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (tls_peer_is_address(peer))
        return X509_VERIFY_PARAM_set1_ip_asc(demands, peer->host) == 1;
    return X509_VERIFY_PARAM_set1_host(demands, peer->host, 0) == 1;
}

static bool load_files(SSL_CTX *context, const struct tls_peer *peer, struct error *error)
{
    struct error inner;

    if (!tls_files_trust(context, peer->ca_file, &inner)) {
        error_set(error, ERROR_UNAVAILABLE, "%s %.480s", peer->words->ca_setting, inner.text);
        return false;
    }
    if (*peer->cert_file != '\0' && !tls_files_identify(context, peer->cert_file, &inner)) {
        error_set(error, ERROR_UNAVAILABLE, "%s %.480s", peer->words->cert_setting, inner.text);
        return false;
    }
    return true;
}

bool tls_peer_prepare(struct tls_peer *peer, struct ssl_ctx_st *context, struct error *error)
{
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || !demand_verification(context, peer)) {
        ERR_clear_error();
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
        return false;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    return load_files(context, peer, error);
}

/* ---- words ---- */

static void explain_verdict(const struct tls_peer *peer, const char *before, struct error *error)
{
    const struct tls_peer_words *words = peer->words;
    const char *reason = X509_verify_cert_error_string(peer->verdict);

    switch (peer->verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        error_set(
            error, ERROR_UNAVAILABLE,
            "%s: its certificate is not for %.200s: put the name that it is for into %s, or give %s a certificate "
            "for this one",
            before, peer->host, words->url_setting, words->service);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        error_set(error, ERROR_UNAVAILABLE, "%s: its certificate, or one of its chain, has expired: renew it at %s",
                  before, words->service);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: its certificate, or one of its chain, is not valid yet: is a clock wrong?", before);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: its certificate is signed by nobody trusted (%s): set %s to a PEM file with the certificate of "
                  "the authority that signed it",
                  before, reason, words->ca_setting);
        return;
    default:
        error_set(error, ERROR_UNAVAILABLE, "%s: its certificate cannot be used: %s", before, reason);
        return;
    }
}

static bool is_no_tls(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                                                ERR_GET_REASON(code) == SSL_R_PACKET_LENGTH_TOO_LONG ||
                                                ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
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

void tls_peer_explain_end(const struct tls_peer_words *words, const char *before, struct error *error)
{
    const unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);

    if (is_about_our_certificate(code))
        error_set(error, ERROR_UNAVAILABLE,
                  "%s: the TLS connection broke: %s: set %s to a key and a certificate that %s takes", before, reason,
                  words->cert_setting, words->service);
    else if (reason)
        error_set(error, ERROR_UNAVAILABLE, "%s: the TLS connection broke: %s", before, reason);
    else
        error_set(error, ERROR_UNAVAILABLE, "%s: the TLS connection broke: %s ended the connection", before,
                  words->service);
    ERR_clear_error();
}

void tls_peer_explain(const struct tls_peer *peer, const char *before, struct error *error)
{
    if (peer->verdict != X509_V_OK)
        explain_verdict(peer, before, error);
    else if (is_no_tls(ERR_peek_error()))
        error_set(error, ERROR_UNAVAILABLE, "%s: no TLS is spoken there: %s", before, peer->words->no_tls);
    else
        tls_peer_explain_end(peer->words, before, error);
    ERR_clear_error();
}

/* ---- settings ---- */

bool tls_peer_check_ca(const char *path, struct error *error)
{
    return *path == '\0' || tls_files_check_trust(path, error);
}

bool tls_peer_check_certificate(const char *path, struct error *error)
{
    return *path == '\0' || tls_files_check_identity(path, error);
}

void tls_peer_check_settings(const struct tls_peer_words *words, bool used, const char *ca_file, const char *cert_file,
                             struct config_report *report)
{
    struct tls_validity validity;
    char doubt[ERROR_TEXT];

    if (!used) {
        if (*ca_file != '\0')
            config_warning(report, "%s is not used: %s", words->ca_setting, words->unused);
        if (*cert_file != '\0')
            config_warning(report, "%s is not used: %s", words->cert_setting, words->unused);
    } else if (*cert_file != '\0' && tls_files_validity_of(cert_file, &validity) &&
               tls_files_doubt(&validity, cert_file, clock_wall_ms() / 1000, doubt)) {
        config_warning(report, "%s", doubt);
    }
}
