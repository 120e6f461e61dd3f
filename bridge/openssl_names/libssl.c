/* civetweb, as Debian 12 and 13 build it, cannot do TLS there: it loads OpenSSL by the names libssl.so and
   libcrypto.so, which only libssl-dev has, and needs the symbol SSL_get_peer_certificate, which OpenSSL 3 has renamed
   (civetweb's issue 1334). This library has that symbol, and depends on the real ones for all others. It is built under
   both names; tls_listener.c loads them. */
#include <openssl/ssl.h>

#undef SSL_get_peer_certificate
X509 *SSL_get_peer_certificate(const SSL *ssl);

X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}
