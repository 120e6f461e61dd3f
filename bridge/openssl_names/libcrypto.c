/* The real libcrypto under the name that civetweb asks for: see libssl.c. */
#include <openssl/crypto.h>

const char *dropbridge_libcrypto_version(void);

/* Makes the linker keep the real library as a dependency. */
const char *dropbridge_libcrypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
