/* TLS for the public listener: a context for civetweb, and the certificate that is in use. A renewed one
   is taken for the handshakes that come; connections that are open stay. */
#ifndef DROPBRIDGE_HTTP_TLS_LISTENER_H
#define DROPBRIDGE_HTTP_TLS_LISTENER_H

#include "common/config_report.h"
#include "common/error.h"

#include <stdbool.h>

struct ssl_ctx_st;
struct tls_listener;

/* Loads OpenSSL by the names under which civetweb looks for it. False with *error (ERROR_CONFIG): a file of the installation is
   missing. tls_listener_start relies on it. */
bool tls_listener_load_names(struct error *error);

/* `on_handshake` is called at each handshake's start, in its thread. (Once more if TLS asks for it.) NULL with *error on failure
   (ERROR_CONFIG, beginning with TLS_CERT_FILE: the file). The path must outlive it. */
struct tls_listener *tls_listener_start(const char *path, void (*on_handshake)(int fd), struct error *error);
/* After the last handshake. NULL is fine. */
void tls_listener_stop(struct tls_listener *listener);

/* Whether the file was renewed; what is wrong with it, each time, goes to the report. One thread at a time. */
void tls_listener_look(struct tls_listener *listener, struct config_report *report);

/* The context for civetweb; the listener's. Its handshakes may run in many threads at once. */
struct ssl_ctx_st *tls_listener_context(struct tls_listener *listener);

#endif
