# Run by `cmake --install`: fills in where things are, and installs. Packaging.cmake sets DEPLOY, WORK, PROJECT_VERSION and
# the CMAKE_INSTALL_…DIRs.
set(BINDIR ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR})
set(DOCDIR ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR})
set(SYSCONFDIR ${CMAKE_INSTALL_SYSCONFDIR})
if(NOT IS_ABSOLUTE "${SYSCONFDIR}")
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(SYSCONFDIR /${SYSCONFDIR})
  else()
    set(SYSCONFDIR ${CMAKE_INSTALL_PREFIX}/${SYSCONFDIR})
  endif()
endif()
# As Debian's changelogs have it; SOURCE_DATE_EPOCH makes it the same in each build.
string(TIMESTAMP DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP MONTH "%B %Y" UTC)
find_program(GZIP gzip)

# put(SOURCE FOLDER NAME): installs deploy/SOURCE, filled in, as FOLDER/NAME. (Macros, no functions: file(INSTALL) writes the
# list of what was installed into a variable of its caller.)
macro(put source folder name)
  configure_file(${DEPLOY}/${source} ${WORK}/${name} @ONLY)
  file(INSTALL ${WORK}/${name} DESTINATION ${folder} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endmacro()

# The same, compressed where gzip is at hand: -n leaves out the time.
macro(put_compressed source folder name)
  configure_file(${DEPLOY}/${source} ${WORK}/${name} @ONLY)
  set(product ${WORK}/${name})
  if(GZIP)
    execute_process(COMMAND ${GZIP} -9nf ${product} COMMAND_ERROR_IS_FATAL ANY)
    set(product ${product}.gz)
  endif()
  file(INSTALL ${product} DESTINATION ${folder} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endmacro()

foreach(unit dropbridge.socket dropbridge.service dropworker@.service dropbridge.target)
  put(systemd/${unit}.in ${CMAKE_INSTALL_PREFIX}/lib/systemd/system ${unit})
endforeach()
put(systemd/dropbridge.tmpfiles.in ${CMAKE_INSTALL_PREFIX}/lib/tmpfiles.d dropbridge.conf)
foreach(page dropbridge dropworker dropctl)
  put_compressed(man/${page}.1.in ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man1 ${page}.1)
endforeach()
put_compressed(debian/changelog.in ${DOCDIR} changelog)

# Somebody's settings are never written over.
foreach(program dropbridge dropworker)
  if(NOT EXISTS "$ENV{DESTDIR}${SYSCONFDIR}/dropbridge/${program}.env")
    file(INSTALL ${DEPLOY}/systemd/${program}.env DESTINATION ${SYSCONFDIR}/dropbridge
         PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
  endif()
endforeach()
file(REMOVE_RECURSE ${WORK})
