# Third-party libraries, all from Debian, as SYSTEM targets (their headers' warnings are not ours to mend).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c>=0.16)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl>=3.0)
pkg_check_modules(RABBITMQ REQUIRED IMPORTED_TARGET librabbitmq>=0.11)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
# TLS to Redis, where hiredis has it (Debian 13 does, in libhiredis-dev; Debian 12 does not). Else rediss:// is refused.
pkg_check_modules(HIREDIS_SSL IMPORTED_TARGET hiredis_ssl>=1.0)
# civetweb's CMake package of Debian names a static library that is not shipped: find the shared one.
find_library(CIVETWEB_LIBRARY NAMES civetweb REQUIRED)
find_path(CIVETWEB_INCLUDE_DIR NAMES civetweb.h REQUIRED)
add_library(civetweb_system INTERFACE)
target_link_libraries(civetweb_system INTERFACE ${CIVETWEB_LIBRARY})
target_include_directories(civetweb_system SYSTEM INTERFACE ${CIVETWEB_INCLUDE_DIR})
