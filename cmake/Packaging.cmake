# `cmake --install` and `cpack -G DEB`: programs, units, settings, man pages and documents.
include(GNUInstallDirs)
set(DROPBRIDGE_MAINTAINER "dropbridge authors <dropbridge@localhost>" CACHE STRING "Maintainer of the Debian package")

install(TARGETS dropbridge dropworker dropctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md PATTERN *.svg)
install(DIRECTORY examples/redis DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES deploy/systemd/dropbridge.env deploy/systemd/dropworker.env DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES deploy/systemd/dropbridge.sysusers DESTINATION lib/sysusers.d RENAME dropbridge.conf)

# Texts that name other installed files. The prefix is known only when they are installed (`--prefix`).
foreach(name PROJECT_VERSION DROPBRIDGE_MAINTAINER CMAKE_INSTALL_BINDIR CMAKE_INSTALL_SYSCONFDIR
        CMAKE_INSTALL_DOCDIR CMAKE_INSTALL_MANDIR)
  install(CODE "set(${name} \"${${name}}\")")
endforeach()
install(CODE "set(DEPLOY \"${CMAKE_CURRENT_SOURCE_DIR}/deploy\")\nset(WORK \"${CMAKE_CURRENT_BINARY_DIR}/install-texts\")")
install(SCRIPT cmake/InstallTexts.cmake)

# Calls into libraries are resolved at the start and cannot be redirected afterwards; stacks hold no code.
foreach(program dropbridge dropworker dropctl)
  target_link_options(${program} PRIVATE LINKER:-z,relro,-z,now,-z,noexecstack)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dropbridge)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "webhooks of Drop Cowboy by way of RabbitMQ into live counters in Redis")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Takes every webhook and callback about SMS and ringless-voicemail campaigns,
verifies it, keeps it in RabbitMQ (or, while that is away, in a local spool),
classifies it and counts it, live and exactly once, by campaign, in Redis.
.
dropbridge is the HTTP side, dropworker the counting one, dropctl the
operator's command. Nothing is started before it has been configured: see
/usr/share/doc/dropbridge/README.md.")
set(CPACK_PACKAGE_CONTACT "${DROPBRIDGE_MAINTAINER}")
set(CPACK_STRIP_FILES ON)
# The destination is absolute for /etc alone, so the whole tree is made under DESTDIR.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "ca-certificates, systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "rabbitmq-server, redis-server (>= 5:6.2)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/conffiles ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/postinst
    ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/postrm)
include(CPack)
