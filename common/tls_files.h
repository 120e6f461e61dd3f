/* Keys and certificates in PEM files: what is wrong with them, in a sentence, before a connection fails of it. The
   sentences are what follows a setting's name: "names /x.pem, which …". Any thread. */
#ifndef DROPBRIDGE_TLS_FILES_H
#define DROPBRIDGE_TLS_FILES_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

/* OpenSSL's SSL_CTX, so that only those who make one see its headers. */
struct ssl_ctx_st;

/* Gives the context, which has none yet, the key and the certificate with its chain. False with *error (ERROR_CONFIG):
   the file cannot be read, holds no certificate or no key, a key under a passphrase, or one of another certificate. */
bool tls_files_identify(struct ssl_ctx_st *context, const char *path, struct error *error);
/* Lets the context trust the certificates in the file; "": those of the system. False with *error (ERROR_CONFIG). */
bool tls_files_trust(struct ssl_ctx_st *context, const char *path, struct error *error);

/* Checks of settings: whether the file would do for the above. */
bool tls_files_check_identity(const char *path, struct error *error);
bool tls_files_check_trust(const char *path, struct error *error);

/* Of the context's certificate; seconds since 1970. */
struct tls_validity {
    int64_t from_s;
    int64_t until_s;
};

/* False if the context has no certificate. */
bool tls_files_validity(const struct ssl_ctx_st *context, struct tls_validity *out);
/* Of the first certificate in the file; false if tls_files_identify would not take it. */
bool tls_files_validity_of(const char *path, struct tls_validity *out);
/* As RFC 3339: "2026-12-31T23:59:59Z". */
enum { TLS_TIME_TEXT = 32 };
void tls_files_time_text(int64_t time_s, char out[TLS_TIME_TEXT]);
/* True with a sentence if the certificate of `path` is not valid now or ends within 14 days. */
bool tls_files_doubt(const struct tls_validity *validity, const char *path, int64_t now_s, char out[ERROR_TEXT]);

#endif
