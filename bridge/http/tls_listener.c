#include "tls_listener.h"

#include "common/clock.h"
#include "common/file_version.h"
#include "common/log.h"
#include "common/tls_files.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

enum { DOUBT_AGAIN_S = 86400 };

struct tls_listener {
    void (*on_handshake)(int fd);
    const char *path;
    SSL_CTX *context; /* civetweb's; without a certificate */
    pthread_mutex_t mutex; /* guards the next */
    SSL_CTX *identity; /* holds the key and the certificates in use, nothing else */
    /* Of who looks. */
    struct file_version tried; /* the last one that was loaded, or */
    bool failed;               /* could not be */
    int64_t doubted_s; /* when the log was told of the certificate's end */
};

/* ---- the names of OpenSSL ---- */

/* The program's RPATH leads to ours (bridge/CMakeLists.txt). Where they are missing the loader may come upon those of libssl-dev, which
   lack the symbol. */
bool tls_listener_load_names(struct error *error)
{
    void *crypto = dlopen("libcrypto.so", RTLD_NOW | RTLD_LOCAL);
    void *ssl = crypto ? dlopen("libssl.so", RTLD_NOW | RTLD_LOCAL) : NULL;
    const char *problem;

    if (ssl && dlsym(ssl, "SSL_get_peer_certificate"))
        return true;
    problem = dlerror();
    error_set(error, ERROR_CONFIG,
              "LISTEN asks for TLS, for which the program's own libcrypto.so or libssl.so is missing (%.300s): install all of "
              "lib/dropbridge beside bin, or leave out the s behind the port and put a proxy in front",
              problem ? problem : "no reason given");
    return false;
}

/* ---- handshakes ---- */

/* OpenSSL calls this in each handshake, before it chooses a certificate. */
static int use_identity(SSL *ssl, void *context)
{
    struct tls_listener *listener = context;
    STACK_OF(X509) *chain = NULL;
    SSL_CTX *identity;

    pthread_mutex_lock(&listener->mutex);
    identity = listener->identity;
    (void)SSL_CTX_up_ref(identity);
    pthread_mutex_unlock(&listener->mutex);
    (void)SSL_CTX_get0_chain_certs(identity, &chain);
    const int done =
        SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(identity), SSL_CTX_get0_privatekey(identity), chain, 1);
    SSL_CTX_free(identity);
    return done;
}

static void on_info(const SSL *tls, int where, int result)
{
    const struct tls_listener *listener = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));

    (void)result;
    if ((where & SSL_CB_HANDSHAKE_START) != 0)
        listener->on_handshake(SSL_get_fd(tls));
}

static SSL_CTX *context_new(struct tls_listener *listener)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    /* Under TLS 1.2 forward secrecy and AEAD only: no RSA key transport, no CBC. */
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    /* An end without close_notify ends the reading only, as without TLS: the answer to it can still be written. What is
       cut short is told by the framing of HTTP. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Sessions are kept by the clients, in messages; idle connections hold no buffers. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_cert_cb(context, use_identity, listener);
    (void)SSL_CTX_set_app_data(context, listener);
    SSL_CTX_set_info_callback(context, on_info);
    return context;
}

struct ssl_ctx_st *tls_listener_context(struct tls_listener *listener)
{
    return listener->context;
}

/* ---- the certificate ---- */

/* Puts what is in the file into use. False with *error; what was in use stays. */
static bool load(struct tls_listener *listener, struct error *error)
{
    SSL_CTX *identity = SSL_CTX_new(TLS_server_method());
    SSL_CTX *old;
    struct error inner = {ERROR_NO_MEMORY, "finds no memory"};

    if (!identity || !tls_files_identify(identity, listener->path, &inner)) {
        error_set(error, inner.code, "TLS_CERT_FILE %.490s", inner.text);
        SSL_CTX_free(identity);
        return false;
    }
    pthread_mutex_lock(&listener->mutex);
    old = listener->identity;
    listener->identity = identity;
    pthread_mutex_unlock(&listener->mutex);
    SSL_CTX_free(old);
    return true;
}

static void tell_validity(struct tls_listener *listener, bool renewed)
{
    const int64_t now_s = clock_wall_ms() / 1000;
    struct tls_validity validity;
    char text[ERROR_TEXT];

    if (!tls_files_validity(listener->identity, &validity))
        return;
    if (renewed) {
        tls_files_time_text(validity.until_s, text);
        log_info("%s was renewed: new connections are given the certificate that is valid until %s", listener->path, text);
    }
    if ((renewed || now_s - listener->doubted_s >= DOUBT_AGAIN_S) && tls_files_doubt(&validity, listener->path, now_s, text)) {
        listener->doubted_s = now_s;
        log_warn("%s", text);
    }
}

void tls_listener_look(struct tls_listener *listener, struct config_report *report)
{
    const bool again = file_version_update(&listener->tried, listener->path) || listener->failed;
    struct error error;

    if (again)
        listener->failed = !load(listener, &error);
    if (listener->failed)
        config_problem(report, "%s; the certificate that was there before stays in use", error.text);
    tell_validity(listener, again && !listener->failed);
}

/* ---- its life ---- */

struct tls_listener *tls_listener_start(const char *path, void (*on_handshake)(int fd), struct error *error)
{
    struct tls_listener *listener = calloc(1, sizeof *listener);

    if (listener) {
        listener->path = path;
        listener->on_handshake = on_handshake;
        pthread_mutex_init(&listener->mutex, NULL);
        /* First its version: what replaces it meanwhile is found by the first look. Of an end that is near, the check of the
           settings has told. */
        listener->tried = file_version_of(path);
        listener->doubted_s = clock_wall_ms() / 1000;
        listener->context = context_new(listener);
    }
    if (!listener || !listener->context)
        error_set(error, ERROR_NO_MEMORY, "no memory for TLS");
    else if (load(listener, error))
        return listener;
    ERR_clear_error();
    tls_listener_stop(listener);
    return NULL;
}

void tls_listener_stop(struct tls_listener *listener)
{
    if (!listener)
        return;
    SSL_CTX_free(listener->context);
    SSL_CTX_free(listener->identity);
    pthread_mutex_destroy(&listener->mutex);
    free(listener);
}
