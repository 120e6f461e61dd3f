/* The other end of a TLS connection that we open: what is asked of it (TLS at least 1.2, a certificate of its host's
   name, signed by somebody trusted; there is no switch to leave that out), and what to say when it does not do. A peer
   belongs to the thread of its connection. */
#ifndef DROPBRIDGE_TLS_PEER_H
#define DROPBRIDGE_TLS_PEER_H

#include "config_report.h"
#include "error.h"
#include "uri.h"

#include <stdbool.h>

/* OpenSSL's SSL_CTX, so that only those who make one see its headers. */
struct ssl_ctx_st;

/* For sentences. */
struct tls_peer_words {
    const char *service;     /* "the broker" */
    const char *url_setting; /* "AMQP_URL" */
    const char *ca_setting;  /* of the two files */
    const char *cert_setting;
    const char *unused; /* why the files are not: "no URL in AMQP_URL is amqps://" */
    const char *no_tls; /* what to do where no TLS is spoken */
};

struct tls_peer {
    const struct tls_peer_words *words;
    const char *ca_file;   /* "": the system's authorities are trusted */
    const char *cert_file; /* "": no certificate is shown */
    char host[URI_PART];
    int verdict; /* the first X509_V_ERR_… of the handshake; X509_V_OK: none */
};

/* For one connection to `host`, a name or a numeric address. The rest must outlive *peer; NULL as a file is "". */
void tls_peer_init(struct tls_peer *peer, const struct tls_peer_words *words, const char *ca_file,
                   const char *cert_file, const char *host);
bool tls_peer_is_address(const struct tls_peer *peer);

/* Makes the context's handshakes ask all this of the peer, which must outlive them, and reads the files. False with
 * *error: ERROR_UNAVAILABLE (a file) or ERROR_NO_MEMORY. */
bool tls_peer_prepare(struct tls_peer *peer, struct ssl_ctx_st *context, struct error *error);

/* After a handshake that failed in this thread just now: ERROR_UNAVAILABLE, "{before}: why, and what to do". Both empty
   OpenSSL's queue of errors. */
void tls_peer_explain(const struct tls_peer *peer, const char *before, struct error *error);
/* The same for any later call. */
void tls_peer_explain_end(const struct tls_peer_words *words, const char *before, struct error *error);

/* Checks of the two settings; "" is fine. */
bool tls_peer_check_ca(const char *path, struct error *error);
bool tls_peer_check_certificate(const char *path, struct error *error);
/* Warns of files that are not used, and of a certificate that ends. */
void tls_peer_check_settings(const struct tls_peer_words *words, bool used, const char *ca_file, const char *cert_file,
                             struct config_report *report);

#endif
