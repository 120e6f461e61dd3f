/* rediss://: TLS to Redis, with what tls_peer.h asks of it, for one connection of redis_connection.c. The files are
   read anew for each, so that renewed ones need no restart. Belongs to the thread of its connection. */
#ifndef DROPBRIDGE_REDIS_TLS_H
#define DROPBRIDGE_REDIS_TLS_H

#include "common/config_report.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* OpenSSL's SSL. */
struct ssl_st;

/* REDIS_CA_FILE and REDIS_CERT_FILE; "" or NULL: the system's authorities are trusted, no certificate is shown. */
struct redis_tls_files {
    const char *ca_file;
    const char *cert_file;
};

struct redis_tls;

/* For a connection to `host`, a name or a numeric address. The files' names must outlive it. NULL with *error:
   ERROR_UNAVAILABLE (a file) or ERROR_NO_MEMORY. */
struct redis_tls *redis_tls_new(const struct redis_tls_files *files, const char *host, struct error *error);
/* After the connection. NULL is fine. */
void redis_tls_free(struct redis_tls *tls);

/* A reference of the caller's own: whoever keeps it frees it with SSL_free, and it goes before *tls; redis_tls_return
   gives it back. */
struct ssl_st *redis_tls_lend(struct redis_tls *tls);
void redis_tls_return(struct redis_tls *tls);

/* Goes on with a handshake that has begun on the socket `fd`, which must not block, until it is done or `until_ms`
   (clock_monotonic_ms). False: redis_tls_explain knows why. */
bool redis_tls_shake_hands(struct redis_tls *tls, int fd, int64_t until_ms);
/* Sets ERROR_UNAVAILABLE, "{before}: why the handshake failed, and what to do"; right after it did. */
void redis_tls_explain(const struct redis_tls *tls, const char *before, struct error *error);

/* Before a call that uses the connection: what OpenSSL has said of others is forgotten. */
void redis_tls_begin_call(void);
/* After one that failed: what OpenSSL has said of it, or NULL. */
const char *redis_tls_reason(void);

/* Checks across settings; `used`: REDIS_URL is rediss://. */
void redis_tls_check_settings(bool used, const struct redis_tls_files *files, struct config_report *report);

#endif
