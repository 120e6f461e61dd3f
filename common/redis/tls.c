#include "tls.h"

#include "common/clock.h"
#include "common/tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct redis_tls {
    struct tls_peer peer;
    SSL *ssl;
    bool late; /* the handshake took too long */
};

static const struct tls_peer_words words = {
    .service = "Redis",
    .url_setting = "REDIS_URL",
    .ca_setting = "REDIS_CA_FILE",
    .cert_setting = "REDIS_CERT_FILE",
    .unused = "REDIS_URL is not rediss://",
    .no_tls = "rediss:// goes to the port that Redis has as tls-port; the one that it has as port is redis://",
};

static SSL *new_ssl(struct tls_peer *peer, struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;

    if (context && !tls_peer_prepare(peer, context, error))
        goto out;
    ssl = context ? SSL_new(context) : NULL;
    /* Addresses are no server names (RFC 6066, 3). */
    if (ssl && !tls_peer_is_address(peer) && SSL_set_tlsext_host_name(ssl, peer->host) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (!ssl)
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
out:
    SSL_CTX_free(context);
    ERR_clear_error();
    return ssl;
}

struct redis_tls *redis_tls_new(const struct redis_tls_files *files, const char *host, struct error *error)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);

    if (!tls) {
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
        return NULL;
    }
    tls_peer_init(&tls->peer, &words, files->ca_file, files->cert_file, host);
    tls->ssl = new_ssl(&tls->peer, error);
    if (tls->ssl)
        return tls;
    redis_tls_free(tls);
    return NULL;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

struct ssl_st *redis_tls_lend(struct redis_tls *tls)
{
    (void)SSL_up_ref(tls->ssl);
    return tls->ssl;
}

void redis_tls_return(struct redis_tls *tls)
{
    SSL_free(tls->ssl);
}

bool redis_tls_shake_hands(struct redis_tls *tls, int fd, int64_t until_ms)
{
    for (;;) {
        ERR_clear_error();
        const int done = SSL_connect(tls->ssl);

        if (done == 1)
            return true;
        const int want = SSL_get_error(tls->ssl, done);
        struct pollfd wait = {.fd = fd, .events = want == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};
        const int64_t left_ms = until_ms - clock_monotonic_ms();

        if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
            return false;
        if (left_ms <= 0) {
            tls->late = true;
            return false;
        }
        if (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR)
            return false;
    }
}

void redis_tls_explain(const struct redis_tls *tls, const char *before, struct error *error)
{
    /* A Redis that waits for a line's end takes the handshake for the beginning of one. */
    if (tls->late)
        error_set(error, ERROR_UNAVAILABLE, "%s: the TLS handshake was not answered in time: if it never is, %s",
                  before, words.no_tls);
    else
        tls_peer_explain(&tls->peer, before, error);
}

void redis_tls_begin_call(void)
{
    ERR_clear_error();
}

const char *redis_tls_reason(void)
{
    const unsigned long code = ERR_peek_error();

    return ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
}

void redis_tls_check_settings(bool used, const struct redis_tls_files *files, struct config_report *report)
{
    tls_peer_check_settings(&words, used, files->ca_file, files->cert_file, report);
}
