/* amqps://: TLS to the broker, with what tls_peer.h asks of it. The files are read anew for each connection, so that
   renewed ones need no restart. */
#ifndef DROPBRIDGE_AMQP_TLS_H
#define DROPBRIDGE_AMQP_TLS_H

#include "amqp_lib.h"
#include "env_config.h"
#include "error.h"

#include <stdbool.h>

/* Belongs to the thread of its connection. */
struct amqp_tls;

/* For one connection to `host`, a name or a numeric address. NULL or "" as ca_file: the system's certificates; as
   cert_file: none is shown. These two must outlive it. NULL without memory. */
struct amqp_tls *amqp_tls_new(const char *ca_file, const char *cert_file, const char *host, struct error *error);
/* After the connection. NULL is fine. */
void amqp_tls_free(struct amqp_tls *tls);

/* A socket for amqp_socket_open_noblock; the connection's. NULL with *error (ERROR_UNAVAILABLE: a file). */
amqp_socket_t *amqp_tls_socket(struct amqp_tls *tls, amqp_connection_state_t connection, struct error *error);

/* After that open: true with *error (ERROR_UNAVAILABLE) if it failed of TLS, saying why and what to do. False if it did
   not fail, or of something else. */
bool amqp_tls_explain(const struct amqp_tls *tls, const char *peer, int status, struct error *error);

/* The same for AMQP_STATUS_SSL_ERROR of the call that this thread has just made: *error says "publishing to PEER: …".
 */
void amqp_tls_explain_end(struct error *error, const char *doing, const char *peer);

/* Warns of files that no URL uses, and of a certificate that ends. */
void amqp_tls_check_settings(const char *urls, const char *ca_file, const char *cert_file,
                             struct config_report *report);

#endif
