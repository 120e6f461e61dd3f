# Sanitizers abort on the first finding, so that no test passes over one.
if(DROPBRIDGE_SANITIZE)
  target_compile_options(dropbridge_flags INTERFACE -fsanitize=${DROPBRIDGE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(dropbridge_flags INTERFACE -fsanitize=${DROPBRIDGE_SANITIZE})
endif()
if(DROPBRIDGE_COVERAGE)
  target_compile_options(dropbridge_flags INTERFACE --coverage)
  target_link_options(dropbridge_flags INTERFACE --coverage)
endif()
