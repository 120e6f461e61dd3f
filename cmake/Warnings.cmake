# One interface target that every target of ours links: language level, feature macros and warnings.
add_library(dropbridge_flags INTERFACE)
target_compile_definitions(dropbridge_flags INTERFACE _GNU_SOURCE DROPBRIDGE_VERSION="${PROJECT_VERSION}"
  DROPBRIDGE_TIMER_DIVISOR=${DROPBRIDGE_TIMER_DIVISOR})
target_compile_options(dropbridge_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wundef -Wcast-qual -Wwrite-strings -Wvla -Wswitch-enum -fno-omit-frame-pointer -fstack-protector-strong)
if(DROPBRIDGE_WERROR)
  target_compile_options(dropbridge_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(dropbridge_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(DROPBRIDGE_CONTROLS)
  target_compile_definitions(dropbridge_flags INTERFACE DROPBRIDGE_CONTROLS)
endif()
