#include "amqp_tls.h"

#include "amqp_session.h"
#include "tls_peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>

enum { BEFORE_SIZE = URI_PART + 64 };

struct amqp_tls {
    struct tls_peer peer;
};

static const struct tls_peer_words words = {
    .service = "the broker",
    .url_setting = "AMQP_URL",
    .ca_setting = "AMQP_CA_FILE",
    .cert_setting = "AMQP_CERT_FILE",
    .unused = "no URL in AMQP_URL is amqps://",
    .no_tls = "amqps:// goes to the broker's TLS port, usually 5671; a plain one, usually 5672, is amqp://",
};

struct amqp_tls *amqp_tls_new(const char *ca_file, const char *cert_file, const char *host, struct error *error)
{
    struct amqp_tls *tls = calloc(1, sizeof *tls);

    if (!tls) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    tls_peer_init(&tls->peer, &words, ca_file, cert_file, host);
    return tls;
}

void amqp_tls_free(struct amqp_tls *tls)
{
    free(tls);
}

amqp_socket_t *amqp_tls_socket(struct amqp_tls *tls, amqp_connection_state_t connection, struct error *error)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    SSL_CTX *context = socket ? amqp_ssl_socket_get_context(socket) : NULL;

    if (!context) {
        ERR_clear_error();
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
        return NULL;
    }
    if (!tls_peer_prepare(&tls->peer, context, error))
        return NULL;
    /* A second look at the same, after the handshake; for an address there is none. */
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, !tls_peer_is_address(&tls->peer));
    return socket;
}

/* ---- words ---- */

void amqp_tls_explain_end(struct error *error, const char *doing, const char *peer)
{
    char before[BEFORE_SIZE];

    (void)snprintf(before, sizeof before, "%s %s", doing, peer);
    tls_peer_explain_end(&words, before, error);
}

bool amqp_tls_explain(const struct amqp_tls *tls, const char *peer, int status, struct error *error)
{
    const bool by_tls = status == AMQP_STATUS_SSL_CONNECTION_FAILED || status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED ||
                        status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED || status == AMQP_STATUS_SSL_ERROR;
    char before[BEFORE_SIZE];

    if (!by_tls)
        return false;
    (void)snprintf(before, sizeof before, "connecting to %s", peer);
    if (tls->peer.verdict == X509_V_OK && status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED) {
        error_set(error, ERROR_UNAVAILABLE, "%s: its certificate is not for %.200s", before, tls->peer.host);
        ERR_clear_error();
    } else {
        tls_peer_explain(&tls->peer, before, error);
    }
    return true;
}

/* ---- settings ---- */

void amqp_tls_check_settings(const char *urls, const char *ca_file, const char *cert_file, struct config_report *report)
{
    tls_peer_check_settings(&words, amqp_urls_ask_for_tls(urls), ca_file, cert_file, report);
}
